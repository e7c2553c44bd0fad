package mux

import "context"

// Demultiplexer serves connections that carry several streams: each message is
// {"stream": name, "payload": {…}}. RouteClass gives it a path.
type Demultiplexer struct {
	// Consumers are by the names of their streams: 1 to 64 of A-Z a-z 0-9 . _ -.
	// Bindings are consumers.
	Consumers map[string]Consumer
	// ConnectionGroups are the groups that a connection joins when it begins. Nil is
	// none.
	ConnectionGroups func(args Args) []string
	// HasPermission tells whether the connection may be; it is asked before anything
	// is joined, called or sent. An error is logged and refuses too. It must be
	// given, but for a Public demultiplexer, which it narrows.
	HasPermission func(ctx context.Context, c *Conn) (bool, error)
	// Public lets connections be that say of no user.
	Public bool
}
