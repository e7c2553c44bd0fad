package pgfeed_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/schema"
)

// pooler stands for one that replicates: it passes all on, but gives each connection a number
// of its own for the key by which its statements are cancelled.
func pooler(t *testing.T, dsn string) (through string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { pool(client, server) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	u.Host = l.Addr().String()
	return u.String()
}

// pool serves one client until one of both sides ends.
func pool(client net.Conn, server string) {
	defer client.Close()
	to, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer to.Close()
	var up sync.WaitGroup
	up.Go(func() {
		io.Copy(to, client)
		to.Close()
	})
	defer up.Wait()
	defer client.Close()
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(to, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(to, body); err != nil {
			return
		}
		if head[0] == 'K' {
			binary.BigEndian.PutUint32(body, 1)
		}
		if _, err := client.Write(slices.Concat(head, body)); err != nil {
			return
		}
	}
}

// TestPoolerThatReplicates refuses one before the log that passes on commands of
// replication, as PgBouncer from 1.23 on.
func TestPoolerThatReplicates(t *testing.T) {
	db, dsn := freshDB(t, createItemTable)
	err := pgfeed.New(db, pooler(t, dsn), quiet).Setup(t.Context(), []*schema.Table{itemTable})
	if err == nil || !strings.Contains(err.Error(), "PANDO_REPLICATION") {
		t.Errorf("Setup with a replication URL through a pooler: %v", err)
	}
	one := openDB(t, pooler(t, dsn))
	one.SetMaxOpenConns(1)
	source := pgfeed.New(one, dsn, quiet)
	defer closing(t, source)
	if err := source.Setup(t.Context(), []*schema.Table{itemTable}); err != nil {
		t.Fatal(err)
	}
	hints, err := source.Hints(t.Context())
	if text := strings.Join(hints, "\n"); err != nil || !strings.Contains(text, "max_prepared_statements") {
		t.Errorf("hints %q %v", text, err)
	}
}

func closing(t *testing.T, source *pgfeed.Source) {
	t.Helper()
	if err := source.Close(); err != nil {
		t.Error(err)
	}
}

// bouncer is a PgBouncer before the shared server. It makes the URL of a database
// one that goes by it.
func bouncer(t *testing.T, conf string) (through func(dsn string) string) {
	t.Helper()
	servers.Need(t, "pgbouncer")
	s, err := servers.PgBouncer(t.Context(), servers.SharedPostgres(t), servers.PgBouncerOptions{Conf: conf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(dsn string) string {
		t.Helper()
		url, err := s.Through(dsn)
		if err != nil {
			t.Fatal(err)
		}
		return url
	}
}

// TestPgBouncer refuses a pooler before the log, whatever it is told, and before
// the tables one by which statements fail, and no other.
func TestPgBouncer(t *testing.T) {
	const (
		exec, describe, simple = "&default_query_exec_mode=exec", "&default_query_exec_mode=cache_describe", "&default_query_exec_mode=simple_protocol"
		forgets                = "\nignore_startup_parameters = replication, wal_sender_timeout, statement_timeout, lock_timeout, extra_float_digits, intervalstyle, bytea_output, search_path"
		prepared               = "default_query_exec_mode=exec"
	)
	for name, c := range map[string]struct {
		conf    string
		handles map[string]string // what is refused, by what is added to the URL
	}{
		"session":                  {"pool_mode = session", map[string]string{"": "", exec: ""}},
		"session in turn":          {"pool_mode = session\nserver_round_robin = 1", map[string]string{"": ""}},
		"transaction":              {"pool_mode = transaction", map[string]string{"": prepared, exec: "", describe: "", simple: ""}},
		"transaction in turn":      {"pool_mode = transaction\nserver_round_robin = 1\nmin_pool_size = 3", map[string]string{"": prepared, exec: ""}},
		"transaction by one alone": {"pool_mode = transaction\ndefault_pool_size = 1", map[string]string{"": prepared}},
		"statement":                {"pool_mode = statement", map[string]string{"": "pool_mode to transaction or session", exec: "pool_mode to transaction or session"}},
	} {
		t.Run(name, func(t *testing.T) {
			through := bouncer(t, c.conf)
			for mode, refused := range c.handles {
				db, dsn := freshDB(t, createItemTable)
				source := pgfeed.New(openDB(t, through(dsn)+mode), dsn, quiet)
				wantRefused(t, "the handle with "+mode, source.Setup(t.Context(), []*schema.Table{itemTable}), refused)
				if n := count(t, db, "SELECT count(*) FROM pg_namespace WHERE nspname = 'pando'"); (n == 0) != (refused != "") {
					t.Errorf("%d schemas are there", n)
				}
				closing(t, source)
			}
		})
	}
	for name, conf := range map[string]string{"log": "pool_mode = session", "log of one that forgets": "pool_mode = session" + forgets} {
		t.Run(name, func(t *testing.T) {
			db, dsn := freshDB(t, createItemTable)
			source := pgfeed.New(db, bouncer(t, conf)(dsn), quiet)
			wantRefused(t, "the log", source.Setup(t.Context(), []*schema.Table{itemTable}), "PANDO_REPLICATION")
			closing(t, source)
		})
	}
}

func wantRefused(t *testing.T, what string, err error, text string) {
	t.Helper()
	if (err != nil) != (text != "") || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("%s: got %v, want %q", what, err, text)
	}
}

// TestByPgBouncer follows, reads and writes where each transaction has another
// connection, of a few.
func TestByPgBouncer(t *testing.T) {
	through := bouncer(t, "pool_mode = transaction\nserver_round_robin = 1\ndefault_pool_size = 8")
	pooled := func(t testing.TB) feedtest.Harness {
		dsn := servers.Database(t)
		h := feedtest.Harness{DB: openDB(t, dsn), Dialect: dialect, Large: pgfeed.PartRows * 3 / 2}
		h.Open = func(t testing.TB) feed.Source {
			return pgfeed.New(openDB(t, through(dsn)+"&default_query_exec_mode=exec"), dsn, quiet)
		}
		return h
	}
	feedtest.RunOnly(t, pooled, "Changes", "Join", "Restart")
	feedtest.RunWriterOnly(t, pooled, "RoundTrip", "ContextEnd", "Claims")
}
