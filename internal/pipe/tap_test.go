package pipe_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/pipe"
)

// tap notes what it is told.
type tap struct {
	mu   sync.Mutex
	told []string
}

func (t *tap) notef(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told = append(t.told, fmt.Sprintf(format, args...))
}

func (t *tap) Start(head feed.Position) { t.notef("start %d", head) }
func (t *tap) Commit(c *feed.Commit) {
	t.notef("commit %d of %d more %v", c.Position, len(c.Changes), c.More)
}
func (t *tap) Advance(p feed.Position) { t.notef("advance %d", p) }

func (t *tap) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	told := t.told
	t.told = nil
	return told
}

// TestATapIsToldWhatTheFeedTells has each call once, in order.
func TestATapIsToldWhatTheFeedTells(t *testing.T) {
	told := &tap{}
	inBubble(t, pipe.Config{Tap: told}, func(t *testing.T, h *harness) {
		h.write(h.line(2, 1, "a"), h.line(3, 1, "b"))
		h.Commit(&feed.Commit{Position: 3, Changes: []feed.Change{h.line(4, 1, "c")}, More: true})
		h.Commit(&feed.Commit{Position: 3})
		h.Advance(4)
		h.Start("another", 7, "for a test")
		want := []string{"start 1", "commit 2 of 2 more false", "commit 3 of 1 more true", "commit 3 of 0 more false", "advance 4", "start 7"}
		if got := told.take(); !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// TestAReadMissesNothingThatTheTapWasTold has the tap's reader get what its
// snapshot does not see, as its own copy.
func TestAReadMissesNothingThatTheTapWasTold(t *testing.T) {
	inBubble(t, pipe.Config{Tap: &tap{}}, func(t *testing.T, h *harness) {
		// Not seen by reads of the database in memory, which go by the position.
		late := &feed.Commit{Position: 100, Transaction: 9, Changes: []feed.Change{h.line(2, 1, "late")}}
		h.Commit(late)
		snap, before, err := h.Read(h.ctx)
		if err != nil || len(before) != 1 || snap.Saw(late) {
			t.Fatalf("before the snapshot came %v, %v", before, err)
		}
		before[0].Changes[0].New = nil
		if late.Changes[0].New == nil {
			t.Error("the commit is shared with the pipe")
		}
		h.stop()
		if _, _, err := h.Read(t.Context()); !errors.Is(err, pipe.ErrUnavailable) {
			t.Errorf("reading a pipe that has ended: %v", err)
		}
	})
}
