package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pando-sync/pando/internal/peer"
)

// Options are how a client connects. The zero value is an anonymous client.
type Options struct {
	// Token finds the token before each connection; nil where a header says who it
	// is, or nobody needs to be anyone. Its context lasts ten seconds, and ends with
	// Close. After the server has refused a token it must return another.
	Token func(ctx context.Context) (string, error)
	// Header is sent with the upgrade request, such as a cookie or an
	// Authorization.
	Header http.Header
	// TLS is used for https; nil is the system's.
	TLS *tls.Config
	// Dial connects to the server; nil is a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// System is told of messages to everyone. It runs on the client's reader.
	System func(SystemMessage)
	// Logger gets what the client mends by itself; slog.Default() unless set.
	Logger *slog.Logger
}

// SystemMessage is a message of the server to everyone.
type SystemMessage struct {
	// Kind is "message", or "maintenance" after which the server goes away, and
	// the client does not come back before RetryAfter.
	Kind, Text string
	RetryAfter time.Duration
}

// Status is the state of a client's connection.
type Status string

// The states of a connection. Idle leads to Connecting with the first stream or
// Connect; Connecting and Reconnecting to Online, and Online to Reconnecting;
// all three to NeedsAuth and Refused, from which Reconnect leads to Connecting;
// Close leads from every one to Closed.
const (
	// Idle has nothing to connect for yet.
	Idle Status = "idle"
	// Connecting has not been online.
	Connecting Status = "connecting"
	// Online is connected, and the server knows who it is.
	Online Status = "online"
	// Reconnecting has been online, and waits or tries again.
	Reconnecting Status = "reconnecting"
	// NeedsAuth has no token that the server takes.
	NeedsAuth Status = "needs-auth"
	// Refused was turned away for good: denied, or by another protocol.
	Refused Status = "refused"
	// Closed was closed.
	Closed Status = "closed"
)

// Client is one connection to an app and the streams on it.
type Client struct {
	url    string
	opts   Options
	pace   backoff       // of the keeper alone
	wake   chan struct{} // has room for one word that the keeper has something to do
	cancel context.CancelFunc
	done   chan struct{} // closed when the keeper has ended

	mu        sync.Mutex // guards what follows
	status    Status
	changed   chan struct{} // closed and replaced as status changes
	stopped   error         // why the keeper does not dial
	reason    error         // why it is not online, as far as it tried
	conn      *peer.Conn    // while online
	streams   []*stream     // in the order in which they were opened
	names     uint64
	previous  string // the session that the next one goes on from
	user      *string
	notBefore time.Time
	again     bool // Reconnect was called
}

// New returns a client of the app that is mounted at url, such as
// "https://example.com/live". It connects with its first stream, or by Connect.
func New(url string, opts Options) *Client {
	opts.Logger = cmp.Or(opts.Logger, slog.Default())
	return &Client{
		url: address(url), opts: opts, pace: backoff{first: firstWait}, wake: make(chan struct{}, 1),
		status: Idle, changed: make(chan struct{}),
	}
}

// address is that of the app's socket.
func address(url string) string {
	if rest, ok := strings.CutPrefix(url, "http"); ok {
		url = "ws" + rest
	}
	return strings.TrimSuffix(url, "/") + "/ws"
}

// Status is the state of the connection.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Connect connects, if nothing has, and waits until the client is online.
func (c *Client) Connect(ctx context.Context) error {
	c.start()
	for {
		c.mu.Lock()
		status, changed, stopped := c.status, c.changed, c.stopped
		c.mu.Unlock()
		if status == Online || stopped != nil {
			return stopped
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return c.ended("connect", ctx.Err(), Failed)
		}
	}
}

// Reconnect starts over with a token asked for anew, whatever went before;
// streams that were refused are asked for again. Of a closed client it does
// nothing.
func (c *Client) Reconnect() {
	c.start()
	c.mu.Lock()
	if c.status != Closed {
		c.again, c.stopped = true, nil
	}
	for _, s := range c.streams {
		s.failed = nil
	}
	c.mu.Unlock()
	c.nudge()
}

// Close ends the connection and all streams for good, and waits until that is
// done. It may be called several times.
func (c *Client) Close() {
	c.stop(Closed, &Error{Code: "closed", Message: "the client was closed", Outcome: Failed})
	c.mu.Lock()
	cancel, done := c.cancel, c.done
	c.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
}

// start has the keeper run.
func (c *Client) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil || c.status == Closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.done = cancel, make(chan struct{})
	c.move(Connecting)
	go c.keep(ctx, c.done)
}

// nudge has the keeper look again.
func (c *Client) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// move changes the status, but for one that is closed. The mutex is held.
func (c *Client) move(to Status) {
	if c.status == to || c.status == Closed {
		return
	}
	c.status = to
	close(c.changed)
	c.changed = make(chan struct{})
}

// stop has all who wait return an error, and the keeper wait.
func (c *Client) stop(as Status, why error) {
	c.mu.Lock()
	if c.status == Closed {
		c.mu.Unlock()
		return
	}
	c.stopped = why
	c.move(as)
	streams := append([]*stream(nil), c.streams...)
	c.mu.Unlock()
	for _, s := range streams {
		s.core.Poke()
	}
}

// ended is the error of what waited for a connection in vain.
func (c *Client) ended(op string, err error, outcome Outcome) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != nil && c.status != Online {
		err = fmt.Errorf("%w; not connected: %w", err, c.reason)
	}
	return errorOf(op, err, outcome)
}
