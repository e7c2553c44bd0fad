package client

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/pando-sync/pando/internal/peer"
)

// stream is a Stream of any type of state.
type stream struct {
	client  *Client
	core    *peer.Stream
	route   string
	notices notices

	// What follows is guarded by the client's mutex.

	// asked is the connection on which it was asked for, on the one on which it is
	// open; nil for none.
	asked, on *peer.Conn
	// failed is why it is not asked for any more.
	failed error
	// broken tells that the server broke the protocol on it.
	broken    bool
	notBefore time.Time
	tries     backoff
}

// answered is told of the answer to open. It runs on the reader.
func (s *stream) answered(conn *peer.Conn, err error) {
	c := s.client
	c.mu.Lock()
	coded, refused := errors.AsType[*peer.Error](err)
	switch {
	case err == nil && (s.failed != nil || s.broken):
	case err == nil:
		s.on, s.tries = conn, backoff{first: firstWait}
	case refused && (coded.Retry || coded.RetryAfter > 0):
		s.asked, s.notBefore = nil, time.Now().Add(max(s.tries.next(false), coded.RetryAfter))
		c.nudge()
	case refused:
		s.asked, s.failed = nil, errorOf("open "+s.route, coded, Failed)
	default: // the connection is gone: the next one is asked
	}
	denied := refused && coded.Code == "denied"
	c.mu.Unlock()
	if denied {
		s.core.Forget()
	}
	s.core.Poke()
}

// ended is told why the stream shows nothing more. It runs on the reader.
func (s *stream) ended(err error) {
	c := s.client
	c.mu.Lock()
	s.on = nil
	coded, refused := errors.AsType[*peer.Error](err)
	switch {
	case refused && coded.Code == "unavailable":
		s.asked, s.notBefore = nil, time.Now().Add(s.tries.next(false))
	case refused:
		s.asked, s.failed = nil, errorOf("stream "+s.route, coded, Failed)
	default:
		s.broken = true
		c.opts.Logger.Error("the server has broken the protocol: connecting again", "route", s.route, "error", err)
	}
	denied := refused && coded.Code == "denied"
	c.mu.Unlock()
	c.nudge()
	if denied {
		s.core.Forget()
	}
}

// err is why nothing more can be expected of the stream, nil if it can.
func (s *stream) err() error {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	return s.client.stopped
}

// until waits until ok.
func (s *stream) until(ctx context.Context, op string, ok func() bool) error {
	for {
		changed, _ := s.core.News() // before ok, which may miss what comes after
		if ok() {
			return nil
		}
		if err := s.err(); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s.client.ended(op+" "+s.route, ctx.Err(), Failed)
		}
	}
}

// ready waits until something can be asked of the stream.
func (s *stream) ready(ctx context.Context) (conn *peer.Conn, err error) {
	err = s.until(ctx, "wait for", func() bool {
		s.client.mu.Lock()
		defer s.client.mu.Unlock()
		conn = s.on
		return conn != nil
	})
	return conn, err
}

// follow has the client keep a stream open, and waits for its first state.
func (c *Client) follow(ctx context.Context, s *stream) error {
	c.mu.Lock()
	if c.status == Closed {
		defer c.mu.Unlock()
		return c.stopped
	}
	c.streams = append(c.streams, s)
	c.mu.Unlock()
	c.start()
	c.nudge()
	err := s.until(ctx, "open", s.core.Complete)
	if err != nil {
		c.drop(s, errorOf("open "+s.route, err, Failed))
	}
	return err
}

// drop has the client keep a stream open no more, and say so if it can.
func (c *Client) drop(s *stream, why error) {
	c.mu.Lock()
	at := slices.Index(c.streams, s)
	if at >= 0 {
		c.streams = slices.Delete(c.streams, at, at+1)
		s.failed = why
	}
	conn := s.asked
	s.asked, s.on = nil, nil
	c.mu.Unlock()
	if at >= 0 && conn != nil {
		s.core.Leave(conn)
	}
	s.core.Poke()
}

// notice takes a notice. It runs on the reader.
func (s *stream) notice(name string, value json.RawMessage) {
	s.notices.add(Notice{Name: name, Value: value})
	s.core.Poke()
}
