package mounting

import (
	"bytes"
	"context"
	"database/sql"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"gorm.io/gorm"
	gormtests "gorm.io/gorm/utils/tests"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/guidetest"
	"github.com/pando-sync/pando/pandotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGuide(t *testing.T) {
	guidetest.Quotes(t, "../../docs/guides/mounting.md", map[string][]string{
		"go": {"*.go"}, "nginx": {"nginx.conf"}, "ts": {"../guides/frontend/*.ts"},
	})
}

const tables = `
CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, color TEXT);
CREATE TABLE sessions (id TEXT PRIMARY KEY, user_id INTEGER NOT NULL);
CREATE INDEX sessions_by_user ON sessions (user_id);
INSERT INTO notes VALUES (1, 'hello', 'red');
INSERT INTO sessions VALUES ('abc', 7), ('def', 8);
`

func newApp(t *testing.T) (*sql.DB, *pando.App) {
	t.Helper()
	db := pandotest.Database(t)
	exec(t, db, tables)
	app, err := New(db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return db, app
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// browser has a cookie on every request, as browsers do.
func browser(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.AddCookie(&http.Cookie{Name: "session", Value: "abc"})
		h.ServeHTTP(w, r)
	})
}

// works opens the note at a server, changes it and asks who the caller is.
func works(t *testing.T, db *sql.DB, url string) *pandotest.Client {
	t.Helper()
	client := pandotest.NewClient(url+"/live", "")
	if err := client.Dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Drop)
	note := pandotest.Open[Note](t, client, "notes/1")
	exec(t, db, `UPDATE notes SET text = 'live'`)
	note.Wait(t, "the new text", func(n *Note) bool { return n.Text == "live" })
	var user string
	note.Call(t, &user, "who")
	if user != "7" {
		t.Errorf("the caller is %q", user)
	}
	return client
}

func TestRouters(t *testing.T) {
	for name, router := range map[string]func(*pando.App) http.Handler{"net/http": ServeMux, "chi": Chi, "echo": Echo} {
		t.Run(name, func(t *testing.T) {
			db, app := newApp(t)
			server := pandotest.ServeHandler(t, app, browser(router(app)))
			client := works(t, db, server.URL)
			if got := get(t, server.URL+"/live/state/notes/1", nil, http.StatusOK); !strings.Contains(got, `"live"`) {
				t.Errorf("/live/state has %s", got)
			}
			get(t, server.URL+"/live/healthz", nil, http.StatusOK)
			if got := get(t, server.URL+"/hello", nil, http.StatusOK); got != "hello" {
				t.Errorf("/hello has %s", got)
			}
			exec(t, db, `DELETE FROM sessions WHERE id = 'abc'`) // logged out
			<-client.Closed()
			if client.CloseCode() != 4401 {
				t.Errorf("the connection was closed with %d", client.CloseCode())
			}
		})
	}
}

func get(t *testing.T, url string, header http.Header, status int) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name := range header {
		req.Header.Set(name, header.Get(name))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Errorf("GET %s: %s %s (%v), want %d", url, resp.Status, text, err, status)
	}
	return string(text)
}

func TestProxy(t *testing.T) {
	db, app := newApp(t)
	server := pandotest.ServeHandler(t, app, browser(ServeMux(app)))
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(Proxy(target))
	t.Cleanup(proxy.Close)
	works(t, db, proxy.URL)
	note := proxy.URL + "/live/state/notes/1"
	get(t, note, http.Header{"Origin": {proxy.URL}}, http.StatusOK)
	get(t, note, http.Header{"Origin": {"https://elsewhere.example"}}, http.StatusForbidden)
}

func TestServe(t *testing.T) {
	db, app := newApp(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, app, browser(ServeMux(app)), listener) }()
	<-app.Ready()
	client := works(t, db, "http://"+listener.Addr().String())
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	<-client.Closed()
	if client.CloseCode() != 1001 {
		t.Errorf("the connection was closed with %d", client.CloseCode())
	}
}

func TestServeEndsWithTheApp(t *testing.T) {
	_, app := newApp(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := Serve(t.Context(), app, app, listener); err == nil {
		t.Error("nobody tells that nothing is served")
	}
}

func TestDatabase(t *testing.T) {
	db := pandotest.Database(t)
	g, err := gorm.Open(gormtests.DummyDialector{}, &gorm.Config{ConnPool: db})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	app, err := FromGORM(g, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	own := func(context.Context) error { return g.Exec(tables).Error }
	if err := Migrate(t.Context(), app, own); err != nil {
		t.Fatal(err)
	}
	server := pandotest.ServeHandler(t, app, browser(ServeMux(app)))
	works(t, db, server.URL)
	client := pandotest.NewClient(server.URL+"/live", "")
	if err := client.Dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Drop)
	note := pandotest.Open[Note](t, client, "notes/1")
	if err := g.Model(&Note{}).Where("id = ?", 1).Update("text", "by GORM").Error; err != nil {
		t.Fatal(err)
	}
	note.Wait(t, "what GORM wrote", func(n *Note) bool { return n.Text == "by GORM" })
	if strings.Contains(log.String(), "ERROR") {
		t.Errorf("the log says %s", log.String())
	}
}

func TestDropColumn(t *testing.T) {
	db, app := newApp(t)
	server := pandotest.ServeHandler(t, app, browser(ServeMux(app)))
	client := works(t, db, server.URL)
	if err := DropColumn(t.Context(), db, "notes", "color"); err != nil {
		t.Fatal(err)
	}
	<-client.Closed() // the feed starts anew
	works(t, db, server.URL)
}
