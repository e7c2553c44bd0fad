package session

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

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
	codeVersion       = 4400
	codeUnauthorized  = 4401
	codeDenied        = 4403
	codeSlow          = 4408
)

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
	out     output

	mu      sync.Mutex // guards what follows
	user    token.Identity
	known   bool // the user's identity is known, which may be nobody
	joined  bool // the client has sent connect
	streams map[string]*stream
	views   []*view
	replies []*wire.Frame
	unread  int // bytes of replies
	closing bool
	ended   bool
	work    sync.WaitGroup
}

// queue puts a frame that is the session's own in line. The mutex is held.
func (c *Session) queue(f *wire.Frame) {
	c.replies = append(c.replies, f)
	c.unread += len(f.Bytes)
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

// fail answers a request with an error. Internal errors are logged here, and
// nowhere else.
func (c *Session) fail(stream string, id uint64, err error) {
	e, whole := rpc.Public(err)
	if !whole {
		c.server.cfg.Logger.ErrorContext(c.ctx, "request failed", "session", c.id, "stream", stream, "error", err)
	}
	c.reply(wire.Message(stream, id, wire.Error{Type: "error", Code: e.Code, Message: e.Message, Retry: e.Retry}))
}

// close sends a close frame after what is in line, and then closes the socket.
func (c *Session) close(code int, reason string) {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return
	}
	c.closing = true
	body := ws.NewCloseFrameBody(ws.StatusCode(code), reason)
	c.queue(&wire.Frame{Bytes: ws.MustCompileFrame(ws.NewCloseFrame(body))})
	c.mu.Unlock()
	c.Ready()
}

// end runs once, when the connection is gone: it closes the streams and waits
// for their work.
func (c *Session) end() {
	c.deadline.Stop()
	c.conn.Close()
	c.cancel()
	c.mu.Lock()
	c.ended, c.closing = true, true
	streams := make([]*stream, 0, len(c.streams))
	for _, st := range c.streams {
		streams = append(streams, st)
	}
	c.mu.Unlock()
	for _, st := range streams {
		st.shut()
	}
	c.work.Wait()
	c.retire()
	c.server.dismiss(c)
}

// visit keeps the connection alive, and ends it with the user's identity.
func (c *Session) visit(now time.Time) {
	c.mu.Lock()
	expired := c.joined && !c.user.Expires.IsZero() && now.After(c.user.Expires)
	c.mu.Unlock()
	if expired {
		c.close(codeUnauthorized, "the token has expired")
		return
	}
	if !c.busy.Swap(false) {
		c.reply(wire.Beat)
	}
}

// connectLate closes a session that did not say who it is.
func (c *Session) connectLate() {
	c.mu.Lock()
	joined := c.joined
	c.mu.Unlock()
	if !joined {
		c.fail(wire.Control, 0, rpc.Errorf("unauthenticated", "no connect request came in time"))
		c.close(codeUnauthorized, "no connect request came in time")
	}
}

// connect answers who the client is.
func (c *Session) connect(id uint64, req *wire.Request) {
	if req.Protocol != wire.Protocol {
		c.fail(wire.Control, id, rpc.Errorf("bad_request", "protocol %d is not spoken here, want %d: reload the page", req.Protocol, wire.Protocol))
		c.close(codeVersion, "protocol version")
		return
	}
	user, err := c.identify(req.Token)
	if err != nil {
		c.refuse(id, err)
		return
	}
	c.mu.Lock()
	changed := c.joined && c.user.ID != user.ID
	if !changed {
		c.user, c.known, c.joined = user, true, true
		c.request = nil
	}
	c.mu.Unlock()
	if changed {
		c.fail(wire.Control, id, rpc.Errorf("denied", "this connection is another user's: make a new one"))
		return
	}
	c.deadline.Stop()
	c.reply(wire.Message(wire.Control, id, wire.Connected{Type: "connected", User: user.ID}))
}

// identify returns who a connect's token stands for. Without one it is whom the
// header or cookie named, or, for apps that allow it, nobody.
func (c *Session) identify(tok string) (token.Identity, error) {
	c.mu.Lock()
	user, known, r := c.user, c.known, c.request
	c.mu.Unlock()
	if tok == "" && known {
		return user, nil
	}
	if r == nil {
		r = (&http.Request{Header: http.Header{}, Body: http.NoBody}).WithContext(c.ctx)
	}
	user, err := c.server.cfg.App.Authenticate(c.ctx, r, tok)
	if tok == "" && errors.Is(err, token.ErrNone) {
		return token.Identity{}, nil // whether nobody may see something is each channel's answer
	}
	return user, err
}

func (c *Session) refuse(id uint64, err error) {
	if errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrNone) {
		c.fail(wire.Control, id, rpc.Errorf("unauthenticated", "the token is not valid"))
		c.close(codeUnauthorized, "the token is not valid")
		return
	}
	c.fail(wire.Control, id, err)
	c.close(1011, "cannot authenticate")
}
