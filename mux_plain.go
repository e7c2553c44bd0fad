package pando

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pando-sync/pando/internal/group"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/mux"
)

// Channels of plain messages, as Route names them.
const (
	socketConnect    = "websocket.connect"
	socketReceive    = "websocket.receive"
	socketDisconnect = "websocket.disconnect"
)

// accept has the handler of "websocket.connect" say whether a connection of plain
// messages may be. It may join groups: what is told it meanwhile is sent only once
// the connection is.
func (c *connection) accept(ctx context.Context) error {
	c.grant()
	accepted := errNotAsked
	_, err := c.app.message(ctx, c.request("open", socketConnect, nil, func(ctx context.Context, _ *Request) (json.RawMessage, error) {
		if errors.Is(accepted, errNotAsked) { // else it has been accepted, or refused
			accepted = c.call(ctx, socketConnect, c.match.Connect, nil)
			c.connected = accepted == nil
		}
		return nil, accepted
	}))
	return cmp.Or(err, accepted)
}

// Request implements session.Stream: it has a plain message handled.
func (c *connection) Request(ctx context.Context, req *wire.Request) (json.RawMessage, uint64, error) {
	if c.match.Receive == nil {
		return nil, 0, rpc.Errorf("bad_request", "nothing takes messages here")
	}
	_, err := c.app.message(ctx, c.request("message", socketReceive, req.Body, func(ctx context.Context, r *Request) (json.RawMessage, error) {
		return nil, c.call(ctx, socketReceive, c.match.Receive, r.Payload)
	}))
	return nil, 0, err
}

// disconnect calls the handler of "websocket.disconnect" where the connection came
// to be.
func (c *connection) disconnect(ctx context.Context) {
	if !c.connected {
		return
	}
	c.connected = false
	defer c.app.calls.end(c.app.calls.begin(c.path, "message", socketDisconnect))
	if err := c.call(ctx, socketDisconnect, c.match.Disconnect, nil); err != nil {
		c.app.cfg.Logger.ErrorContext(ctx, "hook failed", "session", c.id, "error", err)
	}
}

func (c *connection) request(
	kind, channel string, text []byte, run func(context.Context, *Request) (json.RawMessage, error),
) *Request {
	return &Request{Kind: kind, User: c.identity(), Session: c.id, Route: c.route, Consumer: channel, Payload: text, run: run}
}

// call calls a handler, if there is one.
func (c *connection) call(ctx context.Context, channel string, handler mux.Handler, text []byte) (err error) {
	if handler == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = rpc.Panicked(channel+" of "+c.path, p)
		}
	}()
	if err := handler(ctx, &mux.Message{Channel: channel, Conn: c.handle, Text: text, Reply: c.reply}); err != nil {
		return fmt.Errorf("%s of %s: %w", channel, c.path, err)
	}
	return nil
}

// reply sends a text to the client.
func (c *connection) reply(text []byte) error {
	if c.closed.Load() {
		return fmt.Errorf("reply: %w", group.ErrClosed)
	}
	c.line.Tell(wire.Text(text))
	return nil
}
