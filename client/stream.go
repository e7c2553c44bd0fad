package client

import (
	"context"
	"fmt"
	"iter"
	"reflect"

	"github.com/pando-sync/pando/internal/peer"
	"github.com/pando-sync/pando/schema"
)

// Stream is an open route whose state is an S: a struct, a pointer to one, or a
// slice of either for a list.
type Stream[S any] struct{ *stream }

// Option says how a tree of structs is read.
type Option func(*reading)

type reading struct {
	schema []schema.Option
	order  []string
}

// Include follows relations of structs whose tags are of an ORM, as the
// channel's own Include does.
func Include(paths ...string) Option {
	return func(r *reading) { r.schema = append(r.schema, schema.Include(paths...)) }
}

// Models reads structs as the mapper says, as Config.Models of the server does.
func Models(m schema.Mapper) Option {
	return func(r *reading) { r.schema = append(r.schema, schema.Mapped(m)) }
}

// OrderBy gives the order of a list by columns, "-created_at" for a descending
// one, as the channel has it.
func OrderBy(columns ...string) Option { return func(r *reading) { r.order = columns } }

// Open opens a route and waits for its first state, for as long as ctx lasts.
// The route has its parameters filled in, each percent-encoded.
//
// An S that is a struct is the zero value while the row does not exist, one that
// is a pointer is nil.
func Open[S any](ctx context.Context, c *Client, route string, opts ...Option) (*Stream[S], error) {
	tree, err := treeOf(reflect.TypeFor[S](), opts)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", route, err)
	}
	s := &stream{client: c, route: route, tries: backoff{first: firstWait}}
	c.mu.Lock()
	c.names++
	name := fmt.Sprintf("s%d", c.names)
	c.mu.Unlock()
	s.core = peer.NewStream(name, route, tree, peer.Events{Strict: true, Notice: s.notice, Ended: s.ended})
	if err := c.follow(ctx, s); err != nil {
		return nil, err
	}
	return &Stream[S]{s}, nil
}

// OpenList opens a list; see Open.
func OpenList[T any](ctx context.Context, c *Client, route string, opts ...Option) (*Stream[[]T], error) {
	return Open[[]T](ctx, c, route, opts...)
}

func treeOf(t reflect.Type, opts []Option) (*schema.Tree, error) {
	var r reading
	for _, o := range opts {
		o(&r)
	}
	return peer.Tree(t, r.order, r.schema...)
}

// State is the present state, a value of the caller's own. A value that its
// field cannot hold leaves it zero; Wait and Updates tell of it.
func (s *Stream[S]) State() S {
	state, _ := s.state()
	return state
}

func (s *Stream[S]) state() (state S, err error) {
	_, err = s.core.Build(reflect.ValueOf(&state).Elem())
	if err != nil {
		err = &Error{Code: "schema", Message: s.route + ": " + err.Error(), Outcome: Failed, cause: err}
	}
	return state, err
}

// Exists tells whether there is a row for the route. A list always exists.
func (s *Stream[S]) Exists() bool { return s.core.Exists() }

// JSON is the present state in the form of GET /state.
func (s *Stream[S]) JSON() []byte { return s.core.JSON() }

// Version is the version of what has come last; see Wait for waiting.
func (s *Stream[S]) Version() uint64 { return s.core.Version() }

// Stale tells that the state is of before: the connection was lost, or a new
// snapshot is on its way.
func (s *Stream[S]) Stale() bool { return !s.core.Live() }

// Err is why nothing more can be expected of the stream: it was refused, or the
// client was. It is nil while the client connects again.
func (s *Stream[S]) Err() error { return s.err() }

// Changed is closed by the next change of anything that the stream tells.
func (s *Stream[S]) Changed() <-chan struct{} {
	changed, _ := s.core.News()
	return changed
}

// Wait waits until ok agrees with the state, and returns it.
func (s *Stream[S]) Wait(ctx context.Context, ok func(S) bool) (S, error) {
	var got S
	var bad error
	err := s.until(ctx, "wait for", func() bool {
		got, bad = s.state()
		return bad != nil || ok(got)
	})
	if err == nil {
		err = bad
	}
	return got, err
}

// Updates gives the present state, and then the newest whenever it has become
// another: who is slow sees fewer. It ends with the error that the stream, or
// ctx, ends with.
func (s *Stream[S]) Updates(ctx context.Context) iter.Seq2[S, error] {
	return func(yield func(S, error) bool) {
		var seen uint64 // a stream that is open has shown something
		for {
			var shows uint64
			err := s.until(ctx, "updates of", func() bool {
				shows = s.core.Shows()
				return shows != seen
			})
			seen = shows
			var state S
			if err == nil {
				state, err = s.state()
			}
			if !yield(state, err) || err != nil {
				return
			}
		}
	}
}

// Runtime decodes the runtime state into r, a pointer to its struct.
func (s *Stream[S]) Runtime(r any) error { return s.core.Runtime(r) }

// Close closes the stream; what waits for it returns an error. What it showed
// can still be read.
func (s *Stream[S]) Close() {
	s.client.drop(s.stream, &Error{Code: "closed", Message: "stream " + s.route + " was closed", Outcome: Failed})
}
