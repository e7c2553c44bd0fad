package session

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/token"
)

// Close codes, of spec/protocol.md.
const (
	codeDone          = 1000
	codeGoingAway     = 1001
	codeProtocolError = 1002
	codeTooLarge      = 1009
	codeFailed        = 1011
	codeVersion       = 4400
	codeUnauthorized  = 4401
	codeDenied        = 4403
	codeSlow          = 4408
)

// maxReason is the length of the longest reason that a close frame holds.
const maxReason = 123

// maxReplies bounds the bytes of replies that a client has not read.
const maxReplies = 4 << 20

// Session is one WebSocket.
type Session struct {
	server *Server
	conn   net.Conn
	number uint64
	id     string
	ctx    context.Context //nolint:containedctx // the session's life, which no call's context spans
	cancel context.CancelFunc
	shard  *shard

	// place is what a plain connection is routed to, nil for one that speaks the
	// protocol; path is the route of streams that name none, own the stream of a
	// plain connection that is the connection itself. They do not change.
	place *Place
	path  string
	own   *stream
	guest Guest       // what a plain connection is to the app; set before the start
	doom  *doom       // why a plain connection may not be; set before the start
	pings int         // without a sign of the client since; used by the wheel only
	heard atomic.Bool // the client has given a sign since the wheel's last visit

	// Used by the reader only.
	in       io.Reader
	header   [ws.MaxHeaderSize]byte
	message  []byte    // the fragments of a message so far
	part     ws.OpCode // what the message is, 0 between messages
	request  *http.Request
	deadline *time.Timer

	// schedule says whether a writer has the session, see write.go.
	schedule atomic.Int32
	// busy tells the wheel that something was written since its last visit.
	busy atomic.Bool
	// mark is the version that a reply waits for, once all up to it is in the
	// logs; runtime tells that a stream's runtime state has changed.
	mark    atomic.Uint64
	runtime atomic.Bool
	besides atomic.Int32 // requests that run beside their streams' lines
	waiting atomic.Int64 // bytes of messages that wait on its streams
	done    atomic.Bool  // the client has said goodbye
	out     output

	mu      sync.Mutex // guards what follows
	user    token.Identity
	streams map[string]*stream
	views   []*view
	replies []reply
	told    ledger
	// caughtUp are streams that were told of a gap, of which the app has to hear.
	caughtUp []*stream
	unread   int32 // bytes of replies
	begun    int32 // what the app carries out for the client, and has not answered
	known    bool  // the user's identity is known, which may be nobody
	joined   bool  // the client has sent connect
	closing  bool
	ended    bool
	leaving  bool // nothing begins any more, see leave.go
	// doubting tells that somebody is about to look the identity up again.
	doubting bool
	work     sync.WaitGroup
	ownWork  sync.WaitGroup // of own, which may be asked until it is closed as the last
	// auth is in doubt while the identity may have been revoked; nil when it
	// cannot be. It does not change once there are streams.
	auth *pipe.Watch
	// token is what the identity was made of, with the request.
	token  string
	expiry *time.Timer
	// previous is the session that the client says it goes on from.
	previous string
}

// reply is a frame that goes out before what the logs have; of is the view that
// it is of, to the stream that is told it; both are nil for the session's own.
type reply struct {
	frame *wire.Frame
	of    *view
	to    *stream
}

// queue puts a frame that is the session's own in line. The mutex is held.
func (c *Session) queue(f *wire.Frame) {
	c.replies = append(c.replies, reply{frame: f})
	c.unread += int32(len(f.Bytes)) // far below 2 GB, as a client that does not read is closed
}

// reply sends a message to the client.
func (c *Session) reply(f *wire.Frame) {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return
	}
	c.queue(f)
	slow := c.unread > maxReplies
	c.mu.Unlock()
	if slow {
		c.close(codeSlow, "replies are not read")
		return
	}
	c.Ready()
}

// fail answers a request of the session itself with an error.
func (c *Session) fail(id uint64, err error) { c.failAs(wire.Control, id, err, c.place != nil) }

// failAs answers a request with an error, with the status of HTTP where that is to be
// told. Internal errors are logged here, and nowhere else.
func (c *Session) failAs(stream string, id uint64, err error, withStatus bool) {
	e, whole := rpc.Public(err)
	if !whole {
		c.server.cfg.Logger.ErrorContext(c.ctx, "request failed", "session", c.id, "stream", stream, "error", err)
	}
	answer := wire.Error{
		Type: "error", Code: e.Code, Message: e.Message, Retry: e.Retry,
		RetryAfter: milliseconds(e.RetryAfter), Fields: e.Fields,
	}
	if e.Unknown {
		answer.Outcome = "unknown"
	}
	if withStatus {
		answer.Status = statusOf(e)
	}
	c.reply(wire.Message(stream, id, answer))
}

// milliseconds rounds up: who comes back earlier comes in vain.
func milliseconds(d time.Duration) int64 {
	return (d + time.Millisecond - 1).Milliseconds()
}

// close sends a close frame after what is in line, and then closes the socket.
// What runs for somebody who is not accepted any more ends at once.
func (c *Session) close(code int, reason string) { c.closeAfter(code, reason, false) }

// expel is close of one that may not see any more what is in line for its streams.
func (c *Session) expel(code int, reason string) { c.closeAfter(code, reason, true) }

func (c *Session) closeAfter(code int, reason string, drop bool) {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return
	}
	c.closing = true
	if drop {
		c.replies = slices.DeleteFunc(c.replies, func(r reply) bool { return r.of != nil || r.to != nil })
		c.told.frames, c.told.bytes = 0, 0
	}
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	body := ws.NewCloseFrameBody(ws.StatusCode(code), reason)
	c.queue(&wire.Frame{Bytes: ws.MustCompileFrame(ws.NewCloseFrame(body))})
	c.mu.Unlock()
	if code == codeUnauthorized || code == codeDenied {
		c.cancel()
	}
	c.Ready()
}

// over tells that the session is closed, or about to be: nothing begins any more.
func (c *Session) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended || c.closing || c.leaving
}

// end runs once, when the connection is gone: it closes the streams and waits
// for their work.
func (c *Session) end() {
	if c.deadline != nil {
		c.deadline.Stop()
	}
	if c.conn != nil {
		c.conn.Close()
	}
	c.cancel()
	c.mu.Lock()
	c.ended, c.closing = true, true
	if c.expiry != nil {
		c.expiry.Stop()
	}
	streams := make([]*stream, 0, len(c.streams))
	for _, st := range c.streams {
		streams = append(streams, st)
	}
	c.mu.Unlock()
	for _, st := range streams {
		st.shut()
	}
	c.work.Wait()
	if c.guest != nil { // after all of its streams
		c.own.shut()
		c.ownWork.Wait()
	}
	if auth := c.authWatch(); auth != nil {
		auth.Close()
	}
	c.retire()
	c.server.dismiss(c)
}

// connectLate closes a session that did not say who it is.
func (c *Session) connectLate() {
	c.mu.Lock()
	joined := c.joined
	c.mu.Unlock()
	if !joined {
		c.fail(0, rpc.Errorf("unauthenticated", "no connect request came in time"))
		c.close(codeUnauthorized, "no connect request came in time")
	}
}
