package bind

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

// Transact runs fn in a write transaction and commits, and returns what fn did. fn's
// context knows of the transaction, for the author's functions. It calls fn again
// when the database has rolled the transaction back for the sake of others. After
// an error nothing of it remains.
type Transact func(ctx context.Context, fn func(context.Context, feed.Tx) (json.RawMessage, error)) (json.RawMessage, error)

// Served are the bindings that one app serves, each once, however many streams
// it has. It is filled by one goroutine; then it is safe for concurrent use.
type Served struct {
	// Transact is how rows are written.
	Transact Transact
	models   map[*Spec]*Model
	all      []*Model
}

// Add compiles a binding, unless it was added before: see [Compile].
func (s *Served) Add(reg *schema.Registry, spec *Spec) (*Model, error) {
	if m := s.models[spec]; m != nil {
		return m, nil
	}
	m, err := Compile(reg, spec)
	if err != nil {
		return nil, err
	}
	if s.models == nil {
		s.models = map[*Spec]*Model{}
	}
	s.models[spec] = m
	s.all = append(s.all, m)
	return m, nil
}

// Models are the bindings, in the order in which they were added.
func (s *Served) Models() []*Model { return s.all }

// Model is what was made of a binding, nil for one that was not added.
func (s *Served) Model(spec *Spec) *Model { return s.models[spec] }

type servedKey struct{}

// With returns a context in which consumers that are bindings find what the app has
// made of them: see [Receive].
func (s *Served) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, servedKey{}, s)
}

// Receive carries out what a client asks of a binding, for the app that [Served.With]
// put into the context.
func Receive(ctx context.Context, spec *Spec, user token.Identity, payload json.RawMessage) (json.RawMessage, error) {
	s, _ := ctx.Value(servedKey{}).(*Served)
	if s == nil || s.models[spec] == nil {
		return nil, fmt.Errorf("binding %s: no app serves it: put it into the Consumers of a demultiplexer of App.Mux", spec.Stream)
	}
	return s.models[spec].Receive(ctx, s.Transact, user, payload)
}
