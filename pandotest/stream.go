package pandotest

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/pando-sync/pando/internal/peer"
	"github.com/pando-sync/pando/schema"
)

// Stream is an open channel whose state is an S: the root's struct, or a slice
// of structs for a list. It is safe for concurrent use.
type Stream[S any] struct {
	client *Client
	core   *peer.Stream
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
	tree, err := peer.Tree(reflect.TypeFor[S](), nil, opts...)
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
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams++
	return &Stream[S]{client: c, core: peer.NewStream(fmt.Sprintf("s%d", c.streams), route, tree, peer.Events{})}
}

// Resume opens the stream on the client's present connection. What it holds
// from an earlier one is continued from its versions, or read anew when the
// server says so; in both cases Resume returns once the state is whole.
func (s *Stream[S]) Resume(ctx context.Context) error {
	conn := s.client.present()
	if conn == nil {
		return ErrDropped
	}
	return s.core.Open(ctx, conn)
}

// Close closes the stream.
func (s *Stream[S]) Close(ctx context.Context) error {
	_, err := s.client.request(ctx, s.core.Name(), map[string]any{"type": "close"})
	return err
}

// Observe has fn called with every state that the stream shows from now on, as
// JSON in the form of GET /state. fn runs on the client's reader: it must not
// wait for the client.
func (s *Stream[S]) Observe(fn func(version uint64, state []byte)) { s.core.Observe(fn) }

// State is the present state; nil when the anchor does not exist. Fields that
// the channel shows as what a method makes of them, of another type, stay zero.
func (s *Stream[S]) State() *S {
	out := new(S)
	exists, err := s.core.Build(reflect.ValueOf(out).Elem())
	if err != nil {
		panic(fmt.Sprintf("pandotest: %v", err))
	}
	if !exists {
		return nil
	}
	return out
}

// JSON is the present state in the form of GET /state.
func (s *Stream[S]) JSON() []byte { return s.core.JSON() }

// Version is the version of the newest frame.
func (s *Stream[S]) Version() uint64 { return s.core.Version() }

// Frames is the number of state frames that have come, also of those that must
// not come: once the stream is closed, of scopes that no other stream shows.
func (s *Stream[S]) Frames() int { return s.core.Frames() }

// Runtime decodes the runtime state into r, a pointer to its struct.
func (s *Stream[S]) Runtime(r any) error { return s.core.Runtime(r) }

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

// until waits until ok.
func (s *Stream[S]) until(ctx context.Context, ok func() bool) error {
	return s.core.Until(ctx, s.client.Closed(), ok)
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
