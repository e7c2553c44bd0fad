package servers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// PgBouncerOptions are how a PgBouncer differs from others.
type PgBouncerOptions struct {
	// Conf is appended to its settings, in its own syntax, as "pool_mode = session".
	// Without it, it is configured as it comes.
	Conf string
}

// PgBouncerServer is a PgBouncer before the databases of a PostgreSQL, as whose
// superuser it connects whoever comes.
type PgBouncerServer struct{ server }

// PgBouncer starts a PgBouncer before a server and returns when it takes
// connections.
func PgBouncer(ctx context.Context, before *PostgresServer, opts PgBouncerOptions) (*PgBouncerServer, error) {
	program, err := find("pgbouncer")
	if err != nil {
		return nil, err
	}
	as, err := postgresUser() // it refuses to be root, too
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "pando-pgbouncer-")
	if err != nil {
		return nil, err
	}
	if as != nil {
		if err := os.Chown(folder, int(as.Uid), int(as.Gid)); err != nil {
			return nil, errors.Join(err, os.RemoveAll(folder))
		}
	}
	s := &PgBouncerServer{server{name: "pgbouncer", folder: folder, ready: "process up", end: syscall.SIGTERM, crash: syscall.SIGKILL}}
	s.command = func(ctx context.Context) (*exec.Cmd, error) {
		file := filepath.Join(folder, "pgbouncer.ini")
		cmd := exec.CommandContext(ctx, program, file) //nolint:gosec // the program that find found
		cmd.Dir = folder
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		text := fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%d user=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\n%s\n",
			before.port, superuser, s.port, opts.Conf)
		return cmd, os.WriteFile(file, []byte(text), 0o644) //nolint:gosec // it is read by another user, and has no secret
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Through is the URL of a database of the server that goes by the pooler.
func (s *PgBouncerServer) Through(dsn string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	u.Host = "127.0.0.1:" + strconv.Itoa(s.port)
	return u.String(), nil
}
