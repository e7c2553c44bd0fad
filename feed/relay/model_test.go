package relay_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/pando-sync/pando/feed/relay/relaytest"
	_ "github.com/pando-sync/pando/internal/seeds"
)

// TestModel lets owners, nodes, the broker and the database fail in any order:
// each node is told exactly what the database's log has since its last Start
// (the sinks check that), and comes to the head when failing stops.
func TestModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
			w := newWorld(&failing{t, rt})
			defer w.stop()
			w.start()
			w.run(rt)
		})
	})
}

// failing has the checks of a world fail a case of rapid, which may then be made
// smaller. The methods of T that a case must not call are the test's own.
type failing struct {
	testing.TB

	rt *rapid.T
}

func (f *failing) Errorf(format string, args ...any) { f.rt.Errorf(format, args...) }
func (f *failing) Error(args ...any)                 { f.rt.Error(args...) }
func (f *failing) Fatalf(format string, args ...any) { f.rt.Fatalf(format, args...) }
func (f *failing) Fatal(args ...any)                 { f.rt.Fatal(args...) }
func (f *failing) Logf(format string, args ...any)   { f.rt.Logf(format, args...) }

// run takes steps in any order, and then has all mended.
func (w *world) run(rt *rapid.T) {
	pick := func(name string, n int) int { return rapid.IntRange(0, n-1).Draw(rt, name) }
	one := func() *node { return w.nodes[pick("node", len(w.nodes))] }
	kept := true // nothing was lost for good, so that nobody has to begin another epoch
	steps := []func(){
		func() { w.commit(relaytest.Commit{}) },
		func() { w.commit(relaytest.Commit{Hidden: true}) },
		func() {
			w.commit(relaytest.Commit{Changes: named(strconv.Itoa(w.count), 6), Parts: 1 + pick("parts", 8), Hidden: pick("hidden", 3) == 0})
		},
		func() {
			w.commit(relaytest.Commit{Changes: named(strconv.Itoa(w.count), 4), Parts: 2, Size: 1_100_000})
		},
		func() { w.commit(relaytest.Commit{Untold: true, Parts: 1 + pick("parts", 3)}) },
		func() { w.db.Skip() },
		func() { w.db.Show() },
		func() { w.pass(time.Duration(1+pick("ms", 50)) * time.Millisecond) },
		func() { w.pass(time.Duration(1+pick("s", 8)) * time.Second) },
		func() { w.db.Drop() },
		func() { w.db.Steal() },
		func() { w.db.Wake() },
		func() { w.faults(rt) },
		func() { one().stream.Cut(pick("cut", 2) == 0) },
		func() { w.broker.Down(pick("down", 2) == 0) },
		func() {
			if len(w.nodes) < 4 {
				w.start()
			}
		},
		func() {
			if len(w.nodes) > 1 {
				w.kill(one())
			}
		},
		func() { w.db.Reset("emptied", pick("hidden", 2) == 0) },
		func() { w.db.Rebuild("rebuilt") },
		func() { w.db.Recut() },
		func() { w.db.Pause(pick("paused", 2) == 0) },
		func() { w.broker.Trim(pick("keep", 20)); kept = false },
		func() { w.broker.Lose(pick("lost", 6)); kept = false },
		func() { w.broker.Wipe(); kept = false },
		func() { w.db.LoseSlot(); w.db.Show(); kept = false },
	}
	first := w.nodes[0]
	for range rapid.IntRange(1, 40).Draw(rt, "steps") {
		steps[pick("step", len(steps))]()
	}
	w.mend()
	w.reached()
	w.commit(relaytest.Commit{})
	w.reached()
	for _, n := range w.nodes {
		seen := n.sink.look()
		if other := w.nodes[0].sink.look(); seen.epoch != other.epoch {
			rt.Errorf("one node is in epoch %s, another in %s", seen.epoch, other.epoch)
		}
		if n == first && kept && len(seen.epochs) > 1 {
			rt.Errorf("epochs %q began, and nothing was lost", seen.epochs)
		}
	}
}

// faults has the next appends fail, of which some records are stored.
func (w *world) faults(rt *rapid.T) {
	stored := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 4).Draw(rt, "stored")
	w.broker.Fault(func(records int) (int, error) {
		if len(stored) == 0 {
			return records, nil
		}
		n := min(stored[0], records)
		stored = stored[1:]
		return n, errFault
	})
}

// mend ends all failures.
func (w *world) mend() {
	w.broker.Fault(nil)
	w.broker.Down(false)
	for _, n := range w.nodes {
		n.stream.Cut(false)
	}
	w.db.Show()
	w.db.Wake()
	w.db.Pause(false)
}
