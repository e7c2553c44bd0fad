package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/internal/wiretest"
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
	pipe    *pipe.Pipe
	expires time.Time
	// hold, when it is there, keeps actions until it is closed; the first one
	// says so by closing entered.
	hold    chan struct{}
	entered chan struct{}
	first   sync.Once
	closed  atomic.Int32
	// carryOut, opening, permit and closing stand in for what the app does, beside
	// the line for requests whose name begins with "beside". They are set before the
	// start.
	carryOut func(ctx context.Context, req *wire.Request) (json.RawMessage, uint64, error)
	opening  func(ctx context.Context, req session.OpenRequest) error
	opened   func(st *stream)
	permit   func(ctx context.Context) error
	closing  func(lost bool)
	// identify, when it is there, is asked who somebody is; they depend on the note.
	identify func() error
	nobody   bool // has no header or cookie say who somebody is
	server   *session.Server
	db       *memdb.DB
}

func (a *app) Authenticate(context.Context, *http.Request, string) (token.Identity, error) {
	if a.identify != nil {
		if err := a.identify(); err != nil {
			return token.Identity{}, err
		}
	}
	if a.nobody {
		return token.Identity{}, token.ErrNone
	}
	return token.Identity{ID: "ada", Expires: a.expires}, nil
}

func (a *app) Open(ctx context.Context, req session.OpenRequest) (session.Stream, error) {
	if a.opening != nil {
		if err := a.opening(ctx, req); err != nil {
			return nil, err
		}
	}
	st := &stream{app: a, watch: a.pipe.Watch(nil, req.Ask)}
	if a.opened != nil {
		a.opened(st)
	}
	return st, nil
}

func (a *app) Credentials(token.Identity) []pipe.On {
	if a.identify == nil {
		return nil
	}
	table := a.tree.Root.Type.Table
	return []pipe.On{{Table: table, Column: table.Key, Value: schema.IntValue(1)}}
}

type stream struct {
	app   *app
	watch *pipe.Watch
}

func (*stream) Channel() string { return "NoteChannel" }
func (s *stream) Scope() pipe.Request {
	return pipe.Request{Key: route.Key{Tree: s.app.tree, Anchor: schema.IntValue(1)}}
}
func (s *stream) Watch() *pipe.Watch                { return s.watch }
func (*stream) Runtime() map[string]json.RawMessage { return nil }

func (*stream) Concurrent(req *wire.Request) bool { return strings.HasPrefix(req.Name, "beside") }

func (s *stream) Permit(ctx context.Context) error {
	if s.app.permit == nil {
		return nil
	}
	return s.app.permit(ctx)
}

func (s *stream) Close(_ context.Context, lost bool) {
	s.watch.Close()
	if s.app.closing != nil {
		s.app.closing(lost)
	}
	s.app.closed.Add(1)
}

func (s *stream) Request(ctx context.Context, req *wire.Request) (json.RawMessage, uint64, error) {
	if s.app.carryOut != nil {
		return s.app.carryOut(ctx, req)
	}
	if s.app.hold != nil {
		s.app.first.Do(func() { close(s.app.entered) })
		select {
		case <-s.app.hold:
		case <-ctx.Done():
		}
	}
	return json.RawMessage(fmt.Sprintf("%q", req.Name)), 0, nil
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
	a.pipe, a.db = p, db
	cfg.App, cfg.Pipe, cfg.Types = a, p, wire.Types(reg)
	server := session.New(cfg)
	a.server = server
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if !server.Close(grace, time.Second) {
			t.Error("something goes on")
		}
		web.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return web.URL
}

// socket is a connection that speaks of notes.
type socket struct{ *wiretest.Socket }

func dial(t *testing.T, url string) *socket {
	t.Helper()
	return &socket{wiretest.Dial(t, url, nil)}
}

func (s *socket) connect() {
	s.Sendf(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1,"token":"x"}}`)
	s.Want("connected")
}

func (s *socket) open(name string) {
	s.Sendf(`{"stream":%q,"id":2,"payload":{"type":"open","route":"notes/1"}}`, name)
	s.Want("opened")
}

func TestWhoDoesNotConnectIsClosed(t *testing.T) {
	s := dial(t, start(t, &app{}, session.Config{ConnectTimeout: 20 * time.Millisecond}))
	s.Want(`"code":"unauthenticated"`)
	s.Want("close 4401")
}

func TestExpiryOfTheIdentityClosesTheConnection(t *testing.T) {
	s := dial(t, start(t, &app{expires: time.Now().Add(50 * time.Millisecond)}, session.Config{Heartbeat: 40 * time.Millisecond}))
	s.Sendf(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1,"token":"x"}}`)
	for {
		switch got := s.Read(); {
		case got == "close 4401":
			return
		case strings.Contains(got, `"beat"`), strings.Contains(got, `"connected"`):
		default:
			t.Fatalf("got %s", got)
		}
	}
}

// TestPanicOfAnAuthenticator is brought about by a token of a stranger's.
func TestPanicOfAnAuthenticator(t *testing.T) {
	first := true // the upgrade, which has no token
	s := dial(t, start(t, &app{identify: func() error {
		if first {
			first = false
			return token.ErrNone
		}
		panic("no dot in it")
	}}, session.Config{Logger: slog.New(slog.DiscardHandler)}))
	s.Sendf(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1,"token":"x"}}`)
	s.Want(`"code":"internal"`)
	s.Want("close 1011")
}

func TestStreamsAreBounded(t *testing.T) {
	s := dial(t, start(t, &app{}, session.Config{MaxStreams: 1}))
	s.connect()
	s.open("s1")
	s.Want(`"snapshot":"only"`)
	s.Sendf(`{"stream":"s2","id":3,"payload":{"type":"open","route":"notes/1"}}`)
	s.Want(`"code":"too_large"`)
	s.Sendf(`{"stream":"s1","id":4,"payload":{"type":"close"}}`)
	s.Want(`"type":"closed"`)
	s.open("s2")
}

func TestFragmentsMakeOneMessage(t *testing.T) {
	s := dial(t, start(t, &app{}, session.Config{}))
	s.connect()
	fragment := func(op ws.OpCode, fin bool, text string) {
		f := ws.MaskFrame(ws.NewFrame(op, fin, []byte(text)))
		if err := ws.WriteFrame(s.Conn, f); err != nil {
			t.Fatal(err)
		}
	}
	fragment(ws.OpText, false, `{"stream":"@","id":7,`)
	fragment(ws.OpPing, true, "between")
	fragment(ws.OpContinuation, false, `"payload":`)
	fragment(ws.OpContinuation, true, `{"type":"ping"}}`)
	s.Want("between")
	s.Want(`"id":7,"payload":{"type":"pong"}`)
	fragment(ws.OpBinary, false, "a")
	fragment(ws.OpContinuation, true, "b")
	s.Want("bad_frame")
	fragment(ws.OpContinuation, true, "of nothing")
	s.Want("close 1002")
}

func TestTwoStreamsShareAScope(t *testing.T) {
	s := dial(t, start(t, &app{}, session.Config{}))
	s.connect()
	s.open("s1")
	s.Want(`"snapshot":"only"`)
	s.Sendf(`{"stream":"s2","id":3,"payload":{"type":"open","route":"notes/1"}}`)
	s.Want(`"resumed":true`)
	s.Sendf(`{"stream":"s1","id":4,"payload":{"type":"close"}}`)
	s.Want(`"type":"closed"`)
	s.Sendf(`{"stream":"@","id":5,"payload":{"type":"ping"}}`)
	s.Want("pong") // and no snapshot in between
}

func TestRequestsThatWaitAreBoundedAndOrdered(t *testing.T) {
	a := &app{hold: make(chan struct{}), entered: make(chan struct{})}
	s := dial(t, start(t, a, session.Config{}))
	s.connect()
	s.open("s1")
	s.Want(`"snapshot":"only"`)
	act := func(i int) {
		s.Sendf(`{"stream":"s1","id":%d,"payload":{"type":"action","name":"a%d","args":[]}}`, 100+i, i)
	}
	act(0)
	<-a.entered
	const waiting, more = 64, 5
	for i := range waiting + more {
		act(1 + i)
	}
	for range more {
		s.Want("rate_limited")
	}
	s.Sendf(`{"stream":"@","id":5,"payload":{"type":"ping"}}`)
	s.Want("pong") // a slow stream delays no other
	close(a.hold)
	for i := range 1 + waiting {
		s.Want(fmt.Sprintf(`"value":"a%d"`, i))
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
	s.Want(`"snapshot":"only"`)
	s.open("s2")
	s.Conn.Close()
}
