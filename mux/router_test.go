package mux_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/mux"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// class is a demultiplexer that may be routed.
func class() *mux.Demultiplexer {
	return &mux.Demultiplexer{Consumers: map[string]mux.Consumer{"s": mux.JSON[struct{}]{}}, Public: true}
}

// taken are paths as an app has them.
var taken = []string{"/ws", "/healthz", "/api/", "/state/"}

func compiled(t *testing.T, entries ...mux.Entry) *mux.Router {
	t.Helper()
	r, err := mux.Compile(taken, entries...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheFirstMatchWins(t *testing.T) {
	first, second, rest := class(), class(), class()
	r := compiled(t,
		mux.RouteClass(first, "^/chat/[a-z]+/"),
		mux.RouteClass(second, "^/chat/"),
		mux.RouteClass(rest, "^/"))
	for path, want := range map[string]*mux.Demultiplexer{
		"/chat/room/": first, "/chat/": second, "/chat/9/": second, "/chat/room/more": first, "/other": rest,
	} {
		if m, ok := r.Match(path); !ok || m.Class != want {
			t.Errorf("%s: it is served by another one (%t)", path, ok)
		}
	}
	if got := r.Classes(); len(got) != 3 {
		t.Errorf("%d classes, want 3", len(got))
	}
}

func TestPatternsAnchorAtTheStart(t *testing.T) {
	for _, pattern := range []string{"^/chat/", "/chat/", "(?m)^/chat/", "/chat/|/talk/", `(?i)/CHAT/`} {
		r := compiled(t, mux.RouteClass(class(), pattern))
		if _, ok := r.Match("/chat/room"); !ok {
			t.Errorf("%s does not match at the start", pattern)
		}
		for _, path := range []string{"/a/chat/", "/a\n/chat/", "chat/", "/a/talk/"} {
			if _, ok := r.Match(path); ok {
				t.Errorf("%s matches %q", pattern, path)
			}
		}
	}
}

func TestPatternsCanNameGroups(t *testing.T) {
	r := compiled(t, mux.RouteClass(class(), "^/demultiplex/(?P<room_name>[a-zA-Z0-9_]+)/(?:(?P<page>[0-9]+)/)?"))
	for path, want := range map[string]mux.Args{
		"/demultiplex/room/":   {"room_name": "room"},
		"/demultiplex/room/7/": {"room_name": "room", "page": "7"},
	} {
		if m, ok := r.Match(path); !ok || !maps.Equal(m.Args, want) {
			t.Errorf("%s: got %v, %t, want %v", path, m.Args, ok, want)
		}
	}
	if _, ok := r.Match("/demultiplex/a-b/"); ok {
		t.Error("a room of other characters matches")
	}
}

// TestIncludeOfAPrefixAndRoutes matches the routes with what the prefix leaves.
func TestIncludeOfAPrefixAndRoutes(t *testing.T) {
	inner, after := class(), class()
	r := compiled(t,
		mux.Include("^/(?P<tenant>[a-z]+)", mux.Include("^/v1", mux.RouteClass(inner, "^/chat/$"))),
		mux.RouteClass(after, "^/acme/"))
	if m, ok := r.Match("/acme/v1/chat/"); !ok || m.Class != inner || m.Args["tenant"] != "acme" {
		t.Errorf("got %v, %t", m, ok)
	}
	if m, ok := r.Match("/acme/v1/else"); !ok || m.Class != after {
		t.Error("an Include whose entries do not match keeps others from being asked")
	}
	if _, ok := r.Match("/chat/"); ok {
		t.Error("what is included matches without its prefix")
	}
}

func TestInnerArgumentsOverrideOuterOnes(t *testing.T) {
	r := compiled(t, mux.Include("^/(?P<room>[a-z]+)/(?P<team>[a-z]+)",
		mux.RouteClass(class(), "^/(?P<room>[0-9]+)/", mux.With(mux.Args{"team": "mine", "room": "none", "kind": "chat"}))))
	m, ok := r.Match("/lobby/red/7/")
	if want := (mux.Args{"room": "7", "team": "mine", "kind": "chat"}); !ok || !maps.Equal(m.Args, want) {
		t.Errorf("got %v, want %v", m.Args, want)
	}
	m.Args["kind"] = "changed"
	if again, _ := r.Match("/lobby/red/7/"); again.Args["kind"] != "chat" {
		t.Error("the arguments of one connection are those of another")
	}
}

func TestRouteIsForPlainMessagesAndRouteClassForClasses(t *testing.T) {
	var called []string
	note := func(name string) mux.Handler {
		return func(context.Context, *mux.Message) error {
			called = append(called, name)
			return nil
		}
	}
	demultiplexer := class()
	r := compiled(t,
		mux.Route("websocket.receive", note("chat"), mux.Path("^/chat/(?P<room>[a-z]+)/")),
		mux.RouteClass(demultiplexer, "^/demultiplex/"),
		mux.Route("websocket.receive", note("any")),
		mux.Route("websocket.connect", note("connect"), mux.With(mux.Args{"room": "none", "kind": "plain"})))
	m, ok := r.Match("/chat/lobby/")
	if !ok || m.Class != nil || m.Disconnect != nil || !maps.Equal(m.Args, mux.Args{"room": "lobby", "kind": "plain"}) {
		t.Fatalf("got %+v, %t", m, ok)
	}
	for _, fn := range []mux.Handler{m.Connect, m.Receive} {
		if err := fn(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if m, _ = r.Match("/else"); m.Receive == nil || m.Receive(t.Context(), nil) != nil {
		t.Fatal("a Route without a path does not match every path")
	}
	if got := strings.Join(called, " "); got != "connect chat any" && got != "chat connect any" {
		t.Errorf("called: %s", got)
	}
	if m, _ = r.Match("/demultiplex/"); m.Class != demultiplexer {
		t.Error("the demultiplexer, which comes first, does not win")
	}
}

// TestFaultsNameTheEntryAndTheMend has "positional groups, bad patterns and unknown
// channels" among others; that they fail at start-up is tested with an app.
func TestFaultsNameTheEntryAndTheMend(t *testing.T) {
	handler := func(context.Context, *mux.Message) error { return nil }
	with := func(change func(d *mux.Demultiplexer)) *mux.Demultiplexer {
		d := class()
		change(d)
		return d
	}
	for _, c := range []struct {
		entry mux.Entry
		want  []string
	}{
		{mux.RouteClass(class(), "^/(room)/"), []string{`entry 1, RouteClass "^/(room)/"`, "group without a name", "(?P<name>…)"}},
		{mux.RouteClass(class(), "^/(room/"), []string{"no regular expression", "missing closing )"}},
		{mux.RouteClass(class(), "^/(?P<a>x)(?P<a>y)"), []string{`two groups "a"`, "rename"}},
		{mux.RouteClass(class(), ""), []string{"it has no path"}},
		{mux.RouteClass(nil, "^/"), []string{`RouteClass "^/"`, "is nil"}},
		{mux.Route("websocket.recieve", handler), []string{`Route "websocket.recieve"`, "no channel", "want websocket.connect, websocket.receive or websocket.disconnect"}},
		{mux.Route("", handler), []string{"no channel"}},
		{mux.Route("websocket.receive", nil, mux.Path("^/a")), []string{`Route "websocket.receive", Path "^/a"`, "handler is nil"}},
		{mux.RouteClass(with(func(d *mux.Demultiplexer) { d.Public = false }), "^/"), []string{"no HasPermission", "set Public"}},
		{mux.RouteClass(with(func(d *mux.Demultiplexer) { d.Consumers = nil }), "^/"), []string{"no Consumers"}},
		{mux.RouteClass(with(func(d *mux.Demultiplexer) { d.Consumers["a b"] = d.Consumers["s"] }), "^/"), []string{`stream "a b"`, "A-Z a-z 0-9 . _ -"}},
		{mux.RouteClass(with(func(d *mux.Demultiplexer) { d.Consumers["t"] = nil }), "^/"), []string{`stream "t": the consumer is nil`}},
		{mux.RouteClass(with(func(d *mux.Demultiplexer) { d.Consumers["t"] = (*mux.Binding[struct{}])(nil) }), "^/"), []string{`stream "t": the consumer is nil`}},
		{mux.Include("^/(x)", mux.RouteClass(class(), "^/")), []string{`entry 1, Include "^/(x)"`, "group without a name"}},
		{mux.Include("^/x", mux.RouteClass(class(), "^/"), mux.RouteClass(nil, "^/y")), []string{`entry 1, Include "^/x": entry 2, RouteClass "^/y"`}},
		{mux.RouteClass(class(), "^/api/chat/"), []string{"something else at /api/", "choose another path"}},
		{mux.Include("^/state", mux.RouteClass(class(), "^/(?P<id>[0-9]+)/")), []string{"something else at /state/"}},
		{mux.RouteClass(class(), "chat/(?P<room>[a-z]+)/"), []string{`begin with "chat/"`, "write ^/…"}},
		{mux.Include("^rooms", mux.RouteClass(class(), "^/chat/")), []string{`entry 1, Include "^rooms": entry 1, RouteClass "^/chat/"`, `begin with "rooms/chat/"`}},
		{mux.RouteClass(class(), "^/ws$"), []string{"something else at /ws"}},
		{mux.Include("^/rooms", mux.RouteClass(class(), "^wall/")), []string{`entry 1, RouteClass "^wall/"`, `ends with 's'`, `begins with "wall/"`, "one word", "end the prefix with one"}},
		{mux.Include("^/(?P<kind>rooms)$", mux.Include("", mux.RouteClass(class(), "(?P<x>wall)/"))), []string{`ends with 's'`, "one word"}},
		{mux.Include("^/v1", mux.Include("^/chat", mux.Route("websocket.receive", handler, mux.Path("2")))), []string{`ends with 't'`, `begins with "2"`}},
	} {
		_, err := mux.Compile(taken, c.entry)
		if err == nil {
			t.Errorf("no error, want one with %q", c.want)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("got %v, want %q in it", err, part)
			}
		}
	}
}

func TestAllFaultsAreTold(t *testing.T) {
	_, err := mux.Compile(taken, mux.RouteClass(nil, "^/a"), mux.RouteClass(class(), "^/b"), mux.RouteClass(class(), "^/(c)"))
	if err == nil || !strings.Contains(err.Error(), "entry 1") || strings.Contains(err.Error(), "entry 2") || !strings.Contains(err.Error(), "entry 3") {
		t.Errorf("got %v", err)
	}
}

func TestJSONTellsWhatDoesNotFit(t *testing.T) {
	type said struct {
		Text string `json:"text"`
		N    int    `json:"n"`
	}
	j := mux.JSON[said]{OnReceive: func(_ context.Context, _ *mux.Stream, s said) (any, error) { return s.Text, nil }}
	if got, err := j.Receive(t.Context(), nil, json.RawMessage(`{"text":"hi","more":1}`)); err != nil || got != "hi" {
		t.Errorf("got %v, %v", got, err)
	}
	_, err := j.Receive(t.Context(), nil, json.RawMessage(`{"n":"x"}`))
	told, ok := errors.AsType[*rpc.Error](err)
	if !ok || told.Code != "invalid" || told.Fields["n"] == "" {
		t.Errorf("got %v", err)
	}
}

// TestPrefixesMayEndWhereTheyDo has what is below a prefix match what the prefix
// leaves, where it is no word that is cut in two.
func TestPrefixesMayEndWhereTheyDo(t *testing.T) {
	for _, c := range []struct{ prefix, path, serves string }{
		{"^/rooms/", "^wall/", "/rooms/wall/"},
		{"^/rooms", "^/wall/", "/rooms/wall/"},
		{"^/rooms", "$", "/rooms"},
		{"^/rooms", "(?:/wall)?", "/rooms"},
		{"^/v", "^(?P<version>[0-9]+)/", "/v2/"},
		{"^/(?P<language>de|en)", "^-at/", "/de-at/"},
		{"^/room-", "^red/", "/room-red/"},
		{"", "^/wall/", "/wall/"},
	} {
		r := compiled(t, mux.Include(c.prefix, mux.RouteClass(class(), c.path)))
		if _, ok := r.Match(c.serves); !ok {
			t.Errorf("%s below %s does not serve %s", c.path, c.prefix, c.serves)
		}
	}
}
