// Package wiretest is a WebSocket for tests that say exactly what goes over
// it.
package wiretest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// patience is how long a socket waits for a frame before the test fails.
const patience = 10 * time.Second

// Socket is a connection. It is used by one goroutine.
type Socket struct {
	Conn net.Conn
	// Hello is the server's first message, which has been read; Protocol is the
	// subprotocol that it has agreed to.
	Hello, Protocol string

	t  testing.TB
	in io.Reader
}

// Dial connects to a server's WebSocket at url, which may begin with http. The
// connection is closed when the test ends.
func Dial(t testing.TB, url string, header http.Header) *Socket {
	t.Helper()
	s := Plain(t, url, header)
	if s.Hello = s.Read(); !strings.Contains(s.Hello, `"type":"hello"`) {
		t.Fatalf("got %s, want hello", s.Hello)
	}
	return s
}

// Plain is Dial of a path whose server says nothing by itself: of a demultiplexer,
// by a client that does not ask for pando.v1. Hello is "".
func Plain(t testing.TB, url string, header http.Header) *Socket {
	t.Helper()
	const protocols = "Sec-WebSocket-Protocol"
	d := ws.Dialer{Protocols: header.Values(protocols)}
	header = header.Clone()
	header.Del(protocols)
	d.Header = ws.HandshakeHeaderHTTP(header)
	conn, buffered, agreed, err := d.Dial(t.Context(), "ws"+strings.TrimPrefix(url, "http"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	s := &Socket{Conn: conn, Protocol: agreed.Protocol, t: t, in: conn}
	if buffered != nil {
		s.in = io.MultiReader(io.LimitReader(buffered, int64(buffered.Buffered())), conn)
	}
	return s
}

// Of is the same socket, whose failures are those of a part of the test.
func (s *Socket) Of(part testing.TB) *Socket {
	same := *s
	same.t = part
	return &same
}

// Send sends a frame.
func (s *Socket) Send(op ws.OpCode, text string) {
	s.t.Helper()
	if err := wsutil.WriteClientMessage(s.Conn, op, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// Sendf sends a text frame.
func (s *Socket) Sendf(format string, args ...any) {
	s.t.Helper()
	s.Send(ws.OpText, fmt.Sprintf(format, args...))
}

// Read returns the next message; a close frame is "close CODE". Pings are answered,
// as by a browser, and not told.
func (s *Socket) Read() string {
	s.t.Helper()
	for {
		h, err := ws.ReadHeader(s.in)
		if err != nil {
			s.t.Fatal(err)
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(s.in, payload); err != nil {
			s.t.Fatal(err)
		}
		switch h.OpCode {
		case ws.OpPing:
			s.Send(ws.OpPong, string(payload))
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(payload)
			return fmt.Sprintf("close %d", code)
		default:
			return string(payload)
		}
	}
}

// Want reads one message, in which part must stand.
func (s *Socket) Want(part string) {
	s.t.Helper()
	if got := s.Read(); !strings.Contains(got, part) {
		s.t.Fatalf("got %s, want …%s…", got, part)
	}
}
