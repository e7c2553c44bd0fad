package session

import (
	"net/http"
	"strconv"
	"time"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
)

// Broadcast sends a frame to all sessions that have connected.
func (s *Server) Broadcast(f *wire.Frame) {
	s.each(func(c *Session) {
		c.mu.Lock()
		joined := c.joined
		c.mu.Unlock()
		if joined && c.place == nil {
			c.reply(f)
		}
	})
}

// Maintenance tells all sessions that the service goes away for about
// retryAfter, and closes them with 1001 once what has begun for them is answered,
// as Close does. New ones are answered 503 with Retry-After until then. It returns
// at once.
func (s *Server) Maintenance(text string, retryAfter time.Duration) {
	s.mu.Lock()
	s.away = time.Now().Add(retryAfter)
	s.mu.Unlock()
	f := wire.Message(wire.Control, 0, wire.System{
		Type: "system", Kind: "maintenance", Text: text, RetryAfter: milliseconds(retryAfter),
	})
	s.each(func(c *Session) {
		if c.place == nil {
			c.reply(f)
		}
		c.leave()
	})
}

// each calls fn with every session.
func (s *Server) each(fn func(*Session)) {
	for i := range s.slots {
		s.slots[i].mu.Lock()
		for c := range s.slots[i].sessions {
			fn(c)
		}
		s.slots[i].mu.Unlock()
	}
}

// isAway answers requests that come while the service is away, and tells whether
// it is.
func (s *Server) isAway(w http.ResponseWriter) bool {
	s.mu.Lock()
	left := time.Until(s.away)
	s.mu.Unlock()
	if left <= 0 {
		return false
	}
	seconds := int64((left + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	WriteError(w, http.StatusServiceUnavailable, rpc.Errorf("unavailable", "maintenance: come back in %d seconds", seconds))
	return true
}
