package bind_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/group"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/schema"
)

// Note is what the tests bind. Rooms are its groups, with spaces between them.
type Note struct {
	ID    int64  `json:"id"`
	Rooms string `json:"rooms"`
	Text  string `json:"text"`
	Rev   int64  `json:"rev"`
}

// noteSpec binds notes. One of the room "panic" has no groups that could be told, one of
// text "panic" no data.
func noteSpec() *bind.Spec {
	return &bind.Spec{
		Stream: "notes", Model: "bind.note", GoType: reflect.TypeFor[Note](), Fields: []string{bind.AllFields},
		Groups: func(row any) []string {
			note, _ := row.(*Note)
			if note.Rooms == "panic" {
				panic("GroupNames")
			}
			return strings.Fields(note.Rooms)
		},
	}
}

// harness is an Outbound beside a pipe over a database in memory, in a bubble of
// synctest.
type harness struct {
	*bind.Outbound

	t      *testing.T
	db     *late
	pipe   *pipe.Pipe
	groups *group.Groups
	model  *bind.Model
	log    *bytes.Buffer
	revs   int64
	stop   func()
}

// inBubble runs a test with an Outbound that tells of notes.
func inBubble(t *testing.T, spec *bind.Spec, test func(*harness)) {
	t.Helper()
	inBubbleOf(t, spec, 0, test)
}

func inBubbleOf(t *testing.T, spec *bind.Spec, keep int, test func(*harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		reg := schema.NewRegistry()
		model, err := bind.Compile(reg, spec)
		if err != nil {
			t.Fatal(err)
		}
		h := &harness{t: t, db: newLate(), model: model, log: &bytes.Buffer{}}
		logger := slog.New(slog.NewTextHandler(h.log, nil))
		h.groups = group.New(group.Config{Logger: logger})
		h.Outbound = bind.NewOutbound(bind.OutboundConfig{Models: []*bind.Model{model}, Groups: h.groups, Logger: logger, Keep: keep})
		h.pipe = pipe.New(pipe.Config{Source: h.db, Registry: reg, Logger: slog.New(slog.DiscardHandler), Tap: h.Outbound})
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := h.pipe.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { h.Run(ctx, h.pipe) })
		h.stop = func() { stop(); wg.Wait() }
		defer h.stop()
		<-h.db.started
		test(h)
	})
}

// note is a note of some rooms, with a number of its own.
func (h *harness) note(id int64, rooms, text string) feed.Change {
	h.revs++
	row := make(schema.Row, len(h.model.Table.Columns))
	for i, c := range h.model.Table.Columns {
		switch c.Name {
		case "id":
			row[i] = schema.IntValue(id)
		case "rooms":
			row[i] = schema.TextValue(rooms)
		case "text":
			row[i] = schema.TextValue(text)
		case "rev":
			row[i] = schema.IntValue(h.revs)
		}
	}
	return put(h.model.Table, row)
}

func (h *harness) gone(id int64) feed.Change { return remove(h.model.Table, schema.IntValue(id)) }

// write commits and delivers, and waits until all is told.
func (h *harness) write(changes ...feed.Change) {
	h.db.commit(false, changes...)
	h.db.deliver(-1)
	synctest.Wait()
}

// conn is a connection.
type conn struct{ closed atomic.Bool }

func (*conn) Deliver(string, *group.Message) {}
func (*conn) Gap()                           {}
func (c *conn) Closed() bool                 { return c.closed.Load() }

// client is a stream of a connection, and who reads it.
type client struct {
	h    *harness
	conn *conn
	line *bind.Line
	// bound is the number of messages that it takes; 0 for any number.
	bound int
	// onGap is called before the client is told of a gap.
	onGap func()

	mu    sync.Mutex // guards what follows
	queue []json.RawMessage
	full  bool
	// unheard tells that the line has yet to hear of a gap that was told.
	unheard bool
	room    chan struct{} // closed when there is room
	calls   atomic.Int64  // of Tell, Send and Gap
}

// gapText stands in a queue for a gap.
const gapText = `{"gap":true}`

// connect opens a stream of a connection that is in some groups.
func (h *harness) connect(groups ...string) *client {
	h.t.Helper()
	c := &client{h: h, conn: &conn{}, room: make(chan struct{})}
	for _, g := range groups {
		if err := h.groups.Add(h.t.Context(), g, c.conn); err != nil {
			h.t.Fatal(err)
		}
	}
	c.line = h.Open(h.model, c.conn, c)
	h.t.Cleanup(c.line.Close)
	return c
}

func (c *client) Tell(m *bind.Message) bool {
	c.calls.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full = c.full || c.bound > 0 && len(c.queue) >= c.bound; c.full {
		return false
	}
	c.queue = append(c.queue, m.Payload())
	return true
}

func (c *client) Send(ctx context.Context, m *bind.Message) error {
	c.calls.Add(1)
	for {
		c.mu.Lock()
		if err := ctx.Err(); err != nil { // who waited for room may be wanted no more
			c.mu.Unlock()
			return err
		}
		if !c.full && !c.unheard && (c.bound == 0 || len(c.queue) < c.bound) {
			c.queue = append(c.queue, m.Payload())
			c.mu.Unlock()
			return nil
		}
		room := c.room
		c.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *client) Gap() {
	c.calls.Add(1)
	if c.onGap != nil {
		c.onGap()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.queue); n == 0 || string(c.queue[n-1]) != gapText {
		c.queue = append(c.queue, json.RawMessage(gapText))
	}
}

func (c *client) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return
	}
	c.queue = nil
	if !c.full {
		c.queue = []json.RawMessage{json.RawMessage(gapText)}
	}
}

// read takes what is in line, and what the client is told behind it.
func (c *client) read() []json.RawMessage {
	c.mu.Lock()
	queue, full := c.queue, c.full
	c.queue, c.full, c.unheard = nil, false, full
	c.mu.Unlock()
	if full {
		queue = append(queue, json.RawMessage(gapText))
		c.line.Gapped()
	}
	// What waits in Send goes on after that: it may be a part of what the gap has ended.
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unheard = false
	close(c.room)
	c.room = make(chan struct{})
	return queue
}

// told is what has come, a line each, without the model and the revisions.
func (c *client) told() string {
	synctest.Wait()
	return plain(c.read())
}

func plain(messages []json.RawMessage) string {
	var all []string
	for _, m := range messages {
		text := strings.ReplaceAll(string(m), `,"model":"bind.note"`, "")
		for {
			before, rest, found := strings.Cut(text, `,"rev":`)
			if !found {
				break
			}
			text = before + rest[strings.IndexByte(rest, '}'):]
		}
		all = append(all, text)
	}
	return strings.Join(all, "\n")
}

// subscribe subscribes, in the background.
func (c *client) subscribe() <-chan error {
	done := make(chan error, 1)
	go func() {
		_, taken, err := c.line.Receive(c.h.t.Context(), json.RawMessage(`{"action":"subscribe"}`))
		if !taken {
			c.h.t.Error("the line does not take a subscription")
		}
		done <- err
	}()
	return done
}

func (h *harness) expect(what, got, want string) {
	h.t.Helper()
	if got != want {
		h.t.Errorf("%s:\ngot  %.2000s\nwant %.2000s", what, got, want)
	}
}

func (h *harness) join(c *client, name string) {
	h.t.Helper()
	if err := h.groups.Add(h.t.Context(), name, c.conn); err != nil {
		h.t.Fatal(err)
	}
	h.Joined(c.conn)
}

func (h *harness) leave(c *client, name string) {
	h.t.Helper()
	if err := h.groups.Discard(h.t.Context(), name, c.conn); err != nil {
		h.t.Fatal(err)
	}
	h.Left(c.conn)
}

// pass lets the bubble's time pass.
func (*harness) pass(d time.Duration) { <-time.After(d) }

// rowsIn are the rows that are in one of some groups, by key, as their revisions.
func (h *harness) rowsIn(groups map[string]bool) map[int64]int64 {
	h.db.mu.Lock()
	defer h.db.mu.Unlock()
	in := map[int64]int64{}
	for row := range maps.Values(h.db.rows[h.model.Table]) {
		var note Note
		if err := h.model.Type.Decode(row, &note); err != nil {
			h.t.Fatal(err)
		}
		if slices.ContainsFunc(strings.Fields(note.Rooms), func(g string) bool { return groups[g] }) {
			in[note.ID] = note.Rev
		}
	}
	return in
}
