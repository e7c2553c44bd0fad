package relay_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/relay/relaytest"
)

// TestNodes follows with two nodes, one of which publishes; one that comes later
// begins where the others are.
func TestNodes(t *testing.T) {
	bubble(t, func(w *world) {
		w.commit(relaytest.Commit{})
		a, b := w.start(), w.start()
		w.reached()
		for range 20 {
			w.commit(relaytest.Commit{})
			w.db.Skip()
		}
		w.reached()
		if got := a.sink.look().commits; got < 20 {
			t.Errorf("%d commits were told, want 20", got)
		}
		w.pass(time.Second)
		c := w.start()
		w.reached()
		w.commit(relaytest.Commit{})
		w.reached()
		seen := c.sink.look()
		if seen.commits != 1 {
			t.Errorf("%d commits were told to who came late, want 1", seen.commits)
		}
		if other := b.sink.look(); seen.epoch != other.epoch || len(other.starts) != 1 || len(other.stalls) > 0 {
			t.Errorf("one node is at %+v, another at %+v", seen, other)
		}
		for _, n := range w.nodes {
			if come := n.db.Come(); come != n.sink.look().position {
				t.Errorf("the database is told that a node has come to %d, it is at %d", come, n.sink.look().position)
			}
		}
		snap, err := c.source.Snapshot(w.t.Context())
		if err != nil || snap.Epoch() != seen.epoch {
			t.Errorf("a snapshot has epoch %s, the feed %s: %v", snap.Epoch(), seen.epoch, err)
		}
	})
}

// TestLatency passes a commit on at once, and advances within milliseconds.
func TestLatency(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.start()
		w.reached()
		w.pass(time.Second)
		for range 5 {
			began := time.Now()
			p := w.commit(relaytest.Commit{})
			w.until("the commit is told", func() bool { return n.sink.look().position == p })
			if time.Since(began) > 0 {
				t.Errorf("a commit took %s", time.Since(began))
			}
			before := w.broker.Len()
			for range 100 {
				p = w.db.Skip()
			}
			w.until("the position is told", func() bool { return n.sink.look().position == p })
			if time.Since(began) > 20*time.Millisecond || w.broker.Len()-before > 4 {
				t.Errorf("100 advances took %s and %d records", time.Since(began), w.broker.Len()-before)
			}
		}
	})
}

// TestLarge relays commits of several parts, parts of several records, and parts
// without a change for the node.
func TestLarge(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.start()
		w.reached()
		records := w.broker.Len()
		w.commit(relaytest.Commit{Changes: named("large", 50), Parts: 7, Size: 2_500_000})
		w.commit(relaytest.Commit{Changes: named("sparse", 2), Parts: 9})
		w.reached()
		if got := n.sink.look().commits; got != 2 {
			t.Errorf("%d commits were told, want 2", got)
		}
		if got := w.broker.Len() - records; got < 7*3 {
			t.Errorf("17 MB went into %d records", got)
		}
	})
}

// TestHidden starts where reads see every commit, and tells the rest at once.
func TestHidden(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.start()
		shown := w.commit(relaytest.Commit{})
		w.reached()
		w.pass(time.Second)
		hidden := w.commit(relaytest.Commit{Hidden: true})
		w.commit(relaytest.Commit{})
		w.reached()
		if got := a.sink.look().position; got < hidden {
			t.Errorf("a node waits at %d for a commit at %d to be visible", got, hidden)
		}
		w.pass(10 * time.Second)
		if acked := w.db.Acked(); acked >= hidden || acked < shown {
			t.Errorf("acknowledged up to %d, and reads do not see %d", acked, hidden)
		}
		b := w.start()
		w.reached()
		if got := b.sink.look(); got.commits != 2 {
			t.Errorf("who begins while a commit is not visible was told %+v", got)
		}
		// Another owner knows of it, too.
		w.kill(a)
		w.until("another owner comes", w.db.Owned)
		w.pass(time.Second)
		c := w.start()
		w.reached()
		if got := c.sink.look(); got.commits != 2 {
			t.Errorf("who begins under another owner was told %+v", got)
		}
		w.db.Show()
		w.pass(2 * time.Second)
		if acked := w.db.Acked(); acked < hidden {
			t.Errorf("acknowledged up to %d after reads see %d", acked, hidden)
		}
		w.commit(relaytest.Commit{})
		w.reached()
		if got := len(b.sink.look().starts); got != 1 {
			t.Errorf("started %d times", got)
		}
	})
}

// TestTakesTime begins right under an owner whose log is yet to come to where
// the stream ended.
func TestTakesTime(t *testing.T) {
	bubble(t, func(w *world) {
		w.start()
		w.reached()
		w.pass(time.Second)
		hidden := w.commit(relaytest.Commit{Hidden: true})
		w.reached() // the stream ends with a position
		w.db.Pause(true)
		w.db.Drop()
		w.pass(2 * time.Second)
		b := w.start()
		w.until("a node begins", func() bool { return b.sink.look().commits == 1 })
		w.db.Pause(false)
		w.commit(relaytest.Commit{Hidden: true, Changes: named("large", 4), Parts: 2})
		w.pass(2 * time.Second)
		w.start()
		w.reached()
		if acked := w.db.Acked(); acked >= hidden {
			t.Errorf("acknowledged up to %d", acked)
		}
		w.db.Show()
		w.commit(relaytest.Commit{})
		w.reached()
		for _, n := range w.nodes {
			if got := n.sink.look(); len(got.starts) != 1 || len(got.stalls) > 0 {
				t.Errorf("told %+v", got)
			}
		}
	})
}

// TestMidCommit begins within a commit that takes its time: where it began.
func TestMidCommit(t *testing.T) {
	bubble(t, func(w *world) {
		w.start()
		w.reached()
		w.pass(time.Second)
		w.db.PauseWithin()
		w.commit(relaytest.Commit{Changes: named("large", 6), Parts: 3})
		w.pass(2 * time.Second)
		w.start()
		w.pass(2 * time.Second)
		w.db.Pause(false)
		w.reached()
		for _, n := range w.nodes {
			if got := n.sink.look(); len(got.starts) != 1 || len(got.stalls) > 0 || got.commits != 1 {
				t.Errorf("told %+v", got)
			}
		}
	})
}

// TestUntold starts anew, once, after a commit that cannot be decoded, be it small
// or large, visible or not yet.
func TestUntold(t *testing.T) {
	for name, c := range map[string]relaytest.Commit{
		"small":  {Untold: true},
		"large":  {Untold: true, Changes: named("large", 4), Parts: 4},
		"hidden": {Untold: true, Hidden: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.start()
				w.start()
				w.reached()
				w.pass(time.Second)
				w.commit(relaytest.Commit{})
				p := w.commit(c)
				w.pass(time.Second)
				w.commit(relaytest.Commit{})
				w.db.Show()
				w.reached()
				w.pass(time.Second)
				w.commit(relaytest.Commit{})
				w.reached()
				w.start()
				w.reached()
				for i, n := range w.nodes {
					got := n.sink.look()
					if want := []int{2, 2, 1}[i]; len(got.starts) != want || got.position < p {
						t.Errorf("node %d was told %+v", i, got)
					}
				}
			})
		})
	}
}

// TestEmpty tells that nobody owns the log, and begins when somebody does.
func TestEmpty(t *testing.T) {
	bubble(t, func(w *world) {
		release := hold(w.db)
		n := w.start()
		w.until("the stall is told", func() bool { return n.sink.look().stall != "" })
		if got := n.sink.look(); !strings.Contains(got.stall, "no node owns") || len(got.starts) > 0 {
			t.Errorf("told %+v of an empty stream", got)
		}
		release()
		w.reached()
	})
}

// hold owns the log and does nothing with it.
func hold(db *relaytest.Database) (release func()) {
	held, done := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		_ = db.Node().Own(ctx, func(ctx context.Context, _ feed.Log) error {
			close(held)
			<-ctx.Done()
			return nil
		})
	}()
	<-held
	return func() {
		cancel()
		<-done
	}
}
