package session

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/token"
)

// Subprotocol is the protocol's name in WebSocket's handshake. A client may leave it
// out where nothing else is spoken.
const Subprotocol = "pando.v1"

// ServeHTTP upgrades a request to a session. What a header or a cookie says of
// the caller is judged before; a page of another origin is refused. HEAD is answered
// as the upgrade would be, for pages, which browsers do not tell why there was none.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, known, ok := s.greet(w, r)
	switch {
	case !ok:
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusNoContent)
	default:
		s.serve(w, r, s.newSession(r), user, known)
	}
}

// greet finds out who calls, and answers who may not; known tells that a header or
// a cookie says who it is.
func (s *Server) greet(w http.ResponseWriter, r *http.Request) (user token.Identity, known, ok bool) {
	if s.isAway(w) {
		return user, false, false
	}
	if !s.fromAllowedPage(r) {
		WriteError(w, http.StatusForbidden, rpc.Errorf("denied",
			"a page of %s may not connect: add its host to Config.Origins", r.Header.Get("Origin")))
		return user, false, false
	}
	user, err := s.authenticate(r.Context(), r, token.FromHeader(r))
	if err != nil && !errors.Is(err, token.ErrNone) {
		s.refuse(w, r, err)
		return user, false, false
	}
	return user, err == nil, true
}

// serve upgrades a request to a session that speaks the protocol.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, c *Session, user token.Identity, known bool) {
	if err := c.upgrade(w, r); err != nil {
		c.cancel()
		return // the upgrader has answered
	}
	// In line before anybody knows the session: hello is the first frame.
	c.queue(s.hello(c.id))
	if !s.admit(c) {
		c.cancel()
		c.conn.Close()
		return
	}
	c.mu.Lock()
	if known {
		c.user, c.known = user, true
	}
	c.mu.Unlock()
	c.deadline = time.AfterFunc(s.cfg.ConnectTimeout, c.connectLate)
	c.start()
}

// authenticate asks the app who a request, or the token that it came with, acts
// for.
func (s *Server) authenticate(ctx context.Context, r *http.Request, tok string) (user token.Identity, err error) {
	defer func() {
		if p := recover(); p != nil { // tokens are strangers' text, and it may be the app's code that reads them
			err = rpc.Panicked("authenticate", p)
		}
	}()
	user, err = s.cfg.App.Authenticate(ctx, r, tok)
	if err != nil {
		return token.Identity{}, err
	}
	return user, CheckAmbient(r, s.cfg.Origins, user, tok)
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, token.ErrInvalid) {
		WriteError(w, http.StatusUnauthorized, rpc.Errorf("unauthenticated", "the token or session is not valid"))
		return
	}
	e, whole := rpc.Public(err)
	if !whole {
		s.cfg.Logger.ErrorContext(r.Context(), "cannot authenticate", "error", err)
	}
	status := http.StatusInternalServerError
	if e.Code == "denied" {
		status = http.StatusForbidden
	}
	WriteError(w, status, e)
}

// WriteError answers an HTTP request with a coded error.
func WriteError(w http.ResponseWriter, status int, e *rpc.Error) {
	type body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	text, err := json.Marshal(map[string]body{"error": {e.Code, e.Message}})
	if err == nil {
		w.Write(append(text, '\n')) //nolint:errcheck // the caller has gone: there is nobody to tell
	}
}

// newSession makes a session whose connection is not upgraded yet. What is put in
// line waits for its start.
func (s *Server) newSession(r *http.Request) *Session {
	n := s.next.Add(1)
	c := &Session{
		server: s, number: n, id: rand.Text(),
		shard: s.shards[n%uint64(len(s.shards))], streams: map[string]*stream{},
	}
	c.schedule.Store(queued) // as if a writer had it
	// The request's own context ends with its handler.
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	c.request = r.WithContext(c.ctx)
	c.request.Body = http.NoBody
	return c
}

// upgrade answers the handshake.
func (c *Session) upgrade(w http.ResponseWriter, r *http.Request) error {
	u := ws.HTTPUpgrader{}
	if c.place == nil {
		u.Protocol = func(name string) bool { return name == Subprotocol }
	}
	conn, rw, _, err := u.Upgrade(r, w)
	if err != nil {
		return err
	}
	c.in = unread(conn, rw.Reader)
	c.out.init(conn)
	c.heard.Store(true)
	c.mu.Lock()
	c.conn = conn
	c.mu.Unlock()
	return nil
}

// speaks tells whether a client asks for the protocol.
func speaks(r *http.Request) bool {
	for _, names := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(names, ",") {
			if strings.TrimSpace(name) == Subprotocol {
				return true
			}
		}
	}
	return false
}

// unread gives back what the HTTP server has read ahead.
func unread(conn net.Conn, buffered *bufio.Reader) io.Reader {
	n := buffered.Buffered()
	if n == 0 {
		return conn
	}
	ahead := make([]byte, n)
	if _, err := io.ReadFull(buffered, ahead); err != nil {
		return conn
	}
	return io.MultiReader(bytes.NewReader(ahead), conn)
}

// start has what is in line sent, and begins to read.
func (c *Session) start() {
	c.shard.push(c)
	c.server.engine.attach(c)
}

// engine brings a session what its connection sends.
type engine interface {
	// attach returns at once. It has c.receive called while there is input, one
	// call at a time, and c.end once when it fails.
	attach(c *Session)
}

// goroutines is the engine that works everywhere: a goroutine a connection.
type goroutines struct{}

func (goroutines) attach(c *Session) {
	go func() {
		for {
			if err := c.receive(); err != nil {
				c.end()
				return
			}
		}
	}()
}
