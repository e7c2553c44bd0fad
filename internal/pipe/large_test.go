package pipe_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
)

// many are lines of page 1.
func (h *harness) many(from, to int64, text string) []feed.Change {
	changes := make([]feed.Change, 0, to-from)
	for id := from; id < to; id++ {
		changes = append(changes, h.line(id, 1, text))
	}
	return changes
}

// next takes one frame of an attachment's cursor.
func next(t *testing.T, a *pipe.Attachment) *wire.Frame {
	t.Helper()
	cursor := a.Parts[0].Cursor
	f, lost := cursor.Peek(a.Hub.Watermark())
	if f == nil || lost {
		t.Fatalf("no frame, lost %v", lost)
	}
	cursor.Take()
	return f
}

// words are what the parts of a snapshot are called, and its number of rows.
func words(t *testing.T, f *wire.Frame) (names string, rows int) {
	t.Helper()
	var all []string
	for ; f != nil; f = f.Next {
		text := string(f.Bytes)
		_, rest, found := strings.Cut(text, `"snapshot":"`)
		if !found {
			t.Fatalf("no snapshot: %.100s", text)
		}
		name, _, _ := strings.Cut(rest, `"`)
		all = append(all, name)
		rows += strings.Count(text, `"]],[`) + 1
	}
	return strings.Join(all, " "), rows
}

// TestAPatchOfMostOfAScopeIsASnapshot tells a commit that changes most rows as
// the state anew, once for all who read the log, who come, and who lag.
func TestAPatchOfMostOfAScopeIsASnapshot(t *testing.T) {
	inBubble(t, pipe.Config{LogBytes: 1}, func(t *testing.T, h *harness) {
		reads, lags := h.open(1, nil), h.open(1, nil)
		h.write(h.line(1, 1, "small"))
		h.expect("a small patch", pending(t, reads), `{"v":2,"upd":[[1,"1",1,"small"]]}`)
		const lines = 25_000
		h.write(h.many(1, lines+1, strings.Repeat("x", 20))...)
		f := next(t, reads)
		names, rows := words(t, f)
		if !strings.HasPrefix(names, "first more ") || !strings.HasSuffix(names, " last") || rows != lines+1 {
			t.Errorf("%d rows in the parts %s", rows, names)
		}
		if comes := h.open(1, nil); comes.Frames[0] != f {
			t.Error("who comes is given other frames than who reads")
		}
		frames, ready := h.CatchUp(lags, nil, func() {})
		if !ready || len(frames) != 1 || frames[0] != f {
			t.Errorf("who lags is given %d other frames", len(frames))
		}
		h.write(h.line(1, 1, "again"))
		for _, a := range []*pipe.Attachment{reads, lags} {
			h.expect("what follows", pending(t, a), `{"v":4,"upd":[[1,"1",1,"again"]]}`)
		}
	})
}

// TestALargePatchOfALargerScope is a patch while it says less than half.
func TestALargePatchOfALargerScope(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		const lines = 10_000
		h.write(h.many(1, lines+1, "a")...)
		a := h.open(1, nil)
		h.write(h.many(1, lines/3, "b")...)
		if f := next(t, a); f.Next != nil || !strings.Contains(string(f.Bytes[:100]), `"upd"`) {
			t.Errorf("it is no patch: %.100s", f.Bytes)
		}
		h.write(h.many(1, lines*2/3, "c")...)
		if names, rows := words(t, next(t, a)); rows != lines+1 {
			t.Errorf("%d rows in the parts %s", rows, names)
		}
		var gone []feed.Change
		for id := int64(1); id <= lines-3; id++ {
			gone = append(gone, memdb.Remove(h.lines, schema.IntValue(id)))
		}
		h.write(gone...)
		if f := next(t, a); f.Next != nil || f.Size() < lines*5 {
			t.Errorf("rows that leave a scope which is small then are no patch: %.100s", f.Bytes)
		}
	})
}

// TestAHundredThousandRows opens a large anchor: one query a layer, one
// encoding for all, parts of a bounded size.
func TestAHundredThousandRows(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		const lines = 100_000
		h.write(h.many(1, lines+1, "a line of a large page")...)
		queries := h.db.Queries()
		one, two := h.open(1, nil), h.open(1, nil)
		if n := h.db.Queries() - queries; n != 2 {
			t.Errorf("%d queries, want one a layer", n)
		}
		if one.Frames[0] != two.Frames[0] {
			t.Error("it was encoded twice")
		}
		first := string(one.Frames[0].Bytes)
		if !strings.Contains(first[:100], `"set":[[0,["1","one"]],[1,`) {
			t.Errorf("the anchor does not come first: %.100s", first)
		}
		for f := one.Frames[0]; f != nil; f = f.Next {
			if len(f.Bytes) > 140<<10 {
				t.Errorf("a part of %d bytes", len(f.Bytes))
			}
		}
		if _, rows := words(t, one.Frames[0]); rows != lines+1 {
			t.Errorf("%d rows", rows)
		}
	})
}

// TestALargeCommitInParts shows nothing of a commit before its last part, and
// lets others open meanwhile.
func TestALargeCommitInParts(t *testing.T) {
	inBubble(t, pipe.Config{}, func(t *testing.T, h *harness) {
		h.write(h.page(2, "two"))
		a := h.open(1, nil)
		c := h.db.Commit(h.line(1, 1, "changed"), h.line(2, 1, "new"), h.line(3, 2, "of two"))
		h.db.Pending()
		part := func(more bool, i int) {
			h.Commit(&feed.Commit{Position: c.Position, Changes: c.Changes[i : i+1], More: more})
		}
		part(true, 0)
		h.expect("after the first part", pending(t, a), "")
		between := h.begin(h.ctx, 2, nil)
		part(true, 1)
		synctest.Wait()
		h.expect("after the second part", pending(t, a), "")
		part(false, 2)
		h.expect("after the last part", pending(t, a), `{"v":3,"set":[[1,["2","new","1"]]],"upd":[[1,"1",1,"changed"]]}`)
		<-between.done
		if between.err != nil {
			t.Fatal(between.err)
		}
		h.expect("who came meanwhile", payloads(t, between.a.Frames), `{"v":3,"snapshot":"only","set":[[0,["2","two"]],[1,["3","of two","2"]]]}`)
	})
}
