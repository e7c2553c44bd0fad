package pipe_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const firstState = `{"v":1,"snapshot":"only","set":[[0,["1","one"]],[1,["1","first","1"]]]}`

func TestOpenersShareOneRead(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		gate := make(chan struct{})
		h.db.OnSnapshot(func() { <-gate })
		var all []*opening
		for range 5 {
			all = append(all, h.begin(h.ctx, 1, nil))
		}
		close(gate)
		for _, o := range all {
			<-o.done
			if o.err != nil {
				t.Fatal(o.err)
			}
			h.expect("first state", payloads(t, o.a.Frames), firstState)
			if o.a.Frames[0] != all[0].a.Frames[0] || o.a.Scope != all[0].a.Scope {
				t.Error("openers do not share their frames")
			}
		}
		if n := h.db.Queries(); n != 2 {
			t.Errorf("%d queries, want one a layer", n)
		}
		h.open(1, nil)
		if n := h.db.Queries(); n != 2 {
			t.Errorf("%d queries, and one more opener", n)
		}
	})
}

func TestCommitDuringARead(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		gate := make(chan struct{})
		h.db.OnSnapshot(func() { <-gate })
		o := h.begin(h.ctx, 1, nil)
		h.write(h.line(1, 1, "second"), h.line(2, 1, "new"))
		if !o.pending() {
			t.Fatal("opened before it was read")
		}
		close(gate)
		<-o.done
		h.expect("the state", payloads(t, o.a.Frames), `{"v":2,"snapshot":"only","set":[[0,["1","one"]],[1,["1","second","1"]],[1,["2","new","1"]]]}`)
		h.expect("what follows", pending(t, o.a), "")
		h.write(h.line(1, 1, "third"))
		h.expect("what follows", pending(t, o.a), `{"v":3,"upd":[[1,"1",1,"third"]]}`)
	})
}

func TestAReadAheadOfTheFeedWaits(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		h.db.Commit(h.line(1, 1, "second"))
		h.db.Skip()
		o := h.begin(h.ctx, 1, nil)
		h.db.Deliver()
		synctest.Wait()
		if !o.pending() {
			t.Fatal("opened before the feed has passed the read")
		}
		h.db.Advance()
		<-o.done
		h.expect("the state", payloads(t, o.a.Frames), `{"v":3,"snapshot":"only","set":[[0,["1","one"]],[1,["1","second","1"]]]}`)
	})
}

func TestAScopeIsSilentWhileItReads(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		h.write(h.page(2, "two"))
		one, two := h.open(1, nil), h.open(2, nil)
		gate := make(chan struct{})
		h.db.OnSnapshot(func() { <-gate })
		h.write(h.page(3, "three"))
		three := h.begin(h.ctx, 3, nil)
		h.write(h.line(1, 2, "moved"))
		close(gate)
		<-three.done
		h.expect("where it was", pending(t, one), `{"v":4,"del":[[1,"1"]]}`)
		h.expect("where it is", pending(t, two), `{"v":4,"set":[[1,["1","moved","2"]]]}`)
	})
}

func TestResume(t *testing.T) {
	for _, tt := range []struct {
		name    string
		log     int
		held    func(*harness) *state.Version
		resumed bool
		frames  string
		follows string
	}{
		{"from the log", 1 << 20, func(h *harness) *state.Version { return h.version(1) }, true, "", `{"v":2,"upd":[[1,"1",1,"second"]]}` + "\n" + `{"v":3,"upd":[[1,"1",1,"third"]]}`},
		{"from the end", 1 << 20, func(h *harness) *state.Version { return h.version(3) }, true, "", ""},
		{"from the rows", 1, func(h *harness) *state.Version { return h.version(1) }, true, `{"v":3,"set":[[1,["1","third","1"]]]}`, ""},
		{"from before the scope was read", 1 << 20, func(h *harness) *state.Version { return h.version(0) }, false, thirdState, ""},
		{"from another epoch", 1 << 20, func(*harness) *state.Version { return &state.Version{Epoch: "other", N: 2} }, false, thirdState, ""},
		{"from the future", 1 << 20, func(h *harness) *state.Version { return h.version(99) }, false, thirdState, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, pipe.Config{LogBytes: tt.log}, func(t *testing.T, h *harness) {
				h.open(1, nil)
				h.write(h.line(1, 1, "second"))
				h.write(h.line(1, 1, "third"))
				a := h.open(1, tt.held(h))
				if a.Parts[0].Resumed != tt.resumed {
					t.Errorf("resumed %v, want %v", a.Parts[0].Resumed, tt.resumed)
				}
				h.expect("the frames", h.lastState(a), tt.frames)
				h.expect("what follows", pending(t, a), tt.follows)
			})
		})
	}
}

const thirdState = `{"id":"1","title":"one","lines":[{"id":"1","text":"third"}]}`

func TestResumeAheadOfTheFeed(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		h.open(1, nil)
		h.db.Commit(h.line(1, 1, "second"))
		h.db.Commit(h.line(1, 1, "third"))
		o := h.begin(h.ctx, 1, h.version(2))
		if !o.pending() {
			t.Fatal("resumed at a version that the feed has not reached")
		}
		h.db.Deliver()
		<-o.done
		if o.err != nil || !o.a.Parts[0].Resumed {
			t.Fatalf("resumed %v, %v", o.a.Parts[0].Resumed, o.err)
		}
		h.expect("what follows", pending(t, o.a), `{"v":3,"upd":[[1,"1",1,"third"]]}`)
	})
}

func TestCatchUp(t *testing.T) {
	inBubble(t, pipe.Config{LogBytes: 1}, func(t *testing.T, h *harness) {
		a := h.open(1, nil)
		for _, text := range []string{"second", "third", "fourth"} {
			h.write(h.line(1, 1, text))
		}
		if _, lost := a.Parts[0].Cursor.Peek(a.Hub.Watermark()); !lost {
			t.Fatal("a log of one byte has kept everything")
		}
		frames, ready := h.CatchUp(a, nil, func() {})
		if !ready {
			t.Fatal("there is no answer, and nothing is read")
		}
		h.expect("missed", payloads(t, frames), `{"v":4,"set":[[1,["1","fourth","1"]]]}`)
		h.write(h.line(1, 1, "fifth"))
		h.expect("what follows", pending(t, a), `{"v":5,"upd":[[1,"1",1,"fifth"]]}`)
	})
}

func TestCatchUpWhileTheScopeReads(t *testing.T) {
	inBubble(t, pipe.Config{LogBytes: 1}, func(t *testing.T, h *harness) {
		a := h.open(1, nil)
		h.write(h.line(1, 1, "second"))
		h.write(h.line(1, 1, "third"))
		gate := make(chan struct{})
		h.db.OnSnapshot(func() { <-gate })
		// The page comes again: whether lines wait for it has to be read.
		h.write(memdb.Remove(h.pages, schema.IntValue(1)))
		h.write(h.page(1, "again"))
		woken := make(chan struct{})
		if frames, ready := h.CatchUp(a, nil, func() { close(woken) }); ready || frames != nil {
			t.Fatal("an answer, while the scope is being read")
		}
		close(gate)
		<-woken
		frames, ready := h.CatchUp(a, nil, func() {})
		if !ready {
			t.Fatal("no answer, after it was announced")
		}
		h.expect("missed", payloads(t, frames), `{"v":5,"set":[[0,["1","again"]],[1,["1","third","1"]]],"del":[[1,"1"],[0,"1"]]}`)
	})
}

func TestUnusedScopesAreForgotten(t *testing.T) {
	inBubble(t, pipe.Config{Linger: time.Minute, Lingering: 2}, func(t *testing.T, h *harness) {
		var open []*pipe.Attachment
		for page := range int64(4) {
			open = append(open, h.open(page, nil))
		}
		scopes := func(want int) {
			t.Helper()
			if n := h.Stats().Scopes; n != want {
				t.Fatalf("%d scopes, want %d", n, want)
			}
		}
		for _, a := range open[:3] {
			h.Close(a)
			h.pass(time.Second)
		}
		scopes(3) // one in use, and two that linger
		queries := h.db.Queries()
		again := h.open(2, nil)
		if h.db.Queries() != queries {
			t.Error("a scope that lingers was read again")
		}
		h.pass(2 * time.Minute)
		scopes(2)
		h.Close(open[3])
		h.Close(again)
		h.pass(2 * time.Minute)
		if s := h.Stats(); s != (route.Stats{}) {
			t.Errorf("in memory is %+v", s)
		}
	})
}

func TestEncodedStatesAreForgotten(t *testing.T) {
	inBubble(t, pipe.Config{Linger: time.Minute}, func(t *testing.T, h *harness) {
		h.open(1, nil)
		h.write(h.line(1, 1, "second"))
		if n := len(h.open(1, nil).Frames); n != 4 {
			t.Errorf("%d frames, want the state of before with what came since, enclosed", n)
		}
		h.pass(2 * time.Minute)
		if n := len(h.open(1, nil).Frames); n != 1 {
			t.Errorf("%d frames, want the state encoded anew", n)
		}
	})
}

func TestOpenIsGivenUp(t *testing.T) {
	inBubble(t, pipe.Config{Linger: time.Second}, func(t *testing.T, h *harness) {
		gate := make(chan struct{})
		h.db.OnSnapshot(func() { <-gate })
		ctx, cancel := context.WithCancel(h.ctx)
		o := h.begin(ctx, 1, nil)
		cancel()
		<-o.done
		h.refused(o.err)
		h.pass(time.Minute)
		close(gate)
		synctest.Wait()
		if s := h.Stats(); s != (route.Stats{}) {
			t.Errorf("in memory is %+v", s)
		}
	})
}

func TestLostContinuity(t *testing.T) {
	var reasons []string
	inBubble(t, pipe.Config{Logger: quiet(), Lost: func(reason string) { reasons = append(reasons, reason) }}, func(t *testing.T, h *harness) {
		old := h.open(1, nil)
		epoch := h.Epoch()
		h.db.OnSnapshot(func() { <-h.ctx.Done() })
		o := h.begin(h.ctx, 2, nil)
		waited := make(chan bool, 1)
		h.Wait(99, []*pipe.Scope{old.Scope}, func(passed bool) { waited <- passed })
		h.db.OnSnapshot(nil)
		h.db.Restart("the log was trimmed")
		<-o.done
		h.refused(o.err)
		if <-waited {
			t.Error("what was lost passes for said")
		}
		if len(reasons) != 1 || reasons[0] != "the log was trimmed" {
			t.Errorf("told %q", reasons)
		}
		if frames, ready := h.CatchUp(old, nil, func() {}); frames != nil || !ready {
			t.Errorf("an old subscription gets %d frames", len(frames))
		}
		h.Close(old)
		a := h.open(1, &state.Version{Epoch: epoch, N: 1})
		if a.Parts[0].Resumed || a.Epoch == epoch || a.Parts[0].ID == old.Parts[0].ID {
			t.Errorf("resumed %v in epoch %s as %s", a.Parts[0].Resumed, a.Epoch, a.Parts[0].ID)
		}
		h.write(h.line(1, 1, "second"))
		h.expect("what follows", pending(t, a), `{"v":2,"upd":[[1,"1",1,"second"]]}`)
	})
}

// TestAHistoryThatTheFeedHasYetToTellOf has a client come from another process on
// the database, of which the feed has begun the new history before this one's.
func TestAHistoryThatTheFeedHasYetToTellOf(t *testing.T) {
	inBubble(t, pipe.Config{Logger: quiet()}, func(t *testing.T, h *harness) {
		behind := h.open(1, nil)
		h.db.Renew()
		h.db.Commit(h.line(1, 1, "second"))
		held := &state.Version{Epoch: "memory.2", N: 2}
		o := h.begin(h.ctx, 1, held)
		if !o.pending() {
			t.Fatalf("it is shown version %d of %s, and has seen the future", o.a.Version, o.a.Epoch)
		}
		h.open(1, nil) // who has seen nothing is shown what there is
		h.open(1, h.version(1))

		ctx, cancel := context.WithTimeout(h.ctx, time.Second)
		defer cancel()
		_, err := h.Open(ctx, h.request(1, held))
		h.refused(err)

		h.db.Restart("its triggers were replaced")
		<-o.done
		h.refused(o.err)
		h.Close(behind)
		a := h.open(1, held)
		if a.Epoch != held.Epoch || a.Version != 2 || !a.Parts[0].Resumed {
			t.Errorf("it is shown version %d of %s, resumed %v", a.Version, a.Epoch, a.Parts[0].Resumed)
		}

		// Another database's history is none that is to come.
		if a := h.open(1, &state.Version{Epoch: "other.9", N: 99}); a.Parts[0].Resumed {
			t.Error("it goes on from another database's history")
		}
		h.db.Refuse(errors.New("disk I/O error"))
		_, err = h.Open(h.ctx, h.request(1, &state.Version{Epoch: "other.9", N: 99}))
		h.refused(err)
	})
}

// TestWhatCameAndWentInOneStep has another process on the database show what this
// one never was told of, as its feed puts several transactions together.
func TestWhatCameAndWentInOneStep(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		h.open(1, nil)
		h.db.Commit(h.line(2, 1, "brief"))
		h.db.Commit(memdb.Remove(h.lines, schema.IntValue(2)))
		merged := &feed.Commit{}
		for _, c := range h.db.Pending() {
			merged.Position, merged.Changes = c.Position, append(merged.Changes, c.Changes...)
		}
		h.Commit(merged)
		for held, resumed := range map[uint64]bool{1: true, 2: false, 3: true} {
			a := h.open(1, h.version(held))
			if a.Parts[0].Resumed != resumed {
				t.Errorf("version %d goes on by %s", held, payloads(t, a.Frames))
			}
			h.Close(a)
		}
	})
}

// TestWhatCameAndWentUnderAName is TestWhatCameAndWentInOneStep with a source that
// names its commits.
func TestWhatCameAndWentUnderAName(t *testing.T) {
	inBubble(t, pipe.Config{Source: &merging{}}, func(t *testing.T, h *harness) {
		h.open(1, nil)
		h.db.Commit(h.line(2, 1, "brief"))
		h.db.Commit(memdb.Remove(h.lines, schema.IntValue(2)))
		merged := &feed.Commit{Transaction: 7}
		for _, c := range h.db.Pending() {
			merged.Position, merged.Changes = c.Position, append(merged.Changes, c.Changes...)
		}
		h.Commit(merged)
		if a := h.open(1, h.version(2)); a.Parts[0].Resumed {
			t.Errorf("goes on by %s", payloads(t, a.Frames))
		}
	})
}

// TestWhatCameAndWentUntold has another process show what this one's feed says
// nothing of, as the transactions that it puts together leave nothing behind.
func TestWhatCameAndWentUntold(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		h.open(1, nil)
		h.db.Commit(h.line(2, 1, "brief"))
		h.db.Commit(memdb.Remove(h.lines, schema.IntValue(2)))
		h.db.Pending()
		h.db.Advance()
		for held, resumed := range map[uint64]bool{1: true, 2: false, 3: true} {
			a := h.open(1, h.version(held))
			if a.Parts[0].Resumed != resumed {
				t.Errorf("version %d goes on by %s", held, payloads(t, a.Frames))
			}
			h.Close(a)
		}
	})
}

// TestWhatCameAndWentInASilence has another process show what came and went here
// while the scope was being read.
func TestWhatCameAndWentInASilence(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		h.open(1, nil)
		gate := make(chan struct{})
		h.db.OnSnapshot(func() { <-gate })
		h.write(memdb.Remove(h.pages, schema.IntValue(1)))
		h.write(h.page(1, "again"))
		h.write(h.line(2, 1, "brief"))
		h.write(memdb.Remove(h.lines, schema.IntValue(2)))
		close(gate)
		synctest.Wait()
		for held, resumed := range map[uint64]bool{1: true, 2: true, 3: false, 4: false, 5: true} {
			a := h.open(1, h.version(held))
			if a.Parts[0].Resumed != resumed {
				t.Errorf("version %d goes on by %s", held, payloads(t, a.Frames))
			}
			h.Close(a)
		}
	})
}

func TestWait(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		a := h.open(1, nil)
		calls := 0
		wait := func(version uint64) { h.Wait(version, []*pipe.Scope{a.Scope}, func(bool) { calls++ }) }
		expect := func(want int, why string) {
			t.Helper()
			if calls != want {
				t.Fatalf("%d calls, want %d: %s", calls, want, why)
			}
		}
		wait(1)
		expect(1, "it has been passed")
		wait(2)
		expect(1, "it is to come")
		h.write(h.line(1, 1, "second"))
		expect(2, "it has come")
		wait(3)
		h.db.Skip()
		h.db.Advance()
		expect(3, "the feed has passed it without a change")

		gate := make(chan struct{})
		h.db.OnSnapshot(func() { <-gate })
		wait(5)
		h.write(memdb.Remove(h.pages, schema.IntValue(1)))
		h.write(h.page(1, "again"))
		expect(3, "the scope is being read, and silent")
		close(gate)
		synctest.Wait()
		expect(4, "the scope has spoken")
	})
}

func TestReadsAreTriedAgain(t *testing.T) {
	inBubble(t, pipe.Config{Logger: quiet()}, func(t *testing.T, h *harness) {
		broken := errors.New("disk I/O error")
		h.db.Refuse(broken)
		o := h.begin(h.ctx, 1, nil)
		h.pass(time.Minute)
		if !o.pending() || !errors.Is(h.Health(), broken) {
			t.Fatalf("pending %v, health %v", o.pending(), h.Health())
		}
		h.db.Refuse(nil)
		<-o.done
		if o.err != nil {
			t.Fatal(o.err)
		}
		h.expect("the state", payloads(t, o.a.Frames), firstState)
		if err := h.Health(); err != nil {
			t.Errorf("unwell after it has recovered: %v", err)
		}
	})
}

func TestAPipeThatHasEnded(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		a := h.open(1, nil)
		h.stop()
		_, err := h.Open(t.Context(), h.request(1, nil))
		h.refused(err)
		if h.Health() == nil {
			t.Error("it is well, and has ended")
		}
		done := false
		h.Wait(99, nil, func(passed bool) { done = !passed })
		if !done {
			t.Error("somebody waits for ever")
		}
		h.Close(a)
	})
}

func TestAPipeThatHasNotBegun(t *testing.T) {
	p := pipe.New(pipe.Config{Source: memdb.New(schema.NewRegistry()), Registry: schema.NewRegistry()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Open(ctx, pipe.Request{Subscriber: silent{}}); !errors.Is(err, pipe.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if p.Health() == nil || p.Epoch() != "" || p.Stats() != (route.Stats{}) {
		t.Errorf("health %v, epoch %q, %+v", p.Health(), p.Epoch(), p.Stats())
	}
}
