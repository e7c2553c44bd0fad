package pandotest

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver of Database

	"github.com/pando-sync/pando"
)

// patience is how long a step may take before the test fails.
const patience = 10 * time.Second

// DSN is the name of a SQLite file for sql.Open("sqlite", …), set up as Pando
// and most apps want it.
func DSN(file string) string {
	return "file:" + (&url.URL{Path: file}).EscapedPath() + "?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)" +
		"&_pragma=recursive_triggers(1)&_pragma=foreign_keys(1)&_txlock=immediate"
}

// Database returns an empty SQLite database in the test's own folder.
func Database(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", DSN(filepath.Join(t.TempDir(), "test.db")))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// Server is a running app.
type Server struct {
	// URL is the app's address, "http://127.0.0.1:…".
	URL  string
	app  *pando.App
	http *httptest.Server
	stop context.CancelFunc
	done chan error
}

// Serve sets the app up, runs it and serves it on a port of its own.
func Serve(t testing.TB, app *pando.App) *Server {
	t.Helper()
	return ServeHandler(t, app, app)
}

// ServeHandler is Serve for an app that stands inside another handler.
func ServeHandler(t testing.TB, app *pando.App, h http.Handler) *Server {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	if err := app.Setup(ctx); err != nil {
		stop()
		t.Fatal(err)
	}
	s := &Server{app: app, stop: stop, done: make(chan error, 1)}
	go func() { s.done <- app.Run(ctx) }()
	select {
	case <-app.Ready():
	case err := <-s.done:
		stop()
		t.Fatalf("run app: %v", err)
	}
	s.http = httptest.NewServer(h)
	s.URL = s.http.URL
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// Stop ends the app as a deployment does. It may be called several times.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.stop == nil {
		return
	}
	s.stop()
	s.stop = nil
	if err := <-s.done; err != nil {
		t.Errorf("run app: %v", err)
	}
	s.http.Close()
}
