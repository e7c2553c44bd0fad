package pando_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/gobwas/ws"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/pandotest"
)

// socket is a WebSocket on which a test says exactly what it wants.
type socket struct {
	*wiretest.Socket

	t testing.TB
}

func dial(t testing.TB, server *pandotest.Server, header http.Header) *socket {
	t.Helper()
	return &socket{wiretest.Dial(t, server.URL+"/ws", header), t}
}

// ask sends a frame and returns what comes back, cut to what a test compares.
func (s *socket) ask(text string) string {
	s.t.Helper()
	s.Send(ws.OpText, text)
	return short(s.Read())
}

// short shows a message as "stream id type code".
func short(text string) string {
	var m struct {
		Stream  string
		ID      uint64
		Payload struct{ Type, Code string }
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return text
	}
	return strings.TrimSpace(fmt.Sprintf("%s %d %s %s", m.Stream, m.ID, m.Payload.Type, m.Payload.Code))
}

func (s *socket) connect(token string) {
	s.t.Helper()
	if got := s.ask(fmt.Sprintf(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1,"token":%q}}`, token)); got != "@ 1 connected" {
		s.t.Fatalf("connect: %s", got)
	}
}

func TestBadInputGetsOneErrorAndTheSessionLives(t *testing.T) {
	server, _ := serve(t)
	s := dial(t, server, nil)
	s.connect("ada")
	if got := s.ask(`{"stream":"s1","id":2,"payload":{"type":"open","route":"boards/1"}}`); got != "s1 2 opened" {
		t.Fatal(got)
	}
	for range 2 { // runtime state, snapshot
		s.Read()
	}
	for _, tt := range []struct{ name, send, want string }{
		{"garbage", `}{`, "@ 0 error bad_frame"},
		{"empty", ``, "@ 0 error bad_frame"},
		{"no object", `7`, "@ 0 error bad_frame"},
		{"not utf-8", "{\"stream\":\"\xff\"}", "@ 0 error bad_frame"},
		{"a reserved stream", `{"stream":"#1","id":5,"payload":{"type":"close"}}`, "@ 5 error bad_frame"},
		{"a stream with spaces", `{"stream":"a b","id":5,"payload":{"type":"close"}}`, "@ 5 error bad_frame"},
		{"no id", `{"stream":"s1","payload":{"type":"close"}}`, "s1 0 error bad_frame"},
		{"a negative id", `{"stream":"s1","id":-1,"payload":{"type":"close"}}`, "@ 0 error bad_frame"},
		{"an id beyond 2^53", `{"stream":"s1","id":9007199254740992,"payload":{"type":"close"}}`, "s1 0 error bad_frame"},
		{"no payload", `{"stream":"s1","id":5}`, "s1 5 error bad_request"},
		{"a payload that is no object", `{"stream":"s1","id":5,"payload":[1]}`, "s1 5 error bad_request"},
		{"an unknown request", `{"stream":"s1","id":5,"payload":{"type":"sing"}}`, "s1 5 error bad_request"},
		{"an unknown request of the connection", `{"stream":"@","id":5,"payload":{"type":"sing"}}`, "@ 5 error bad_request"},
		{"an unknown channel", `{"stream":"s2","id":5,"payload":{"type":"open","route":"planets/1"}}`, "s2 5 error unknown_channel"},
		{"a key of another type", `{"stream":"s2","id":5,"payload":{"type":"open","route":"boards/one"}}`, "s2 5 error bad_argument"},
		{"a board of others", `{"stream":"s2","id":5,"payload":{"type":"open","route":"boards/2"}}`, "s2 5 error denied"},
		{"open twice", `{"stream":"s1","id":5,"payload":{"type":"open","route":"boards/1"}}`, "s1 5 error stream_open"},
		{"a closed stream", `{"stream":"s9","id":5,"payload":{"type":"close"}}`, "s9 5 error unknown_stream"},
		{"an unknown action", `{"stream":"s1","id":5,"payload":{"type":"action","name":"sing","args":[]}}`, "s1 5 error unknown_action"},
		{"a hook as an action", `{"stream":"s1","id":5,"payload":{"type":"action","name":"hasPermission","args":[]}}`, "s1 5 error unknown_action"},
		{"too few arguments", `{"stream":"s1","id":5,"payload":{"type":"action","name":"rename","args":[]}}`, "s1 5 error bad_argument"},
		{"an argument of another type", `{"stream":"s1","id":5,"payload":{"type":"action","name":"rename","args":[7]}}`, "s1 5 error bad_argument"},
		{"arguments that are no array", `{"stream":"s1","id":5,"payload":{"type":"action","name":"rename","args":{}}}`, "s1 5 error bad_request"},
		{"an app's refusal", `{"stream":"s1","id":5,"payload":{"type":"action","name":"rename","args":[""]}}`, "s1 5 error invalid"},
		{"a panic", `{"stream":"s1","id":5,"payload":{"type":"action","name":"panic","args":[]}}`, "s1 5 error internal"},
		{"an internal error", `{"stream":"s1","id":5,"payload":{"type":"action","name":"fail","args":[]}}`, "s1 5 error internal"},
		{"another protocol's connect as another user", `{"stream":"@","id":5,"payload":{"type":"connect","protocol":1,"token":"grace"}}`, "@ 5 error denied"},
	} {
		if got := s.ask(tt.send); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if got := s.ask(`{"stream":"@","id":6,"payload":{"type":"ping"}}`); got != "@ 6 pong" {
			t.Fatalf("%s: the session does not answer: %q", tt.name, got)
		}
	}
	s.Send(ws.OpBinary, `{}`)
	if got := short(s.Read()); got != "@ 0 error bad_frame" {
		t.Errorf("binary: got %q", got)
	}
	s.Send(ws.OpText, `[{"stream":"@","id":7,"payload":{"type":"ping"}},{"stream":"@","id":8,"payload":{"type":"ping"}}]`)
	if a, b := short(s.Read()), short(s.Read()); a != "@ 7 pong" || b != "@ 8 pong" {
		t.Errorf("two requests in a frame: %q, %q", a, b)
	}
}

func TestInternalErrorsKeepTheirText(t *testing.T) {
	server, _ := serve(t)
	board := pandotest.Open[Board](t, server.Connect(t, "ada"), "boards/1")
	for _, action := range []string{"fail", "panic"} {
		err := board.Try(t.Context(), nil, action)
		if err == nil || strings.Contains(err.Error(), "fire") || strings.Contains(err.Error(), "disco") {
			t.Errorf("action %s: the client was told %v", action, err)
		}
	}
}

func TestOversizedFrameClosesWithItsCode(t *testing.T) {
	server, _ := serve(t)
	s := dial(t, server, nil)
	s.connect("ada")
	s.Send(ws.OpText, `{"stream":"`+strings.Repeat("x", 70<<10)+`"}`)
	if got := short(s.Read()); got != "@ 0 error too_large" {
		t.Errorf("got %q", got)
	}
	if got := s.Read(); got != "close 1009" {
		t.Errorf("got %q", got)
	}
}

func TestConnecting(t *testing.T) {
	server, _ := serve(t)
	t.Run("requests before connect", func(t *testing.T) {
		s := dial(t, server, nil)
		if got := s.ask(`{"stream":"s1","id":2,"payload":{"type":"open","route":"boards/1"}}`); got != "s1 2 error unauthenticated" {
			t.Error(got)
		}
		s.connect("ada")
	})
	t.Run("a wrong token", func(t *testing.T) {
		s := dial(t, server, nil)
		if got := s.ask(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1,"token":"wrong"}}`); got != "@ 1 error unauthenticated" {
			t.Error(got)
		}
		if got := s.Read(); got != "close 4401" {
			t.Error(got)
		}
	})
	t.Run("another protocol", func(t *testing.T) {
		s := dial(t, server, nil)
		if got := s.ask(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":99}}`); got != "@ 1 error bad_request" {
			t.Error(got)
		}
		if got := s.Read(); got != "close 4400" {
			t.Error(got)
		}
	})
	t.Run("nobody", func(t *testing.T) {
		s := dial(t, server, nil)
		s.connect("")
		if got := s.ask(`{"stream":"s1","id":2,"payload":{"type":"open","route":"boards/1"}}`); got != "s1 2 error unauthenticated" {
			t.Error(got)
		}
	})
	for _, scheme := range []string{"Token", "Bearer"} {
		t.Run("a header "+scheme, func(t *testing.T) {
			s := dial(t, server, http.Header{"Authorization": {scheme + " ada"}})
			s.connect("")
			if got := s.ask(`{"stream":"s1","id":2,"payload":{"type":"open","route":"boards/1"}}`); got != "s1 2 opened" {
				t.Error(got)
			}
		})
	}
	for name, want := range map[string]struct {
		header http.Header
		status int
	}{
		"a wrong header":        {http.Header{"Authorization": {"Token wrong"}}, http.StatusUnauthorized},
		"a page from elsewhere": {http.Header{"Origin": {"https://evil.example"}}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := ws.Dialer{Header: ws.HandshakeHeaderHTTP(want.header)}.Dial(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http")+"/ws")
			if status, ok := err.(ws.StatusError); !ok || int(status) != want.status { //nolint:errorlint // the library returns it bare
				t.Errorf("got %v, want status %d", err, want.status)
			}
		})
	}
}

func get(t testing.TB, url, token string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Token "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestState(t *testing.T) {
	server, _ := serve(t)
	want := `{"id":"1","name":"Groceries","owner":{"id":"1","name":"ada"},"lists":[` +
		`{"id":"1","name":"Todo","cards":[{"id":"1","title":"Milk","done":false,"assignee":{"id":"2","name":"grace"},` +
		`"comments":[{"id":"1","body":"Two litres","author":{"id":"1","name":"ada"}}]},` +
		`{"id":"2","title":"Eggs","done":false,"assignee":null,"comments":[]}]},` +
		`{"id":"2","name":"Done","cards":[]}]}` + "\n"
	if status, body := get(t, server.URL+"/state/boards/1", "ada"); status != 200 || body != want {
		t.Errorf("status %d, body\n%s\nwant\n%s", status, body, want)
	}
	for _, tt := range []struct {
		path, token string
		status      int
		code        string
	}{
		{"boards/1", "", 401, "unauthenticated"},
		{"boards/1", "wrong", 401, "unauthenticated"},
		{"boards/2", "ada", 403, "denied"},
		{"boards/3", "ada", 404, "not_found"},
		{"planets/1", "ada", 404, "unknown_channel"},
		{"boards/one", "ada", 400, "bad_argument"},
	} {
		status, body := get(t, server.URL+"/state/"+tt.path, tt.token)
		if status != tt.status || !strings.Contains(body, `{"error":{"code":"`+tt.code+`"`) {
			t.Errorf("%s as %q: status %d, body %s", tt.path, tt.token, status, body)
		}
	}
	if status, body := get(t, server.URL+"/healthz", ""); status != 200 || body != `{"status":"ok"}`+"\n" {
		t.Errorf("healthz: %d %s", status, body)
	}
}

func TestMountedBelowAPrefix(t *testing.T) {
	for name, mount := range map[string]func(h http.Handler) http.Handler{
		"net/http": func(h http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/live/", http.StripPrefix("/live", h))
			return mux
		},
		"chi": func(h http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Mount("/live", http.StripPrefix("/live", h))
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := pandotest.Database(t)
			exec(t, db, tables)
			app := newApp(t, db)
			server := pandotest.ServeHandler(t, app, mount(app))
			server.URL += "/live"
			board := pandotest.Open[Board](t, server.Connect(t, "ada"), "boards/1")
			board.Call(t, nil, "rename", "Below")
			if got := board.State().Name; got != "Below" {
				t.Errorf("the name is %q", got)
			}
			if status, _ := get(t, server.URL+"/state/boards/1", "ada"); status != 200 {
				t.Errorf("state: %d", status)
			}
		})
	}
}

func TestUseSeesEveryRequest(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	app := newApp(t, db)
	seen := make(chan string, 16)
	app.Use(func(next pando.Handler) pando.Handler {
		return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
			seen <- strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", r.Kind, r.Channel, r.Route, r.User.ID, r.Action))
			if r.Action == "count" {
				r.Args = []json.RawMessage{json.RawMessage("40")}
			}
			if r.Action == "rename" {
				return nil, pando.Errorf("read_only", "nothing may change today")
			}
			return next(ctx, r)
		}
	})
	server := pandotest.Serve(t, app)
	board := pandotest.Open[Board](t, server.Connect(t, "ada"), "boards/1")
	var n int
	board.Call(t, &n, "count", 1)
	if n != 40 {
		t.Errorf("the changed argument gave %d", n)
	}
	if err := board.Try(t.Context(), nil, "rename", "x"); err == nil || !strings.Contains(err.Error(), "read_only") {
		t.Errorf("a refused action gave %v", err)
	}
	get(t, server.URL+"/state/boards/1", "ada")
	for _, want := range []string{
		"open BoardChannel boards/1 ada", "action BoardChannel boards/1 ada count",
		"action BoardChannel boards/1 ada rename", "state BoardChannel boards/1 ada",
	} {
		if got := <-seen; got != want {
			t.Errorf("saw %q, want %q", got, want)
		}
	}
}
