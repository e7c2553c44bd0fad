package pando_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

// session connects to a path by the protocol.
func (b *booth) session(path, user string) *wiretest.Socket {
	b.t.Helper()
	header := as(user).Clone()
	if header == nil {
		header = as("-")
		header.Del("Authorization")
	}
	header.Set("Sec-WebSocket-Protocol", "pando.v1")
	s := wiretest.Dial(b.t, b.server.URL+path, header)
	s.Sendf(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1}}`)
	s.Want("connected")
	return s
}

// open opens a consumer's stream.
func open(s *wiretest.Socket, stream, route, consumer string) {
	s.Sendf(`{"stream":%q,"id":2,"payload":{"type":"open","route":%q,"consumer":%q}}`, stream, route, consumer)
	s.Want(fmt.Sprintf(`{"stream":%q,"id":2,"payload":{"type":"opened","consumer":%q,"scopes":[]}}`, stream, consumer))
}

func TestStreamsOfDemultiplexersShareASession(t *testing.T) {
	b := newBooth(t, routeHall)
	b.app.Handle("docs/{doc_id}", pando.For(func() *OpenDoc { return &OpenDoc{} }))
	b.server = pandotest.Serve(t, b.app)
	s := b.session("/ws", "ada")
	if s.Protocol != "pando.v1" {
		t.Errorf("agreed to %q", s.Protocol)
	}
	s.Sendf(`{"stream":"doc","id":2,"payload":{"type":"open","route":"docs/1"}}`)
	s.Want(`"channel":"OpenDoc"`)
	s.Want(`"snapshot":"only"`)
	open(s, "s1", "/hall/lobby/", "echo")
	open(s, "s2", "/hall/lobby/", "other")
	open(s, "echo", "/hall/yard/", "echo")
	s.Sendf(`{"stream":"s1","id":5,"payload":{"type":"message","data":{"n":1}}}`)
	s.Want(`{"stream":"s1","payload":{"type":"message","data":{"n":1}}}`)
	s.Want(`{"stream":"s1","id":5,"payload":{"type":"result","value":"lobby"}}`)
	s.Sendf(`{"stream":"echo","payload":{"type":"message","data":{"n":2}}}`) // no id, no reply
	s.Want(`{"stream":"echo","payload":{"type":"message","data":{"n":2}}}`)
	s.Sendf(`{"stream":"s1","payload":{"type":"message","data":{"say":"deny"}}}`)
	s.Want(`{"stream":"s1","payload":{"type":"error","code":"denied","status":403,"message":"not you","retry":false}}`)
	s.Sendf(`{"stream":"s1","id":6,"payload":{"type":"message","data":{"say":"deny"}}}`)
	s.Want(`{"stream":"s1","id":6,"payload":{"type":"error","code":"denied","status":403`)
	exec(t, b.db, "UPDATE docs SET body = 'new' WHERE id = 1")
	s.Want(`"new"`)
	s.Sendf(`{"stream":"s1","id":7,"payload":{"type":"close"}}`)
	s.Want(`{"stream":"s1","id":7,"payload":{"type":"closed"}}`)
	s.Sendf(`{"stream":"s1","id":8,"payload":{"type":"message","data":{}}}`)
	s.Want("unknown_stream")
}

// TestARoutedDemultiplexerIsAURLOfItsOwnOnTheSameSessionEngine where its streams need
// no route, and channels and other paths' streams can be opened beside them.
func TestARoutedDemultiplexerIsAURLOfItsOwnOnTheSameSessionEngine(t *testing.T) {
	b := newBooth(t, routeHall)
	b.app.Handle("docs/{doc_id}", pando.For(func() *OpenDoc { return &OpenDoc{} }))
	b.server = pandotest.Serve(t, b.app)
	s := b.session("/hall/lobby/", "ada")
	s.Sendf(`{"stream":"echo","id":2,"payload":{"type":"open"}}`)
	s.Want(`{"stream":"echo","id":2,"payload":{"type":"opened","consumer":"echo","scopes":[]}}`)
	s.Sendf(`{"stream":"echo","id":3,"payload":{"type":"message","data":{"n":1}}}`)
	s.Want(`"n":1`)
	s.Want(`"value":"lobby"`)
	open(s, "b", "/hall/yard/", "echo") // another one's
	s.Sendf(`{"stream":"doc","id":4,"payload":{"type":"open","route":"docs/1"}}`)
	s.Want(`"channel":"OpenDoc"`)
	s.Want(`"snapshot":"only"`)
}

func TestWhatIsWrongWithAStreamIsTold(t *testing.T) {
	b := newBooth(t, routeHall)
	b.app.Handle("docs/{doc_id}", pando.For(func() *OpenDoc { return &OpenDoc{} }))
	b.server = pandotest.Serve(t, b.app)
	s := b.session("/ws", "ada")
	open(s, "s1", "/hall/a/", "echo")
	s.Sendf(`{"stream":"doc","id":2,"payload":{"type":"open","route":"docs/1"}}`)
	s.Want(`opened`)
	s.Want(`"snapshot":"only"`)
	for request, want := range map[string]string{
		`{"stream":"s2","id":3,"payload":{"type":"open","route":"/hall/a/","consumer":"none"}}`: `"id":3,"payload":{"type":"error","code":"unknown_stream","status":404`,
		`{"stream":"s2","id":3,"payload":{"type":"open","route":"/nowhere/"}}`:                  `"id":3,"payload":{"type":"error","code":"unknown_channel","status":404`,
		`{"stream":"s1","id":3,"payload":{"type":"open","route":"/hall/a/"}}`:                   `"id":3,"payload":{"type":"error","code":"stream_open","status":409`,
		`{"stream":"s1","id":3,"payload":{"type":"action","name":"x","args":[]}}`:               `"id":3,"payload":{"type":"error","code":"bad_request","status":400`,
		`{"stream":"s1","id":3,"payload":{"type":"message","data":[]}}`:                         `"id":3,"payload":{"type":"error","code":"bad_request"`,
		`{"stream":"s1","id":3,"payload":{"type":"message"}}`:                                   `"id":3,"payload":{"type":"error","code":"bad_request"`,
		`{"stream":"s1","payload":{"type":"close"}}`:                                            `{"stream":"s1","payload":{"type":"error","code":"bad_frame"`,
		`{"stream":"doc","id":3,"payload":{"type":"message","data":{}}}`:                        `"id":3,"payload":{"type":"error","code":"bad_request"`,
		`{"stream":"none","payload":{"type":"message","data":{}}}`:                              `{"stream":"none","payload":{"type":"error","code":"unknown_stream"`,
	} {
		s.Sendf("%s", request)
		if got := s.Read(); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", request, got, want)
		}
	}
}

// TestStreamsOfOnePathAreOneConnection has permission asked once, groups shared, and
// both left with the last.
func TestStreamsOfOnePathAreOneConnection(t *testing.T) {
	var asked atomic.Int32
	b := serveBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
		d := b.lobby()
		d.HasPermission = func(context.Context, *mux.Conn) (bool, error) {
			asked.Add(1)
			return true, nil
		}
		return []mux.Entry{mux.RouteClass(d, hallPath)}
	})
	s := b.session("/ws", "ada")
	open(s, "s1", "/hall/a/", "echo")
	open(s, "s2", "/hall/a/", "other")
	open(s, "s3", "/hall/a/", "other")
	if got := asked.Load(); got != 1 {
		t.Errorf("permission was asked %d times", got)
	}
	s.Sendf(`{"stream":"s1","id":3,"payload":{"type":"message","data":{"say":"join","group":"news"}}}`)
	s.Want("result")
	say := func(group string) {
		if err := b.app.Broadcast(t.Context(), group, "other", spoken{Say: group}); err != nil {
			t.Fatal(err)
		}
	}
	say("news")
	both := s.Read() + s.Read()
	for _, stream := range []string{"s2", "s3"} {
		if !strings.Contains(both, `{"stream":"`+stream+`","payload":{"type":"message","data":{"say":"news"}}}`) {
			t.Errorf("got %s, want one of %s", both, stream)
		}
	}
	s.Sendf(`[{"stream":"s1","id":4,"payload":{"type":"close"}},{"stream":"s3","id":5,"payload":{"type":"close"}}]`)
	s.Want("closed")
	s.Want("closed")
	say("news") // which s1 has joined
	s.Want(`{"stream":"s2","payload":{"type":"message","data":{"say":"news"}}}`)
	s.Sendf(`{"stream":"s2","id":6,"payload":{"type":"close"}}`)
	s.Want("closed")
	say("news")
	open(s, "s4", "/hall/a/", "other")
	if got := asked.Load(); got != 2 {
		t.Errorf("permission was asked %d times", got)
	}
	say("room.a")
	s.Want(`{"stream":"s4","payload":{"type":"message","data":{"say":"room.a"}}}`)
}

func TestRecheckClosesTheStreamsThatItRefuses(t *testing.T) {
	var denied atomic.Bool
	b := serveBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
		d := b.lobby()
		d.HasPermission = func(context.Context, *mux.Conn) (bool, error) { return !denied.Load(), nil }
		return []mux.Entry{mux.RouteClass(d, hallPath)}
	})
	s := b.session("/ws", "ada")
	open(s, "s1", "/hall/a/", "echo")
	open(s, "s2", "/hall/a/", "other")
	denied.Store(true)
	b.app.Recheck("ada")
	if err := b.app.Broadcast(t.Context(), "room.a", "echo", "secret"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.Want(`"payload":{"type":"closed","code":"denied"`)
	}
	s.Sendf(`{"stream":"s3","id":3,"payload":{"type":"open","route":"/hall/a/","consumer":"echo"}}`)
	s.Want(`"id":3,"payload":{"type":"error","code":"denied","status":403`)
}

// TestWhatIsRefusedOneStreamIsRefusedAllAndAskedAnewOfTheNext has permission be given
// back while the streams of a connection ask for it.
func TestWhatIsRefusedOneStreamIsRefusedAllAndAskedAnewOfTheNext(t *testing.T) {
	var asked atomic.Int32
	b := serveBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
		d := b.lobby()
		d.HasPermission = func(context.Context, *mux.Conn) (bool, error) { return asked.Add(1) != 2, nil }
		return []mux.Entry{mux.RouteClass(d, hallPath)}
	})
	s := b.session("/ws", "ada")
	open(s, "s1", "/hall/a/", "echo")
	open(s, "s2", "/hall/a/", "other")
	b.app.Recheck("ada")
	for range 2 {
		s.Want(`"payload":{"type":"closed","code":"denied"`)
	}
	open(s, "s3", "/hall/a/", "echo")
}

// TestWhoOpensAConnectionMayGo has another stream wait for the permission of one that
// is closed meanwhile.
func TestWhoOpensAConnectionMayGo(t *testing.T) {
	entered := make(chan struct{})
	var asked atomic.Int32
	b := serveBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
		d := b.lobby()
		d.HasPermission = func(ctx context.Context, _ *mux.Conn) (bool, error) {
			if asked.Add(1) > 1 {
				return true, nil
			}
			close(entered)
			<-ctx.Done()
			return false, ctx.Err()
		}
		return []mux.Entry{mux.RouteClass(d, hallPath)}
	})
	s := b.session("/ws", "ada")
	s.Sendf(`{"stream":"s1","id":2,"payload":{"type":"open","route":"/hall/a/","consumer":"echo"}}`)
	<-entered
	s.Sendf(`{"stream":"s2","id":3,"payload":{"type":"open","route":"/hall/a/","consumer":"echo"}}`)
	s.Sendf(`{"stream":"s1","id":4,"payload":{"type":"close"}}`)
	got := s.Read() + s.Read() + s.Read()
	for _, want := range []string{
		`{"stream":"s1","id":2,"payload":{"type":"error","code":"unavailable","status":503`,
		`{"stream":"s1","id":4,"payload":`, `{"stream":"s2","id":3,"payload":{"type":"opened"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s in it", got, want)
		}
	}
}

func TestARevokedTokenClosesPlainConnections(t *testing.T) {
	b := &booth{t: t, db: pandotest.Database(t)}
	exec(t, b.db, docs)
	users := token.New(b.db)
	if err := users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := users.CreateUser(t.Context(), "ada", "lovelace", "Ada"); err != nil {
		t.Fatal(err)
	}
	tok, err := users.Issue(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	source := sqlitefeed.New(b.db)
	t.Cleanup(func() { source.Close() })
	if b.app, err = pando.New(pando.Config{Source: source, Auth: users, Logger: slog.New(slog.NewTextHandler(&b.log, nil))}); err != nil {
		t.Fatal(err)
	}
	b.app.Mux(mux.RouteClass(b.lobby(), hallPath))
	b.server = pandotest.Serve(t, b.app)
	s := b.plain("/hall/a/", tok)
	s.Sendf(`{"stream":"echo","payload":{"n":1}}`)
	s.Want(`"n":1`)
	if err := users.Revoke(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	s.Want("close 4401")
	s.Conn.Close()
	b.server.Stop(t)
	if got := b.notes(); strings.Count(got, "-echo") != 1 {
		t.Errorf("called: %s", got)
	}
}

// TestUseSeesMessages has functions log, deny and rewrite them.
func TestUseSeesMessages(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	b := newBooth(t, routeHall)
	b.app.Use(func(next pando.Handler) pando.Handler {
		return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
			mu.Lock()
			seen = append(seen, fmt.Sprintf("%s %s %s %s %s %s", r.Kind, r.User.ID, r.Stream, r.Route, r.Consumer, r.Payload))
			mu.Unlock()
			switch string(r.Payload) {
			case `{"say":"no"}`:
				return nil, pando.Errorf("denied", "by the house")
			case `{"say":"wrap"}`:
				panic("at the wrapper")
			case `{"say":"broken"}`:
				r.Payload = json.RawMessage(`[`)
			}
			r.Payload = json.RawMessage(strings.ReplaceAll(string(r.Payload), "damn", "d***"))
			value, err := next(ctx, r)
			if string(value) == `"lobby"` {
				value = json.RawMessage(`"hall"`)
			}
			return value, err
		}
	})
	b.server = pandotest.Serve(t, b.app)
	s := b.session("/ws", "ada")
	open(s, "s1", "/hall/lobby/", "echo")
	message := func(data string) {
		s.Sendf(`{"stream":"s1","id":3,"payload":{"type":"message","data":%s}}`, data)
	}
	message(`{"say":"damn"}`)
	s.Want(`"data":{"say":"d***"}`)
	s.Want(`"value":"hall"`)
	for data, want := range map[string]string{
		`{"say":"no"}`: `"code":"denied","status":403,"message":"by the house"`, `{"say":"wrap"}`: `"code":"internal"`, `{"say":"broken"}`: `"code":"internal"`,
	} {
		message(data)
		s.Want(want)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, want := range []string{`open ada s1 /hall/lobby/ echo `, `message ada s1 /hall/lobby/ echo {"say":"damn"}`} {
		if seen[i] != want {
			t.Errorf("got %q, want %q", seen[i], want)
		}
	}
}

func TestUseMayRefuseStreams(t *testing.T) {
	b := newBooth(t, routeHall)
	b.app.Use(func(next pando.Handler) pando.Handler {
		return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
			value, err := next(ctx, r)
			if r.Kind == "open" && r.Consumer == "other" {
				return nil, pando.Errorf("denied", "by the house")
			}
			return value, err
		}
	})
	b.server = pandotest.Serve(t, b.app)
	plain := b.plain("/hall/a/", "ada")
	plain.Want(`{"stream":"other","payload":{"type":"error","code":"denied"`)
	s := b.session("/hall/a/", "ada")
	s.Sendf(`{"stream":"other","id":2,"payload":{"type":"open"}}`)
	s.Want(`{"stream":"other","id":2,"payload":{"type":"error","code":"denied","status":403,"message":"by the house"`)
	plain.Conn.Close()
	s.Conn.Close()
	b.server.Stop(t)
	if got := b.notes(); strings.Count(got, "+other") != 2 || strings.Count(got, "-other") != 2 {
		t.Errorf("called: %s", got)
	}
}
