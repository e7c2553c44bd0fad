package pipe_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

type Line struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

type Page struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
	Lines []Line `json:"lines"`
}

// harness is a running pipe over a database in memory, in a bubble of
// synctest: time passes when all goroutines wait.
type harness struct {
	*pipe.Pipe

	t            *testing.T
	db           *memdb.DB
	registry     *schema.Registry
	tree         *schema.Tree
	pages, lines *schema.Table
	ctx          context.Context
	stop         func()
}

// merging is a source that puts transactions together, whatever it names.
type merging struct{ feed.Source }

func (*merging) Merges() bool { return true }

// inBubble runs a test with a pipe that is following. Page 1 has one line.
func inBubble(t *testing.T, cfg pipe.Config, test func(*testing.T, *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		reg := schema.NewRegistry()
		tree, err := reg.Tree(reflect.TypeFor[Page]())
		if err != nil {
			t.Fatal(err)
		}
		h := &harness{t: t, registry: reg, db: memdb.New(reg), tree: tree, pages: tree.Layers[0].Type.Table, lines: tree.Layers[1].Type.Table}
		h.db.Commit(h.page(1, "one"), h.line(1, 1, "first"))
		cfg.Registry = reg
		if m, ok := cfg.Source.(*merging); ok {
			m.Source = h.db
		} else {
			cfg.Source = h.db
		}
		h.Pipe = pipe.New(cfg)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		h.ctx = ctx
		h.stop = func() {
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			ended <- nil
		}
		defer h.stop()
		h.db.Started()
		test(t, h)
	})
}

func (h *harness) page(id int64, title string) feed.Change {
	return memdb.Put(h.pages, schema.Row{schema.IntValue(id), schema.TextValue(title)})
}

// line is a line of a page; page 0 is none.
func (h *harness) line(id, page int64, text string) feed.Change {
	row := schema.Row{schema.IntValue(id), schema.TextValue(text), schema.IntValue(page)}
	if page == 0 {
		row[2] = schema.Value{}
	}
	return memdb.Put(h.lines, row)
}

// write commits and delivers.
func (h *harness) write(changes ...feed.Change) {
	h.db.Commit(changes...)
	h.db.Deliver()
}

func (h *harness) key(page int64) route.Key {
	return route.Key{Tree: h.tree, Anchor: schema.IntValue(page)}
}

func (h *harness) request(page int64, held *state.Version) pipe.Request {
	r := pipe.Request{Key: h.key(page), Subscriber: silent{}}
	if held != nil {
		r.Epoch, r.Held = held.Epoch, []uint64{held.N}
	}
	return r
}

// pass lets the bubble's time pass.
func (h *harness) pass(d time.Duration) { <-time.After(d) }

// opening is an Open that may be under way.
type opening struct {
	done chan struct{}
	a    *pipe.Attachment
	err  error
}

// begin opens a page in the background.
func (h *harness) begin(ctx context.Context, page int64, held *state.Version) *opening {
	o := &opening{done: make(chan struct{})}
	go func() {
		defer close(o.done)
		o.a, o.err = h.Open(ctx, h.request(page, held))
	}()
	synctest.Wait()
	return o
}

func (o *opening) pending() bool {
	select {
	case <-o.done:
		return false
	default:
		return true
	}
}

// open opens a page, which must succeed.
func (h *harness) open(page int64, held *state.Version) *pipe.Attachment {
	h.t.Helper()
	a, err := h.Open(h.ctx, h.request(page, held))
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *harness) version(n uint64) *state.Version { return &state.Version{Epoch: h.Epoch(), N: n} }

// refused fails the test unless the error says that now is no time.
func (h *harness) refused(err error) {
	h.t.Helper()
	if !errors.Is(err, pipe.ErrUnavailable) {
		h.t.Fatalf("got %v, want that it is not available", err)
	}
}

// parts lists frames with the parts that follow them.
func parts(frames []*wire.Frame) (all []*wire.Frame) {
	for _, f := range frames {
		for ; f != nil; f = f.Next {
			all = append(all, f)
		}
	}
	return all
}

// payloads are frames without their envelopes.
func payloads(t *testing.T, frames []*wire.Frame) string {
	t.Helper()
	var all []string
	for _, f := range parts(frames) {
		var m struct{ Payload json.RawMessage }
		if err := json.Unmarshal(wire.Payload(f.Bytes), &m); err != nil {
			t.Fatalf("%s: %v", f.Bytes, err)
		}
		all = append(all, strings.ReplaceAll(string(m.Payload), `"only" ,`, `"only",`))
	}
	return strings.Join(all, "\n")
}

// pending takes what an attachment's cursors have, part by part.
func pending(t *testing.T, a *pipe.Attachment) string {
	t.Helper()
	var all []string
	for i := range a.Parts {
		if got := behind(t, a, i); got != "" {
			all = append(all, got)
		}
	}
	return strings.Join(all, "\n")
}

// behind takes what the cursor of one part has.
func behind(t *testing.T, a *pipe.Attachment, part int) string {
	t.Helper()
	cursor := a.Parts[part].Cursor
	var frames []*wire.Frame
	for {
		f, lost := cursor.Peek(a.Hub.Watermark())
		if lost {
			t.Fatal("the cursor has lost its log")
		}
		if f == nil {
			return payloads(t, frames)
		}
		frames = append(frames, f)
		cursor.Take()
	}
}

func (h *harness) expect(what, got, want string) {
	h.t.Helper()
	if got != want {
		h.t.Errorf("%s:\ngot  %s\nwant %s", what, got, want)
	}
}

// lastState is the nested state after the frames of a snapshot, or the frames
// of a resumed subscription as they are.
func (h *harness) lastState(a *pipe.Attachment) string {
	t := h.t
	t.Helper()
	if a.Parts[0].Resumed {
		return payloads(t, a.Frames)
	}
	decoder, err := wire.NewDecoder(wire.Types(h.registry), h.tree, "PageChannel")
	if err != nil {
		t.Fatal(err)
	}
	store := state.NewStore()
	for _, f := range parts(a.Frames) {
		var m struct{ Payload wire.StateFrame }
		if err := json.Unmarshal(wire.Payload(f.Bytes), &m); err != nil {
			t.Fatal(err)
		}
		if err := decoder.Apply(&m.Payload, store); err != nil {
			t.Fatal(err)
		}
	}
	return string(store.AppendJSON(nil, h.tree, schema.IntValue(1)))
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
