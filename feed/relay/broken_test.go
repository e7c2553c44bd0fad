package relay_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed/relay/relaytest"
)

// TestBrokerDown tells of a broker that cannot be reached within about a
// second, and goes on without a Start: nothing was missed.
func TestBrokerDown(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.start(), w.start()
		w.reached()
		for _, down := range []time.Duration{500 * time.Millisecond, 3 * time.Second, 30 * time.Second} {
			w.broker.Down(true)
			began := time.Now()
			w.commit(relaytest.Commit{})
			if down > 2*time.Second {
				w.until("the stall is told", func() bool { return a.sink.look().stall != "" && b.sink.look().stall != "" })
				if after := time.Since(began); after > 1500*time.Millisecond {
					t.Errorf("told after %s", after)
				}
			}
			w.pass(down - time.Since(began))
			w.broker.Down(false)
			w.reached()
		}
		for _, n := range w.nodes {
			if got := n.sink.look(); len(got.starts) != 1 || got.commits != 3 || got.stall != "" {
				t.Errorf("told %+v", got)
			}
		}
	})
}

// TestIdleGoesOn tells that the feed goes on by a heartbeat alone.
func TestIdleGoesOn(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.start()
		w.reached()
		w.pass(time.Second)
		n.stream.Cut(true)
		w.until("the stall is told", func() bool { return n.sink.look().stall != "" })
		n.stream.Cut(false)
		began := time.Now()
		w.until("it goes on", func() bool { return n.sink.look().stall == "" })
		if after := time.Since(began); after > time.Second {
			t.Errorf("went on after %s", after)
		}
	})
}

// TestQuietDatabase has nodes be told within about a second that their owner
// hears nothing from the database, though the broker is well.
func TestQuietDatabase(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.start()
		w.reached()
		w.pass(time.Second)
		w.db.Hush(true)
		began := time.Now()
		w.until("the stall is told", func() bool { return n.sink.look().stall != "" })
		if after := time.Since(began); after > 2*time.Second {
			t.Errorf("told after %s", after)
		}
		w.db.Hush(false)
		w.until("it goes on", func() bool { return n.sink.look().stall == "" })
		if got := len(n.sink.look().starts); got != 1 {
			t.Errorf("started %d times", got)
		}
	})
}

// TestTrimmed starts anew when the stream does not keep what a node has slept
// through, and goes on where it does.
func TestTrimmed(t *testing.T) {
	bubble(t, func(w *world) {
		w.start()
		w.reached()
		n := w.start()
		w.reached()
		for i, keep := range []int{1000, 1} {
			n.stream.Cut(true)
			for range 10 {
				w.commit(relaytest.Commit{})
				w.pass(400 * time.Millisecond)
			}
			w.broker.Trim(keep)
			n.stream.Cut(false)
			w.reached()
			if got := len(n.sink.look().starts); got != i+1 {
				t.Errorf("started %d times after %d records were kept", got, keep)
			}
		}
		if got := w.nodes[0].sink.look(); len(got.starts) != 1 {
			t.Errorf("a node that had it all was told %+v", got)
		}
	})
}

// TestUnseenTrimmed begins nowhere while the stream does not keep the commits
// that reads do not see.
func TestUnseenTrimmed(t *testing.T) {
	bubble(t, func(w *world) {
		w.start()
		w.reached()
		w.pass(time.Second)
		w.commit(relaytest.Commit{Hidden: true})
		w.reached()
		w.pass(5 * time.Second)
		w.broker.Trim(2)
		n := w.start()
		w.until("the stall is told", func() bool { return n.sink.look().stall != "" })
		if got := n.sink.look(); len(got.starts) > 0 || !strings.Contains(got.stall, "keeps no more") {
			t.Errorf("told %+v", got)
		}
		w.db.Show()
		w.reached()
	})
}

// TestWiped begins another epoch when the broker has lost everything, and
// another when it has lost what was acknowledged.
func TestWiped(t *testing.T) {
	losses := map[string]func(*relaytest.Broker){
		"all":  (*relaytest.Broker).Wipe,
		"some": func(b *relaytest.Broker) { b.Lose(5) },
	}
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.start()
				w.start()
				for range 10 {
					w.commit(relaytest.Commit{})
					w.reached()
					w.pass(time.Second)
				}
				before := w.nodes[0].sink.look().epoch
				w.broker.Down(true)
				lose(w.broker)
				w.broker.Down(false)
				w.until("another epoch begins", func() bool {
					return w.nodes[0].sink.look().epoch != before && w.nodes[1].sink.look().epoch != before
				})
				w.commit(relaytest.Commit{})
				w.reached()
				if a, b := w.nodes[0].sink.look(), w.nodes[1].sink.look(); a.epoch != b.epoch || len(a.starts) != 2 || a.starts[1] == "" {
					t.Errorf("told %+v and %+v", a, b)
				}
			})
		})
	}
}

// TestLostUnacknowledged goes on in the epoch when the broker has lost what the
// log still has.
func TestLostUnacknowledged(t *testing.T) {
	bubble(t, func(w *world) {
		w.start()
		w.start()
		w.reached()
		w.pass(time.Second)
		w.commit(relaytest.Commit{Hidden: true}) // nothing from here on is acknowledged
		w.reached()
		for range 5 {
			w.commit(relaytest.Commit{})
			w.reached()
		}
		w.broker.Lose(4)
		w.commit(relaytest.Commit{})
		w.reached()
		w.db.Show()
		w.commit(relaytest.Commit{})
		w.reached()
		a, b := w.nodes[0].sink.look(), w.nodes[1].sink.look()
		if a.epoch != b.epoch || len(a.starts) != 1 && !strings.Contains(a.starts[1], "ends at record") {
			t.Errorf("told %+v and %+v", a, b)
		}
	})
}

// TestNeverBack does not start before where a node stood, though the stream ends
// there for a while, and reads see no more.
func TestNeverBack(t *testing.T) {
	bubble(t, func(w *world) {
		w.start()
		w.start()
		w.reached()
		w.pass(time.Second)
		w.commit(relaytest.Commit{Hidden: true})
		for range 5 {
			w.reached()
			w.commit(relaytest.Commit{})
		}
		w.reached()
		w.db.Refuse(errFault)
		w.db.Drop()
		w.broker.Lose(6)
		w.pass(5 * time.Second)
		for _, n := range w.nodes {
			if got := n.sink.look(); len(got.starts) != 1 || got.stall == "" {
				t.Errorf("told %+v", got)
			}
		}
		w.db.Refuse(nil)
		w.pass(5 * time.Second)
		w.db.Show()
		w.reached()
		w.commit(relaytest.Commit{})
		w.reached()
	})
}

// TestSlotLost begins another epoch when the log begins behind the stream.
func TestSlotLost(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.start()
		w.reached()
		n.stream.Cut(true)
		w.commit(relaytest.Commit{})
		w.db.LoseSlot()
		n.stream.Cut(false)
		w.reached()
		if got := n.sink.look(); len(got.starts) != 2 || !strings.Contains(got.starts[1], "the log begins at") {
			t.Errorf("told %+v", got)
		}
	})
}

// TestRestored begins another epoch when the database was restored, whether it
// knows that or not.
func TestRestored(t *testing.T) {
	for name, known := range map[string]bool{"known": true, "unknown": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				n := w.start()
				at := w.commit(relaytest.Commit{})
				w.reached()
				for range 20 {
					w.commit(relaytest.Commit{})
				}
				w.reached()
				before := n.sink.look().epoch
				w.db.Restore(at, known)
				w.until("another epoch begins", func() bool { return n.sink.look().epoch != before })
				w.commit(relaytest.Commit{})
				w.reached()
				if got := n.sink.look(); len(got.starts) != 2 {
					t.Errorf("told %+v", got)
				}
			})
		})
	}
}

// TestReset starts all nodes anew, where reads see what made it necessary.
func TestReset(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.start(), w.start()
		w.reached()
		w.commit(relaytest.Commit{})
		p := w.db.Reset("a table was emptied", true)
		w.commit(relaytest.Commit{})
		w.pass(5 * time.Second)
		if got := a.sink.look(); got.position >= p || got.stall == "" {
			t.Errorf("told %+v while reads do not see %d", got, p)
		}
		w.db.Show()
		w.reached()
		for _, n := range []*node{a, b} {
			if got := n.sink.look(); len(got.starts) != 2 || !strings.Contains(got.starts[1], "a table was emptied") || got.epoch != a.sink.look().epoch {
				t.Errorf("told %+v", got)
			}
		}
	})
}

// TestRebuilt starts all nodes anew each time that the log says so, though it
// stands where it stood.
func TestRebuilt(t *testing.T) {
	bubble(t, func(w *world) {
		a, b := w.start(), w.start()
		w.until("all have started", func() bool { return len(a.sink.look().starts) > 0 && len(b.sink.look().starts) > 0 })
		for i := range 3 {
			w.db.Rebuild("a table was rebuilt")
			w.until("all start anew", func() bool { return len(a.sink.look().starts) == i+2 && len(b.sink.look().starts) == i+2 })
		}
		w.commit(relaytest.Commit{})
		c := w.start()
		w.reached()
		for _, n := range []*node{a, b, c} {
			if got := n.sink.look(); len(got.epochs) != 1 || got.epoch != a.sink.look().epoch {
				t.Errorf("told %+v", got)
			}
		}
	})
}

// TestForeign tells of a stream that holds something else, or what a later
// release wrote, and changes nothing in it.
func TestForeign(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"foreign": {[]byte("hello"), "not Pando's"},
		"later":   {[]byte{'P', 2, 1, 1}, "later release"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				if _, err := w.broker.Stream().Append(w.t.Context(), 0, c.body); err != nil {
					t.Fatal(err)
				}
				n := w.start()
				w.until("the stall is told", func() bool { return strings.Contains(n.sink.look().stall, c.want) })
				w.pass(10 * time.Second)
				if got := w.broker.Len(); got != 1 {
					t.Errorf("the stream has %d records", got)
				}
			})
		})
	}
}

// TestClosed ends with the stream.
func TestClosed(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.start()
		w.reached()
		if err := n.stream.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-n.done; err == nil || !strings.Contains(err.Error(), broker.ErrClosed.Error()) {
			t.Errorf("Run of a closed stream: %v", err)
		}
		n.done <- nil
	})
}

// TestCutOwner has a node whose broker fails leave the log to others for long
// enough that each of them looks whether it is free.
func TestCutOwner(t *testing.T) {
	bubble(t, func(w *world) {
		n := w.start()
		w.reached()
		n.stream.Cut(true)
		var free, longest time.Duration
		const tick = 10 * time.Millisecond
		for range 3000 {
			w.pass(tick)
			if free += tick; w.db.Owned() {
				free = 0
			}
			longest = max(longest, free)
		}
		if longest < time.Second {
			t.Errorf("the log was free for %s at most", longest)
		}
		n.stream.Cut(false)
		w.commit(relaytest.Commit{})
		w.reached()
	})
}
