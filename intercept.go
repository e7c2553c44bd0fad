package pando

import (
	"context"
	"encoding/json"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/session"
)

// Request is one inbound request as Use sees it.
type Request struct {
	// Kind is "open", "action", "write", "state" (GET /state) or "message": what a
	// client sends to a stream of a demultiplexer, or by plain messages.
	Kind string
	User Identity
	// Session and Stream name the connection and its stream; empty for "state".
	Session, Stream string
	// Channel is the channel's name, Route the route as it was asked for.
	Channel, Route string
	// Action and Args are an action's name and arguments.
	Action string
	Args   []json.RawMessage
	// Write is a write; nil for the other kinds.
	Write *Write
	// Consumer is the name of a demultiplexer's consumer, of a message and of the
	// opening of its stream; the Route is the path then. Of plain messages it is the
	// channel, such as "websocket.receive".
	Consumer string
	// Payload is a message's JSON object; of plain messages the text of
	// "websocket.receive".
	Payload json.RawMessage

	run func(ctx context.Context, r *Request) (json.RawMessage, error)
}

// Handler handles a request. The result is an action's, a write's or a message's, as
// JSON, and empty for the other kinds.
type Handler func(ctx context.Context, r *Request) (json.RawMessage, error)

// Use puts a function around every inbound request; the first one given is the
// outermost. It may change the request's Args, Write or Payload, refuse it with an error
// (made by Errorf, to tell the client), or time it; what else a Request has is to
// be read only. It cannot permit what was
// refused: without an error of its own, that of next counts. What is to be opened is
// opened once: next returns again what became of that. Of a request that is
// applied once it is asked each time that it comes. Use panics once the app is
// set up.
func (a *App) Use(wrap func(next Handler) Handler) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sealed {
		panic("pando: Use: the app is set up already")
	}
	a.wrappers = append(a.wrappers, wrap)
}

func (a *App) handle(ctx context.Context, r *Request) (json.RawMessage, error) {
	return r.run(ctx, r)
}

// Sent is one outbound message as OnSend sees it.
type Sent struct {
	// Session names the connection, User whose it is: nobody before connect.
	Session string
	User    Identity
	// Message is the JSON text, an envelope of the protocol. Many connections
	// share it: it must not be changed, nor kept after the call.
	Message []byte
}

// OnSend has fn told of every message that goes to a client, in the order of each
// connection, right before it is written. fn runs in the few goroutines that
// write to all clients: it must not block, and it delays them all. OnSend panics
// once the app is set up.
func (a *App) OnSend(fn func(Sent)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sealed {
		panic("pando: OnSend: the app is set up already")
	}
	a.sent = append(a.sent, fn)
}

// observer is what the sessions tell of each message, nil when nobody listens.
func (a *App) observer() func(string, Identity, []byte) {
	if len(a.sent) == 0 {
		return nil
	}
	return func(id string, user Identity, message []byte) {
		defer func() {
			if p := recover(); p != nil { // what goes out is not its concern
				a.cfg.Logger.Error("hook failed", "error", rpc.Panicked("OnSend", p))
			}
		}()
		defer a.calls.end(a.calls.begin("", "OnSend", ""))
		for _, fn := range a.sent {
			fn(Sent{Session: id, User: user, Message: message})
		}
	}
}

var _ session.App = (*App)(nil)
