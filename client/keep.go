package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/pando-sync/pando/internal/peer"
)

const (
	tokenTimeout = 10 * time.Second
	dialTimeout  = 10 * time.Second
)

// Close codes of the protocol, and what 401 and 403 are instead of the upgrade.
const (
	closeDone            = 1000
	closeTooLarge        = 1009
	closeProtocol        = 4400
	closeUnauthenticated = 4401
	closeDenied          = 4403
)

// attempt is what the keeper knows from one connection to the next.
type attempt struct {
	token    string
	rejected error // why the token was refused, nil once one was taken
}

// keep keeps the client connected until ctx ends.
func (c *Client) keep(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	var try attempt
	for ctx.Err() == nil {
		conn, err := c.dial(ctx, &try)
		if err == nil {
			err = c.serve(ctx, conn)
		}
		if ctx.Err() == nil {
			c.after(ctx, &try, err)
		}
	}
}

// dial finds a token and connects with it.
func (c *Client) dial(ctx context.Context, try *attempt) (*peer.Conn, error) {
	token, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	if try.rejected != nil && token == try.token {
		return nil, &peer.Error{Code: "unauthenticated", Message: "there is no other token than the one that was refused: " + try.rejected.Error()}
	}
	try.token = token
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := peer.Dial(ctx, peer.Config{
		URL: c.url, Header: c.opts.Header, TLS: c.opts.TLS, NetDial: c.opts.Dial, Liveness: true, System: c.system,
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	previous := c.previous
	c.mu.Unlock()
	user, err := conn.Connect(ctx, token, previous)
	if err != nil {
		conn.Drop()
		if code := conn.CloseCode(); code != 0 && errors.Is(err, peer.ErrDropped) {
			err = &closedError{code, conn.Err()}
		}
		return nil, err
	}
	try.rejected = nil
	c.online(conn, user)
	return conn, nil
}

func (c *Client) token(ctx context.Context) (string, error) {
	if c.opts.Token == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	token, err := c.opts.Token(ctx)
	if err != nil {
		return "", fmt.Errorf("find a token: %w", err)
	}
	return token, nil
}

// online notes that the client is connected. What one user was shown is no
// other's, nor may it be resumed from.
func (c *Client) online(conn *peer.Conn, user string) {
	c.mu.Lock()
	other := c.user != nil && *c.user != user
	c.user, c.conn, c.previous, c.reason = &user, conn, conn.Session(), nil
	streams := slices.Clone(c.streams)
	c.move(Online)
	c.mu.Unlock()
	c.pace.connected()
	if !other {
		return
	}
	for _, s := range streams {
		s.core.Forget()
	}
}

// serve opens what is to be open, until the connection is gone; it returns why.
func (c *Client) serve(ctx context.Context, conn *peer.Conn) error {
	due := time.NewTimer(0)
	defer due.Stop()
	defer c.offline()
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { // also while a server does not take what is written
		defer close(closed)
		conn.Close()
	})
	defer func() {
		if !stop() {
			<-closed
		}
	}()
	for {
		broken, again := c.open(conn)
		if broken || again {
			conn.Drop()
		}
		select {
		case <-conn.Done():
			if again {
				return errAgain
			}
			return &closedError{conn.CloseCode(), conn.Err()}
		case <-c.wake:
		case <-due.C:
		}
		if at := c.nextDue(); !at.IsZero() {
			due.Reset(time.Until(at))
		}
	}
}

// open asks for the streams that are not on the connection. It tells whether
// the server has broken the protocol, and whether to connect again.
func (c *Client) open(conn *peer.Conn) (broken, again bool) {
	c.mu.Lock()
	var start []*stream
	for _, s := range c.streams {
		broken = broken || s.broken
		if s.asked != conn && s.failed == nil && !time.Now().Before(s.notBefore) {
			s.asked = conn
			start = append(start, s)
		}
	}
	again = c.again
	c.mu.Unlock()
	if broken || again {
		return broken, again
	}
	for _, s := range start {
		s.core.Start(conn, func(err error) { s.answered(conn, err) })
	}
	return false, false
}

// nextDue is when a stream is to be tried again, zero if none is.
func (c *Client) nextDue() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first time.Time
	for _, s := range c.streams {
		if s.asked == nil && s.failed == nil && (first.IsZero() || s.notBefore.Before(first)) {
			first = s.notBefore
		}
	}
	return first
}

// offline notes that the connection is gone.
func (c *Client) offline() {
	c.mu.Lock()
	c.conn = nil
	c.move(Reconnecting)
	streams := slices.Clone(c.streams)
	var forget []*stream
	for _, s := range streams {
		s.asked, s.on = nil, nil
		if s.broken {
			s.broken = false
			forget = append(forget, s)
		}
	}
	c.mu.Unlock()
	for _, s := range forget {
		s.core.Forget()
	}
	for _, s := range streams {
		s.core.Poke()
	}
}

// errAgain ends a connection in favour of another.
var errAgain = errors.New("asked to connect again")

// closedError is the end of a connection.
type closedError struct {
	code int // the server's, 0 if it gave none
	err  error
}

func (e *closedError) Error() string { return e.err.Error() }

// after waits as long as is due after a connection, or an attempt at one.
func (c *Client) after(ctx context.Context, try *attempt, err error) {
	c.mu.Lock()
	c.reason = err
	c.mu.Unlock()
	code, wait := verdict(err)
	switch {
	case code == closeUnauthenticated && c.opts.Token != nil && try.rejected == nil:
		try.rejected = err // a token may have run out: another one is asked for once
		c.pause(ctx, c.pace.next(true))
	case code == closeUnauthenticated:
		c.stop(NeedsAuth, refusal("unauthenticated", "the server takes no token that there is", err))
		c.rest(ctx, try)
	case code == closeDenied:
		c.stop(Refused, refusal("denied", "the server refuses the connection", err))
		c.rest(ctx, try)
	case code == closeProtocol:
		c.stop(Refused, refusal("protocol", "the server speaks another version of the protocol", err))
		c.rest(ctx, try)
	case code == closeDone:
		c.stop(Refused, refusal("closed", "the server has closed the connection for good", err))
		c.rest(ctx, try)
	case errors.Is(err, errAgain):
		c.begin(try)
	default:
		if wait == 0 {
			wait = c.pace.next(false)
		}
		c.opts.Logger.InfoContext(ctx, "not connected: trying again", "error", err, "wait", wait)
		c.pause(ctx, wait)
	}
	c.mu.Lock()
	again := c.again
	c.mu.Unlock()
	if again {
		c.begin(try)
	}
}

func refusal(code, message string, cause error) error {
	return &Error{Code: code, Message: message + ": " + cause.Error(), Outcome: Failed, cause: cause}
}

// verdict is the close code that an error amounts to, 0 for one to try again
// after; wait is what the server asks for.
func verdict(err error) (code int, wait time.Duration) {
	if closed, ok := errors.AsType[*closedError](err); ok {
		return closed.code, 0
	}
	if status, ok := errors.AsType[*peer.StatusError](err); ok {
		switch status.Status {
		case http.StatusUnauthorized:
			return closeUnauthenticated, 0
		case http.StatusForbidden:
			return closeDenied, 0
		}
		return 0, spread(status.RetryAfter)
	}
	coded, ok := errors.AsType[*peer.Error](err)
	switch {
	case ok && coded.Code == "unauthenticated":
		return closeUnauthenticated, 0
	case ok && coded.Code == "denied":
		return closeDenied, 0
	case ok && coded.Code == "bad_request": // what connect says of itself is the version
		return closeProtocol, 0
	}
	return 0, 0
}

// spread adds a random part of as much again.
func spread(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d + rand.N(d) //nolint:gosec // spreads load, keeps no secret
}

// pause waits, and longer while the server is away for maintenance.
func (c *Client) pause(ctx context.Context, wait time.Duration) {
	c.mu.Lock()
	wait = max(wait, time.Until(c.notBefore))
	c.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		case <-c.wake:
			c.mu.Lock()
			again := c.again
			c.mu.Unlock()
			if again {
				return
			}
		}
	}
}

// rest waits until Reconnect.
func (c *Client) rest(ctx context.Context, try *attempt) {
	for {
		c.mu.Lock()
		again := c.again
		c.mu.Unlock()
		if again {
			c.begin(try)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
	}
}

// begin starts over.
func (c *Client) begin(try *attempt) {
	*try = attempt{}
	c.mu.Lock()
	c.again, c.notBefore = false, time.Time{}
	c.move(Connecting)
	c.mu.Unlock()
}

// system takes a message to everyone. It runs on the reader.
func (c *Client) system(m peer.System) {
	if m.Kind == "maintenance" {
		c.mu.Lock()
		c.notBefore = time.Now().Add(spread(m.RetryAfter))
		c.mu.Unlock()
	}
	if c.opts.System != nil {
		c.opts.System(SystemMessage{m.Kind, m.Text, m.RetryAfter})
	}
}
