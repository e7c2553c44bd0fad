package manage

import (
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/internal/servers"
)

// postgresBench is a deskBench over a database of PostgreSQL, for the handle that
// it returns.
func postgresBench(t *testing.T) (*bench, *sql.DB) {
	t.Helper()
	b := newBench(t)
	url := servers.Database(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, statement := range []string{
		"CREATE TABLE desks (id bigserial PRIMARY KEY, name text NOT NULL)",
		"CREATE TABLE memos (id bigserial PRIMARY KEY, desk_id bigint, body text NOT NULL)", "CREATE INDEX ON memos (desk_id)",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	b.change = func(p *Project) {
		source := pgfeed.New(db, url, pgfeed.WithLogger(slog.New(slog.DiscardHandler)))
		app, err := pando.New(pando.Config{Source: source, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		app.Handle("desks/{desk_id}", pando.For(func() *DeskChannel { return &DeskChannel{} }, pando.Public()))
		closeDB := p.Close
		p.App, p.Migrate = app, nil
		p.Close = func() error { return errors.Join(source.Close(), closeDB()) }
	}
	return b, db
}

// TestMigrateByHand runs what is printed and finds all in place, on PostgreSQL by
// a role of its own.
func TestMigrateByHand(t *testing.T) {
	b, db := postgresBench(t)
	if _, err := db.ExecContext(t.Context(), "CREATE ROLE desk_app LOGIN"); err != nil {
		t.Fatal(err)
	}
	printed := b.run("", "migrate", "--print-sql", "--role", "desk_app")
	if printed.code != 0 {
		t.Fatalf("%+v", printed)
	}
	for _, want := range []string{`CREATE SCHEMA IF NOT EXISTS "pando";`, `CREATE PUBLICATION "pando" FOR TABLE "public"."desks"`, `ON "public"."memos" TO "desk_app";`, `"pando"."messages"`} {
		if !strings.Contains(printed.out, want) {
			t.Errorf("no %q is printed in\n%s", want, printed.out)
		}
	}
	if _, err := db.ExecContext(t.Context(), printed.out); err != nil {
		t.Fatalf("what is printed does not run: %v", err)
	}
	const inPlace = "-- All is in place.\n"
	if got := b.run("", "migrate", "--print-sql"); got.out != inPlace || got.code != 0 {
		t.Errorf("after what was printed: %+v", got)
	}
	if got := b.run("", "check"); got.code != 0 || !strings.Contains(got.out, "Nothing has to be mended") {
		t.Errorf("check: %+v", got)
	}
}

// onBoth runs a test over SQLite and over PostgreSQL.
func onBoth(t *testing.T, run func(t *testing.T, b *bench)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		run(t, deskBench(t, deskTables+"CREATE INDEX memos_desk ON memos (desk_id);"))
	})
	t.Run("postgres", func(t *testing.T) {
		b, _ := postgresBench(t)
		run(t, b)
	})
}

// TestUninstall installs, takes it back and installs again.
func TestUninstall(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		for _, step := range []struct{ args, want string }{
			{"uninstall", "Removed"},
			{"migrate", ""},
			{"migrate --print-sql", "-- All is in place.\n"},
			{"uninstall", "Removed"},
			{"migrate --print-sql", "pando"},
			{"migrate --new-epoch", ""},
			{"migrate --print-sql", "-- All is in place.\n"},
		} {
			got := b.run("", strings.Fields(step.args)...)
			if got.code != 0 || !strings.HasPrefix(got.out, step.want) && !strings.Contains(got.out, step.want) {
				t.Errorf("%s: %+v, want %q", step.args, got, step.want)
			}
		}
	})
}

// TestMigrateFlags refuses flags that mean nothing together.
func TestMigrateFlags(t *testing.T) {
	b := newBench(t)
	for _, args := range []string{"migrate --role x", "migrate --print-sql --new-epoch"} {
		if got := b.run("", strings.Fields(args)...); got.code == 0 {
			t.Errorf("%s: %+v", args, got)
		}
	}
	b.wantOutcome(b.run("", "uninstall"), 1, "board: this app cannot tell what it changes in the database: set Project.App to what pando.New returned\n")
}
