package pandotest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// Stream is an open channel whose state is an S: the root's struct, or a slice
// of structs for a list. It is safe for concurrent use.
type Stream[S any] struct {
	client *Client
	name   string
	route  string
	tree   *schema.Tree
	anchor schema.Value

	mu    sync.Mutex // guards what follows
	parts []*part    // of each scope, in the order of opened
	// shown is what the parts held when they were last complete.
	shown   []*state.Store
	members map[string]json.RawMessage
	changed chan struct{} // closed and replaced with every change
	observe func(version uint64, state []byte)
	frames  int
	ended   error
}

// Open opens a route and waits for its first state. For opts see NewStream.
func Open[S any](t testing.TB, c *Client, route string, opts ...schema.Option) *Stream[S] {
	t.Helper()
	st, err := NewStream[S](c, route, opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := st.Resume(ctx); err != nil {
		t.Fatalf("open %s: %v", route, err)
	}
	return st
}

// Refused opens a route that must be refused, and returns the error.
func Refused[S any](t testing.TB, c *Client, route string) error {
	t.Helper()
	st, err := NewStream[S](c, route)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err = st.Resume(ctx); err == nil {
		t.Fatalf("open %s: it was allowed", route)
	}
	return err
}

// NewStream returns a stream of a route that is not open yet. The tree is that
// of S, read with opts as the app reads it: schema.Include where it includes
// relations. A slice is a list, sorted by key unless an option says otherwise:
//
//	order := schema.AsList(schema.ListSpec{Name: "TasksChannel", Order: []string{"-created_at"}})
//	tasks, err := pandotest.NewStream[[]Task](client, "tasks", order)
func NewStream[S any](c *Client, route string, opts ...schema.Option) (*Stream[S], error) {
	root := reflect.TypeFor[S]()
	if root.Kind() == reflect.Slice {
		if root = root.Elem(); root.Kind() == reflect.Pointer {
			root = root.Elem()
		}
		opts = append([]schema.Option{schema.AsList(schema.ListSpec{Name: root.Name()})}, opts...)
	}
	tree, err := schema.NewRegistry().Tree(root, opts...)
	if err != nil {
		return nil, err
	}
	return newStream[S](c, route, tree), nil
}

// NewTreeStream returns a stream of a tree that is given as a value, as
// App.Manifest has it, for programs that make their types at run time. Its
// state is JSON only.
func NewTreeStream(c *Client, route string, tree *schema.Tree) *Stream[json.RawMessage] {
	return newStream[json.RawMessage](c, route, tree)
}

func newStream[S any](c *Client, route string, tree *schema.Tree) *Stream[S] {
	st := &Stream[S]{
		client: c, route: route, tree: tree, anchor: anchorIn(route, tree),
		shown: []*state.Store{state.NewStore()}, members: map[string]json.RawMessage{}, changed: make(chan struct{}),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nextID++
	st.name = fmt.Sprintf("s%d", c.nextID)
	c.streams[st.name] = st
	return st
}

// Resume opens the stream on the client's present connection. What it holds
// from an earlier one is continued from its versions, or read anew when the
// server says so; in both cases Resume returns once the state is whole.
func (s *Stream[S]) Resume(ctx context.Context) error {
	payload := map[string]any{"type": "open", "route": s.route}
	s.mu.Lock()
	if s.whole() {
		versions := make([]uint64, len(s.parts))
		for i, p := range s.parts {
			versions[i] = p.version
		}
		payload["resume"] = map[string]any{"epoch": s.parts[0].epoch, "versions": versions}
	}
	s.ended = nil
	s.mu.Unlock()
	if _, err := s.client.request(ctx, s.name, payload); err != nil {
		return err
	}
	return s.until(ctx, s.complete)
}

// Close closes the stream.
func (s *Stream[S]) Close(ctx context.Context) error {
	_, err := s.client.request(ctx, s.name, map[string]any{"type": "close"})
	return err
}

// Observe has fn called with every state that the stream shows from now on, as
// JSON in the form of GET /state. fn runs on the client's reader: it must not
// wait for the client.
func (s *Stream[S]) Observe(fn func(version uint64, state []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observe = fn
}

// State is the present state; nil when the anchor does not exist. Fields that
// the channel shows as what a method makes of them, of another type, stay zero.
func (s *Stream[S]) State() *S {
	s.mu.Lock()
	defer s.mu.Unlock()
	view := s.view()
	rows := view.Top(s.anchor)
	out := new(S)
	if s.tree.Root.Relation != schema.List && len(rows) == 0 {
		return nil
	}
	builder{view}.put(reflect.ValueOf(out).Elem(), s.tree.Root, rows)
	return out
}

// JSON is the present state in the form of GET /state.
func (s *Stream[S]) JSON() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view().AppendJSON(nil, s.anchor)
}

// view is the state as it is shown. The mutex is held.
func (s *Stream[S]) view() *state.View { return state.NewView(s.tree, s.shown...) }

// Version is the version of the newest frame.
func (s *Stream[S]) Version() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version()
}

func (s *Stream[S]) version() uint64 {
	var newest uint64
	for _, p := range s.parts {
		newest = max(newest, p.version)
	}
	return newest
}

// Frames is the number of state frames that have come, also of those that must
// not come: once the stream is closed, of scopes that no other stream shows.
func (s *Stream[S]) Frames() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frames
}

// Runtime decodes the runtime state into r, a pointer to its struct.
func (s *Stream[S]) Runtime(r any) error {
	s.mu.Lock()
	text, err := json.Marshal(s.members)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return json.Unmarshal(text, r)
}

// Wait waits until ok agrees with the state and returns it. what says in the
// failure what was waited for.
func (s *Stream[S]) Wait(t testing.TB, what string, ok func(*S) bool) *S {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got *S
	err := s.until(ctx, func() bool {
		got = s.State()
		return got != nil && ok(got)
	})
	if err != nil {
		t.Fatalf("wait for %s: %v; the state is %s", what, err, s.JSON())
	}
	return got
}

// complete tells whether the state is there as a whole.
func (s *Stream[S]) complete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settled()
}

// whole tells whether the stream holds a complete state, be it an old one. The
// mutex is held.
func (s *Stream[S]) whole() bool {
	return len(s.parts) > 0 && !slices.ContainsFunc(s.parts, func(p *part) bool { return !p.whole })
}

// until waits until ok.
func (s *Stream[S]) until(ctx context.Context, ok func() bool) error {
	for {
		changed, ended := s.news() // before ok, which may miss what comes after
		if ok() {
			return nil
		}
		if ended != nil {
			return ended
		}
		select {
		case <-changed:
		case <-s.client.Closed():
			return ErrDropped
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// news is closed by the next change; ended is why there will be none.
func (s *Stream[S]) news() (changed <-chan struct{}, ended error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed, s.ended
}

// Call calls an action and decodes its result into result unless that is nil;
// the state shows what the action committed when it returns. A failure fails
// the test.
func (s *Stream[S]) Call(t testing.TB, result any, action string, args ...any) {
	t.Helper()
	if err := s.Try(t.Context(), result, action, args...); err != nil {
		t.Fatalf("action %s: %v", action, err)
	}
}

// Try is Call for actions that may fail; a coded error is a *pando.Error.
func (s *Stream[S]) Try(ctx context.Context, result any, action string, args ...any) error {
	if args == nil {
		args = []any{}
	}
	return s.ask(ctx, result, map[string]any{"type": "action", "name": action, "args": args})
}

func (s *Stream[S]) notify() {
	s.mu.Lock()
	close(s.changed)
	s.changed = make(chan struct{})
	observe, version := s.observe, s.version()
	var text []byte
	if observe != nil && s.settled() {
		text = s.view().AppendJSON(nil, s.anchor)
	}
	s.mu.Unlock()
	if text != nil {
		observe(version, text)
	}
}

func (s *Stream[S]) runtime(members map[string]json.RawMessage) {
	s.mu.Lock()
	maps.Copy(s.members, members)
	s.mu.Unlock()
	s.notify()
}

func (s *Stream[S]) shut(err error) {
	s.mu.Lock()
	s.ended = err
	s.mu.Unlock()
	s.notify()
}

// settled tells whether all parts are complete. The mutex is held.
func (s *Stream[S]) settled() bool {
	return len(s.parts) > 0 && !slices.ContainsFunc(s.parts, func(p *part) bool { return !p.complete() })
}

// show has the stream show what its parts hold, once that is complete. The
// mutex is held.
func (s *Stream[S]) show() {
	if !s.settled() {
		return
	}
	s.shown = make([]*state.Store, len(s.parts))
	for i, p := range s.parts {
		s.shown[i] = p.store
	}
}

func (s *Stream[S]) join(types []wire.Type, o *opened, shared []*part) []*part {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parts) != len(o.Scopes) {
		s.parts = make([]*part, len(o.Scopes))
		for i := range s.parts {
			s.parts[i] = &part{stream: s, store: state.NewStore()}
		}
	}
	decoder, err := wire.NewDecoder(types, s.tree, o.Channel)
	for i, sc := range o.Scopes {
		if err == nil {
			err = s.parts[i].attach(decoder, o.Epoch, sc.Resumed, shared[i])
		}
	}
	if err != nil {
		s.ended, s.parts = fmt.Errorf("stream %s: %w", s.route, err), nil
		return nil
	}
	if !s.settled() {
		// What is shown stays as it is until all parts are complete.
		for _, p := range s.parts {
			if p.complete() {
				p.store = p.store.Clone()
			}
		}
	}
	s.show()
	return s.parts
}

func (s *Stream[S]) feed(p *part, f *wire.StateFrame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames++
	if err := p.feed(f); err != nil && s.ended == nil {
		s.ended = fmt.Errorf("stream %s: %w", s.route, err)
	}
	s.show()
}

func (s *Stream[S]) stray() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames++
}

// anchorIn takes the anchor's key from the route's last parameter; routes
// with the anchor elsewhere are looked through for it. A list has none.
func anchorIn(route string, tree *schema.Tree) schema.Value {
	if tree.Root.Relation == schema.List {
		return schema.Value{}
	}
	for _, segment := range slices.Backward(strings.Split(route, "/")) {
		if v, err := tree.Root.Type.Table.ParseKey(unescape(segment)); err == nil {
			return v
		}
	}
	return schema.Value{}
}
