package pando_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
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

// refusal is the status that a handshake is answered with.
func (b *booth) refusal(path, user string) int {
	b.t.Helper()
	status := 0
	d := ws.Dialer{
		Header:        ws.HandshakeHeaderHTTP(as(user)),
		OnStatusError: func(code int, _ []byte, _ io.Reader) { status = code },
	}
	conn, _, _, err := d.Dial(b.t.Context(), "ws"+strings.TrimPrefix(b.server.URL, "http")+path)
	if err == nil {
		conn.Close()
		b.t.Fatalf("%s: %q is let in", path, user)
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

func TestAnUnroutedConnectionIsRefusedWith404(t *testing.T) {
	b := serveBooth(t, routeHall)
	for _, path := range []string{"/hall/9/", "/", "/hall", "/api/hall", "/static/x.js"} {
		if got := b.refusal(path, "ada"); got != http.StatusNotFound {
			t.Errorf("%s: got %d", path, got)
		}
	}
	wiretest.Dial(t, b.server.URL+"/ws", nil) // the app's own paths are as they were
}

func TestAPlainRequestForARoutedPathIsToldWhatItIsFor(t *testing.T) {
	b := serveBooth(t, routeHall)
	for path, want := range map[string]int{"/hall/a/": http.StatusUpgradeRequired, "/hall/9/": http.StatusNotFound, "/livez": http.StatusOK} {
		resp, err := http.Get(b.server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want || (resp.Header.Get("Upgrade") == "websocket") != (want == http.StatusUpgradeRequired) {
			t.Errorf("GET %s: %s, want %d", path, resp.Status, want)
		}
	}
}

func TestAConnectionThatMayNotBeIsRefused(t *testing.T) {
	b := serveBooth(t, func(b *booth, cfg *pando.Config) []mux.Entry {
		private := b.lobby()
		private.Public = false
		closed := b.lobby()
		closed.HasPermission = func(_ context.Context, c *mux.Conn) (bool, error) { return c.User().ID != "", nil }
		broken := b.lobby()
		broken.HasPermission = func(context.Context, *mux.Conn) (bool, error) { panic("no idea") }
		return []mux.Entry{
			mux.RouteClass(private, "^/private/(?P<room>[a-z]+)/"), mux.RouteClass(closed, "^/closed/"), mux.RouteClass(broken, "^/broken/"),
		}
	})
	for _, c := range []struct {
		path, user string
		want       int
	}{
		{"/private/a/", "stranger", http.StatusForbidden},
		{"/private/a/", "wrong", http.StatusUnauthorized},
		{"/broken/", "ada", http.StatusInternalServerError},
		{"/broken/", "", http.StatusInternalServerError},
	} {
		if got := b.refusal(c.path, c.user); got != c.want {
			t.Errorf("%s for %q: got %d, want %d", c.path, c.user, got, c.want)
		}
	}
	for path, want := range map[string][2]string{
		"/private/a/": {`"stream":"@","payload":{"type":"error","code":"unauthenticated","status":401`, "close 4401"},
		"/closed/":    {`"stream":"@","payload":{"type":"error","code":"denied","status":403`, "close 4403"},
	} {
		s := b.plain(path, "")
		s.Sendf(`{"stream":"echo","payload":{"say":"hi"}}`)
		s.Want(want[0])
		s.Want(want[1])
	}
	if got := b.notes(); got != "" {
		t.Errorf("consumers were called: %s", got)
	}
	b.plain("/private/a/", "ada").Sendf(`{}`)
}

func TestGroupsAreJoinedOnlyAfterPermission(t *testing.T) {
	asked, answer := make(chan error), make(chan bool)
	b := serveBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
		d := b.lobby()
		d.HasPermission = func(ctx context.Context, c *mux.Conn) (bool, error) {
			asked <- c.GroupAdd(ctx, "room.a")
			return <-answer, nil
		}
		return []mux.Entry{mux.RouteClass(d, hallPath)}
	})
	say := func(text string) {
		if err := b.app.Broadcast(t.Context(), "room.a", "echo", spoken{Say: text}); err != nil {
			t.Fatal(err)
		}
	}
	for user, may := range map[string]bool{"": false, "ada": true} {
		refused := make(chan struct{})
		go func() {
			defer close(refused)
			if err := <-asked; err == nil {
				t.Error("a group is joined before permission")
			}
			say("early")
			answer <- may
		}()
		s := b.plain("/hall/a/", user)
		<-refused
		say("late")
		s.Sendf(`{"stream":"echo","id":1,"payload":{"say":"deny"}}`)
		if may {
			s.Want(`{"stream":"echo","payload":{"say":"late"}}`)
		} else {
			s.Want(`"code":"denied"`)
			s.Want("close 4403")
		}
	}
}

func TestWhoConnectsIsInItsGroupsAtOnce(t *testing.T) {
	b := serveBooth(t, routeHall)
	for range 20 {
		s := b.plain("/hall/a/", "ada")
		if err := b.app.Broadcast(t.Context(), "room.a", "echo", spoken{Say: "welcome"}); err != nil {
			t.Fatal(err)
		}
		s.Want(`{"stream":"echo","payload":{"say":"welcome"}}`)
	}
}

// TestAPlainClientSeesTheSeedsEnvelopesAndNothingElse records every byte.
func TestAPlainClientSeesTheSeedsEnvelopesAndNothingElse(t *testing.T) {
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

func TestErrorsOfConsumersAreTold(t *testing.T) {
	b := serveBooth(t, routeHall)
	s := b.plain("/hall/a/", "ada")
	for say, want := range map[string]string{
		"panic": `"code":"internal","status":500`,
		"fail":  `"code":"internal","status":500`,
		"deny":  `"code":"denied","status":403,"message":"not you"`,
		"own":   `"code":"tired","status":400`,
	} {
		s.Sendf(`{"stream":"echo","payload":{"say":%q}}`, say)
		got := s.Read()
		if !strings.HasPrefix(got, `{"stream":"echo","payload":{"type":"error",`) || !strings.Contains(got, want) || strings.Contains(got, "secret") {
			t.Errorf("%s: got %s", say, got)
		}
	}
	s.Sendf(`{"stream":"echo","id":3,"payload":{"n":"x"}}`)
	s.Want(`{"stream":"echo","id":3,"payload":{"type":"error","code":"invalid","status":400`)
	if b.log.count("a secret") != 1 || b.log.count("at the disco") == 0 {
		t.Error("the log does not tell")
	}
}

func TestWhatIsBroadcastReachesTheGroup(t *testing.T) {
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

func TestPlainMessagesAreRouted(t *testing.T) {
	b := serveBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
		return []mux.Entry{
			mux.Route("websocket.connect", func(ctx context.Context, m *mux.Message) error {
				b.note("connect " + m.Conn.Args()["room"])
				if err := m.Conn.GroupAdd(ctx, "talk"); err != nil {
					return err
				}
				if m.Conn.User().ID == "" {
					return pando.Errorf("unauthenticated", "who are you?")
				}
				if m.Conn.User().ID == "stranger" {
					return pando.Errorf("denied", "not you")
				}
				return m.Reply([]byte("welcome"))
			}, mux.Path("^/talk/(?P<room>[a-z]+)")),
			mux.Route("websocket.receive", func(ctx context.Context, m *mux.Message) error {
				if string(m.Text) == "panic" {
					panic("at the disco")
				}
				if string(m.Text) == "all" {
					return m.Conn.Broadcast(ctx, "talk", "talk", "hello, all")
				}
				return m.Reply([]byte(m.Conn.User().ID + ": " + string(m.Text)))
			}),
			mux.Route("websocket.disconnect", func(context.Context, *mux.Message) error {
				b.note("disconnect")
				return nil
			}),
		}
	})
	if got := b.refusal("/talk/a", "stranger"); got != http.StatusForbidden {
		t.Errorf("got %d", got)
	}
	nobody := b.plain("/talk/b", "")
	nobody.Sendf("hi")
	nobody.Want(`"code":"unauthenticated"`)
	nobody.Want("close 4401")
	s := b.plain("/talk/c", "ada")
	s.Want("welcome")
	s.Sendf("no JSON, and none of it")
	if got := s.Read(); got != "ada: no JSON, and none of it" {
		t.Errorf("got %s", got)
	}
	s.Sendf("panic")
	s.Want(`{"stream":"@","payload":{"type":"error","code":"internal","status":500`)
	s.Sendf("all")
	s.Want(`{"stream":"talk","payload":"hello, all"}`)
	s.Conn.Close()
	b.server.Stop(t)
	if got := b.notes(); got != "connect a, connect b, connect c, disconnect" {
		t.Errorf("called: %s", got)
	}
}

func TestABadFrameGetsExactlyOneErrorFrameAndTheSocketLives(t *testing.T) {
	b := serveBooth(t, routeHall)
	s := b.plain("/hall/a/", "ada")
	for frame, want := range map[string]string{
		`{"stream":"nobody","payload":{}}`: `{"stream":"@","payload":{"type":"error","code":"unknown_stream","status":404`,
		`{"payload":{}}`:                   `{"stream":"@","payload":{"type":"error","code":"bad_frame","status":400`,
		`{"stream":"echo"}`:                `{"stream":"echo","payload":{"type":"error","code":"bad_frame","status":400`,
		`{"stream":"echo","payload":7}`:    `{"stream":"echo","payload":{"type":"error","code":"bad_frame","status":400`,
		`{"stream":"echo","payload":null}`: `{"stream":"echo","payload":{"type":"error","code":"bad_frame","status":400`,
		`{"stream":"echo",`:                `{"stream":"@","payload":{"type":"error","code":"bad_frame","status":400`,
		`[]`:                               `{"stream":"@","payload":{"type":"error","code":"bad_frame","status":400`,
		``:                                 `{"stream":"@","payload":{"type":"error","code":"bad_frame","status":400`,
		"\xff":                             `{"stream":"@","payload":{"type":"error","code":"bad_frame","status":400`,
	} {
		s.Send(ws.OpText, frame)
		s.Sendf(`{"stream":"other","payload":{"n":1}}`)
		// The other stream has a line of its own: it may come first.
		got := []string{s.Read(), s.Read()}
		slices.SortFunc(got, func(a, b string) int { return strings.Index(a, `"error"`) - strings.Index(b, `"error"`) })
		if got[0] != `{"stream":"other","payload":{"n":1}}` || !strings.HasPrefix(got[1], want) {
			t.Errorf("%q: got %s, want %s", frame, got, want)
		}
	}
	s.Send(ws.OpBinary, `{"stream":"echo","payload":{}}`)
	s.Want(`{"stream":"@","payload":{"type":"error","code":"bad_frame","status":400`)
	s.Sendf(`{"stream":"echo","payload":{"n":2}}`)
	s.Want(`{"stream":"echo","payload":{"n":2}}`)
}

func TestCheckTellsWhatBroadcastsNeed(t *testing.T) {
	for layer, want := range map[broker.Broker]bool{nil: true, memory(t): false} {
		b := newBooth(t, func(b *booth, cfg *pando.Config) []mux.Entry {
			cfg.Broker = layer
			return routeHall(b, cfg)
		})
		faults, hints, err := b.app.Check(t.Context())
		if err != nil || len(faults) > 0 {
			t.Fatal(faults, err)
		}
		if got := strings.Contains(strings.Join(hints, "\n"), "what is broadcast, stay in the process"); got != want {
			t.Errorf("with a broker %t: got %q", layer != nil, hints)
		}
	}
}

func TestWrongRoutingsAreToldBySetup(t *testing.T) {
	b := newBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
		return []mux.Entry{mux.RouteClass(&mux.Demultiplexer{}, "^/a/"), mux.RouteClass(b.lobby(), "^/(b)/")}
	})
	err := b.app.Setup(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no Consumers") || !strings.Contains(err.Error(), "group without a name") {
		t.Errorf("got %v", err)
	}
}

func TestARoutingStandsBelowAPrefix(t *testing.T) {
	b := newBooth(t, routeHall)
	h := http.NewServeMux()
	h.Handle("/live/", http.StripPrefix("/live", b.app))
	b.server = pandotest.ServeHandler(t, b.app, h)
	s := b.plain("/live/hall/a/", "")
	s.Sendf(`{"stream":"echo","id":1,"payload":{"n":1}}`)
	s.Want(`{"n":1}`)
	s.Want(`"value":"a"`)
}
