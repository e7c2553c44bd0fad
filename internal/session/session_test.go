package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"

	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type Note struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

// app is one note that everybody may see.
type app struct {
	tree    *schema.Tree
	expires time.Time
	// hold, when it is there, keeps actions until it is closed; the first one
	// says so by closing entered.
	hold    chan struct{}
	entered chan struct{}
	first   sync.Once
	closed  atomic.Int32
}

func (a *app) Authenticate(context.Context, *http.Request, string) (token.Identity, error) {
	return token.Identity{ID: "ada", Expires: a.expires}, nil
}

func (a *app) Open(context.Context, session.OpenRequest) (session.Stream, error) {
	return &stream{app: a}, nil
}

type stream struct{ app *app }

func (*stream) Channel() string { return "NoteChannel" }
func (s *stream) Scope() route.Key {
	return route.Key{Tree: s.app.tree, Anchor: schema.IntValue(1)}
}
func (*stream) Runtime() map[string]json.RawMessage { return nil }
func (s *stream) Close(context.Context)             { s.app.closed.Add(1) }

func (s *stream) Action(ctx context.Context, name string, _ []json.RawMessage) (json.RawMessage, uint64, error) {
	if s.app.hold != nil {
		s.app.first.Do(func() { close(s.app.entered) })
		select {
		case <-s.app.hold:
		case <-ctx.Done():
		}
	}
	return json.RawMessage(fmt.Sprintf("%q", name)), 0, nil
}

// start serves the app's sessions over a database in memory.
func start(t *testing.T, a *app, cfg session.Config) (url string) {
	t.Helper()
	reg := schema.NewRegistry()
	tree, err := reg.Tree(reflect.TypeFor[Note]())
	if err != nil {
		t.Fatal(err)
	}
	a.tree = tree
	db := memdb.New(reg)
	p := pipe.New(pipe.Config{Source: db, Registry: reg})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	db.Started()
	cfg.App, cfg.Pipe, cfg.Types = a, p, wire.Types(reg)
	server := session.New(cfg)
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		server.Close(grace)
		web.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "ws" + strings.TrimPrefix(web.URL, "http")
}

// socket is a connection whose hello has been read.
type socket struct {
	t    *testing.T
	conn net.Conn
	in   io.Reader
}

func dial(t *testing.T, url string) *socket {
	t.Helper()
	conn, buffered, _, err := ws.Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	s := &socket{t, conn, conn}
	if buffered != nil {
		s.in = io.MultiReader(io.LimitReader(buffered, int64(buffered.Buffered())), conn)
	}
	s.want(`"type":"hello"`)
	return s
}

func (s *socket) sendf(format string, args ...any) {
	s.t.Helper()
	if err := wsutil.WriteClientText(s.conn, fmt.Appendf(nil, format, args...)); err != nil {
		s.t.Fatal(err)
	}
}

// read returns the next message; a close frame is "close CODE".
func (s *socket) read() string {
	s.t.Helper()
	h, err := ws.ReadHeader(s.in)
	if err != nil {
		s.t.Fatal(err)
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(s.in, payload); err != nil {
		s.t.Fatal(err)
	}
	if h.OpCode == ws.OpClose {
		code, _ := ws.ParseCloseFrameData(payload)
		return fmt.Sprintf("close %d", code)
	}
	return string(payload)
}

// want reads one message, in which part must stand.
func (s *socket) want(part string) {
	s.t.Helper()
	if got := s.read(); !strings.Contains(got, part) {
		s.t.Fatalf("got %s, want …%s…", got, part)
	}
}

func (s *socket) connect() {
	s.t.Helper()
	s.sendf(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1,"token":"x"}}`)
	s.want("connected")
}

func (s *socket) open(name string) {
	s.t.Helper()
	s.sendf(`{"stream":%q,"id":2,"payload":{"type":"open","route":"notes/1"}}`, name)
	s.want("opened")
}

func TestWhoDoesNotConnectIsClosed(t *testing.T) {
	s := dial(t, start(t, &app{}, session.Config{ConnectTimeout: 20 * time.Millisecond}))
	s.want(`"code":"unauthenticated"`)
	s.want("close 4401")
}

func TestExpiryOfTheIdentityClosesTheConnection(t *testing.T) {
	s := dial(t, start(t, &app{expires: time.Now().Add(50 * time.Millisecond)}, session.Config{Heartbeat: 40 * time.Millisecond}))
	s.connect()
	for {
		if got := s.read(); got == "close 4401" {
			return
		} else if !strings.Contains(got, "beat") {
			t.Fatalf("got %s", got)
		}
	}
}

func TestStreamsAreBounded(t *testing.T) {
	s := dial(t, start(t, &app{}, session.Config{MaxStreams: 1}))
	s.connect()
	s.open("s1")
	s.want(`"snapshot":"only"`)
	s.sendf(`{"stream":"s2","id":3,"payload":{"type":"open","route":"notes/1"}}`)
	s.want(`"code":"too_large"`)
	s.sendf(`{"stream":"s1","id":4,"payload":{"type":"close"}}`)
	s.want(`"type":"closed"`)
	s.open("s2")
}

func TestTwoStreamsShareAScope(t *testing.T) {
	s := dial(t, start(t, &app{}, session.Config{}))
	s.connect()
	s.open("s1")
	s.want(`"snapshot":"only"`)
	s.sendf(`{"stream":"s2","id":3,"payload":{"type":"open","route":"notes/1"}}`)
	s.want(`"resumed":true`)
	s.sendf(`{"stream":"s1","id":4,"payload":{"type":"close"}}`)
	s.want(`"type":"closed"`)
	s.sendf(`{"stream":"@","id":5,"payload":{"type":"ping"}}`)
	s.want("pong") // and no snapshot in between
}

func TestRequestsThatWaitAreBoundedAndOrdered(t *testing.T) {
	a := &app{hold: make(chan struct{}), entered: make(chan struct{})}
	s := dial(t, start(t, a, session.Config{}))
	s.connect()
	s.open("s1")
	s.want(`"snapshot":"only"`)
	act := func(i int) {
		s.sendf(`{"stream":"s1","id":%d,"payload":{"type":"action","name":"a%d","args":[]}}`, 100+i, i)
	}
	act(0)
	<-a.entered
	const waiting, more = 64, 5
	for i := range waiting + more {
		act(1 + i)
	}
	for range more {
		s.want("rate_limited")
	}
	s.sendf(`{"stream":"@","id":5,"payload":{"type":"ping"}}`)
	s.want("pong") // a slow stream delays no other
	close(a.hold)
	for i := range 1 + waiting {
		s.want(fmt.Sprintf(`"value":"a%d"`, i))
	}
}

func TestClosingWaitsForTheStreams(t *testing.T) {
	a := &app{}
	t.Cleanup(func() { // runs after the server has closed
		if got := a.closed.Load(); got != 2 {
			t.Errorf("%d streams were closed, want 2", got)
		}
	})
	s := dial(t, start(t, a, session.Config{}))
	s.connect()
	s.open("s1")
	s.want(`"snapshot":"only"`)
	s.open("s2")
	s.conn.Close()
}
