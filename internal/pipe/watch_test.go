package pipe_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/schema"
)

// watch watches the lines of a page, and counts how often it is asked.
func (h *harness) watch(page int64) (w *pipe.Watch, asked *int) {
	asked = new(int)
	on := []pipe.On{{Table: h.lines, Column: 2, Value: schema.IntValue(page)}}
	return h.Watch(on, func() { *asked++ }), asked
}

func allow(context.Context) error { return nil }

// TestWhatTouchesAWatch tries the ways in which a commit may concern a row.
func TestWhatTouchesAWatch(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*harness)
		want bool
	}{
		{"a new row", func(h *harness) { h.write(h.line(2, 1, "new")) }, true},
		{"another row of the page", func(h *harness) { h.write(h.line(1, 1, "changed")) }, true},
		{"a row that leaves", func(h *harness) { h.write(h.line(1, 7, "moved")) }, true},
		{"a row that goes", func(h *harness) { h.write(memdb.Remove(h.lines, schema.IntValue(1))) }, true},
		{"a row that goes, and nobody says what it was", func(h *harness) {
			h.Commit(&feed.Commit{Position: 2, Changes: []feed.Change{memdb.Remove(h.lines, schema.IntValue(1))}})
		}, true},
		{"a row of which nobody says what it was, now of another page", func(h *harness) {
			change := h.line(1, 7, "moved")
			change.Blind = true
			h.Commit(&feed.Commit{Position: 2, Changes: []feed.Change{h.line(2, 7, "new"), change}})
		}, true},
		{"a part of a large commit", func(h *harness) {
			h.Commit(&feed.Commit{Position: 2, Changes: []feed.Change{h.line(2, 1, "new")}, More: true})
		}, true},
		{"a row of another page", func(h *harness) { h.write(h.line(2, 7, "new")) }, false},
		{"a row of no page", func(h *harness) { h.write(h.line(2, 0, "new")) }, false},
		{"a row of another table", func(h *harness) { h.write(h.page(1, "changed")) }, false},
		{"a commit of nothing", func(h *harness) { h.db.Skip(); h.db.Advance() }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
				w, asked := h.watch(1)
				defer w.Close()
				tt.do(h)
				if held := w.Held() == 2; held != tt.want || *asked > 0 != tt.want {
					t.Errorf("held from %d, asked %d times; want held %v", w.Held(), *asked, tt.want)
				}
			})
		})
	}
}

func TestADoubtIsSettled(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		w, asked := h.watch(1)
		skipped := 0
		skip := func() { skipped++ }
		if err := w.Settle(h.ctx, func(context.Context) error { return errors.New("asked without a doubt") }, skip); err != nil {
			t.Fatal(err)
		}
		h.write(h.line(2, 1, "a"), h.line(3, 1, "b"))
		if *asked != 1 {
			t.Errorf("asked %d times for one commit", *asked)
		}
		if err := w.Settle(h.ctx, allow, skip); err != nil || w.Held() != 0 || skipped != 0 {
			t.Errorf("held from %d, skipped %d, %v", w.Held(), skipped, err)
		}
		// Two commits in a row, of which the second comes while it is asked.
		h.write(h.line(2, 1, "c"))
		questions := 0
		again := func(context.Context) error {
			if questions++; questions == 1 {
				h.write(h.line(2, 1, "d"))
			}
			return nil
		}
		if err := w.Settle(h.ctx, again, skip); err != nil || questions != 2 || skipped != 1 || w.Held() != 0 {
			t.Errorf("%d questions, skipped %d, held from %d, %v", questions, skipped, w.Held(), err)
		}
		h.write(h.line(2, 1, "e"))
		refused := errors.New("denied")
		if err := w.Settle(h.ctx, func(context.Context) error { return refused }, skip); !errors.Is(err, refused) || w.Held() != 5 {
			t.Errorf("held from %d, %v", w.Held(), err)
		}
		w.Close()
		*asked = 0
		h.write(h.line(2, 1, "f"))
		w.Recheck()
		if *asked != 0 {
			t.Error("a watch that was closed is asked")
		}
	})
}

func TestWaitingForTheEndOfADoubt(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		w, _ := h.watch(1)
		if err := w.Wait(h.ctx); err != nil {
			t.Fatal(err)
		}
		w.Recheck()
		given, cancel := context.WithCancel(h.ctx)
		cancel()
		if err := w.Wait(given); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- w.Wait(h.ctx) }()
		synctest.Wait()
		if len(done) > 0 {
			t.Fatal("it did not wait")
		}
		if err := w.Settle(h.ctx, allow, func() {}); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// listener looks at a watch when it is told of frames.
type listener struct {
	watch *pipe.Watch
	free  int
}

func (l *listener) Ready() {
	if l.watch.Held() == 0 {
		l.free++
	}
}

// TestWhatIsHeldIsSoBeforeItIsPublished: a writer that is woken by a commit
// finds the doubt which the commit has brought.
func TestWhatIsHeldIsSoBeforeItIsPublished(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		w, _ := h.watch(1)
		l := &listener{watch: w}
		r := h.request(1, nil)
		r.Subscriber = l
		if _, err := h.Open(h.ctx, r); err != nil {
			t.Fatal(err)
		}
		h.write(h.line(1, 1, "second"))
		if l.free > 0 || w.Held() != 2 {
			t.Errorf("told %d times before it was held from %d", l.free, w.Held())
		}
	})
}

// TestAHeldViewIsNotCaughtUp gives no answer while what it would say is held.
func TestAHeldViewIsNotCaughtUp(t *testing.T) {
	inBubble(t, pipe.Config{LogBytes: 1}, func(t *testing.T, h *harness) {
		a := h.open(1, nil)
		w, _ := h.watch(1)
		h.write(h.line(1, 1, "second"))
		h.write(h.line(1, 1, "third"))
		if frames, ready := h.CatchUp(a, []*pipe.Watch{w}, func() {}); ready || frames != nil {
			t.Fatalf("%d frames of what is held", len(frames))
		}
		if err := w.Settle(h.ctx, allow, func() {}); err != nil {
			t.Fatal(err)
		}
		frames, _ := h.CatchUp(a, []*pipe.Watch{w}, func() {})
		h.expect("missed", payloads(t, frames), `{"v":3,"set":[[1,["1","third","1"]]]}`)
	})
}

// TestLostContinuityHoldsAll: what happened meanwhile may have withdrawn any
// permission.
func TestLostContinuityHoldsAll(t *testing.T) {
	inBubble(t, pipe.Config{Logger: quiet()}, func(t *testing.T, h *harness) {
		w, asked := h.watch(1)
		h.db.Restart("the log was trimmed")
		if w.Held() == 0 || *asked != 0 {
			t.Errorf("held from %d, asked %d times", w.Held(), *asked)
		}
	})
}

// slowReads is a database of which reads see a commit some time after the feed
// has told of it.
type slowReads struct {
	*memdb.DB

	blind, looked int
}

type slowRead struct {
	feed.Snapshot

	db *slowReads
}

func (d *slowReads) Snapshot(ctx context.Context) (feed.Snapshot, error) {
	s, err := d.DB.Snapshot(ctx)
	return slowRead{s, d}, err
}

func (s slowRead) Saw(c *feed.Commit) bool {
	s.db.looked++
	return s.db.looked > s.db.blind && s.Snapshot.Saw(c)
}

// TestPermissionIsAskedWhenReadsSeeTheCommit waits for that, once for all
// watches that the commit touches.
func TestPermissionIsAskedWhenReadsSeeTheCommit(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		slow := &slowReads{DB: h.db, blind: 3}
		p := pipe.New(pipe.Config{Source: slow, Registry: h.registry})
		ctx, stop := context.WithCancel(h.ctx)
		p.Start("other", 1, "")
		on := []pipe.On{{Table: h.lines, Column: 2, Value: schema.IntValue(1)}}
		one, two := p.Watch(on, func() {}), p.Watch(on, func() {})
		p.Commit(h.db.Commit(h.line(2, 1, "new")))
		begun := time.Now()
		for _, w := range []*pipe.Watch{one, two} {
			if err := w.Settle(ctx, allow, func() {}); err != nil {
				t.Fatal(err)
			}
		}
		if slow.looked != 4 || time.Since(begun) == 0 {
			t.Errorf("looked %d times in %v", slow.looked, time.Since(begun))
		}
		// A database that cannot be read tells nothing, and one may give up.
		p.Commit(h.db.Commit(h.line(2, 1, "newer")))
		h.db.Refuse(errors.New("disk I/O error"))
		h.refused(one.Settle(ctx, allow, func() {}))
		h.db.Refuse(nil)
		slow.blind = 1 << 30
		stop()
		if err := one.Settle(ctx, allow, func() {}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// TestWhoCameBeforeTheFeedIsAskedAgain has a watch before the feed starts: what
// was committed until then is not known, and nobody may be left in doubt.
func TestWhoCameBeforeTheFeedIsAskedAgain(t *testing.T) {
	registry := schema.NewRegistry()
	p := pipe.New(pipe.Config{Source: memdb.New(registry), Registry: registry, Lost: func(string) {}})
	asked := 0
	w := p.Watch(nil, func() { asked++ })
	defer w.Close()
	p.Start("first", 0, "")
	if asked != 1 || w.Held() == 0 {
		t.Errorf("asked %d times, held from %d", asked, w.Held())
	}
	if err := w.Settle(t.Context(), allow, func() {}); err != nil || w.Held() != 0 {
		t.Errorf("error %v, held from %d", err, w.Held())
	}
	p.Start("first", 7, "the log was trimmed")
	if asked != 1 || w.Held() == 0 {
		t.Errorf("after the loss asked %d times, held from %d", asked, w.Held())
	}
}

// TestManyBlindChanges looks at all watches of a column once for each commit, not
// for each of its changes of which the source does not say what was before.
func TestManyBlindChanges(t *testing.T) {
	registry := schema.NewRegistry()
	tree, err := registry.Tree(reflect.TypeFor[Page]())
	if err != nil {
		t.Fatal(err)
	}
	lines := tree.Layers[1].Type.Table
	p := pipe.New(pipe.Config{Source: memdb.New(registry), Registry: registry})
	p.Start("first", 0, "")
	const many = 30_000
	asked, c := 0, &feed.Commit{Position: 1}
	for i := range int64(many) {
		defer p.Watch([]pipe.On{{Table: lines, Column: 2, Value: schema.IntValue(i)}}, func() { asked++ }).Close()
		c.Changes = append(c.Changes, feed.Change{Table: lines, Key: schema.IntValue(i), Blind: true})
	}
	began := time.Now()
	p.Commit(c)
	if took := time.Since(began); asked != many || took > 3*time.Second {
		t.Errorf("asked %d of %d watches in %s", asked, many, took)
	}
}
