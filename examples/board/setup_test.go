package main

import (
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/backend/postgres"
	"github.com/pando-sync/pando/backend/sqlite"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(servers.Main(m))
}

// demo is the seeded app, running.
type demo struct {
	backend *backend.Backend
	db      *sql.DB
	users   *token.Store
	server  *pandotest.Server
}

// everywhere runs a test on each database.
func everywhere(t *testing.T, test func(*testing.T, *demo)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newDemo(t, filepath.Join(t.TempDir(), "board.db"))) })
	t.Run("postgresql", func(t *testing.T) {
		servers.Need(t, "postgres")
		test(t, newDemo(t, servers.Database(t)))
	})
}

func newDemo(t *testing.T, database string) *demo {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	b, err := backend.Open(t.Context(), backend.Settings{Database: database, Log: quiet}, sqlite.Kind(), postgres.Kind())
	must(t, err)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	users := token.New(b.DB)
	must(t, migrate(t.Context(), &b.Database, users))
	must(t, seed(t.Context(), &b.Database, users))
	static, err := page(t.TempDir())
	must(t, err)
	app, err := newApp(b, users, pando.Config{Static: static, Logger: quiet})
	must(t, err)
	return &demo{b, b.DB, users, pandotest.Serve(t, app)}
}

// token logs a user in without the work that a password takes.
func (d *demo) token(t *testing.T, username string) string {
	t.Helper()
	id, err := userID(t.Context(), d.db, username)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := d.users.Issue(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func (d *demo) connect(t *testing.T, username string) *pandotest.Client {
	t.Helper()
	return d.server.Connect(t, d.token(t, username))
}

// board opens a board as a user.
func (d *demo) board(t *testing.T, username string, id int64) *pandotest.Stream[Board] {
	t.Helper()
	return pandotest.Open[Board](t, d.connect(t, username), "boards/"+strconv.FormatInt(id, 10))
}

func (d *demo) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := d.db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// find returns the list and the card with a title; the card is nil when there
// is none.
func find(b *Board, title string) (*List, *Card) {
	for i := range b.Lists {
		for j := range b.Lists[i].Cards {
			if b.Lists[i].Cards[j].Title == title {
				return &b.Lists[i], &b.Lists[i].Cards[j]
			}
		}
	}
	return nil, nil
}

// user is the key of a user, as the wire has it.
func (d *demo) user(t *testing.T, username string) string {
	t.Helper()
	id, err := userID(t.Context(), d.db, username)
	must(t, err)
	return strconv.FormatInt(id, 10)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode checks the code of a refusal.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	coded := (*pando.Error)(nil)
	if !errors.As(err, &coded) || coded.Code != code {
		t.Errorf("got %v, want an error %s", err, code)
	}
}
