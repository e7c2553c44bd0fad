package peer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gobwas/ws"
)

// Config is how a connection is made and followed.
type Config struct {
	// URL is the address of the app's /ws, ws:// or wss://.
	URL string
	// Header is sent with the upgrade request, beside what WebSocket needs.
	Header http.Header
	// TLS is used for wss://; nil is the system's.
	TLS *tls.Config
	// NetDial connects to the server; nil is a net.Dialer.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Liveness gives the connection up when nothing has come for two heartbeats.
	Liveness bool
	// System is told of messages to everyone, on the reader. It may be nil.
	System func(System)

	// What follows is for tests, and may be nil.

	// Tap is called on the reader with every message, which it must not keep.
	Tap func(text []byte)
	// Gate is called on the reader before each message; the connection reads on
	// when it returns.
	Gate func()
	// Broken is called on the reader when the server says what is no protocol; the
	// connection ends of it.
	Broken func(error)
	// Strays counts state frames of scopes that no stream shows any more: to the
	// last that did, which is kept for it.
	Strays bool
}

// System is a message of the server to everyone.
type System struct {
	Kind, Text string
	// RetryAfter is how long a client stays away after the end of the connection.
	RetryAfter time.Duration
}

// StatusError is an answer of HTTP in place of the upgrade.
type StatusError struct {
	Status int
	// RetryAfter is what the answer's header says, 0 if nothing.
	RetryAfter time.Duration
}

// Error implements error.
func (e *StatusError) Error() string {
	return fmt.Sprintf("the server answers %d %s", e.Status, http.StatusText(e.Status))
}

// dial connects and upgrades. The reader has what comes on the connection.
func (cfg *Config) dial(ctx context.Context) (net.Conn, *livelyReader, error) {
	var refused *StatusError
	dialer := ws.Dialer{
		Header: ws.HandshakeHeaderHTTP(cfg.Header), TLSConfig: cfg.TLS, NetDial: cfg.NetDial,
		OnStatusError: func(status int, _ []byte, answer io.Reader) { refused = statusOf(status, answer) },
	}
	conn, early, _, err := dialer.Dial(ctx, cfg.URL)
	if err != nil {
		if refused != nil {
			err = refused
		}
		return nil, nil, fmt.Errorf("dial: %w", err)
	}
	r := &livelyReader{conn: conn}
	if cfg.Liveness {
		r.silence = helloTimeout
	}
	if early == nil {
		return conn, r, nil
	}
	defer ws.PutReader(early)
	first, err := early.Peek(early.Buffered())
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("dial: %w", err)
	}
	r.early = bytes.Clone(first)
	return conn, r, nil
}

func statusOf(status int, answer io.Reader) *StatusError {
	e := &StatusError{Status: status}
	resp, err := http.ReadResponse(bufio.NewReader(answer), nil)
	if err != nil {
		return e
	}
	defer resp.Body.Close()
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}
