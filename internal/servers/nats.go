package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// NATSOptions are how a nats-server differs from others.
type NATSOptions struct {
	// Conf is appended to the server's configuration, in its own syntax.
	Conf string
}

// NATSServer is a nats-server with JetStream, without a password. Apart from its
// folders it is configured as it comes.
type NATSServer struct {
	program string
	folder  string
	conf    string
	port    int

	process *process
}

// NATS starts a nats-server of its own and returns when it takes connections.
func NATS(ctx context.Context, opts NATSOptions) (*NATSServer, error) {
	program, err := find("nats")
	if err != nil {
		return nil, err
	}
	s := &NATSServer{program: program, conf: opts.Conf}
	if s.folder, err = os.MkdirTemp("", "pando-nats-"); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		if s.port, err = freePort(ctx); err == nil {
			err = s.Start(ctx)
		}
		switch {
		case err == nil:
			return s, nil
		case try == portTries || ctx.Err() != nil:
			return nil, errors.Join(err, os.RemoveAll(s.folder))
		}
	}
}

// Start starts the server again after Stop or Kill, on the same port, and on the
// same data unless Clear was called.
func (s *NATSServer) Start(ctx context.Context) error {
	file := filepath.Join(s.folder, "nats.conf")
	text := fmt.Sprintf("listen: \"127.0.0.1:%d\"\nserver_name: \"pando-%d\"\njetstream { store_dir: %q }\n%s\n", s.port, s.port, s.Data(), s.conf)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	// The process outlives ctx, which is the start's.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), s.program, "-c", file) //nolint:gosec // the program that find found
	cmd.Dir = s.folder
	p, err := run(ctx, cmd, syscall.SIGKILL, "Server is ready")
	if err != nil {
		return fmt.Errorf("start nats-server: %w", err)
	}
	s.process = p
	return nil
}

// Stop ends the server in order; data and port stay for Start.
func (s *NATSServer) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.process.stop(ctx, syscall.SIGTERM, syscall.SIGKILL)
}

// Kill ends the server as a crash does. What it had told the system to write to
// its data is there at the next Start.
func (s *NATSServer) Kill() {
	s.process.signal(syscall.SIGKILL)
	<-s.process.ended
}

// Restart is Stop and Start.
func (s *NATSServer) Restart(ctx context.Context) error {
	s.Stop()
	return s.Start(ctx)
}

// Pause has the server stand still, as a machine that is cut off does: its
// connections stay, but nothing comes. Resume has it go on.
func (s *NATSServer) Pause() {
	s.process.signal(syscall.SIGSTOP)
	awaitStop(s.process.cmd.Process.Pid)
}

// Resume is described with Pause.
func (s *NATSServer) Resume() { s.process.signal(syscall.SIGCONT) }

// Clear removes what JetStream has stored. The server must not run.
func (s *NATSServer) Clear() error { return os.RemoveAll(s.Data()) }

// Data is the folder of what JetStream stores, which a test may copy and put
// back while the server does not run.
func (s *NATSServer) Data() string { return filepath.Join(s.folder, "data") }

// Close ends the server, if it runs, and removes its data.
func (s *NATSServer) Close() error {
	s.Kill()
	return os.RemoveAll(s.folder)
}

// URL is where clients connect.
func (s *NATSServer) URL() string { return "nats://127.0.0.1:" + strconv.Itoa(s.port) }

// sharedNATS is the server that the tests of this process share.
var sharedNATS = sync.OnceValues(func() (*NATSServer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := NATS(ctx, NATSOptions{})
	if err != nil {
		return nil, err
	}
	atEnd(func() { s.Close() }) //nolint:errcheck // a folder that stays harms nobody
	return s, nil
})

// SharedNATS is the nats-server that the tests of a process share, each with
// names of its own. They do not stop it. The package's TestMain must use Main.
func SharedNATS(t testing.TB) *NATSServer {
	t.Helper()
	Need(t, "nats")
	s, err := sharedNATS()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
