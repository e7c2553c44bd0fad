package pandotest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/pando-sync/pando/internal/peer"
)

// Client is one user's connection, with any number of streams. It is safe for
// concurrent use. It connects again only when a test has it Dial.
type Client struct {
	token string

	mu      sync.Mutex // guards what follows
	url     string
	conn    *peer.Conn
	streams int
	stalled sync.Mutex // held while the client does not read
	tap     func(frame []byte)
	narrow  int
}

// ErrDropped is returned by calls whose connection has gone before the answer.
var ErrDropped = peer.ErrDropped

// never is what has ended before anything was connected.
var never = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

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
func NewClient(url, token string) *Client { return &Client{url: socketURL(url), token: token} }

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
	cfg := peer.Config{URL: c.url, Tap: c.tapped, Gate: c.gate, Broken: broken, Strays: true}
	if c.narrow > 0 {
		cfg.NetDial = narrowDial(c.narrow)
	}
	c.mu.Unlock()
	conn, err := peer.Dial(ctx, cfg)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.conn = conn
	c.mu.Unlock()
	_, err = conn.Connect(ctx, c.token, "")
	return err
}

// broken is called when the server has broken the protocol.
func broken(err error) { panic(fmt.Sprintf("pandotest: %v", err)) }

func narrowDial(bytes int) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			if err := tcp.SetReadBuffer(bytes); err != nil {
				conn.Close()
				return nil, err
			}
		}
		return conn, nil
	}
}

// tapped shows a frame to the tap.
func (c *Client) tapped(frame []byte) {
	c.mu.Lock()
	tap := c.tap
	c.mu.Unlock()
	if tap != nil {
		tap(frame)
	}
}

// gate holds the reader while the client is stalled.
func (c *Client) gate() {
	c.stalled.Lock()
	c.stalled.Unlock() //nolint:staticcheck // a gate: passing it is all
}

// present is the newest connection, nil before the first.
func (c *Client) present() *peer.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn
}

// Drop breaks the connection as a dying network does, and waits until it is
// gone.
func (c *Client) Drop() {
	if conn := c.present(); conn != nil {
		conn.Drop()
	}
}

// Closed is closed when the present connection is gone.
func (c *Client) Closed() <-chan struct{} {
	if conn := c.present(); conn != nil {
		return conn.Done()
	}
	return never
}

// CloseCode is the code by which the server closed the last connection, 0 if
// it did not.
func (c *Client) CloseCode() int {
	if conn := c.present(); conn != nil {
		return conn.CloseCode()
	}
	return 0
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
	if conn := c.present(); conn != nil {
		return conn.Raw(text)
	}
	return ErrDropped
}

// request sends a request and waits for its reply.
func (c *Client) request(ctx context.Context, stream string, payload any) (json.RawMessage, error) {
	if conn := c.present(); conn != nil {
		return conn.Request(ctx, stream, payload)
	}
	return nil, ErrDropped
}
