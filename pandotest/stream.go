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

// Stream is an open channel whose state is an S. It is safe for concurrent
// use.
type Stream[S any] struct {
	client *Client
	name   string
	route  string
	tree   *schema.Tree

	mu      sync.Mutex // guards what follows
	store   *state.Store
	decoder *wire.Decoder
	loading *state.Store // the snapshot that is coming in, nil if none is
	anchor  schema.Value
	epoch   string
	version uint64
	whole   bool // a snapshot has come in wholly
	// awaiting tells that the server will send a snapshot, of the history
	// arriving; until it is whole the state is what was held before.
	awaiting bool
	arriving string
	members  map[string]json.RawMessage
	changed  chan struct{} // closed and replaced with every change
	observe  func(version uint64, state []byte)
	frames   int
	ended    error
}

// Open opens a route and waits for its first state.
func Open[S any](t testing.TB, c *Client, route string) *Stream[S] {
	t.Helper()
	st, err := NewStream[S](c, route)
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

// NewStream returns a stream of a route that is not open yet.
func NewStream[S any](c *Client, route string, include ...string) (*Stream[S], error) {
	tree, err := schema.NewRegistry().Tree(reflect.TypeFor[S](), schema.Include(include...))
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
		client: c, route: route, tree: tree,
		store: state.NewStore(), members: map[string]json.RawMessage{}, changed: make(chan struct{}),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nextID++
	st.name = fmt.Sprintf("s%d", c.nextID)
	c.streams[st.name] = st
	return st
}

// Resume opens the stream on the client's present connection. What it holds
// from an earlier one is continued from its version, or read anew when the
// server says so; in both cases Resume returns once the state is whole.
func (s *Stream[S]) Resume(ctx context.Context) error {
	payload := map[string]any{"type": "open", "route": s.route}
	s.mu.Lock()
	if s.whole {
		payload["resume"] = map[string]any{"epoch": s.epoch, "versions": []uint64{s.version}}
	}
	s.loading, s.ended = nil, nil
	s.mu.Unlock()
	answer, err := s.client.request(ctx, s.name, payload)
	if err != nil {
		return err
	}
	var o opened
	if err := json.Unmarshal(answer, &o); err != nil || len(o.Scopes) != 1 {
		return fmt.Errorf("open %s: bad answer %s", s.route, answer)
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

// State is the present state; nil when the anchor does not exist.
func (s *Stream[S]) State() *S {
	s.mu.Lock()
	defer s.mu.Unlock()
	view := state.NewView(s.tree, s.store)
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
	return s.store.AppendJSON(nil, s.tree, s.anchor)
}

// Version is the version of the newest frame.
func (s *Stream[S]) Version() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// Frames is the number of state frames that have come.
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
	return s.whole && !s.awaiting
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
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if args == nil {
		args = []any{}
	}
	answer, err := s.client.request(ctx, s.name, map[string]any{"type": "action", "name": action, "args": args})
	if err != nil {
		return err
	}
	var r struct {
		Value   json.RawMessage
		Version uint64
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return fmt.Errorf("bad answer %s: %w", answer, err)
	}
	if result != nil {
		if err := json.Unmarshal(r.Value, result); err != nil {
			return fmt.Errorf("decode result %s: %w", r.Value, err)
		}
	}
	if r.Version == 0 {
		return nil
	}
	return s.client.passed(ctx, r.Version)
}

func (s *Stream[S]) notify() {
	s.mu.Lock()
	close(s.changed)
	s.changed = make(chan struct{})
	observe, whole := s.observe, s.whole && !s.awaiting
	var text []byte
	version := s.version
	if observe != nil && whole {
		text = s.store.AppendJSON(nil, s.tree, s.anchor)
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

func (s *Stream[S]) announce(types []wire.Type, epoch string, resumed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decoder = wire.NewDecoder(types, s.tree, "")
	s.awaiting, s.arriving = !resumed, epoch
}

// feed applies a state frame.
func (s *Stream[S]) feed(f *wire.StateFrame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.V < s.version && f.Snapshot == "" {
		s.ended = fmt.Errorf("stream %s went back in time, from version %d to %d", s.route, s.version, f.V)
	}
	s.frames++
	into := s.store
	switch f.Snapshot {
	case "first", "only":
		s.loading = state.NewStore()
		s.findAnchor()
		into = s.loading
	case "more", "last":
		into = s.loading
	}
	if err := s.decoder.Apply(f, into); err != nil {
		panic(fmt.Sprintf("pandotest: stream %s: bad frame: %v", s.route, err))
	}
	switch f.Snapshot {
	case "first", "more":
		return // what is held is still of the old version
	case "only", "last":
		s.store, s.loading, s.whole = s.loading, nil, true
		s.epoch, s.awaiting = s.arriving, false
	}
	s.version = f.V
}

// findAnchor takes the anchor's key from the route's last parameter; routes
// with the anchor elsewhere are looked through for it.
func (s *Stream[S]) findAnchor() {
	root := s.tree.Root.Type
	parts := strings.Split(s.route, "/")
	slices.Reverse(parts)
	for _, p := range parts {
		if v, err := root.Fields[root.Key].Kind.ParseText(unescape(p)); err == nil {
			s.anchor = v
			return
		}
	}
}
