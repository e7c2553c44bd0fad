package main

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/client"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/pandotest"
)

// Note is what the old release shows.
type Note struct {
	ID     int64  `json:"id"`
	Colour string `json:"colour"`
}

// PaintedNote is what the new one does.
type PaintedNote struct {
	ID    int64  `json:"id"`
	Paint string `json:"paint"`
}

// TableName is that of the old release.
func (PaintedNote) TableName() string { return "notes" }

// NoteChannel is the old release's.
type NoteChannel struct {
	pando.Channel[Note, pando.NoRuntime]
	everyone
}

// PaintedChannel is the new one's.
type PaintedChannel struct {
	pando.Channel[PaintedNote, pando.NoRuntime]
	everyone
}

// dialects open a fresh database, of which each release has a source of its own.
var dialects = map[string]func(t *testing.T) (db *sql.DB, source func() feed.Source){
	"sqlite": func(t *testing.T) (*sql.DB, func() feed.Source) {
		db := pandotest.Database(t)
		return db, func() feed.Source { return sqlitefeed.New(db) }
	},
	"postgres": func(t *testing.T) (*sql.DB, func() feed.Source) {
		db, url := postgres(t)
		return db, func() feed.Source { return pgfeed.New(db, url) }
	},
	"triggers": func(t *testing.T) (*sql.DB, func() feed.Source) {
		db, _ := postgres(t)
		return db, func() feed.Source {
			// No slot, no right to replicate, no URL: triggers write the log.
			return pgfeed.New(db, "", pgfeed.WithTriggerLog())
		}
	},
}

// postgres is a fresh database of PostgreSQL, and its URL.
func postgres(t *testing.T) (db *sql.DB, url string) {
	t.Helper()
	servers.Need(t, "postgres")
	url = servers.Database(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, url
}

// TestSchemaChanges renames a column under two releases, as the guide has it.
func TestSchemaChanges(t *testing.T) {
	for name, open := range dialects {
		t.Run(name, func(t *testing.T) {
			db, source := open(t)
			run(t, db, "CREATE TABLE notes (id bigint PRIMARY KEY, colour text NOT NULL)", "INSERT INTO notes VALUES (1, 'red')")
			before := release(t, source(), pando.For(func() *NoteChannel { return &NoteChannel{} }, pando.Public()))
			old := shown[Note](t, before.URL)
			wait(t, old, func(n Note) bool { return n.Colour == "red" })

			runFile(t, db, "changes.sql")
			after := release(t, source(), pando.For(func() *PaintedChannel { return &PaintedChannel{} }, pando.Public()))
			painted := shown[PaintedNote](t, after.URL)
			wait(t, painted, func(n PaintedNote) bool { return n.Paint == "red" })
			run(t, db, "UPDATE notes SET colour = 'blue', paint = 'blue'")
			wait(t, old, func(n Note) bool { return n.Colour == "blue" })
			wait(t, painted, func(n PaintedNote) bool { return n.Paint == "blue" })

			before.Stop(t)
			contract := "contract.postgres.sql"
			if name == "sqlite" {
				contract = "contract.sqlite.sql"
			}
			runFile(t, db, contract)
			run(t, db, "UPDATE notes SET paint = 'green'")
			wait(t, painted, func(n PaintedNote) bool { return n.Paint == "green" })
		})
	}
}

// release serves an app of one channel.
func release(t *testing.T, source feed.Source, channel *pando.Declaration) *pandotest.Server {
	t.Helper()
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("notes/{id}", channel)
	return pandotest.Serve(t, app)
}

// shown opens the note by a client that comes back by itself.
func shown[S any](t *testing.T, url string) *client.Stream[S] {
	t.Helper()
	c := client.New(url, client.Options{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := client.Open[S](ctx, c, "notes/1")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wait[S any](t *testing.T, s *client.Stream[S], ok func(S) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got, err := s.Wait(ctx, ok); err != nil {
		t.Fatalf("shows %+v: %v", got, err)
	}
}

func run(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// runFile runs a file's statements in one transaction.
func runFile(t *testing.T, db *sql.DB, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Clean(name))
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for statement := range strings.SplitSeq(strings.TrimSpace(string(text)), ";\n") {
		if _, err := tx.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// TestPostgreSQLStatements runs what the guides have operators type.
func TestPostgreSQLStatements(t *testing.T) {
	db, _ := postgres(t)
	text, err := os.ReadFile("postgresql.sql")
	if err != nil {
		t.Fatal(err)
	}
	for statement := range strings.SplitSeq(strings.TrimSpace(string(text)), ";\n") {
		run(t, db, statement) // each by itself: ALTER SYSTEM is in no transaction
	}
}
