package relay_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed/relay/relaytest"
)

var errFault = errors.New("the connection broke")

// TestOwnerEnds has the owner lose the log at every append of a large commit,
// of which any number of records is stored: the other node goes on.
func TestOwnerEnds(t *testing.T) {
	ends := map[string]func(*relaytest.Database){
		"notices": (*relaytest.Database).Drop, "sleeps": (*relaytest.Database).Steal, "keeps it": func(*relaytest.Database) {},
	}
	for name, end := range ends {
		for at := range 5 {
			for stored := range 4 {
				t.Run(fmt.Sprintf("%s/%d/%d", name, at, stored), func(t *testing.T) {
					bubble(t, func(w *world) {
						before := w.endAt(at, stored, end)
						if after := w.db.Term(); (after == before) != (name == "keeps it") {
							t.Errorf("term %d follows term %d", after, before)
						}
					})
				})
			}
		}
	}
}

func (w *world) endAt(at, stored int, end func(*relaytest.Database)) (term uint64) {
	a, b := w.start(), w.start()
	w.reached()
	term = w.db.Term()
	appends := 0
	w.broker.Fault(func(records int) (int, error) {
		if appends++; appends-1 != at {
			return records, nil
		}
		end(w.db)
		return min(stored, records), errFault
	})
	size := 0
	if at == 1 {
		size = 1_100_000 // two records for each part
	}
	for range 2 {
		w.commit(relaytest.Commit{Changes: named("large", 8), Parts: 3, Size: size})
		w.commit(relaytest.Commit{})
	}
	w.reached()
	w.pass(2 * time.Second)
	w.commit(relaytest.Commit{})
	w.reached()
	for _, n := range []*node{a, b} {
		if got := n.sink.look(); len(got.starts) != 1 || got.commits != 5 {
			w.t.Errorf("told %+v", got)
		}
	}
	if appends <= at {
		w.t.Errorf("%d appends were made", appends)
	}
	return term
}

// TestSuccession kills owner after owner; the nodes that come instead begin
// where the others are.
func TestSuccession(t *testing.T) {
	bubble(t, func(w *world) {
		last := w.start()
		for i := range 5 {
			w.start()
			w.reached()
			w.commit(relaytest.Commit{Changes: named("large", 4), Parts: 3})
			if i%2 == 0 {
				w.reached()
			}
			w.kill(w.nodes[0])
			w.commit(relaytest.Commit{})
			w.reached()
			if got := w.nodes[0].sink.look(); w.nodes[0] == last || len(got.starts) != 1 {
				t.Errorf("told %+v", got)
			}
		}
	})
}

// TestRecut starts anew when the next owner cuts a commit otherwise whose first
// parts were told.
func TestRecut(t *testing.T) {
	bubble(t, func(w *world) {
		w.db.Recut()
		n := w.start()
		w.reached()
		var once sync.Once
		w.broker.Fault(func(records int) (stored int, err error) {
			stored = records
			if records > 2 {
				once.Do(func() {
					w.db.Drop()
					stored, err = records/2, errFault
				})
			}
			return stored, err
		})
		w.commit(relaytest.Commit{Changes: named("large", 30), Parts: 6})
		w.reached()
		if got := n.sink.look(); len(got.starts) != 2 || !strings.Contains(got.starts[1], "cut otherwise") {
			t.Errorf("told %+v", got)
		}
	})
}

// TestOwnerWakes lets an owner that lost the log append what it had read of it:
// it is refused, and what it had appended in part before is void.
func TestOwnerWakes(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.start()
		w.reached()
		b := w.start()
		w.reached()
		a.stream.Cut(true)
		w.commit(relaytest.Commit{Changes: named("large", 4), Parts: 4})
		w.pass(200 * time.Millisecond)
		w.db.Steal()
		w.commit(relaytest.Commit{})
		w.until("the other node goes on", func() bool { return b.sink.look().position == w.db.Position() })
		a.stream.Cut(false)
		w.commit(relaytest.Commit{})
		w.reached()
		for _, n := range w.nodes {
			if got := n.sink.look(); len(got.starts) != 1 || got.commits != 3 {
				t.Errorf("told %+v", got)
			}
		}
	})
}

// TestGivesUp lets the log go when the broker cannot be reached from the owner.
func TestGivesUp(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.start()
		w.reached()
		b := w.start()
		w.reached()
		a.stream.Cut(true)
		p := w.commit(relaytest.Commit{})
		w.until("the other node goes on", func() bool { return b.sink.look().position >= p })
		if got := a.sink.look(); !strings.Contains(got.stall, relaytest.ErrDown.Error()) {
			t.Errorf("the node without a broker was told %+v", got)
		}
		a.stream.Cut(false)
		w.reached()
		if got := a.sink.look(); len(got.starts) != 1 || got.stall != "" {
			t.Errorf("the node was told %+v", got)
		}
	})
}

// TestDatabaseDown tells of a database that cannot be reached, and why, within
// about a second, and goes on without a Start.
func TestDatabaseDown(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.start()
		w.reached()
		w.db.Refuse(errFault)
		w.db.Drop()
		began := time.Now()
		w.until("the stall is told", func() bool { return n.sink.look().stall != "" })
		if after := time.Since(began); after > 1500*time.Millisecond {
			t.Errorf("told after %s", after)
		}
		if got := n.sink.look().stall; !strings.Contains(got, errFault.Error()) {
			t.Errorf("the stall is told as %q", got)
		}
		w.pass(20 * time.Second)
		if got := len(n.sink.look().stalls); got > 3 {
			t.Errorf("told of the stall %d times", got)
		}
		w.db.Refuse(nil)
		w.commit(relaytest.Commit{})
		w.reached()
		if got := n.sink.look(); len(got.starts) != 1 || got.stall != "" {
			t.Errorf("told %+v", got)
		}
	})
}

// TestVisibilityRefused keeps the log, and goes on publishing, while nobody can
// tell what is visible.
func TestVisibilityRefused(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.start()
		w.reached()
		w.pass(time.Second)
		hidden := w.commit(relaytest.Commit{Hidden: true})
		for range 3000 {
			w.commit(relaytest.Commit{})
		}
		w.reached()
		w.pass(time.Second)
		if acked := w.db.Acked(); acked >= hidden {
			t.Errorf("acknowledged up to %d", acked)
		}
		w.db.Show()
		w.pass(2 * time.Second)
		if acked, head := w.db.Acked(), w.db.Position(); acked < head {
			t.Errorf("acknowledged up to %d of %d", acked, head)
		}
		if got := n.sink.look(); got.commits != 3001 {
			t.Errorf("told %+v", got)
		}
	})
}
