package pando

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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

// connection is one connection to a routed path: a plain socket, or the streams of
// that path on a session of the protocol.
//
//	asked ──permission──► granted, in its groups ──release, Close──► over
type connection struct {
	app         *App
	match       mux.Match
	id          string
	path, route string   // as it was asked for, decoded and not
	user        Identity // as the connection was asked for
	handle      *mux.Conn
	// of is a stream of the session that the connection is of, nil before it is known.
	// It does not change.
	of session.Line

	// line is the socket's own, of a plain one, whose streams are by their names;
	// both do not change.
	line  session.Line
	plain map[string]*muxStream
	watch *pipe.Watch // nil but for a plain one

	// Of a session of the protocol: the App's multiplexer's mutex guards uses; what
	// became of the beginning is known once begun is closed.
	key    connectionKey
	uses   int
	begun  chan struct{}
	failed error
	// refused tells that permission was withdrawn from a stream.
	refused   atomic.Bool
	closed    atomic.Bool
	connected bool // the handler of "websocket.connect" has accepted

	mu      sync.Mutex // guards what follows
	phase   uint8
	streams map[*muxStream]struct{}
}

func (a *App) newConnection(path string, match mux.Match, user Identity) *connection {
	c := &connection{app: a, match: match, path: path, user: user}
	c.handle = &mux.Conn{Socket: socket{c}}
	return c
}

// begin asks for permission, and then joins the connection's groups. The entrance is
// that of a plain one.
func (c *connection) begin(ctx context.Context, e session.Entrance) error {
	defer c.app.calls.end(c.app.calls.begin(c.path, "open", ""))
	if c.line = e.Line; c.line != nil {
		c.of = e.Line
		c.watch = c.app.pipe.Watch(nil, e.Ask)
		c.app.multi.attend(c.user.ID, c.watch)
		c.plain = make(map[string]*muxStream, len(e.Lines))
		for name, line := range e.Lines {
			s := &muxStream{
				app: c.app, name: name, consumer: c.match.Class.Consumers[name], line: line, as: name, session: e.Session,
			}
			s.attend(c.user, line.Ask) // any other stream may be refused first
			c.plain[name] = s
		}
	}
	err := c.enter(ctx)
	if err == nil {
		for _, s := range c.plain {
			s.join(c)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if c.line != nil {
		c.Close(ctx, false)
	}
	return err
}

func (c *connection) enter(ctx context.Context) error {
	if c.match.Class == nil {
		return c.accept(ctx)
	}
	if err := c.ask(ctx); err != nil {
		return err
	}
	groups, err := c.groups()
	if err != nil {
		return err
	}
	c.grant()
	for _, name := range groups {
		if err := c.join(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (c *connection) grant() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == asked {
		c.phase = granted
	}
}

// identity is who the connection acts for now: a client may give a newer credential of
// the same user.
func (c *connection) identity() Identity {
	if c.of != nil {
		if now := c.of.User(); now.ID == c.user.ID {
			return now
		}
	}
	return c.user
}

// ask asks whether the connection may be.
func (c *connection) ask(ctx context.Context) (err error) {
	d := c.match.Class
	if d == nil {
		return nil // its handler says so
	}
	if c.user.ID == "" && !d.Public {
		return rpc.Errorf("unauthenticated", "a user is needed here")
	}
	if d.HasPermission == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = rpc.Panicked("demultiplexer of "+c.path+": HasPermission", p)
		}
	}()
	ok, err := d.HasPermission(ctx, c.handle)
	if err != nil {
		return fmt.Errorf("demultiplexer of %s: HasPermission: %w", c.path, err)
	}
	if !ok {
		return rpc.Errorf("denied", "permission denied")
	}
	return nil
}

// groups are those that the connection begins in.
func (c *connection) groups() (names []string, err error) {
	if c.match.Class.ConnectionGroups == nil {
		return nil, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = rpc.Panicked("demultiplexer of "+c.path+": ConnectionGroups", p)
		}
	}()
	return c.match.Class.ConnectionGroups(c.match.Args), nil
}

func (c *connection) join(ctx context.Context, name string) error {
	err := c.allowed()
	if err == nil {
		err = checkGroup(name)
	}
	if err == nil {
		err = c.app.groups.Add(ctx, name, c)
	}
	if err != nil {
		return fmt.Errorf("join group %q: %w", name, err)
	}
	if c.app.multi.outbound != nil {
		c.app.multi.outbound.Joined(c)
	}
	return nil
}

// allowed tells whether the connection may be in groups.
func (c *connection) allowed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.phase {
	case asked:
		return errors.New("permission was not granted yet: do it in Connect, or give ConnectionGroups")
	case over:
		return group.ErrClosed
	default:
		return nil
	}
}

// leave ends all memberships.
func (c *connection) leave(ctx context.Context) {
	c.mu.Lock()
	c.phase = over
	c.mu.Unlock()
	c.closed.Store(true)
	if err := c.app.groups.Leave(ctx, c); err != nil {
		c.app.cfg.Logger.WarnContext(ctx, "cannot leave groups of the broker", "path", c.path, "error", err)
	}
}

// isFailed tells that the connection did not come to be.
func (c *connection) isFailed() bool {
	select {
	case <-c.begun:
		return c.failed != nil
	default:
		return false
	}
}

// add and remove keep the streams that are told.
func (c *connection) add(s *muxStream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams == nil {
		c.streams = map[*muxStream]struct{}{}
	}
	c.streams[s] = struct{}{}
}

func (c *connection) remove(s *muxStream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, s)
}

func (c *connection) all() []*muxStream {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*muxStream, 0, len(c.streams))
	for s := range c.streams {
		all = append(all, s)
	}
	return all
}

// tell tells the connection what is broadcast on a stream. It never blocks.
func (c *connection) tell(stream string, m *bind.Message) {
	if c.line != nil {
		if s := c.plain[stream]; s != nil {
			s.line.Tell(m.Frame(bind.Plain, stream))
		} else {
			c.line.Tell(m.Frame(bind.Plain, stream))
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.streams {
		if s.name == stream {
			s.line.Tell(m.Frame(bind.V1, s.as))
		}
	}
}

var _ group.Member = (*connection)(nil)

// Closed implements group.Member.
func (c *connection) Closed() bool { return c.closed.Load() }

// Deliver implements group.Member: events are for channels.
func (c *connection) Deliver(string, *group.Message) {}

// Gap implements group.Member: it tells all streams that they may have missed
// something that was broadcast.
func (c *connection) Gap() {
	if c.match.Class == nil {
		c.line.Gap()
	}
	for _, s := range c.all() {
		if s.bound != nil {
			s.bound.Gap()
		} else {
			s.line.Gap()
		}
	}
}

// denied has the other streams of a connection whose permission was withdrawn ask,
// too.
func (c *connection) denied() {
	if c.refused.Swap(true) {
		return
	}
	for _, s := range c.all() {
		s.watch.Recheck()
	}
}

// socket is a connection as handlers see it.
type socket struct{ c *connection }

var _ mux.Socket = socket{}

// ID implements mux.Socket, as what follows does.
func (s socket) ID() string { return s.c.id }

func (s socket) User() Identity { return s.c.identity() }

func (s socket) Path() string { return s.c.path }

func (s socket) Args() mux.Args { return s.c.match.Args }

func (s socket) GroupAdd(ctx context.Context, name string) error { return s.c.join(ctx, name) }

func (s socket) GroupDiscard(ctx context.Context, name string) error {
	err := s.c.allowed()
	if err == nil {
		err = s.c.app.groups.Discard(ctx, name, s.c)
		if s.c.app.multi.outbound != nil {
			s.c.app.multi.outbound.Left(s.c) // here it has left, whatever the broker says
		}
	}
	if err != nil {
		return fmt.Errorf("leave group %q: %w", name, err)
	}
	return nil
}

func (s socket) Broadcast(ctx context.Context, group, stream string, payload any) error {
	return s.c.app.Broadcast(ctx, group, stream, payload)
}

func (s socket) Close(code int, reason string) {
	if code < 1000 || code > 4999 || code >= 1004 && code <= 1006 || code == 1015 {
		code = 1011 // the others are not to be sent: it is a mistake of the app's
	}
	reason = strings.ToValidUTF8(reason, "")
	if s.c.line != nil {
		s.c.line.HangUp(code, reason)
		return
	}
	for _, one := range s.c.all() {
		one.line.HangUp(code, reason)
	}
}

var _ session.Guest = (*connection)(nil)

// Open implements session.Guest: it has the consumer of a stream connect.
func (c *connection) Open(ctx context.Context, req session.OpenRequest) (session.Stream, error) {
	s := c.plain[req.Consumer]
	if err := c.app.enterStream(ctx, s, req, s.connect); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		defer cancel()
		s.Close(ctx, false)
		return nil, err
	}
	return s, nil
}

// Channel implements session.Stream, as what follows does.
func (*connection) Channel() string { return "" }

// Scope is none.
func (*connection) Scope() pipe.Request { return pipe.Request{} }

// Watch is in doubt while permission has to be asked again.
func (c *connection) Watch() *pipe.Watch { return c.watch }

// Permit asks for permission again.
func (c *connection) Permit(ctx context.Context) error {
	defer c.app.calls.end(c.app.calls.begin(c.path, "HasPermission", ""))
	return c.ask(ctx)
}

// Concurrent tells that plain messages are handled in order.
func (*connection) Concurrent(*wire.Request) bool { return false }

// Runtime is none.
func (*connection) Runtime() map[string]json.RawMessage { return nil }

// Close runs after the Close of all streams of a plain connection.
func (c *connection) Close(ctx context.Context, _ bool) {
	c.disconnect(ctx)
	for _, s := range c.plain {
		s.Close(ctx, false) // one that was never opened
	}
	c.app.multi.dismiss(c.user.ID, c.watch)
	c.leave(ctx)
}
