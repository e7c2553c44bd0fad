package relay_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/relay/relaytest"
)

// history asks a node for what came after a position, and checks that it is
// what the database has.
func (w *world) history(n *node, after feed.Position) (commits int, complete bool) {
	w.t.Helper()
	at, parts := after, []feed.Change(nil)
	complete, err := n.source.History(w.t.Context(), n.sink.look().epoch, after, func(c *feed.Commit) error {
		if parts = append(parts, c.Changes...); c.More {
			return nil
		}
		commits++
		if err := w.db.Follows(at, c.Position, parts); err != nil {
			w.t.Errorf("history after %d: %v", after, err)
		}
		at, parts = c.Position, nil
		return nil
	})
	if err != nil {
		w.t.Errorf("history after %d: %v", after, err)
	}
	return commits, complete
}

// TestHistory tells a node that comes late what came before it, from any
// position, across owners that ended within a commit, and as far as it is kept.
func TestHistory(t *testing.T) {
	bubble(t, func(w *world) {
		first := w.start()
		w.reached()
		positions := []feed.Position{first.sink.look().position}
		for i := range 6 {
			ended := false
			w.broker.Fault(func(records int) (int, error) {
				if i%3 != 1 || ended {
					return records, nil
				}
				ended = true
				w.db.Drop()
				return min(records, 2), errFault
			})
			positions = append(positions, w.commit(relaytest.Commit{Changes: named("large", 6), Parts: 3, Size: 600_000 * (i % 2)}))
			w.reached()
			w.pass(time.Second)
		}
		n := w.start()
		w.reached()
		for i, p := range positions {
			if got, complete := w.history(n, p); !complete || got != len(positions)-1-i {
				t.Errorf("history after %d has %d commits, complete %t, want %d", p, got, complete, len(positions)-1-i)
			}
		}
		if got, complete := w.history(n, n.sink.look().position+5); got != 0 || !complete {
			t.Errorf("history of what is to come has %d commits, complete %t", got, complete)
		}
		want := errors.New("enough")
		if _, err := n.source.History(w.t.Context(), n.sink.look().epoch, positions[0], func(*feed.Commit) error { return want }); !errors.Is(err, want) {
			t.Errorf("history does not end with its caller's error but %v", err)
		}
		if complete, err := n.source.History(w.t.Context(), "other", positions[0], nil); complete || err != nil {
			t.Errorf("history of another epoch: %t %v", complete, err)
		}

		// The stream is trimmed record by record.
		lost := 0
		for keep := w.broker.Len(); keep > 0; keep-- {
			w.broker.Trim(keep)
			for i, p := range positions {
				got, complete := w.history(n, p)
				if complete && got != len(positions)-1-i {
					t.Errorf("of the history after %d, %d commits are kept, which are said to be all", p, got)
				}
				if !complete {
					lost++
				}
			}
		}
		if lost == 0 {
			t.Error("nothing is lost when the stream is trimmed")
		}
	})
}

// TestHistoryEnds knows nothing of before a reset.
func TestHistoryEnds(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.start()
		w.reached()
		before := n.sink.look()
		last := w.commit(relaytest.Commit{})
		w.db.Reset("a table was emptied", false)
		w.commit(relaytest.Commit{})
		w.reached()
		if complete, err := n.source.History(w.t.Context(), before.epoch, before.position, nil); complete || err != nil {
			t.Errorf("history of the epoch before: %t %v", complete, err)
		}
		for _, p := range []feed.Position{before.position, last} {
			if got, complete := w.history(n, p); complete {
				t.Errorf("history of before the epoch has %d commits, and is complete", got)
			}
		}
	})
}
