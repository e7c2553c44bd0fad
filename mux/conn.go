package mux

import (
	"context"
	"encoding/json"

	"github.com/pando-sync/pando/token"
)

// Conn is one connection to a path that Route or RouteClass serves, as handlers
// see it. It is safe for concurrent use, and may be kept: after the connection
// has ended its methods return errors.
type Conn struct{ Socket }

// Socket is what the app that serves a connection does for it.
type Socket interface {
	// ID names the connection among all of the app.
	ID() string
	// User is who the connection acts for; the ID "" is nobody. Where a client of
	// pando.v1 gives another token of the same user on its connection, such as one that
	// lasts longer, it is as that token says.
	User() token.Identity
	// Path is the path that was asked for, Args what the named groups of the routes
	// took from it.
	Path() string
	Args() Args
	// GroupAdd makes the connection a member of a group: from its return on what is
	// broadcast there reaches it. GroupDiscard ends that; the connection's end does
	// so, too. What bindings had to tell of the group and was not written yet is
	// dropped then, and the client told of a gap; what else was on its way arrives. A connection that may not be has no groups: both are an error before
	// permission was granted.
	GroupAdd(ctx context.Context, group string) error
	GroupDiscard(ctx context.Context, group string) error
	// Broadcast sends a payload to all connections of a group, on all nodes, in the
	// envelope of a stream: see App.Broadcast.
	Broadcast(ctx context.Context, group, stream string, payload any) error
	// Close closes the connection, with a code of WebSocket, once what is in line
	// has been sent. It returns at once.
	Close(code int, reason string)
}

// Args are what the named groups of a route's pattern took from the path.
type Args map[string]string

// Stream is one stream of a connection.
type Stream struct {
	*Conn
	Line
}

// Line is what the app that serves a stream does for it.
type Line interface {
	// Name is the consumer's name among those of its demultiplexer.
	Name() string
	// Send sends a payload, which is encoded as JSON, to this stream alone. It never
	// waits: a client that reads nothing is told of a gap, later.
	Send(payload any) error
	// SendRaw is Send of JSON.
	SendRaw(payload json.RawMessage) error
}

// Message is what a Handler is called with.
type Message struct {
	// Channel is what happens: one of the names of Route.
	Channel string
	Conn    *Conn
	// Text is the text of a frame, for "websocket.receive".
	Text []byte
	// Reply sends a text frame to the connection. It never waits.
	Reply func(text []byte) error
}
