package mux

import (
	"context"
	"slices"
)

// Handler handles what happens on a connection that carries plain messages.
type Handler func(ctx context.Context, m *Message) error

// Entry is one line of a routing: see Route, RouteClass and Include.
type Entry struct {
	// path is a regular expression, which matches at the beginning.
	path string
	// One of them is set.
	channel string
	handler Handler
	class   *Demultiplexer
	// included tells that it is an Include, of include.
	included bool
	include  []Entry
	// args are given beside those of the path.
	args Args
}

// EntryOption is a property of an Entry.
type EntryOption func(*Entry)

// Path has a Route match only what begins as a regular expression says. Paths begin
// with a slash, and groups have names: ^/chat/(?P<room>[a-z]+)/.
func Path(pattern string) EntryOption { return func(e *Entry) { e.path = pattern } }

// With gives arguments beside those that the path has; the path's win.
func With(args Args) EntryOption { return func(e *Entry) { e.args = args } }

// Route has a function called with what happens on connections that carry plain
// messages. The channel is one of
//
//	websocket.connect     a connection wants to be: an error refuses it
//	websocket.receive     a text frame has come
//	websocket.disconnect  the connection has ended
//
// Without [Path] it matches every path that the app has nothing else at. The
// handlers of one connection run one at a time, in order, the one of
// "websocket.disconnect" exactly once where the connection came to be.
// "websocket.connect" is called before the WebSocket's handshake is answered: what it
// replies, and what its groups are told meanwhile, is sent once it has returned no
// error, and never where it has returned one. Of the codes of its error (see
// pando.Errorf) "unauthenticated" is answered 401, another one 403; where nothing
// says who the client is, the connection is closed with 4401 or 4403 after its
// first frame instead.
func Route(channel string, handler Handler, options ...EntryOption) Entry {
	e := Entry{channel: channel, handler: handler}
	for _, set := range options {
		set(&e)
	}
	return e
}

// RouteClass serves the connections of a path by a demultiplexer. The path is a
// regular expression, as in [Path].
func RouteClass(d *Demultiplexer, path string, options ...EntryOption) Entry {
	e := Entry{class: d, path: path}
	for _, set := range options {
		set(&e)
	}
	return e
}

// Include puts entries below a prefix, a regular expression as in [Path]: their
// own paths match what comes after it. Where the prefix ends with a letter or digit
// they must not begin with one: that would be one word of the path, with no slash in
// it. Arguments of inner entries override those
// of the prefix.
// A prefix whose entries do not match counts as none: what follows is tried.
func Include(prefix string, entries ...Entry) Entry {
	return Entry{path: prefix, included: true, include: slices.Clone(entries)}
}
