package bind_test

import (
	"testing"
	"time"
)

// TestAReadOutlivesAFeedThatGoesOnFurtherBack has the feed begin anew, at a lower
// position, while a subscription is read.
func TestAReadOutlivesAFeedThatGoesOnFurtherBack(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		for range 20 {
			h.write(h.note(1, "red", "a"))
		}
		c := h.connect("red")
		h.db.onRead = func() error {
			h.db.onRead = nil
			h.db.mu.Lock()
			h.db.pos = 3
			h.db.mu.Unlock()
			h.db.restart()
			h.pass(time.Millisecond) // it is told meanwhile
			return nil
		}
		if err := <-c.subscribe(); err != nil {
			t.Fatal(err)
		}
		h.expect("told", c.told(), gapText+"\n"+snapshot(row(1, "red", "a")))
	})
}
