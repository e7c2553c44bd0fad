package pandotest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/wire"
)

// Client is one user's connection, with any number of streams. It is safe for
// concurrent use.
type Client struct {
	token string
	write sync.Mutex // one frame at a time

	mu      sync.Mutex // guards what follows
	url     string
	conn    net.Conn
	types   []wire.Type
	epoch   string
	nextID  uint64
	replies map[uint64]chan reply
	streams map[string]feeder
	scopes  map[string][]*part // of the present connection, by id
	left    map[string]feeder  // the last stream of scopes that none shows any more
	group   []update           // of one commit, until its end
	grouped bool
	marked  uint64
	marks   chan struct{} // closed and replaced as marked grows
	closed  chan struct{} // closed when the connection is gone
	// CloseCode is why the server closed the last connection, 0 if it did not.
	closeCode int
	stalled   sync.Mutex // held while the client does not read
	tap       func(frame []byte)
	narrow    int
}

// message is any frame from the server.
type message struct {
	Stream  string          `json:"stream"`
	ID      uint64          `json:"id"`
	Payload json.RawMessage `json:"payload"`
}

// head is what all payloads of messages may have.
type head struct {
	Type    string            `json:"type"`
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Retry   bool              `json:"retry"`
	Fields  map[string]string `json:"fields"`
	Epoch   string            `json:"epoch"`
	Types   []wire.Type       `json:"types"`
	V       uint64            `json:"v"`
}

type reply struct {
	payload json.RawMessage
	err     error
}

// update is a state frame on its way to the streams that show its scope.
type update struct {
	scope string
	frame *wire.StateFrame
}

// feeder is a Stream of any type of state.
type feeder interface {
	// join readies a part for each scope of an answer to open; the frames that
	// follow are read by types, and shared has the part of another stream for
	// each scope that one shows already. It returns nothing after an error,
	// which the stream keeps.
	join(types []wire.Type, o *opened, shared []*part) []*part
	feed(p *part, frame *wire.StateFrame)
	// stray tells of a frame that came after the stream had left its scope.
	stray()
	notify()
	runtime(members map[string]json.RawMessage)
	shut(err error)
}

// ErrDropped is returned by calls whose connection has gone before the answer.
var ErrDropped = errors.New("pandotest: the connection is gone")

// Connect connects with a token, "" for nobody.
func (s *Server) Connect(t testing.TB, token string) *Client {
	t.Helper()
	c := NewClient(s.URL, token)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Dial(ctx); err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(c.Drop)
	return c
}

// Login exchanges a name and a password for a token at POST /api/token.
func (s *Server) Login(t testing.TB, username, password string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"username": username, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(s.URL+"/api/token", "application/json", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("login as %s: status %d, error %v", username, resp.StatusCode, err)
	}
	return answer.Token
}

// NewClient returns a client of the app at url, not connected yet.
func NewClient(url, token string) *Client {
	gone := make(chan struct{})
	close(gone)
	return &Client{
		url: socketURL(url), token: token, closed: gone,
		streams: map[string]feeder{}, scopes: map[string][]*part{}, left: map[string]feeder{}, replies: map[uint64]chan reply{}, marks: make(chan struct{}),
	}
}

// Redirect has the next Dial go to the app at url.
func (c *Client) Redirect(url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.url = socketURL(url)
}

func socketURL(url string) string { return "ws" + strings.TrimPrefix(url, "http") + "/ws" }

// Dial connects, or connects again. Streams that were open must be opened
// again with Resume.
func (c *Client) Dial(ctx context.Context) error {
	c.Drop() // the reader of an earlier connection has ended before the next begins
	c.mu.Lock()
	url, narrow := c.url, c.narrow
	c.mu.Unlock()
	conn, buffered, _, err := ws.Dial(ctx, url)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && narrow > 0 {
		if err := tcp.SetReadBuffer(narrow); err != nil {
			conn.Close()
			return fmt.Errorf("dial: %w", err)
		}
	}
	closed := make(chan struct{})
	c.mu.Lock()
	c.conn, c.closed, c.closeCode, c.marked = conn, closed, 0, 0
	c.group, c.grouped = nil, false
	c.scopes, c.left = map[string][]*part{}, map[string]feeder{}
	c.mu.Unlock()
	if buffered == nil {
		buffered = bufio.NewReaderSize(conn, 32<<10)
	}
	go c.read(conn, buffered, closed)
	_, err = c.request(ctx, "@", map[string]any{"type": "connect", "protocol": 1, "token": c.token})
	return err
}

// Drop breaks the connection as a dying network does, and waits until it is
// gone.
func (c *Client) Drop() {
	c.mu.Lock()
	conn, closed := c.conn, c.closed
	c.mu.Unlock()
	if conn != nil {
		conn.Close()
	}
	<-closed
}

// Closed is closed when the present connection is gone.
func (c *Client) Closed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// CloseCode is the code by which the server closed the last connection, 0 if
// it did not.
func (c *Client) CloseCode() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closeCode
}

// Stall stops reading until the returned function is called, as a browser that
// is busy or asleep does.
func (c *Client) Stall() (resume func()) {
	c.stalled.Lock()
	return sync.OnceFunc(c.stalled.Unlock)
}

// Tap has fn called with the bytes of every frame that comes from now on. fn
// runs on the client's reader: it must not wait for the client, nor keep the
// bytes.
func (c *Client) Tap(fn func(frame []byte)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tap = fn
}

// Narrow has later connections take in only about so many bytes that the client
// has not read, so that the server soon feels a client that stalls.
func (c *Client) Narrow(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.narrow = bytes
}

// Raw sends bytes as one text frame.
func (c *Client) Raw(text []byte) error {
	c.mu.Lock()
	conn := c.conn
	c.mu.Unlock()
	if conn == nil {
		return ErrDropped
	}
	c.write.Lock()
	defer c.write.Unlock()
	return wsutil.WriteClientText(conn, text)
}

// request sends a request and waits for its reply.
func (c *Client) request(ctx context.Context, stream string, payload any) (json.RawMessage, error) {
	c.mu.Lock()
	c.nextID++
	id := c.nextID
	answer := make(chan reply, 1)
	c.replies[id] = answer
	closed := c.closed
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.replies, id)
		c.mu.Unlock()
	}()
	text, err := json.Marshal(map[string]any{"stream": stream, "id": id, "payload": payload})
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	if err := c.Raw(text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDropped, err)
	}
	select {
	case r := <-answer:
		return r.payload, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("request on %s: %w", stream, ctx.Err())
	case <-closed:
		select {
		case r := <-answer:
			return r.payload, r.err
		default:
			return nil, ErrDropped
		}
	}
}

// read handles what the server sends until the connection is gone.
func (c *Client) read(conn net.Conn, r *bufio.Reader, closed chan struct{}) {
	defer close(closed)
	defer conn.Close()
	for {
		c.stalled.Lock()
		c.stalled.Unlock() //nolint:staticcheck // a gate: passing it is all
		op, payload, err := readFrame(r)
		if err != nil {
			return
		}
		switch op {
		case ws.OpText:
			c.mu.Lock()
			tap := c.tap
			c.mu.Unlock()
			if tap != nil {
				tap(payload)
			}
			c.handle(payload)
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(payload)
			c.mu.Lock()
			c.closeCode = int(code)
			c.mu.Unlock()
			return
		default: // pings are not sent by this server
		}
	}
}

// maxFrame is more than any server's frame.
const maxFrame = 256 << 20

func readFrame(r io.Reader) (op ws.OpCode, payload []byte, err error) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return 0, nil, err
	}
	if h.Length > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes", h.Length)
	}
	payload = make([]byte, h.Length)
	_, err = io.ReadFull(r, payload)
	return h.OpCode, payload, err
}

func (c *Client) handle(text []byte) {
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		panic(fmt.Sprintf("pandotest: the server sent no JSON: %v: %s", err, text))
	}
	if strings.HasPrefix(m.Stream, "#") {
		c.state(&m)
		return
	}
	var h head
	if err := json.Unmarshal(m.Payload, &h); err != nil {
		panic(fmt.Sprintf("pandotest: bad payload: %v: %s", err, text))
	}
	if m.Stream == "@" {
		c.control(&h)
	} else {
		c.stream(&m, &h)
	}
	if m.ID == 0 {
		return
	}
	r := reply{payload: m.Payload}
	if h.Type == "error" {
		r.err = h.coded()
	}
	c.mu.Lock()
	answer := c.replies[m.ID]
	c.mu.Unlock()
	if answer != nil {
		answer <- r
	}
}

func (c *Client) control(h *head) {
	c.mu.Lock()
	var done []update
	switch h.Type {
	case "hello":
		c.types, c.epoch = h.Types, h.Epoch
	case "begin":
		c.grouped = true
	case "end":
		done, c.group, c.grouped = c.group, nil, false
	case "mark":
		c.marked = max(c.marked, h.V)
		close(c.marks)
		c.marks = make(chan struct{})
	}
	c.mu.Unlock()
	c.apply(done)
}

// apply feeds the frames of one commit and notifies each stream once.
func (c *Client) apply(updates []update) {
	var fed []feeder
	for _, u := range updates {
		for _, p := range c.showing(u.scope) {
			p.stream.feed(p, u.frame)
			if !slices.Contains(fed, p.stream) {
				fed = append(fed, p.stream)
			}
		}
	}
	for _, st := range fed {
		st.notify()
	}
}

// showing returns the parts that a scope's frames go to.
func (c *Client) showing(scope string) []*part {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.scopes[scope])
}

func (c *Client) state(m *message) {
	var f wire.StateFrame
	if err := json.Unmarshal(m.Payload, &f); err != nil {
		panic(fmt.Sprintf("pandotest: bad state frame: %v: %s", err, m.Payload))
	}
	u := update{m.Stream, &f}
	c.mu.Lock()
	grouped, stray := c.grouped, c.left[m.Stream]
	if grouped {
		c.group = append(c.group, u)
	}
	c.mu.Unlock()
	if stray != nil {
		stray.stray()
	}
	if !grouped {
		c.apply([]update{u})
	}
}

// join has the frames of a stream's scopes go to it.
func (c *Client) join(st feeder, o *opened) {
	shared := make([]*part, len(o.Scopes))
	for i, sc := range o.Scopes {
		if parts := c.showing(sc.ID); len(parts) > 0 {
			shared[i] = parts[0]
		}
	}
	c.mu.Lock()
	types := c.types
	c.mu.Unlock()
	parts := st.join(types, o, shared)
	c.mu.Lock()
	for i, p := range parts {
		id := o.Scopes[i].ID
		c.scopes[id] = append(c.scopes[id], p)
		delete(c.left, id)
	}
	c.mu.Unlock()
	if slices.ContainsFunc(shared, func(p *part) bool { return p != nil }) || parts == nil {
		st.notify()
	}
}

// leave keeps further frames from a stream.
func (c *Client) leave(st feeder) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, parts := range c.scopes {
		shown := slices.DeleteFunc(parts, func(p *part) bool { return p.stream == st })
		if len(shown) == 0 && len(parts) > 0 {
			c.left[id] = st
		}
		c.scopes[id] = shown
	}
}

func (c *Client) stream(m *message, h *head) {
	c.mu.Lock()
	st := c.streams[m.Stream]
	c.mu.Unlock()
	if st == nil {
		return
	}
	switch h.Type {
	case "opened":
		var o opened
		if err := json.Unmarshal(m.Payload, &o); err != nil {
			panic(fmt.Sprintf("pandotest: bad opened: %v: %s", err, m.Payload))
		}
		c.join(st, &o)
	case "runtime":
		var r struct{ Set map[string]json.RawMessage }
		if err := json.Unmarshal(m.Payload, &r); err != nil {
			panic(fmt.Sprintf("pandotest: bad runtime state: %v: %s", err, m.Payload))
		}
		st.runtime(r.Set)
	case "closed":
		c.leave(st)
		st.shut(h.coded())
	}
}

type opened struct {
	Channel string
	Epoch   string
	Scopes  []scope
}

type scope struct {
	ID      string
	Resumed bool
}

// passed waits for the mark of a version.
func (c *Client) passed(ctx context.Context, version uint64) error {
	for {
		c.mu.Lock()
		marked, marks, closed := c.marked, c.marks, c.closed
		c.mu.Unlock()
		if marked >= version {
			return nil
		}
		select {
		case <-marks:
		case <-closed:
			return ErrDropped
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// coded makes the client's error of a coded one.
func (h *head) coded() error {
	return &pando.Error{Code: h.Code, Message: h.Message, Retry: h.Retry, Fields: h.Fields}
}
