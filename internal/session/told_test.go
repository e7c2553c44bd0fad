package session

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pando-sync/pando/internal/wire"
)

// TestTellingAllocatesNothing has a frame that many share delivered to one of them.
func TestTellingAllocatesNothing(t *testing.T) {
	c := &Session{ctx: t.Context(), shard: newShard(), streams: map[string]*stream{}}
	c.schedule.Store(queued)
	st := &stream{session: c, name: "s1", shown: true}
	f := wire.Message("s1", 0, json.RawMessage(`{"n":1}`))
	var b batch
	deliver := func() {
		b.reset()
		for range 2 {
			if !st.Tell(f) {
				t.Error("a frame is not taken")
			}
		}
		if _, caughtUp := c.collect(&b); caughtUp || len(b.bufs) != 2 {
			t.Errorf("%d frames are due", len(b.bufs))
		}
	}
	if allocs := testing.AllocsPerRun(100, deliver); allocs != 0 {
		t.Errorf("%g allocations for two deliveries", allocs)
	}
	if c.told.frames != 0 || c.told.bytes != 0 || len(c.replies) != 0 {
		t.Errorf("left: %+v, %d in line", c.told, len(c.replies))
	}
}

// TestWhatIsWithheldKeepsItsOrder has one stream that is not open yet among replies
// and another one.
func TestWhatIsWithheldKeepsItsOrder(t *testing.T) {
	c := &Session{ctx: t.Context(), shard: newShard(), streams: map[string]*stream{}}
	c.schedule.Store(queued)
	open, opening := &stream{session: c, name: "a", shown: true}, &stream{session: c, name: "b"}
	say := func(text string) *wire.Frame { return wire.Text([]byte(text)) }
	opening.Tell(say("b1"))
	open.Tell(say("a1"))
	c.reply(say("reply"))
	opening.Tell(say("b2"))
	collect := func() string {
		var b batch
		c.collect(&b)
		got := make([]string, len(b.bufs))
		for i, frame := range b.bufs {
			got[i] = string(wire.Payload(frame))
		}
		return strings.Join(got, " ")
	}
	if got := collect(); got != "a1 reply" {
		t.Errorf("got %s", got)
	}
	if got := collect(); got != "" || c.told.frames != 2 {
		t.Errorf("got %s, %d are counted", got, c.told.frames)
	}
	opening.shown = true
	if got := collect(); got != "b1 b2" {
		t.Errorf("got %s", got)
	}
	open.shown = false
	open.Tell(say("a2"))
	c.silence(open)
	open.Tell(say("a3"))
	if got := collect(); got != "" || c.told.frames != 0 {
		t.Errorf("got %s of one that is gone", got)
	}
}

// TestWhatIsDroppedLeavesAGap has one stream among others forget what is in line.
func TestWhatIsDroppedLeavesAGap(t *testing.T) {
	c := &Session{server: &Server{}, ctx: t.Context(), shard: newShard(), streams: map[string]*stream{}}
	c.schedule.Store(queued)
	st, other := &stream{session: c, name: "a", shown: true}, &stream{session: c, name: "b", shown: true}
	say := func(text string) *wire.Frame { return wire.Text([]byte(text)) }
	expect := func(want string) {
		t.Helper()
		var b batch
		c.collect(&b)
		var got []string
		for _, frame := range b.bufs {
			got = append(got, string(wire.Payload(frame)))
		}
		if text := strings.Join(got, " "); text != want || c.told.frames != 0 || c.told.bytes != 0 {
			t.Errorf("got %s, want %s; %+v is left", text, want, c.told)
		}
	}
	const gap = `{"stream":"a","payload":{"type":"gap"}}`
	st.Drop()
	expect("")
	st.Tell(say("a1"))
	other.Tell(say("b1"))
	c.reply(say("reply"))
	st.Drop()
	st.Gap() // it says the same
	st.Tell(say("a2"))
	expect("b1 reply " + gap + " a2")
	st.Gap()
	st.Drop()
	expect(gap)
	for i := range maxTold {
		if !st.Tell(say("a")) {
			t.Fatalf("frame %d is not taken", i)
		}
	}
	st.Tell(say("lost"))
	st.Drop()
	expect(gap) // the one that it was to be told in any case
	st.Tell(say("a3"))
	c.silence(st)
	st.Drop()
	expect("")
}
