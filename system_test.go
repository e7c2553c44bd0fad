package pando_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// command is the app as a command in another process has it: over a handle of its
// own, and not running.
func command(t *testing.T, file string) *pando.App {
	t.Helper()
	db, err := sql.Open("sqlite", pandotest.DSN(file))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: names{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("boards/{board_id}", pando.For(func() *BoardChannel { return &BoardChannel{db: db} }))
	return app
}

// fileOf is the file of a database.
func fileOf(t *testing.T, db *sql.DB) string {
	t.Helper()
	var n int
	var name, file string
	if err := db.QueryRow("PRAGMA database_list").Scan(&n, &name, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSystemMessage(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	other := command(t, fileOf(t, db))
	if err := other.BroadcastSystemMessage(t.Context(), "from before"); err != nil {
		t.Fatal(err)
	}
	one, two := pandotest.Serve(t, newApp(t, db)), pandotest.Serve(t, newApp(t, db))
	a, b := dial(t, one, nil), dial(t, two, nil)
	a.connect("ada")
	b.connect("grace")
	for _, text := range []string{"Backup at noon.", "All is well."} {
		if err := other.BroadcastSystemMessage(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		want := `{"stream":"@","payload":{"type":"system","kind":"message","text":"` + text + `"}}`
		for name, s := range map[string]*socket{"one": a, "two": b} {
			if got := s.Read(); got != want {
				t.Errorf("node %s sent %s, want %s", name, got, want)
			}
		}
	}
}

func TestMaintenance(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	one, two := pandotest.Serve(t, newApp(t, db)), pandotest.Serve(t, newApp(t, db))
	a, b := dial(t, one, nil), dial(t, two, nil)
	a.connect("ada")
	b.connect("grace")
	if err := command(t, fileOf(t, db)).Maintenance(t.Context(), "Back soon.", time.Minute); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*socket{"one": a, "two": b} {
		if got, want := s.Read(), `{"stream":"@","payload":{"type":"system","kind":"maintenance","text":"Back soon.","retry_after":60000}}`; got != want {
			t.Errorf("node %s sent %s, want %s", name, got, want)
		}
		if got := s.Read(); got != "close 1001" {
			t.Errorf("node %s sent %s", name, got)
		}
	}
	for _, server := range []*pandotest.Server{one, two} {
		_, _, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http")+"/ws")
		var status ws.StatusError
		if !errors.As(err, &status) || int(status) != http.StatusServiceUnavailable {
			t.Errorf("a new connection during maintenance: %v", err)
		}
	}
}

func TestExpireCache(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	app := newApp(t, db)
	server := pandotest.Serve(t, app)
	client := server.Connect(t, "ada")
	board := pandotest.Open[Board](t, client, "boards/1")
	if n := app.Stats().Rows; n == 0 {
		t.Fatal("no rows are in memory")
	}
	if err := command(t, fileOf(t, db)).ExpireCache(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-client.Closed()
	if code := client.CloseCode(); code != 1001 {
		t.Errorf("closed with %d, want 1001", code)
	}
	if n := app.Stats().Rows; n != 0 {
		t.Errorf("%d rows are still in memory", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := client.Dial(ctx); err != nil {
		t.Fatal(err)
	}
	if err := board.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "UPDATE boards SET name = 'after' WHERE id = 1")
	board.Wait(t, "a change after the cache has expired", func(b *Board) bool { return b.Name == "after" })
}

// readOnly is a source that does not write.
type readOnly struct{ feed.Source }

func TestSystemMessagesNeedAWriter(t *testing.T) {
	app, err := pando.New(pando.Config{Source: readOnly{sqlitefeed.New(pandotest.Database(t))}})
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"message":     app.BroadcastSystemMessage(t.Context(), "hello"),
		"maintenance": app.Maintenance(t.Context(), "hello", time.Minute),
		"expire":      app.ExpireCache(t.Context()),
	} {
		if err == nil || !strings.Contains(err.Error(), "give one that is a feed.Writer") {
			t.Errorf("%s without a writer: %v", name, err)
		}
	}
	if err := app.Maintenance(t.Context(), "hello", -time.Minute); err == nil || !strings.Contains(err.Error(), "give a time between") {
		t.Errorf("maintenance for a negative time: %v", err)
	}
	if err := app.BroadcastSystemMessage(t.Context(), strings.Repeat("x", 10_000)); err == nil || !strings.Contains(err.Error(), "8192 are the most") {
		t.Errorf("a long message: %v", err)
	}
}
