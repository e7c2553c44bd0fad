package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/token"
)

// Place is a path that an app serves by streams of its own. Clients that ask for
// the subprotocol speak the protocol there, and open streams by the path; others are
// plain: they see the streams' envelopes, or their own texts, and nothing else.
type Place struct {
	// Path is the route of the streams.
	Path string
	// Streams are the names of those that a plain connection has. Raw tells that it
	// has none, and each text is a message of the connection itself.
	Streams []string
	Raw     bool
	// Permit tells whether a user may connect who is known before the upgrade.
	Permit func(ctx context.Context, user token.Identity) error
	// Enter lets a plain connection in, before the upgrade: it asks for permission,
	// and then joins groups. What the streams are told meanwhile is sent later.
	Enter func(ctx context.Context, e Entrance) (Guest, error)
}

// Entrance is a plain connection that is to be let in.
type Entrance struct {
	// Line is of the connection itself.
	Line

	Session string
	User    token.Identity
	// Lines are of its streams, by their names. They are told what they are sent
	// once they are open.
	Lines map[string]Line
}

// Guest is a plain connection that was let in. As a Stream it is the connection
// itself: Permit says whether that may still be, Close runs after that of all of its
// streams.
type Guest interface {
	Stream
	// Open opens one of the place's streams.
	Open(ctx context.Context, req OpenRequest) (Stream, error)
}

// doom is why a connection is closed after its first frame.
type doom struct {
	err  *rpc.Error
	code int
}

// openPlain is the request that opens the streams of plain connections.
var openPlain = &wire.Request{Type: "open"}

// ServePlace upgrades a request to a session at a place. Who may not connect is
// refused before, where a header or a cookie says who it is. HEAD is answered as the
// upgrade would be.
func (s *Server) ServePlace(w http.ResponseWriter, r *http.Request, p *Place) {
	user, known, ok := s.greet(w, r)
	if !ok {
		return
	}
	if r.Method == http.MethodHead {
		if err := s.mayConnect(r.Context(), p, user, known); err != nil {
			s.refuseAt(w, r, p, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	c := s.newSession(r)
	c.path = p.Path
	if !p.Raw && speaks(r) {
		if err := s.mayConnect(r.Context(), p, user, known); err != nil {
			c.cancel()
			s.refuseAt(w, r, p, err)
			return
		}
		s.serve(w, r, c, user, known)
		return
	}
	c.place = p
	if !s.admit(c) {
		c.cancel()
		WriteError(w, http.StatusServiceUnavailable, rpc.Errorf("unavailable", "the server is about to stop"))
		return
	}
	err := c.enter(r.Context(), user, known)
	if err == nil {
		err = c.upgrade(w, r) // which has answered
	} else {
		s.refuseAt(w, r, p, err)
	}
	if err != nil {
		c.end()
		return
	}
	c.startPlain()
}

func (s *Server) mayConnect(ctx context.Context, p *Place, user token.Identity, known bool) error {
	if !known {
		return nil // the connect request says who it is
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.OpenTimeout)
	defer cancel()
	return p.Permit(ctx, user)
}

// refuseAt answers who may not connect to a place.
func (s *Server) refuseAt(w http.ResponseWriter, r *http.Request, p *Place, err error) {
	if errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrNone) {
		err = rpc.Errorf("unauthenticated", "the token or session is not valid")
	}
	e, whole := rpc.Public(err)
	if !whole {
		s.cfg.Logger.ErrorContext(r.Context(), "cannot let a connection in", "path", p.Path, "error", err)
	}
	status, ok := StatusOf(e.Code)
	if !ok || status < http.StatusInternalServerError && e.Code != "unauthenticated" {
		status = http.StatusForbidden
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Token")
	}
	WriteError(w, status, e)
}

// enter lets a plain connection in. One that may not be is doomed where nothing says
// who it is, which is no error: browsers show pages no answer but that of an open
// socket.
func (c *Session) enter(ctx context.Context, user token.Identity, known bool) error {
	ctx, cancel := context.WithTimeout(ctx, c.server.cfg.OpenTimeout)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)() // when the server is cut, too
	// As if its line were worked on: what is asked before it is open waits.
	c.own = &stream{session: c, name: wire.Control, routed: true, shown: true, running: true}
	if known && c.watchIdentity(user) {
		again, err := c.lookAgain(ctx, token.FromHeader(c.request), user.ID)
		if err != nil {
			return err
		}
		user = again
	} else {
		c.request = nil
	}
	e := Entrance{Line: c.own, Session: c.id, User: user, Lines: make(map[string]Line, len(c.place.Streams))}
	streams := make(map[string]*stream, len(c.place.Streams))
	for _, name := range c.place.Streams {
		st := &stream{session: c, name: name, routed: true}
		streams[name], e.Lines[name] = st, st
	}
	guest, err := c.place.Enter(ctx, e)
	if err != nil {
		return c.doomed(err, known)
	}
	c.guest, c.own.open, c.own.watch = guest, guest, guest.Watch()
	c.mu.Lock()
	c.user, c.known, c.joined, c.streams = user, true, true, streams
	c.expireAt(user.Expires)
	c.mu.Unlock()
	c.own.begun()
	return nil
}

// begun lets a line be worked on.
func (st *stream) begun() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.running, st.ready = false, true
	if len(st.waiting) > 0 {
		st.work()
	}
}

// doomed has a connection closed after its first frame, where that is to be; else
// it returns the error.
func (c *Session) doomed(err error, known bool) error {
	e, whole := rpc.Public(err)
	status, ok := StatusOf(e.Code)
	if known || !whole || ok && status >= http.StatusInternalServerError {
		return err
	}
	c.doom = &doom{e, codeDenied}
	if e.Code == "unauthenticated" {
		c.doom.code = codeUnauthorized
	}
	return nil
}

// startPlain opens the streams, each in its own line, and begins to read.
func (c *Session) startPlain() {
	if c.doom != nil {
		c.deadline = time.AfterFunc(c.server.cfg.ConnectTimeout, c.meetDoom)
		c.start()
		return
	}
	if auth := c.authWatch(); auth != nil && auth.Held() > 0 {
		c.doubtIdentity() // it came before there was anything to look up
	}
	// Those that begin first may be removed again meanwhile.
	c.mu.Lock()
	streams := make([]*stream, 0, len(c.place.Streams))
	for _, name := range c.place.Streams {
		streams = append(streams, c.streams[name])
	}
	c.mu.Unlock()
	for _, st := range streams {
		st.mu.Lock()
		st.put(request{req: openPlain})
		st.mu.Unlock()
	}
	c.start()
}

// meetDoom closes a connection that may not be.
func (c *Session) meetDoom() {
	c.fail(0, c.doom.err)
	c.close(c.doom.code, c.doom.err.Message)
}

// turnOut closes a plain connection that may not be any more.
func (c *Session) turnOut(e *rpc.Error) {
	c.fail(0, e)
	c.expel(codeDenied, "permission was withdrawn")
}
