package bind_test

import (
	"testing"
	"testing/synctest"
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

// TestWhoSubscribesWhileTheFeedBeginsAnewWaitsForItsOwn has a stream begin, and read
// a commit of which the feed has yet to tell, while the others are told that the feed
// has begun anew.
func TestWhoSubscribesWhileTheFeedBeginsAnewWaitsForItsOwn(t *testing.T) {
	inBubble(t, noteSpec(), func(h *harness) {
		var late *client
		var begun <-chan error
		told := make(chan struct{})
		h.connect("red").onGap = func() {
			h.db.commit(false, h.note(1, "red", "a"))
			late = h.connect("red")
			begun = late.subscribe()
			synctest.Wait()
			close(told)
		}
		h.db.restart()
		<-told
		h.expect("told before the feed has told", late.told(), "")
		h.db.deliver(-1)
		if err := <-begun; err != nil {
			t.Fatal(err)
		}
		h.expect("told", late.told(), snapshot(row(1, "red", "a")))
	})
}
