package session

import (
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
)

// errClosed ends a reader whose client said goodbye, or broke the protocol of
// WebSocket.
var errClosed = errors.New("session: closed")

// receive reads and handles one WebSocket frame.
func (c *Session) receive() error {
	h, err := ws.ReadHeaderBuffer(c.in, c.header[:])
	if err != nil {
		return err
	}
	if h.Rsv != 0 || !h.Masked || h.OpCode.IsReserved() || h.OpCode.IsControl() && (h.Length > 125 || !h.Fin) {
		return c.quit(codeProtocolError, "bad websocket frame")
	}
	if h.Length > c.server.cfg.MaxFrame-int64(len(c.message)) { // their sum may be more than an int64 holds
		c.fail(0, rpc.Errorf("too_large", "a frame of %d bytes is over the limit of %d", h.Length, c.server.cfg.MaxFrame))
		return c.discard(h.Length)
	}
	if !c.heard.Load() {
		c.heard.Store(true)
	}
	body := make([]byte, h.Length)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return err
	}
	ws.Cipher(body, h.Mask, 0)
	return c.frame(h, body)
}

// quit closes with a code; the writer closes the socket, which ends the reader.
func (c *Session) quit(code int, reason string) error {
	c.close(code, reason)
	return c.drain()
}

// drain waits for the other side to close, reading and forgetting what still
// comes: closing a socket with unread input would lose the close frame.
func (c *Session) drain() error {
	_, err := io.Copy(io.Discard, c.in)
	if err == nil {
		err = errClosed
	}
	return err
}

func (c *Session) discard(int64) error { return c.quit(codeTooLarge, "frame too large") }

func (c *Session) frame(h ws.Header, body []byte) error {
	switch h.OpCode {
	case ws.OpPing:
		c.reply(&wire.Frame{Bytes: ws.MustCompileFrame(ws.NewPongFrame(body))})
		return nil
	case ws.OpPong:
		return nil
	case ws.OpClose:
		code, _ := ws.ParseCloseFrameData(body)
		c.done.Store(code == ws.StatusNormalClosure)
		c.close(codeDone, "")
		return c.drain()
	default:
		return c.data(h, body)
	}
}

// data puts the fragments of a message together.
func (c *Session) data(h ws.Header, body []byte) error {
	if (h.OpCode == ws.OpContinuation) != (c.part != 0) {
		return c.quit(codeProtocolError, "a fragment out of place")
	}
	if h.OpCode != ws.OpContinuation {
		c.part = h.OpCode
	}
	if c.part == ws.OpText && len(c.message) > 0 {
		body = append(c.message, body...)
	}
	if !h.Fin {
		c.message = body
		return nil
	}
	kind := c.part
	c.part, c.message = 0, nil
	if kind == ws.OpBinary {
		c.fail(0, rpc.Errorf("bad_frame", "a binary frame: send JSON text"))
		return nil
	}
	if c.place != nil {
		c.handlePlain(body)
	} else {
		c.handle(body)
	}
	return nil
}

// handle handles one message, which may hold several requests.
func (c *Session) handle(message []byte) {
	if !utf8.Valid(message) {
		c.fail(0, rpc.Errorf("bad_frame", "the frame is not UTF-8"))
		return
	}
	envelopes, err := wire.ParseFrame(message)
	if err != nil {
		c.fail(0, rpc.Errorf("bad_frame", `the frame is not an envelope {"stream":…,"id":…,"payload":{…}}`))
		return
	}
	for i := range envelopes {
		c.envelope(&envelopes[i])
	}
}

// maxID is the greatest integer that JavaScript holds exactly.
const maxID = 1<<53 - 1

func (c *Session) envelope(e *wire.Envelope) {
	switch {
	case e.Stream != wire.Control && !wire.ValidStream(e.Stream):
		c.fail(e.ID, rpc.Errorf("bad_frame", "stream %q: want 1 to 64 of A-Z a-z 0-9 . _ -", clip(e.Stream)))
		return
	case e.ID > maxID:
		c.failRequest(e.Stream, 0, &wire.Request{}, badID())
		return
	}
	var req wire.Request
	err := json.Unmarshal(e.Payload, &req)
	if e.ID == 0 && (err != nil || req.Type != "message" || e.Stream == wire.Control) {
		c.failRequest(e.Stream, 0, &req, badID())
		return
	}
	if err != nil || !wire.IsObject(e.Payload) {
		c.failRequest(e.Stream, e.ID, &req, rpc.Errorf("bad_request", "the payload is not a request: want an object with a type"))
		return
	}
	req.Size = len(e.Payload)
	if e.Stream == wire.Control {
		c.control(e.ID, &req)
		return
	}
	c.mu.Lock()
	joined := c.joined
	c.mu.Unlock()
	if !joined {
		c.failRequest(e.Stream, e.ID, &req, rpc.Errorf("unauthenticated", "send connect first"))
		return
	}
	if req.Type == "message" {
		var ok bool
		if req.Body, ok = wire.ParseMessage(e.Payload); !ok {
			c.failRequest(e.Stream, e.ID, &req, rpc.Errorf("bad_request", "the data of a message must be an object"))
			return
		}
	}
	c.dispatch(e.Stream, e.ID, &req)
}

// failRequest is fail for what has not reached its stream, as far as it could be
// read: the errors of a demultiplexer's streams have a status.
func (c *Session) failRequest(name string, id uint64, req *wire.Request, err error) {
	c.mu.Lock()
	st := c.streams[name]
	c.mu.Unlock()
	c.failAs(name, id, err, st != nil && st.routed || req.Type == "open" && c.routes(req))
}

func badID() error {
	return rpc.Errorf("bad_frame", "the id must be an integer from 1 to 2^53-1")
}

func (c *Session) control(id uint64, req *wire.Request) {
	switch req.Type {
	case "connect":
		c.connect(id, req)
	case "ping":
		c.reply(wire.Pong(id))
	default:
		c.fail(id, rpc.Errorf("bad_request", "the connection has no request %q", clip(req.Type)))
	}
}

// clip keeps a client's own text short in what it is told.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
