package pando_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/pandotest"
)

// booth is an app with a routing, and what its handlers have seen.
type booth struct {
	t      *testing.T
	app    *pando.App
	server *pandotest.Server
	db     *sql.DB
	log    logs

	mu   sync.Mutex
	seen []string
}

func (b *booth) note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, text)
}

func (b *booth) notes() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.seen, ", ")
}

// serveBooth runs an app over an empty database; change completes it.
func serveBooth(t *testing.T, change func(b *booth, cfg *pando.Config) []mux.Entry) *booth {
	t.Helper()
	b := newBooth(t, change)
	b.server = pandotest.Serve(t, b.app)
	return b
}

func newBooth(t *testing.T, change func(b *booth, cfg *pando.Config) []mux.Entry) *booth {
	t.Helper()
	b := &booth{t: t, db: pandotest.Database(t)}
	exec(t, b.db, docs)
	source := sqlitefeed.New(b.db)
	t.Cleanup(func() { source.Close() })
	cfg := pando.Config{Source: source, Auth: names{}, Logger: slog.New(slog.NewTextHandler(&b.log, nil))}
	entries := change(b, &cfg)
	app, err := pando.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.app = app
	app.Mux(entries...)
	return b
}

// as is the header of a user, none for nobody.
func as(user string) http.Header {
	if user == "" {
		return nil
	}
	return http.Header{"Authorization": {"Token " + user}}
}

// plain connects to a path as a plain client.
func (b *booth) plain(path, user string) *wiretest.Socket {
	b.t.Helper()
	return wiretest.Plain(b.t, b.server.URL+path, as(user))
}

// refusal is the status that a user's handshake is answered with.
func (b *booth) refusal(path, user string) int {
	b.t.Helper()
	return b.refusalOf(path, as(user))
}

func (b *booth) refusalOf(path string, header http.Header) int {
	b.t.Helper()
	status := 0
	d := ws.Dialer{
		Header:        ws.HandshakeHeaderHTTP(header),
		OnStatusError: func(code int, _ []byte, _ io.Reader) { status = code },
	}
	conn, _, _, err := d.Dial(b.t.Context(), "ws"+strings.TrimPrefix(b.server.URL, "http")+path)
	if err == nil {
		conn.Close()
		b.t.Fatalf("%s: %v is let in", path, header)
	}
	return status
}

// spoken is what the echo of a booth takes.
type spoken struct {
	Say   string `json:"say,omitempty"`
	Group string `json:"group,omitempty"`
	N     int    `json:"n,omitempty"`
}

// echo sends what it is sent back, and answers it.
func (b *booth) echo() mux.JSON[spoken] {
	return mux.JSON[spoken]{
		OnConnect: func(_ context.Context, s *mux.Stream) error {
			b.note("+" + s.Name())
			return nil
		},
		OnReceive: func(ctx context.Context, s *mux.Stream, p spoken) (any, error) {
			switch p.Say {
			case "panic":
				panic("at the disco")
			case "fail":
				return nil, errors.New("a secret")
			case "deny":
				return nil, pando.Errorf("denied", "not you")
			case "own":
				return nil, pando.Errorf("tired", "later")
			case "close":
				s.Close(4000, "enough")
				return nil, nil
			case "join":
				return nil, s.GroupAdd(ctx, p.Group)
			case "part":
				return nil, s.GroupDiscard(ctx, p.Group)
			case "tell":
				return nil, s.Broadcast(ctx, p.Group, s.Name(), spoken{Say: "told"})
			}
			if err := s.Send(p); err != nil {
				return nil, err
			}
			return s.Args()["room"], nil
		},
		OnDisconnect: func(_ context.Context, s *mux.Stream) { b.note("-" + s.Name()) },
	}
}

// lobby is a demultiplexer that lets everybody in but "stranger", and nobody too.
func (b *booth) lobby() *mux.Demultiplexer {
	return &mux.Demultiplexer{
		Consumers:        map[string]mux.Consumer{"echo": b.echo(), "other": b.echo()},
		ConnectionGroups: func(args mux.Args) []string { return []string{"room." + args["room"]} },
		HasPermission: func(_ context.Context, c *mux.Conn) (bool, error) {
			return c.User().ID != "stranger", nil
		},
		Public: true,
	}
}

const hallPath = "^/hall/(?P<room>[a-z]+)/"

func routeHall(b *booth, _ *pando.Config) []mux.Entry {
	return []mux.Entry{mux.RouteClass(b.lobby(), hallPath)}
}

// TestOnConnectTheSocketJoinsTheGroups before it can know that it is connected.
func TestOnConnectTheSocketJoinsTheGroups(t *testing.T) {
	b := serveBooth(t, routeHall)
	for range 20 {
		s := b.plain("/hall/a/", "ada")
		if err := b.app.Broadcast(t.Context(), "room.a", "echo", spoken{Say: "welcome"}); err != nil {
			t.Fatal(err)
		}
		s.Want(`{"stream":"echo","payload":{"say":"welcome"}}`)
	}
}

// TestWithoutTheSubprotocolAPlainSeedClientSeesOnlyTheSeedsEnvelopes records every
// byte: there is no hello.
func TestWithoutTheSubprotocolAPlainSeedClientSeesOnlyTheSeedsEnvelopes(t *testing.T) {
	b := serveBooth(t, func(b *booth, cfg *pando.Config) []mux.Entry {
		cfg.Heartbeat = 50 * time.Millisecond
		return routeHall(b, cfg)
	})
	s := b.plain("/hall/lobby/", "")
	var pings int
	next := func() string {
		for {
			h, err := ws.ReadHeader(s.Conn)
			if err != nil {
				t.Fatal(err)
			}
			body := make([]byte, h.Length)
			if _, err := io.ReadFull(s.Conn, body); err != nil {
				t.Fatal(err)
			}
			if h.OpCode != ws.OpPing {
				return string(body)
			}
			pings++
			s.Send(ws.OpPong, string(body))
		}
	}
	for pings < 5 { // a heartbeat and more, in which nothing is said
		s.Sendf(`{"stream":"echo","payload":{"say":"hi"}}`)
		if got := next(); got != `{"stream":"echo","payload":{"say":"hi"}}` {
			t.Fatal(got)
		}
		h, err := ws.ReadHeader(s.Conn)
		if err != nil || h.OpCode != ws.OpPing || h.Length != 0 {
			t.Fatalf("got %+v, %v", h, err)
		}
		pings++
		s.Send(ws.OpPong, "")
	}
	s.Sendf(`{"stream":"echo","id":7,"payload":{"n":7}}`)
	for _, want := range []string{`{"stream":"echo","payload":{"n":7}}`, `{"stream":"echo","id":7,"payload":{"type":"result","value":"lobby"}}`} {
		if got := next(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestWhoeverBroadcastsToAGroupReachesItInTheStreamsEnvelope has a consumer and the
// program itself do so.
func TestWhoeverBroadcastsToAGroupReachesItInTheStreamsEnvelope(t *testing.T) {
	b := serveBooth(t, routeHall)
	one, two, elsewhere := b.plain("/hall/a/", "ada"), b.plain("/hall/a/", ""), b.plain("/hall/b/", "bob")
	one.Sendf(`{"stream":"other","id":1,"payload":{"say":"tell","group":"room.a"}}`)
	two.Want(`{"stream":"other","payload":{"say":"told"}}`)
	one.Want(`{"stream":"other","payload":{"say":"told"}}`)
	one.Want(`"id":1,"payload":{"type":"result","value":null}`)
	one.Sendf(`{"stream":"echo","id":2,"payload":{"say":"join","group":"news"}}`)
	one.Want(`"id":2,"payload":{"type":"result"`)
	one.Sendf(`{"stream":"echo","id":3,"payload":{"say":"part","group":"room.a"}}`)
	one.Want(`"id":3,"payload":{"type":"result"`)
	for _, group := range []string{"room.a", "news"} {
		// A stream of which nobody has a consumer will do.
		if err := b.app.Broadcast(t.Context(), group, "bulletin", map[string]string{"in": group}); err != nil {
			t.Fatal(err)
		}
	}
	one.Want(`{"stream":"bulletin","payload":{"in":"news"}}`)
	two.Want(`{"stream":"bulletin","payload":{"in":"room.a"}}`)
	elsewhere.Sendf(`{"stream":"echo","payload":{"n":1}}`)
	elsewhere.Want(`{"stream":"echo","payload":{"n":1}}`) // and nothing before it
	for _, c := range [][2]string{{"no group", "echo"}, {"pando.x", "echo"}, {"a", "no stream"}} {
		if err := b.app.Broadcast(t.Context(), c[0], c[1], nil); err == nil {
			t.Errorf("%q: no error", c)
		}
	}
	if err := b.app.Broadcast(t.Context(), "a", "echo", func() {}); err == nil {
		t.Error("what is no JSON is broadcast")
	}
}

func TestDisconnectRunsExactlyOnceAfterAPanicToo(t *testing.T) {
	for name, scenario := range map[string]func(b *booth, s *wiretest.Socket){
		"a drop":    func(_ *booth, s *wiretest.Socket) { s.Conn.Close() },
		"a goodbye": func(_ *booth, s *wiretest.Socket) { s.Send(ws.OpClose, "\x03\xe8"); s.Want("close 1000") },
		"a panic, and a drop": func(_ *booth, s *wiretest.Socket) {
			s.Sendf(`{"stream":"echo","payload":{"say":"panic"}}`)
			s.Want("internal")
			s.Conn.Close()
		},
		"a close by the app": func(_ *booth, s *wiretest.Socket) {
			s.Sendf(`{"stream":"echo","payload":{"say":"close"}}`)
			s.Want("close 4000")
		},
		"a broken frame": func(_ *booth, s *wiretest.Socket) { s.Send(ws.OpContinuation, "x"); s.Want("close 1002") },
		"the server's end": func(b *booth, s *wiretest.Socket) {
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				b.server.Stop(b.t)
			}()
			s.Want("close 1001")
			s.Conn.Close()
			<-stopped
		},
		"a recheck": func(b *booth, s *wiretest.Socket) {
			b.app.Recheck("ada")
			s.Sendf(`{"stream":"echo","id":1,"payload":{"say":"deny"}}`)
			s.Want(`"id":1`)
			s.Conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := serveBooth(t, routeHall)
			s := b.plain("/hall/a/", "ada")
			for _, stream := range []string{"echo", "other"} { // both have begun
				s.Sendf(`{"stream":%q,"payload":{"n":1}}`, stream)
				s.Want(stream)
			}
			scenario(b, s)
			s.Conn.Close()
			b.server.Stop(t) // what could call it once more has ended
			got := b.notes()
			for _, want := range []string{"+echo", "-echo", "+other", "-other"} {
				if strings.Count(got, want) != 1 {
					t.Errorf("called: %s", got)
				}
			}
		})
	}
}

func TestDisconnectDoesNotRunWhereConnectHasRefused(t *testing.T) {
	b := serveBooth(t, func(b *booth, cfg *pando.Config) []mux.Entry {
		d := b.lobby()
		refuse := b.echo()
		refuse.OnConnect = func(context.Context, *mux.Stream) error { return pando.Errorf("denied", "not here") }
		fall := b.echo()
		fall.OnConnect = func(context.Context, *mux.Stream) error { panic("at the door") }
		d.Consumers = map[string]mux.Consumer{"refuse": refuse, "fall": fall, "echo": b.echo()}
		return []mux.Entry{mux.RouteClass(d, hallPath)}
	})
	s := b.plain("/hall/a/", "ada")
	got := s.Read() + s.Read()
	for _, want := range []string{`{"stream":"refuse","payload":{"type":"error","code":"denied","status":403`, `{"stream":"fall","payload":{"type":"error","code":"internal","status":500`} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s in it", got, want)
		}
	}
	// The socket lives, without them.
	if err := b.app.Broadcast(t.Context(), "room.a", "refuse", nil); err != nil {
		t.Fatal(err)
	}
	s.Sendf(`{"stream":"refuse","payload":{}}`)
	s.Want(`{"stream":"@","payload":{"type":"error","code":"unknown_stream","status":404`)
	s.Sendf(`{"stream":"echo","payload":{"n":1}}`)
	s.Want(`{"stream":"echo","payload":{"n":1}}`)
	s.Conn.Close()
	b.server.Stop(t)
	if got := b.notes(); got != "+echo, -echo" {
		t.Errorf("called: %s", got)
	}
}

func TestRecheckClosesThePlainConnectionsThatItRefuses(t *testing.T) {
	var denied atomic.Bool
	b := serveBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
		d := b.lobby()
		d.HasPermission = func(context.Context, *mux.Conn) (bool, error) { return !denied.Load(), nil }
		return []mux.Entry{mux.RouteClass(d, hallPath)}
	})
	ada, bob := b.plain("/hall/a/", "ada"), b.plain("/hall/a/", "bob")
	denied.Store(true)
	b.app.Recheck("ada")
	if err := b.app.Broadcast(t.Context(), "room.a", "echo", spoken{Say: "secret"}); err != nil {
		t.Fatal(err)
	}
	bob.Want("secret")
	ada.Want(`{"stream":"@","payload":{"type":"error","code":"denied","status":403`)
	ada.Want("close 4403")
}
