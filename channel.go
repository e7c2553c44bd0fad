package pando

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"

	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

// Identity is who a stream acts for; the ID "" is nobody.
type Identity = token.Identity

// Authenticator tells who a request acts for. token.Store is one.
type Authenticator = token.Authenticator

// NoRuntime is the runtime state of a channel that has none.
type NoRuntime struct{}

// Channel is embedded by an app's channels: S is the struct of the state's
// root, R the struct of the runtime state (NoRuntime for none). One value
// lives per open stream.
//
// Hooks and actions of one stream run one at a time. SetRuntime and the
// getters may be called from any goroutine.
type Channel[S, R any] struct{ base }

// User is who the stream acts for.
func (c *Channel[S, R]) User() Identity { return c.user }

// Args are the parameters of the stream's route.
func (c *Channel[S, R]) Args() Args { return c.args }

// SetRuntime changes the runtime state: change gets the present one. What
// differs afterwards is mirrored in the client, all changes made within one
// turn as one frame. It returns an error when a member cannot be encoded as
// JSON; nothing is sent then.
func (c *Channel[S, R]) SetRuntime(change func(*R)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, ok := c.runtime.(*R)
	if !ok {
		now = new(R)
	}
	next := *now
	change(&next)
	if err := c.publish(&next); err != nil {
		return fmt.Errorf("set runtime state: %w", err)
	}
	return nil
}

// Runtime is a copy of the runtime state.
func (c *Channel[S, R]) Runtime() R {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, ok := c.runtime.(*R); ok {
		return *now
	}
	return *new(R)
}

//nolint:unused // AnyChannel asks for it
func (c *Channel[S, R]) core() *base { return &c.base }

//nolint:unused // AnyChannel asks for it
func (c *Channel[S, R]) types() (state, runtime reflect.Type) {
	return reflect.TypeFor[S](), reflect.TypeFor[R]()
}

//nolint:unused // AnyChannel asks for it
func (c *Channel[S, R]) isList() bool { return false }

//nolint:unused // AnyChannel asks for it
func (c *Channel[S, R]) judge(AnyChannel) func(context.Context, *schema.Type, schema.Row) (bool, error) {
	return nil
}

//nolint:unused // AnyChannel asks for it
func (c *Channel[S, R]) start() error { return c.SetRuntime(func(*R) {}) }

// base is what the stages know of a channel's value.
type base struct {
	app    *App
	stream *stream // nil for what is read by GET /state
	user   Identity
	args   Args
	wake   func()
	// own is the stream's own list over the table, nil when it is shared.
	own   *pipe.List
	table *schema.Table

	mu      sync.Mutex // guards what follows
	runtime any        // *R
	members map[string]json.RawMessage
	unsent  map[string]json.RawMessage
}

// publish notes which members differ from what was sent. The mutex is held.
func (b *base) publish(runtime any) error {
	text, err := json.Marshal(runtime)
	if err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return fmt.Errorf("want a struct: %w", err)
	}
	for name, value := range members {
		if string(b.members[name]) == string(value) {
			continue
		}
		b.note(name, value)
	}
	// A member that omitempty leaves out now is null for the client.
	for name := range b.members {
		if _, ok := members[name]; !ok {
			members[name] = json.RawMessage("null")
			if string(b.members[name]) != "null" {
				b.note(name, members[name])
			}
		}
	}
	b.runtime, b.members = runtime, members
	if len(b.unsent) > 0 && b.wake != nil {
		b.wake()
	}
	return nil
}

func (b *base) note(name string, value json.RawMessage) {
	if b.unsent == nil {
		b.unsent = map[string]json.RawMessage{}
	}
	b.unsent[name] = value
}

// take returns what was not sent yet.
func (b *base) take() map[string]json.RawMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	unsent := b.unsent
	b.unsent = nil
	return unsent
}

// AnyChannel is what For accepts: a struct that embeds Channel or List and
// answers who may open it.
type AnyChannel interface {
	// HasPermission tells whether the stream's user may see the anchor. It is
	// asked before anything is read or sent, and again by App.Recheck and
	// RecheckOn. An error is logged and refuses too.
	HasPermission(ctx context.Context) (bool, error)

	core() *base
	types() (state, runtime reflect.Type)
	start() error
	isList() bool
	judge(self AnyChannel) func(context.Context, *schema.Type, schema.Row) (bool, error)
}

// Connector is a channel with a hook that runs after permission was granted
// and before anything is sent. An error refuses the stream.
type Connector interface {
	OnConnect(ctx context.Context) error
}

// Disconnector is a channel with a hook that runs once after the stream's last
// action, if permission had been granted; the context outlives the connection.
type Disconnector interface {
	OnDisconnect(ctx context.Context)
}

var _ session.App = (*App)(nil)
