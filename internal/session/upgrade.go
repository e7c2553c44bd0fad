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
	"time"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/token"
)

// ServeHTTP upgrades a request to a session. What a header or a cookie says of
// the caller is judged before; a page of another origin is refused.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.isAway(w) {
		return
	}
	if !s.fromAllowedPage(r) {
		WriteError(w, http.StatusForbidden, rpc.Errorf("denied",
			"a page of %s may not connect: add its host to Config.Origins", r.Header.Get("Origin")))
		return
	}
	user, err := s.authenticate(r.Context(), r, token.FromHeader(r))
	known := err == nil
	if err != nil && !errors.Is(err, token.ErrNone) {
		s.refuse(w, r, err)
		return
	}
	conn, rw, _, err := ws.HTTPUpgrader{}.Upgrade(r, w)
	if err != nil {
		return // the upgrader has answered
	}
	c := s.newSession(conn, rw.Reader, r)
	if !s.admit(c) {
		c.cancel()
		conn.Close()
		return
	}
	c.start(user, known)
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

func (s *Server) newSession(conn net.Conn, buffered *bufio.Reader, r *http.Request) *Session {
	n := s.next.Add(1)
	c := &Session{
		server: s, conn: conn, in: unread(conn, buffered), number: n, id: rand.Text(),
		shard: s.shards[n%uint64(len(s.shards))], streams: map[string]*stream{},
	}
	// The request's own context ends with its handler.
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	c.request = r.WithContext(c.ctx)
	c.request.Body = http.NoBody
	c.out.init(conn)
	// In line before anybody knows the session: hello is the first frame.
	c.queue(s.hello(c.id))
	return c
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

// start has hello sent and begins to read.
func (c *Session) start(user token.Identity, known bool) {
	c.mu.Lock()
	if known {
		c.user, c.known = user, true
	}
	c.mu.Unlock()
	c.Ready()
	c.deadline = time.AfterFunc(c.server.cfg.ConnectTimeout, c.connectLate)
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
