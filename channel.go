package pando

import (
	"context"
	"encoding/json"
	"reflect"
	"sync"

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
// Hooks, actions, writes and consumers of one stream run one at a time, but for
// actions that are declared by Concurrent. SetRuntime and the getters may be
// called from any goroutine.
type Channel[S, R any] struct{ base }

// User is who the stream acts for, as it was when the stream was opened: what its
// conditions read of the user stays, too.
func (c *Channel[S, R]) User() Identity { return *c.user }

// Args are the parameters of the stream's route.
func (c *Channel[S, R]) Args() Args { return c.args }

// Resumed tells that the stream goes on from an earlier one: the client holds
// its tree, and has come back after its connection was lost.
func (c *Channel[S, R]) Resumed() bool { return c.stream != nil && c.stream.resumed }

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

// base is what the stages know of a channel's value.
type base struct {
	app    *App
	stream *stream // nil for what is read by GET /state
	user   *Identity
	args   Args

	mu      sync.Mutex // guards what follows
	runtime any        // *R
	members map[string]json.RawMessage
	unsent  map[string]json.RawMessage
	touched bool // SetRuntime was called
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
	start(kept map[string]json.RawMessage) error
	isList() bool
	judge(self AnyChannel) func(context.Context, *schema.Type, schema.Row) (bool, error)
}

// Connector is a channel with a hook that runs after permission was granted
// and before anything is sent. An error refuses the stream.
type Connector interface {
	OnConnect(ctx context.Context) error
}

// Disconnector is a channel with a hook that runs exactly once, after the
// stream's last action has returned, if permission had been granted, however the
// stream ends; the context outlives the connection.
type Disconnector interface {
	OnDisconnect(ctx context.Context)
}
