package pando

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/group"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/mux"
)

// muxStream is one stream of a demultiplexer's connection.
type muxStream struct {
	app      *App
	conn     *connection // nil until it has joined one
	consumer mux.Consumer
	name     string // the consumer's
	as       string // the stream's, to the client
	session  string
	face     bind.Face
	line     session.Line
	handle   *mux.Stream
	user     string
	watch    *pipe.Watch
	bound    *bind.Line // nil but for a binding
	// connected tells that Connect was called and returned no error.
	connected bool
	over      atomic.Bool
	once      sync.Once
}

var (
	_ session.Stream = (*muxStream)(nil)
	_ session.Gapped = (*muxStream)(nil)
	_ mux.Line       = (*muxStream)(nil)
	_ bind.Member    = boundMember{}
)

// attend makes the watch of a stream that is about to be opened.
func (s *muxStream) attend(user Identity, ask func()) {
	s.user, s.watch = user.ID, s.app.pipe.Watch(nil, ask)
	s.app.multi.attend(s.user, s.watch)
}

// join makes the stream one of a connection that is in its groups: it is told what
// goes to them.
func (s *muxStream) join(c *connection) {
	s.conn, s.handle = c, &mux.Stream{Conn: c.handle, Line: s}
	if spec := specOf(s.consumer); spec != nil {
		s.bound = s.app.multi.outbound.Open(s.app.multi.served.Model(spec), c, boundMember{s})
	}
	c.add(s)
}

// connect calls the consumer's Connect.
func (s *muxStream) connect(ctx context.Context) error {
	err := s.guard("Connect", func() error { return s.consumer.Connect(s.app.multi.served.With(ctx), s.handle) })
	s.connected = err == nil
	return err
}

// guard calls the author's code.
func (s *muxStream) guard(what string, call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = rpc.Panicked("stream "+s.name+": "+what, p)
		}
	}()
	if err := call(); err != nil {
		return fmt.Errorf("stream %s: %s: %w", s.name, what, err)
	}
	return nil
}

// Channel implements session.Stream, as what follows does.
func (*muxStream) Channel() string { return "" }

// Scope is none.
func (*muxStream) Scope() pipe.Request { return pipe.Request{} }

// Watch is in doubt while permission has to be asked again.
func (s *muxStream) Watch() *pipe.Watch { return s.watch }

// Permit asks whether the connection may still be. What one stream is refused all
// are.
func (s *muxStream) Permit(ctx context.Context) error {
	err := s.conn.Permit(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		s.conn.denied()
	case err == nil && s.conn.refused.Load():
		return rpc.Errorf("denied", "permission denied") // whatever it would be told now
	}
	return err
}

// Concurrent tells that messages are handled in order.
func (*muxStream) Concurrent(*wire.Request) bool { return false }

// Runtime is none.
func (*muxStream) Runtime() map[string]json.RawMessage { return nil }

// Request handles a message.
func (s *muxStream) Request(ctx context.Context, req *wire.Request) (json.RawMessage, uint64, error) {
	if req.Type != "message" {
		return nil, 0, rpc.Errorf("bad_request", "a stream of a demultiplexer takes messages only")
	}
	value, err := s.app.message(ctx, &Request{
		Kind: "message",
		User: s.conn.identity(), Session: s.session, Stream: s.as, Route: s.conn.route, Consumer: s.name, Payload: req.Body,
		run: func(ctx context.Context, r *Request) (json.RawMessage, error) { return s.receive(ctx, r.Payload) },
	})
	return value, 0, err
}

// message has a message handled, or a connection of plain messages opened, by the functions that Use has put around.
func (a *App) message(ctx context.Context, r *Request) (value json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil { // of a function that Use has put around
			value, err = nil, rpc.Panicked("message to "+r.Consumer, p)
		}
	}()
	return a.handler(ctx, r)
}

func (s *muxStream) receive(ctx context.Context, payload json.RawMessage) (value json.RawMessage, err error) {
	if !wire.IsObject(payload) || !json.Valid(payload) { // a function that Use has put around may have changed it
		return nil, fmt.Errorf("stream %s: the payload is no JSON object", s.name)
	}
	if s.bound != nil {
		if reply, taken, err := s.bound.Receive(ctx, payload); taken || err != nil {
			return encodeReply(reply, err)
		}
	}
	err = s.guard("Receive", func() error {
		value, err = encodeReply(s.consumer.Receive(s.app.multi.served.With(ctx), s.handle, payload))
		return err
	})
	return value, err
}

// encodeReply encodes what answers a message.
func encodeReply(reply any, err error) (json.RawMessage, error) {
	if err != nil || reply == nil {
		return nil, err
	}
	return json.Marshal(reply)
}

// Gapped implements session.Gapped: a subscription begins anew.
func (s *muxStream) Gapped() {
	if s.bound != nil {
		s.bound.Gapped()
	}
}

// Close calls the consumer's Disconnect, once, if its Connect has returned no error.
func (s *muxStream) Close(ctx context.Context, _ bool) {
	s.once.Do(func() {
		if s.connected {
			defer s.app.calls.end(s.app.calls.begin(s.conn.path, "Disconnect", s.name))
			err := s.guard("Disconnect", func() error {
				s.consumer.Disconnect(s.app.multi.served.With(ctx), s.handle)
				return nil
			})
			if err != nil {
				s.app.cfg.Logger.ErrorContext(ctx, "hook failed", "session", s.session, "error", err)
			}
		}
		s.over.Store(true)
		if s.bound != nil {
			s.bound.Close()
		}
		if s.watch != nil {
			s.app.multi.dismiss(s.user, s.watch)
		}
		if s.conn == nil {
			return
		}
		s.conn.remove(s)
		if s.face == bind.V1 {
			s.app.release(ctx, s.conn)
		}
	})
}

// Name implements mux.Line, as what follows does.
func (s *muxStream) Name() string { return s.name }

// Send sends a payload to the stream.
func (s *muxStream) Send(payload any) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("send on stream %s: %w", s.name, err)
	}
	return s.SendRaw(body)
}

// SendRaw sends JSON to the stream.
func (s *muxStream) SendRaw(payload json.RawMessage) error {
	var err error
	switch {
	case !json.Valid(payload):
		err = errors.New("the payload is no JSON")
	case s.over.Load():
		err = group.ErrClosed
	default:
		// What is not taken, since the client reads nothing, it is told of as a gap.
		s.line.Tell(bind.NewMessage(payload).Frame(s.face, s.as))
		return nil
	}
	return fmt.Errorf("send on stream %s: %w", s.name, err)
}

// boundMember is a stream as its binding tells it of rows.
type boundMember struct{ stream *muxStream }

// Tell implements bind.Member, as what follows does.
func (b boundMember) Tell(m *bind.Message) bool {
	return b.stream.line.Tell(m.Frame(b.stream.face, b.stream.as))
}

// Send is Tell that waits.
func (b boundMember) Send(ctx context.Context, m *bind.Message) error {
	return b.stream.line.Send(ctx, m.Frame(b.stream.face, b.stream.as))
}

// Drop takes out what is in line.
func (b boundMember) Drop() { b.stream.line.Drop() }

// Gap tells the client of a gap.
func (b boundMember) Gap() { b.stream.line.Gap() }
