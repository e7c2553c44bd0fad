package servers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PostgresOptions are how a PostgreSQL differs from others.
type PostgresOptions struct {
	// Conf are settings, over those that the servers of tests have: logical
	// decoding, twenty slots and senders, no synchronous writes to the disk.
	Conf map[string]string
}

// PostgresServer is a PostgreSQL whose superuser is postgres, without a password.
type PostgresServer struct {
	server

	program string
	conf    map[string]string
	as      *syscall.Credential // nil for the user of this process
}

// superuser is the server's first role.
const superuser = "postgres"

// postgresConf are the settings of servers for tests.
var postgresConf = map[string]string{
	"listen_addresses":                "127.0.0.1",
	"unix_socket_directories":         "",
	"wal_level":                       "logical",
	"max_connections":                 "200",
	"max_wal_senders":                 "20",
	"max_replication_slots":           "20",
	"max_slot_wal_keep_size":          "1GB",
	"fsync":                           "off",
	"full_page_writes":                "off",
	"shared_buffers":                  "32MB",
	"max_prepared_transactions":       "10",
	"autovacuum_max_workers":          "1",
	"lc_messages":                     "C",
	"log_checkpoints":                 "off",
	"log_destination":                 "stderr",
	"logging_collector":               "off",
	"cluster_name":                    "pando-test",
	"wal_receiver_timeout":            "10s",
	"wal_sender_timeout":              "10s",
	"idle_session_timeout":            "0",
	"restart_after_crash":             "on",
	"log_min_messages":                "warning",
	"max_logical_replication_workers": "0",
}

// Postgres starts a PostgreSQL of its own and returns when it takes connections.
func Postgres(ctx context.Context, opts PostgresOptions) (*PostgresServer, error) {
	program, err := find("postgres")
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{program: program, conf: maps.Clone(postgresConf)}
	s.server = server{name: "postgres", command: s.again, ready: "database system is ready to accept connections", end: syscall.SIGINT, crash: syscall.SIGQUIT}
	maps.Copy(s.conf, opts.Conf)
	if s.as, err = postgresUser(); err != nil {
		return nil, err
	}
	if err := s.initialize(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// postgresUser is whom the server runs as: it refuses to be root.
func postgresUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(superuser)
	if err != nil {
		return nil, fmt.Errorf("find the user that runs postgres in the place of root: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// initialize makes the folder of the data.
func (s *PostgresServer) initialize(ctx context.Context) (err error) {
	if s.folder, err = os.MkdirTemp("", "pando-postgres-"); err != nil {
		return err
	}
	if s.as != nil {
		if err := os.Chown(s.folder, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return err
		}
	}
	initdb := s.own(exec.CommandContext(ctx, filepath.Join(filepath.Dir(s.program), "initdb"), "-D", s.folder, "-U", superuser, //nolint:gosec // the program that find found
		"-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"))
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return s.configure()
}

// configure writes the settings into the file that SetConf goes above.
func (s *PostgresServer) configure() error {
	file, err := os.OpenFile(filepath.Join(s.folder, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.conf)) {
		fmt.Fprintf(file, "%s = '%s'\n", name, s.conf[name])
	}
	return file.Close()
}

// own has a command run as the server does.
func (s *PostgresServer) own(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
	if s.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	}
	return cmd
}

// again is a run of the server on its data and port.
func (s *PostgresServer) again(ctx context.Context) (*exec.Cmd, error) {
	return s.own(exec.CommandContext(ctx, s.program, "-D", s.folder, "-c", "port="+strconv.Itoa(s.port))), nil //nolint:gosec // the program that find found
}

// URL is that of the database postgres, for the superuser.
func (s *PostgresServer) URL() string { return s.urlOf(superuser) }

func (s *PostgresServer) urlOf(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Host: "127.0.0.1:" + strconv.Itoa(s.port), Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Exec runs statements in the database postgres, each by itself.
func (s *PostgresServer) Exec(ctx context.Context, statements ...string) (err error) {
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// SetConf changes a setting; an empty value takes the change back. Those that
// cannot change while the server runs need a Restart.
func (s *PostgresServer) SetConf(ctx context.Context, name, value string) error {
	change := "ALTER SYSTEM RESET " + name
	if value != "" {
		change = "ALTER SYSTEM SET " + name + " = '" + value + "'"
	}
	return s.Exec(ctx, change, "SELECT pg_reload_conf()")
}

// databases numbers the databases of this process.
var databases atomic.Int64

// Database makes a fresh database. drop ends what is connected to it and removes
// it with its slots.
func (s *PostgresServer) Database(ctx context.Context) (dsn string, drop func() error, err error) {
	name := "test_" + strconv.FormatInt(databases.Add(1), 10)
	if err := s.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	return s.urlOf(name), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return s.drop(ctx, name)
	}, nil
}

// drop tries until nobody has a slot of the database any more.
func (s *PostgresServer) drop(ctx context.Context, name string) error {
	for {
		err := s.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'", "DROP DATABASE "+name+" WITH (FORCE)")
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

var sharedPostgres = shared(func(ctx context.Context) (*PostgresServer, error) { return Postgres(ctx, PostgresOptions{}) })

// SharedPostgres is the server that the tests of a process share. They do not
// stop it. The package's TestMain must use Main.
func SharedPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	return borrow(t, "postgres", sharedPostgres)
}

// Database returns the URL of a fresh database of the shared PostgreSQL, which is
// dropped after the test.
func Database(t testing.TB) string {
	t.Helper()
	dsn, drop, err := SharedPostgres(t).Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	return dsn
}
