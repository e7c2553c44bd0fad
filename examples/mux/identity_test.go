package main

import (
	"context"
	"database/sql"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/token"
)

// TestATableWithABindingNeedsReplicaIdentityFull on PostgreSQL: what a row was before a
// commit is in the log then. Others keep what they have.
func TestATableWithABindingNeedsReplicaIdentityFull(t *testing.T) {
	servers.Need(t, "postgres")
	url := servers.Database(t)
	env := []string{"PANDO_DB=" + url}
	db, err := sql.Open("pgx", url)
	must(t, err)
	defer db.Close()
	full := func(t *testing.T) string {
		t.Helper()
		var tables sql.NullString
		must(t, db.QueryRowContext(t.Context(), `SELECT string_agg(relname, ' ') FROM pg_class WHERE relreplident = 'f'`).Scan(&tables))
		return tables.String
	}
	t.Run("set by migrate", func(t *testing.T) {
		run(t, env, "migrate")
		if got := full(t); got != "messages" {
			t.Errorf("tables with the identity FULL are %q, want that of the binding", got)
		}
	})
	t.Run("looked at by check", func(t *testing.T) {
		if said := run(t, env, "check"); strings.Contains(said, "migrate does it") {
			t.Errorf("check says %s", said)
		}
		execOn(t, db, `ALTER TABLE messages REPLICA IDENTITY DEFAULT`)
		if said := run(t, env, "check"); !strings.Contains(said, "the database is not set up for what is declared: migrate does it") {
			t.Errorf("without it check says %s", said)
		}
	})
	t.Run("checked at start-up", func(t *testing.T) {
		client := enter(t, start(t, env), issue(t, token.New(db), "ada"))
		client.saysf(`{"action":"create","data":{"message":"hello"}}`) // it serves now
		client.wants("create", "hello")
		if got := full(t); got != "messages" {
			t.Errorf("tables with the identity FULL are %q, want that of the binding", got)
		}
	})
}

// run runs a command of the program, which must succeed, and returns what it said.
func run(t *testing.T, env []string, args ...string) string {
	t.Helper()
	child := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], args...)
	child.Env = slices.Concat(os.Environ(), env, []string{asProgram + "=1"})
	said, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return string(said)
}
