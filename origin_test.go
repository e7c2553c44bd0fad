package pando_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

// cookies is an Authenticator by token, else by a cookie that names the user.
type cookies struct{ blind *atomic.Bool }

func (c cookies) Authenticate(_ context.Context, r *http.Request, tok string) (pando.Identity, error) {
	if tok != "" {
		return pando.Identity{ID: tok}, nil
	}
	cookie, err := r.Cookie("user")
	if err != nil || c.blind != nil && c.blind.Load() {
		return pando.Identity{}, token.ErrNone
	}
	return pando.Identity{ID: cookie.Value}, nil
}

func serveCookies(t *testing.T, auth pando.Authenticator, origins ...string) *pandotest.Server {
	t.Helper()
	db := pandotest.Database(t)
	exec(t, db, docs)
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: auth, Origins: origins})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("docs/{doc_id}", pando.For(func() *OpenDoc { return &OpenDoc{} }))
	return pandotest.Serve(t, app)
}

// status asks for a path and returns the answer's status.
func status(t *testing.T, url string, header http.Header) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	if strings.HasSuffix(url, "/ws") {
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		} {
			r.Header[name] = []string{value}
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// head asks by HTTP whether one may connect, and returns the answer's status.
func head(t *testing.T, url string, header http.Header) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestACookieCountsForNamedOriginsOnly(t *testing.T) {
	server := serveCookies(t, cookies{}, "*", "good.example")
	cookie, bearer := http.Header{"Cookie": {"user=ada"}}, http.Header{"Authorization": {"Token ada"}}
	for _, c := range []struct {
		name      string
		by        http.Header
		header    string
		value     string
		ws, state int
	}{
		{"a program", cookie, "", "", 101, 200},
		{"the own page", cookie, "Origin", server.URL, 101, 200},
		{"a named page", cookie, "Origin", "https://good.example", 101, 200},
		{"another page", cookie, "Origin", "https://evil.example", 403, 403},
		{"no page's", cookie, "Origin", "null", 403, 403},
		{"in passing", cookie, "Sec-Fetch-Site", "cross-site", 403, 403},
		{"of the own", cookie, "Sec-Fetch-Site", "same-origin", 101, 200},
		{"another page with a token", bearer, "Origin", "https://evil.example", 101, 200},
		{"another page of nobody", http.Header{}, "Origin", "https://evil.example", 101, 401},
	} {
		header := c.by.Clone()
		if c.header != "" {
			header.Set(c.header, c.value)
		}
		if got := status(t, server.URL+"/ws", header); got != c.ws {
			t.Errorf("%s: connecting is answered %d, want %d", c.name, got, c.ws)
		}
		// So a page learns why it could not connect, which browsers do not tell.
		if got := head(t, server.URL+"/ws", header); got != c.ws && (c.ws != 101 || got != 204) {
			t.Errorf("%s: asking is answered %d, connecting %d", c.name, got, c.ws)
		}
		if got := status(t, server.URL+"/state/docs/1", header); got != c.state {
			t.Errorf("%s: reading is answered %d, want %d", c.name, got, c.state)
		}
	}
}

// ambient says of itself that the browser brings it, though a token came.
type ambient struct{}

func (ambient) Authenticate(context.Context, *http.Request, string) (pando.Identity, error) {
	return pando.Identity{ID: "ada", Ambient: true}, nil
}

func TestAnAmbientIdentityCountsForNamedOriginsOnly(t *testing.T) {
	server := serveCookies(t, ambient{}, "*")
	header := http.Header{"Authorization": {"Token x"}, "Origin": {"https://evil.example"}}
	if ws, state := status(t, server.URL+"/ws", header), status(t, server.URL+"/state/docs/1", header); ws != 403 || state != 403 {
		t.Errorf("answered %d and %d", ws, state)
	}
}

func TestACookieThatShowsAfterTheUpgradeCountsNoMore(t *testing.T) {
	blind := &atomic.Bool{}
	blind.Store(true)
	server := serveCookies(t, cookies{blind}, "*")
	s := dial(t, server, http.Header{"Cookie": {"user=ada"}, "Origin": {"https://evil.example"}})
	blind.Store(false)
	if got := s.ask(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1}}`); got != "@ 1 error denied" {
		t.Errorf("got %s", got)
	}
	if got := s.Read(); got != "close 4403" {
		t.Errorf("got %s", got)
	}
	with := dial(t, server, http.Header{"Cookie": {"user=ada"}, "Origin": {server.URL}})
	with.connect("")
}
