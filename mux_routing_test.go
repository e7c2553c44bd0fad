package pando_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/pandotest"
)

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

// byCookie has connections say who they are by a cookie, too.
type byCookie struct{ names }

func (a byCookie) Authenticate(ctx context.Context, r *http.Request, tok string) (pando.Identity, error) {
	cookie, err := r.Cookie("session")
	if err != nil {
		return a.names.Authenticate(ctx, r, tok)
	}
	user, err := a.names.Authenticate(ctx, r, cookie.Value)
	user.Ambient = true
	return user, err
}

// TestOneThatMayNotConnectIsRefused has rooms for those who are known, for nobody,
// and one whose permission cannot be told.
func TestOneThatMayNotConnectIsRefused(t *testing.T) {
	b := serveBooth(t, func(b *booth, cfg *pando.Config) []mux.Entry {
		cfg.Auth = byCookie{}
		private, closed, broken := b.lobby(), b.lobby(), b.lobby()
		private.Public = false
		closed.HasPermission = func(context.Context, *mux.Conn) (bool, error) { return false, nil }
		broken.HasPermission = func(context.Context, *mux.Conn) (bool, error) { return false, errors.New("a secret") }
		return []mux.Entry{
			mux.RouteClass(private, "^/private/(?P<room>[a-z]+)/"), mux.RouteClass(closed, "^/closed/"), mux.RouteClass(broken, "^/broken/"),
		}
	})
	for _, c := range []struct {
		statement, path string
		header          http.Header
		want            int
	}{
		{"with 401 before the upgrade when a header says who it is", "/private/a/", as("wrong"), http.StatusUnauthorized},
		{"with 401 before the upgrade when a cookie says who it is", "/private/a/", http.Header{"Cookie": {"session=wrong"}}, http.StatusUnauthorized},
		{"with 403 before the upgrade when a header says who it is", "/private/a/", as("stranger"), http.StatusForbidden},
		{"with 403 before the upgrade when a cookie says who it is", "/private/a/", http.Header{"Cookie": {"session=stranger"}}, http.StatusForbidden},
		{"with 500 where it cannot be told", "/broken/", as("ada"), http.StatusInternalServerError},
		{"with 500 where it cannot be told of nobody", "/broken/", nil, http.StatusInternalServerError},
	} {
		t.Run(c.statement, func(t *testing.T) {
			if got := b.refusalOf(c.path, c.header); got != c.want {
				t.Errorf("%s: got %d, want %d", c.path, got, c.want)
			}
			if c.header == nil {
				return // HEAD asks of those who say who they are
			}
			if got := head(t, b.server.URL+c.path, c.header); got != c.want {
				t.Errorf("HEAD %s: got %d, want %d", c.path, got, c.want)
			}
		})
	}
	for statement, c := range map[string]struct{ path, told, close string }{
		"else closed with 4401 after its first frame": {"/private/a/", `{"stream":"@","payload":{"type":"error","code":"unauthenticated","status":401`, "close 4401"},
		"else closed with 4403 after its first frame": {"/closed/", `{"stream":"@","payload":{"type":"error","code":"denied","status":403`, "close 4403"},
	} {
		t.Run(statement, func(t *testing.T) {
			s := wiretest.Plain(t, b.server.URL+c.path, nil)
			s.Sendf(`{"stream":"echo","payload":{"say":"hi"}}`)
			s.Want(c.told)
			s.Want(c.close)
		})
	}
	if got := b.notes(); got != "" {
		t.Errorf("consumers were called: %s", got)
	}
	for name, header := range map[string]http.Header{"a header": as("ada"), "a cookie": {"Cookie": {"session=ada"}}} {
		t.Run("who may is let in by "+name, func(t *testing.T) {
			if got := head(t, b.server.URL+"/private/a/", header); got != http.StatusNoContent {
				t.Errorf("HEAD: got %d", got)
			}
			s := wiretest.Plain(t, b.server.URL+"/private/a/", header)
			s.Sendf(`{"stream":"echo","id":1,"payload":{"n":1}}`)
			s.Want(`"n":1`)
			s.Want(`"value":"a"`)
		})
	}
}

// TestGroupsAreJoinedOnlyAfterPermissionSoThatNoBroadcastReachesWhoIsRefused has
// both broadcast before the answer: to who is about to be refused, and let in.
func TestGroupsAreJoinedOnlyAfterPermissionSoThatNoBroadcastReachesWhoIsRefused(t *testing.T) {
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

// TestRouteHasPlainMessagesGoToItsFunction by the channels "websocket.connect",
// "websocket.receive" and "websocket.disconnect".
func TestRouteHasPlainMessagesGoToItsFunction(t *testing.T) {
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

// TestWrongRoutingsFailAtStartUp is told by Setup, and ends Run.
func TestWrongRoutingsFailAtStartUp(t *testing.T) {
	handler := func(context.Context, *mux.Message) error { return nil }
	for _, c := range []struct {
		statement string
		entry     func(b *booth) mux.Entry
		want      string
	}{
		{"positional groups", func(b *booth) mux.Entry { return mux.RouteClass(b.lobby(), "^/(b)/") }, "group without a name"},
		{"bad patterns", func(b *booth) mux.Entry { return mux.RouteClass(b.lobby(), "^/(b/") }, "no regular expression"},
		{"unknown channels", func(*booth) mux.Entry { return mux.Route("websocket.recieve", handler) }, "no channel"},
		{"a demultiplexer without consumers", func(*booth) mux.Entry { return mux.RouteClass(&mux.Demultiplexer{}, "^/a/") }, "no Consumers"},
	} {
		t.Run(c.statement, func(t *testing.T) {
			b := newBooth(t, func(b *booth, _ *pando.Config) []mux.Entry { return []mux.Entry{c.entry(b)} })
			for name, err := range map[string]error{"Setup": b.app.Setup(t.Context()), "Run": b.app.Run(t.Context())} {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: got %v, want %q in it", name, err, c.want)
				}
			}
		})
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
