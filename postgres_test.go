package pando_test

import (
	"context"
	"database/sql"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

// TestPostgres runs an app on two nodes over PostgreSQL, each of which follows by
// itself: what one of them is told, and what others write, reaches the clients of
// both.
func TestPostgres(t *testing.T) {
	servers.Need(t, "postgres")
	url := servers.Database(t)
	db := openPostgres(t, url)
	for _, statement := range []string{
		"CREATE TABLE docs (id bigint PRIMARY KEY, body text NOT NULL)", "CREATE TABLE members (id bigint PRIMARY KEY, doc_id bigint, user_id bigint)",
		"INSERT INTO docs VALUES (1, 'first')",
	} {
		exec(t, db, statement)
	}
	users := token.New(db)
	if err := users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	ada, err := users.CreateUser(t.Context(), "ada", "lovelace", "Ada")
	if err != nil {
		t.Fatal(err)
	}
	var readers []*reader
	var tokens []string
	for range 2 {
		secret, err := users.Issue(t.Context(), ada)
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{socket: dial(t, pandotest.Serve(t, postgresApp(t, url)), nil)}
		r.connect(secret)
		r.open("s1", "1")
		r.until(`"first"`)
		readers, tokens = append(readers, r), append(tokens, secret)
	}
	both := func(want string) {
		t.Helper()
		for _, r := range readers {
			r.until(want)
		}
	}
	exec(t, db, "UPDATE docs SET body = 'second'")
	both(`"second"`)
	command := postgresApp(t, url)
	if err := command.BroadcastSystemMessage(t.Context(), "Backup at noon."); err != nil {
		t.Fatal(err)
	}
	both("Backup at noon.")
	if err := command.NewEpoch(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "UPDATE docs SET body = 'third'")
	both(`"third"`)
	if err := users.Revoke(t.Context(), tokens[0]); err != nil {
		t.Fatal(err)
	}
	readers[0].ends(4401)
	if err := command.Maintenance(t.Context(), "Away.", time.Minute); err != nil {
		t.Fatal(err)
	}
	readers[1].until("Away.")
	faults, hints, err := command.Check(t.Context())
	hints = slices.DeleteFunc(hints, func(h string) bool {
		return strings.Contains(h, "Broker") || strings.Contains(h, `table "auth_tokens" tell by "user_id" whose permission or login`)
	})
	if len(faults) > 0 || len(hints) > 0 || err != nil {
		t.Errorf("check: %q %q %v", faults, hints, err)
	}
}

func openPostgres(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// postgresApp is an app of docs for those who have a token, as one process has it.
func postgresApp(t *testing.T, url string) *pando.App {
	t.Helper()
	db := openPostgres(t, url)
	source := pgfeed.New(db, url, pgfeed.WithLogger(slog.New(slog.DiscardHandler)))
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
	app, err := pando.New(pando.Config{Source: source, Auth: token.New(db), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("docs/{doc_id}", pando.For(func() *OpenDoc { return &OpenDoc{} }))
	return app
}

// TestPostgresUninstall takes an app's traces out of the database that it ran on.
func TestPostgresUninstall(t *testing.T) {
	servers.Need(t, "postgres")
	url := servers.Database(t)
	db := openPostgres(t, url)
	exec(t, db, "CREATE TABLE docs (id bigint PRIMARY KEY, body text NOT NULL)")
	if err := token.New(db).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	app := postgresApp(t, url)
	statements, grants, err := app.SetupSQL(t.Context(), "app")
	if err != nil || len(statements) == 0 || len(grants) == 0 {
		t.Fatalf("SetupSQL: %q %q %v", statements, grants, err)
	}
	if err := app.Setup(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if statements, _, err = app.SetupSQL(t.Context(), ""); err != nil || len(statements) != 0 {
		t.Errorf("SetupSQL of what is in place: %q %v", statements, err)
	}
	if err := app.Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM pg_namespace WHERE nspname = 'pando'").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d schemas are left: %v", n, err)
	}
}
