package servers_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/pando-sync/pando/internal/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func show(t *testing.T, conn *pgx.Conn, sql string) (text string) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func TestPostgresKeepsDataOverStopAndKill(t *testing.T) {
	servers.Need(t, "postgres")
	s, err := servers.Postgres(t.Context(), servers.PostgresOptions{Conf: map[string]string{"wal_sender_timeout": "7s"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	url, drop, err := s.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	if level, wait := show(t, conn, "SHOW wal_level"), show(t, conn, "SHOW wal_sender_timeout"); level != "logical" || wait != "7s" {
		t.Fatalf("wal_level is %s, wal_sender_timeout %s", level, wait)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 'kept' AS what"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := conn.Ping(t.Context()); err == nil {
		t.Fatal("the server answers after Kill")
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.SetConf(t.Context(), "wal_sender_timeout", "9s"); err != nil {
		t.Fatal(err)
	}
	conn = connect(t, url)
	if what := show(t, conn, "SELECT what FROM kept"); what != "kept" {
		t.Fatalf("the table has %q", what)
	}
	if err := drop(); err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(t.Context(), url); err == nil {
		t.Fatal("the database is still there after drop")
	}
}

func TestDatabasesAreFresh(t *testing.T) {
	for range 2 {
		conn := connect(t, servers.Database(t))
		if _, err := conn.Exec(t.Context(), "CREATE TABLE one (id int)"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDropWithSlot drops a database that has a slot which somebody reads.
func TestDropWithSlot(t *testing.T) {
	url, drop, err := servers.SharedPostgres(t).Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url+"&replication=database")
	if _, err := conn.PgConn().Exec(t.Context(), "CREATE_REPLICATION_SLOT held LOGICAL pgoutput; START_REPLICATION SLOT held LOGICAL 0/0 (proto_version '1', publication_names 'none')").ReadAll(); err == nil {
		t.Fatal("a publication that does not exist was taken")
	}
	conn = connect(t, url+"&replication=database")
	if _, err := conn.PgConn().Exec(t.Context(), "CREATE_REPLICATION_SLOT read TEMPORARY LOGICAL pgoutput").ReadAll(); err != nil {
		t.Fatal(err)
	}
	if err := drop(); err != nil {
		t.Fatal(err)
	}
}
