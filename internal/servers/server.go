package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is what all servers have in common: a folder and a port of their own, and
// a process that ends and starts again.
type server struct {
	// name is the program's, for errors.
	name   string
	folder string
	port   int
	// command makes the process, from what stands in the folder and on the port;
	// one of its lines has the text ready in it when it takes connections.
	command func(ctx context.Context) (*exec.Cmd, error)
	ready   string
	// end asks the process to end in order, and crash has it end at once.
	end, crash syscall.Signal

	process *process
}

const (
	// portTries is how often a port is tried, as another process may take it first.
	portTries = 5
	// patience is how long a server may take to end in order.
	patience = 20 * time.Second
)

// begin starts the server for the first time, on a free port. Where that fails,
// nothing is left of it.
func (s *server) begin(ctx context.Context) (err error) {
	for try := 1; ; try++ {
		if s.port, err = freePort(ctx); err == nil {
			err = s.Start(ctx)
		}
		switch {
		case err == nil:
			return nil
		case try == portTries || ctx.Err() != nil:
			return errors.Join(err, os.RemoveAll(s.folder))
		}
	}
}

// Start starts the server again after Stop or Kill, on the same port and on what
// it has kept.
func (s *server) Start(ctx context.Context) error {
	// The process outlives ctx, which is the start's.
	cmd, err := s.command(context.WithoutCancel(ctx))
	if err == nil {
		s.process, err = run(ctx, cmd, s.crash, s.ready)
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	return nil
}

// Stop ends all connections and the server in order; what it keeps and its port
// stay for Start. PostgreSQL's senders of replication first send all there is, as
// long as their receivers take it, at most some seconds.
func (s *server) Stop() { s.stop(s.end, s.crash) }

// Kill ends the server as a crash does. What it had told the system to write to
// its disk is there at the next Start.
func (s *server) Kill() { s.stop(s.crash, syscall.SIGKILL) }

func (s *server) stop(ask, force syscall.Signal) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.process.stop(ctx, ask, force)
}

// Restart is Stop and Start.
func (s *server) Restart(ctx context.Context) error {
	s.Stop()
	return s.Start(ctx)
}

// Close ends the server, if it runs, and removes its data.
func (s *server) Close() error {
	s.Kill()
	return os.RemoveAll(s.folder)
}

// single is a server that is one process, and keeps its data in a folder by
// itself.
type single struct{ server }

// Pause has the server stand still, as a machine that is cut off does: its
// connections stay, but nothing comes. Resume has it go on.
func (s *single) Pause() {
	s.process.signal(syscall.SIGSTOP)
	awaitStop(s.process.cmd.Process.Pid)
}

// Resume is described with Pause.
func (s *single) Resume() { s.process.signal(syscall.SIGCONT) }

// Data is the folder of what the server keeps, which a test may copy and put
// back while the server does not run.
func (s *single) Data() string { return filepath.Join(s.folder, "data") }

// Clear removes what the server keeps. It must not run.
func (s *single) Clear() error { return os.RemoveAll(s.Data()) }

// begin starts the server for the first time: the program that find knows by a
// name, which is told by a file of configuration that is written at each start.
func (s *single) begin(ctx context.Context, program, ready string, args func(file string) []string, conf func() string) error {
	found, err := find(program)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "pando-"+program+"-")
	if err != nil {
		return err
	}
	s.server = server{name: filepath.Base(found), folder: folder, ready: ready, end: syscall.SIGTERM, crash: syscall.SIGKILL}
	s.command = func(ctx context.Context) (*exec.Cmd, error) {
		file := filepath.Join(folder, program+".conf")
		cmd := exec.CommandContext(ctx, found, args(file)...) //nolint:gosec // the program that find found
		cmd.Dir = folder
		return cmd, errors.Join(os.MkdirAll(s.Data(), 0o700), os.WriteFile(file, []byte(conf()), 0o600))
	}
	return s.server.begin(ctx)
}

// shared returns what starts a server that the tests of this process share, once,
// and has it end with them.
func shared[S io.Closer](start func(context.Context) (S, error)) func() (S, error) {
	return sync.OnceValues(func() (S, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
		defer cancel()
		s, err := start(ctx)
		if err == nil {
			atEnd(func() { s.Close() }) //nolint:errcheck // a folder that stays harms nobody
		}
		return s, err
	})
}

// borrow returns a shared server to a test, which needs the named program.
func borrow[S any](t testing.TB, program string, start func() (S, error)) S {
	t.Helper()
	Need(t, program)
	s, err := start()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
