package servers_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pando-sync/pando/internal/servers"
)

// TestPgBouncer gives one connection of the server to two clients in turn, as its
// settings say, and ends.
func TestPgBouncer(t *testing.T) {
	servers.Need(t, "postgres", "pgbouncer")
	s, err := servers.PgBouncer(t.Context(), servers.SharedPostgres(t), servers.PgBouncerOptions{Conf: "pool_mode = transaction\ndefault_pool_size = 1"})
	if err != nil {
		t.Fatal(err)
	}
	through, err := s.Through(servers.Database(t) + "&default_query_exec_mode=exec")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		one, other := connect(t, through), connect(t, through)
		if a, b := show(t, one, "SELECT pg_backend_pid()::text"), show(t, other, "SELECT pg_backend_pid()::text"); a != b {
			t.Errorf("two clients have the processes %s and %s", a, b)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := pgx.Connect(t.Context(), through); err == nil {
		t.Error("the pooler is still there")
	}
}
