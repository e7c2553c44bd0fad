package peer

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"sync"

	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// Stream is the state of one route. It is safe for concurrent use.
type Stream struct {
	name    string
	route   string
	tree    *schema.Tree
	anchors []schema.Value // see anchorsIn
	events  Events

	mu    sync.Mutex // guards what follows
	conn  *Conn      // on which it is open or being opened, nil if on none
	parts []*part    // of each scope, in the order of opened
	// shown is what the parts held when they were last complete.
	shown   []*state.Store
	shows   uint64 // grows whenever shown has changed
	members map[string]json.RawMessage
	changed chan struct{} // closed and replaced with every change
	observe func(version uint64, state []byte)
	frames  int
	ended   error
}

// Events are told of what comes to a stream, on the connection's reader. Each
// may be nil.
type Events struct {
	// Notice is told of what is no state.
	Notice func(name string, value json.RawMessage)
	// Ended is told that the stream will show nothing more until it is started
	// again: why the server closed it, or what is wrong with what it sent.
	Ended func(error)
	// Strict ends a stream of which the tree knows fields that the server does not
	// announce, with the code schema. Otherwise they stay as they are.
	Strict bool
}

// NewStream returns a stream of a route that is not open yet. Its name is its
// own on the connections that it is opened on.
func NewStream(name, route string, tree *schema.Tree, events Events) *Stream {
	return &Stream{
		name: name, route: route, tree: tree, anchors: anchorsIn(route, tree), events: events,
		shown: []*state.Store{state.NewStore()}, members: map[string]json.RawMessage{}, changed: make(chan struct{}),
	}
}

// Name is the stream's name on the wire.
func (s *Stream) Name() string { return s.name }

// Start asks for the stream on a connection. What it holds from an earlier one
// is continued from its versions, or read anew when the server says so.
// answered is called once with the server's refusal or nil, on the reader.
func (s *Stream) Start(c *Conn, answered func(error)) {
	payload := map[string]any{"type": "open", "route": s.route}
	s.mu.Lock()
	if s.whole() {
		resume := wire.Resume{Epoch: s.parts[0].epoch}
		for _, p := range s.parts {
			resume.Versions = append(resume.Versions, p.version)
		}
		payload["resume"] = map[string]any{"epoch": resume.Epoch, "versions": resume.Versions}
	}
	s.ended, s.conn = nil, c
	s.mu.Unlock()
	if !c.enter(s) {
		s.lost(c)
		answered(ErrUnsent)
		return
	}
	_, err := c.send(s.name, payload, func(r reply) {
		s.refused(c, r.err)
		answered(r.err)
	})
	if err != nil {
		s.refused(c, err)
		answered(err)
	}
}

// Open is Start, and waits until the state is whole.
func (s *Stream) Open(ctx context.Context, c *Conn) error {
	answer := make(chan error, 1)
	s.Start(c, func(err error) { answer <- err })
	select {
	case err := <-answer:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return fmt.Errorf("open %s: %w", s.route, ctx.Err())
	}
	return s.Until(ctx, c.Done(), s.Complete)
}

// refused notes that a stream is not open after all.
func (s *Stream) refused(c *Conn, err error) {
	if err != nil {
		c.leave(s)
		s.lost(c)
	}
}

// Close closes the stream on its connection; of one that is on none there is
// nothing to close. What it holds stays.
func (s *Stream) Close(ctx context.Context) error {
	c := s.Conn()
	if c == nil {
		return ErrUnsent
	}
	_, err := c.Request(ctx, s.name, map[string]any{"type": "close"})
	return err
}

// Conn is the connection on which the stream is, nil if it is on none.
func (s *Stream) Conn() *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// Forget drops what the stream holds: nothing is resumed from.
func (s *Stream) Forget() {
	s.mu.Lock()
	s.parts, s.shown, s.members = nil, []*state.Store{state.NewStore()}, map[string]json.RawMessage{}
	s.shows++
	s.mu.Unlock()
	s.notify()
}

// Poke has all who wait for the stream look again.
func (s *Stream) Poke() { s.notify() }

// Leave closes the stream on a connection and waits for nothing: nothing of it
// follows.
func (s *Stream) Leave(c *Conn) {
	c.leave(s)
	s.lost(c)
	// An answer tells nothing, and with a connection that is gone the stream is.
	_, _ = c.send(s.name, map[string]any{"type": "close"}, func(reply) {})
}

// Observe has fn called with every state that the stream shows from now on, as
// JSON in the form of GET /state, on the reader.
func (s *Stream) Observe(fn func(version uint64, state []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observe = fn
}

// Build sets out, a struct, a pointer to one or a slice of them, to the state.
// It tells whether there is any: the anchor's row, or a list. The error is of
// the first value that its field cannot hold, which stays zero.
func (s *Stream) Build(out reflect.Value) (exists bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	view := s.view()
	rows := view.Top(s.anchor())
	b := &builder{View: view}
	b.put(out, s.tree.Root, rows)
	return s.tree.Root.Relation == schema.List || len(rows) > 0, b.err
}

// Exists tells whether there is any state: the anchor's row, or a list.
func (s *Stream) Exists() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tree.Root.Relation == schema.List || len(s.view().Top(s.anchor())) > 0
}

// JSON is the present state in the form of GET /state.
func (s *Stream) JSON() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view().AppendJSON(nil, s.anchor())
}

// view is the state as it is shown. The mutex is held.
func (s *Stream) view() *state.View { return state.NewView(s.tree, s.shown...) }

// Version is the version of the newest frame.
func (s *Stream) Version() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version()
}

func (s *Stream) version() uint64 {
	var newest uint64
	for _, p := range s.parts {
		newest = max(newest, p.version)
	}
	return newest
}

// Shows grows whenever what the stream shows has changed.
func (s *Stream) Shows() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shows
}

// Frames is the number of state frames that have come; see Config.Strays.
func (s *Stream) Frames() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frames
}

// Runtime decodes the runtime state into r, a pointer to its struct.
func (s *Stream) Runtime(r any) error {
	s.mu.Lock()
	text, err := json.Marshal(s.members)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return json.Unmarshal(text, r)
}

// Complete tells whether the state is there as a whole.
func (s *Stream) Complete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settled()
}

// Live tells whether the state is there as a whole and goes on.
func (s *Stream) Live() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn != nil && s.ended == nil && s.settled()
}

// Until waits until ok. It returns why the stream has ended, if it has, and
// ErrDropped when gone is closed, which may be nil.
func (s *Stream) Until(ctx context.Context, gone <-chan struct{}, ok func() bool) error {
	for {
		changed, ended := s.News() // before ok, which may miss what comes after
		if ok() {
			return nil
		}
		if ended != nil {
			return ended
		}
		select {
		case <-changed:
		case <-gone:
			return ErrDropped
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// News is closed by the next change; ended is why there will be none.
func (s *Stream) News() (changed <-chan struct{}, ended error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed, s.ended
}

func (s *Stream) notify() {
	s.mu.Lock()
	close(s.changed)
	s.changed = make(chan struct{})
	observe, version := s.observe, s.version()
	var text []byte
	if observe != nil && s.settled() {
		text = s.view().AppendJSON(nil, s.anchor())
	}
	s.mu.Unlock()
	if text != nil {
		observe(version, text)
	}
}

func (s *Stream) runtime(members map[string]json.RawMessage) {
	s.mu.Lock()
	maps.Copy(s.members, members)
	s.mu.Unlock()
	s.notify()
}

func (s *Stream) notice(n wire.Notice) {
	if s.events.Notice != nil {
		s.events.Notice(n.Name, n.Value)
	}
}

// shut ends the stream.
func (s *Stream) shut(err error) {
	s.mu.Lock()
	s.ended, s.conn = err, nil
	s.mu.Unlock()
	if s.events.Ended != nil {
		s.events.Ended(err)
	}
	s.notify()
}

// lost takes the stream off a connection.
func (s *Stream) lost(c *Conn) {
	s.mu.Lock()
	if s.conn == c {
		s.conn = nil
	}
	s.mu.Unlock()
	s.notify()
}
