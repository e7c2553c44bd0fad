package peer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/pando-sync/pando/internal/wire"
)

// ErrDropped is returned by calls whose connection has gone before the answer.
var ErrDropped = errors.New("the connection is gone")

// ErrUnsent is the ErrDropped of what was not sent at all.
var ErrUnsent = fmt.Errorf("nothing was sent: %w", ErrDropped)

const (
	// maxMessage is more than any server's frame.
	maxMessage = 256 << 20
	// writeTimeout is how long a server may take to read a request.
	writeTimeout = 30 * time.Second
	// goodbyeTimeout is how long one may take that nobody waits for.
	goodbyeTimeout = time.Second
)

// Conn is one connection. It is safe for concurrent use.
type Conn struct {
	cfg    Config
	socket net.Conn
	source *livelyReader
	done   chan struct{} // closed when the reader has ended
	write  sync.Mutex    // one frame at a time

	mu      sync.Mutex // guards what follows
	hello   wire.Hello
	ended   bool // nothing is sent any more
	err     error
	code    int
	nextID  uint64
	replies map[uint64]func(reply)
	streams map[string]*Stream
	scopes  map[string][]*part // by id
	left    map[string]*Stream // the last stream of scopes that none shows any more
	marked  uint64
	marks   chan struct{} // closed and replaced as marked grows

	// Of the reader alone: the frames of one commit, until its end.
	group   []update
	grouped bool
}

type reply struct {
	payload json.RawMessage
	err     error
}

// Dial opens a connection, on which the first request has to be Connect. An
// answer of HTTP in place of the upgrade is a *StatusError.
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	socket, source, err := cfg.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		cfg: cfg, socket: socket, source: source, done: make(chan struct{}), replies: map[uint64]func(reply){}, streams: map[string]*Stream{},
		scopes: map[string][]*part{}, left: map[string]*Stream{}, marks: make(chan struct{}),
	}
	go c.read()
	return c, nil
}

// Connect says who it is: by a token, "" for nobody or whom a header has named,
// going on from an earlier session, "" for none. It returns the identity's id.
func (c *Conn) Connect(ctx context.Context, token, previous string) (user string, err error) {
	payload := map[string]any{"type": "connect", "protocol": wire.Protocol}
	if token != "" {
		payload["token"] = token
	}
	if previous != "" {
		payload["previous"] = previous
	}
	answer, err := c.Request(ctx, wire.Control, payload)
	if err != nil {
		return "", err
	}
	var connected wire.Connected
	if err := json.Unmarshal(answer, &connected); err != nil {
		return "", fmt.Errorf("bad answer %s: %w", answer, err)
	}
	return connected.User, nil
}

// Session is the server's name of the connection, "" before its hello.
func (c *Conn) Session() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hello.Session
}

// Done is closed when the connection is gone and its streams know of it.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err is why the connection is gone, nil while it stands.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// CloseCode is the code by which the server closed the connection, 0 if it did
// not.
func (c *Conn) CloseCode() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code
}

// Drop breaks the connection as a dying network does, and waits until it is
// gone. It must not be called on the reader.
func (c *Conn) Drop() {
	c.socket.Close()
	<-c.done
}

// Close says goodbye, if that can be said at once, and drops the connection.
func (c *Conn) Close() {
	goodbye := ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))))
	if c.write.TryLock() {
		if c.socket.SetWriteDeadline(time.Now().Add(goodbyeTimeout)) == nil {
			_, _ = c.socket.Write(goodbye) // if nobody hears it, nobody needs to
		}
		c.write.Unlock()
	}
	c.Drop()
}

// Raw sends bytes as one text frame.
func (c *Conn) Raw(text []byte) error {
	return c.push(ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame(bytes.Clone(text)))))
}

// push writes a frame. A connection that took a part of one is of no more use.
func (c *Conn) push(frame []byte) error {
	c.write.Lock()
	defer c.write.Unlock()
	if err := c.socket.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsent, err)
	}
	n, err := c.socket.Write(frame)
	if err == nil {
		return nil
	}
	c.socket.Close()
	if n == 0 {
		return fmt.Errorf("%w: %w", ErrUnsent, err)
	}
	return fmt.Errorf("%w: %w", ErrDropped, err)
}

// Request sends a request and waits for its reply, of which it returns the
// payload. A coded error is an *Error; of a connection that went before the
// reply it is ErrDropped, or ErrUnsent.
func (c *Conn) Request(ctx context.Context, stream string, payload any) (json.RawMessage, error) {
	answer := make(chan reply, 1)
	id, err := c.send(stream, payload, func(r reply) { answer <- r })
	if err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		return r.payload, r.err
	case <-ctx.Done():
		c.answer(id) // nobody waits any more
		return nil, fmt.Errorf("request on %s: %w", stream, ctx.Err())
	}
}

// Ask sends an action or a write and waits for its result.
func (c *Conn) Ask(ctx context.Context, stream string, payload any) (wire.Result, error) {
	answer, err := c.Request(ctx, stream, payload)
	if err != nil {
		return wire.Result{}, err
	}
	var r wire.Result
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, fmt.Errorf("bad answer %s: %w", answer, err)
	}
	return r, nil
}

// send sends a request. answered is called once, on the reader, unless send
// returns an error.
func (c *Conn) send(stream string, payload any, answered func(reply)) (id uint64, err error) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return 0, ErrUnsent
	}
	c.nextID++
	id = c.nextID
	c.replies[id] = answered
	c.mu.Unlock()
	text, err := json.Marshal(map[string]any{"stream": stream, "id": id, "payload": payload})
	if err != nil {
		err = fmt.Errorf("encode request: %w", err)
	} else {
		err = c.Raw(text)
	}
	if err != nil && c.answer(id) != nil {
		return 0, err
	}
	return id, nil // or the reader has told of the end already
}

// answer takes who waits for a reply; nil if nobody does.
func (c *Conn) answer(id uint64) func(reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answered := c.replies[id]
	delete(c.replies, id)
	return answered
}

// enter has what comes for a stream go to it. It tells whether anything can.
func (c *Conn) enter(s *Stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.streams[s.name] = s
	}
	return !c.ended
}

// Passed waits until everything up to a version has come. It returns ErrDropped
// when the connection goes before.
func (c *Conn) Passed(ctx context.Context, version uint64) error {
	for {
		c.mu.Lock()
		marked, marks := c.marked, c.marks
		c.mu.Unlock()
		if marked >= version {
			return nil
		}
		select {
		case <-marks:
		case <-c.done:
			return ErrDropped
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// read handles what the server sends until the connection is gone.
func (c *Conn) read() {
	messages := wsutil.Reader{
		Source: bufio.NewReaderSize(c.source, 32<<10), State: ws.StateClientSide, MaxMessageSize: maxMessage,
		OnIntermediate: func(h ws.Header, r io.Reader) error { return c.interlude(h, r) },
	}
	for {
		if c.cfg.Gate != nil {
			c.cfg.Gate()
		}
		h, err := messages.NextFrame()
		if err == nil && h.OpCode.IsControl() {
			err = c.interlude(h, &messages)
		} else if err == nil {
			err = c.message(h, &messages)
		}
		if err != nil {
			c.end(err)
			return
		}
	}
}

// message reads a message and handles it.
func (c *Conn) message(h ws.Header, r io.Reader) error {
	var text bytes.Buffer
	text.Grow(int(h.Length) + bytes.MinRead) // so that reading finds the end without growing
	if _, err := text.ReadFrom(r); err != nil {
		return err
	}
	if c.cfg.Tap != nil {
		c.cfg.Tap(text.Bytes())
	}
	err := c.handle(text.Bytes())
	if err != nil && c.cfg.Broken != nil {
		c.cfg.Broken(err)
	}
	return err
}

// interlude handles a frame of WebSocket's own.
func (c *Conn) interlude(h ws.Header, r io.Reader) error {
	payload, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	switch h.OpCode {
	case ws.OpPing: // a proxy's, or the server's own
		return c.push(ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewPongFrame(payload))))
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(payload)
		c.mu.Lock()
		c.code = int(code)
		c.mu.Unlock()
		return fmt.Errorf("closed by the server: %d %s", code, reason)
	default:
		return nil
	}
}

// end tells all who wait that the connection is gone.
func (c *Conn) end(err error) {
	c.socket.Close()
	c.mu.Lock()
	c.ended, c.err = true, err
	replies, streams := c.replies, c.streams
	c.replies, c.streams = map[uint64]func(reply){}, nil
	c.mu.Unlock()
	for _, answered := range replies {
		answered(reply{err: ErrDropped})
	}
	for _, s := range streams {
		s.lost(c)
	}
	close(c.done)
}
