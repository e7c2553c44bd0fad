package peer_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando/internal/peer"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
)

type note struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
	Over *note  `json:"over" pando:"depth:2"`
}

var noteTypes = []wire.Type{{Name: "note", Fields: []string{"id", "text", "@over_id"}}}

func tree(t *testing.T, opts ...schema.Option) *schema.Tree {
	t.Helper()
	tree, err := peer.Tree(reflect.TypeFor[*note](), nil, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// frame writes bytes as a frame of a server.
func (p *player) frame(f ws.Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ws.WriteFrame(p.conn, f); err != nil {
		p.t.Error(err)
	}
}

// TestWhatProxiesDo reads pings and messages in fragments.
func TestWhatProxiesDo(t *testing.T) {
	p := servePlayer(t, noteTypes, "NoteChannel")
	conn := p.dial()
	st := peer.NewStream("s1", "notes/1", tree(t), peer.Events{})
	if err := p.start(conn, st); err != nil {
		t.Fatal(err)
	}
	text := `{"stream":"#1","payload":{"v":1,"snapshot":"only","set":[[0,["1","a"]]]}}`
	p.frame(ws.NewPingFrame([]byte("there?")))
	p.frame(ws.NewFrame(ws.OpText, false, []byte(text[:20])))
	p.frame(ws.NewPingFrame(nil))
	p.frame(ws.NewFrame(ws.OpContinuation, true, []byte(text[20:])))
	p.ping(conn)
	if got := string(st.JSON()); !strings.Contains(got, `"text":"a"`) {
		t.Errorf("got %s", got)
	}
}

// TestWhichKeyOfARouteIsTheAnchor finds it among the parameters by what is there.
func TestWhichKeyOfARouteIsTheAnchor(t *testing.T) {
	p := servePlayer(t, noteTypes, "NoteChannel")
	conn := p.dial()
	st := peer.NewStream("s1", "notes/1/pages/7", tree(t), peer.Events{})
	if err := p.start(conn, st); err != nil {
		t.Fatal(err)
	}
	p.play(conn, []byte(`{"v":1,"snapshot":"only"}`), nil)
	if got := string(st.JSON()); got != "null" {
		t.Errorf("got %s of nothing", got)
	}
	p.play(conn, []byte(`{"v":2,"set":[[0,["1","a","8"]],[0,["8","over"]]]}`), nil)
	if got := string(st.JSON()); !strings.HasPrefix(got, `{"id":"1"`) || !strings.Contains(got, `"text":"over"`) {
		t.Errorf("got %s", got)
	}
}

func TestAConnectionThatIsGone(t *testing.T) {
	p := servePlayer(t, noteTypes, "NoteChannel")
	conn := p.dial()
	st := peer.NewStream("s1", "notes/1", tree(t), peer.Events{})
	if err := p.start(conn, st); err != nil {
		t.Fatal(err)
	}
	passed := make(chan error, 1)
	go func() { passed <- conn.Passed(t.Context(), 9) }()
	conn.Drop()
	if err := <-passed; !errors.Is(err, peer.ErrDropped) || errors.Is(err, peer.ErrUnsent) {
		t.Errorf("a mark that does not come: %v", err)
	}
	if _, err := conn.Request(t.Context(), wire.Control, nil); !errors.Is(err, peer.ErrUnsent) {
		t.Errorf("a request: %v", err)
	}
	if err := p.start(conn, st); !errors.Is(err, peer.ErrUnsent) {
		t.Errorf("a stream: %v", err)
	}
	if err := st.Close(t.Context()); !errors.Is(err, peer.ErrUnsent) {
		t.Errorf("a stream that is not open: %v", err)
	}
	if err := conn.Raw([]byte("{}")); !errors.Is(err, peer.ErrUnsent) || conn.Err() == nil {
		t.Errorf("bytes: %v, of a connection that ended by %v", err, conn.Err())
	}
}

// TestRequestsOfAContext are given up with it.
func TestRequestsOfAContext(t *testing.T) {
	p := servePlayer(t, noteTypes, "NoteChannel")
	stalled := make(chan struct{})
	first := true
	conn := p.dial(func(cfg *peer.Config) {
		cfg.Gate = func() {
			if !first {
				<-stalled
			}
		}
		cfg.Tap = func(text []byte) { first = first && !strings.Contains(string(text), "pong") }
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := conn.Request(ctx, wire.Control, map[string]string{"type": "ping"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := conn.Passed(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := conn.Request(t.Context(), wire.Control, func() {}); err == nil || errors.Is(err, peer.ErrDropped) {
		t.Errorf("a request that is no JSON: %v", err)
	}
	close(stalled)
	p.ping(conn) // the answer that nobody waited for has done no harm
}

func TestDialingWhatIsNoSocket(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	_, err := peer.Dial(t.Context(), peer.Config{URL: "ws" + strings.TrimPrefix(server.URL, "http")})
	var status *peer.StatusError
	if !errors.As(err, &status) || status.Status != 503 || status.RetryAfter != 7*time.Second {
		t.Errorf("got %v", err)
	}
}

// TestStrict ends a stream that knows more than the server declares.
func TestStrict(t *testing.T) {
	p := servePlayer(t, []wire.Type{{Name: "note", Fields: []string{"id", "over_id"}}}, "NoteChannel")
	conn := p.dial()
	var ended error
	st := peer.NewStream("s1", "notes/1", tree(t), peer.Events{Strict: true, Ended: func(err error) { ended = err }})
	if err := p.start(conn, st); err != nil {
		t.Fatal(err)
	}
	p.ping(conn)
	coded, ok := errors.AsType[*peer.Error](ended)
	if !ok || coded.Code != "schema" || !strings.Contains(coded.Message, "does not declare note.text:") {
		t.Errorf("got %v", ended)
	}
	lax := peer.NewStream("s2", "notes/1", tree(t), peer.Events{})
	if err := p.start(conn, lax); err != nil {
		t.Fatal(err)
	}
	p.play(conn, []byte(`{"v":1,"snapshot":"only","set":[[0,["1","2"]],[0,["2"]]]}`), nil)
	if got := string(lax.JSON()); !strings.Contains(got, `"over":{"id":"2"`) {
		t.Errorf("got %s: a link that the server shows was not followed", got)
	}
}
