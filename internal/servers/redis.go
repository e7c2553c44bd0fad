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

// RedisOptions are how a redis-server differs from others.
type RedisOptions struct {
	// Keep has the server keep what it is told in its folder, on disk before it
	// answers, and read it at the next Start. Without it the server starts empty.
	Keep bool
	// Conf is appended to the server's configuration, in its own syntax.
	Conf string
}

// RedisServer is a redis-server without a password.
type RedisServer struct {
	program string
	folder  string
	opts    RedisOptions
	port    int

	process *process
}

// Redis starts a redis-server of its own and returns when it takes connections.
func Redis(ctx context.Context, opts RedisOptions) (*RedisServer, error) {
	program, err := find("redis")
	if err != nil {
		return nil, err
	}
	s := &RedisServer{program: program, opts: opts}
	if s.folder, err = os.MkdirTemp("", "pando-redis-"); err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.Data(), 0o700); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
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

// Start starts the server again after Stop or Kill, on the same port.
func (s *RedisServer) Start(ctx context.Context) error {
	file := filepath.Join(s.folder, "redis.conf")
	text := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %q\nsave \"\"\nappendonly no\n", s.port, s.Data())
	if s.opts.Keep {
		text += "appendonly yes\nappendfsync always\n"
	}
	if err := os.WriteFile(file, []byte(text+s.opts.Conf+"\n"), 0o600); err != nil {
		return err
	}
	// The process outlives ctx, which is the start's.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), s.program, file) //nolint:gosec // the program that find found
	cmd.Dir = s.folder
	p, err := run(ctx, cmd, syscall.SIGKILL, "Ready to accept connections")
	if err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	s.process = p
	return nil
}

// Stop ends the server in order; the port, and what it keeps, stay for Start.
func (s *RedisServer) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.process.stop(ctx, syscall.SIGTERM, syscall.SIGKILL)
}

// Kill ends the server as a crash does.
func (s *RedisServer) Kill() {
	s.process.signal(syscall.SIGKILL)
	<-s.process.ended
}

// Restart is Stop and Start.
func (s *RedisServer) Restart(ctx context.Context) error {
	s.Stop()
	return s.Start(ctx)
}

// Pause has the server stand still, as a machine that is cut off does: its
// connections stay, but nothing comes. Resume has it go on.
func (s *RedisServer) Pause() {
	s.process.signal(syscall.SIGSTOP)
	awaitStop(s.process.cmd.Process.Pid)
}

// Resume is described with Pause.
func (s *RedisServer) Resume() { s.process.signal(syscall.SIGCONT) }

// Clear removes what the server keeps. It must not run.
func (s *RedisServer) Clear() error {
	return errors.Join(os.RemoveAll(s.Data()), os.Mkdir(s.Data(), 0o700))
}

// Data is the folder of what the server keeps, which a test may copy and put
// back while the server does not run.
func (s *RedisServer) Data() string { return filepath.Join(s.folder, "data") }

// Close ends the server, if it runs, and removes its data.
func (s *RedisServer) Close() error {
	s.Kill()
	return os.RemoveAll(s.folder)
}

// URL is where clients connect.
func (s *RedisServer) URL() string { return "redis://127.0.0.1:" + strconv.Itoa(s.port) }

// sharedRedis is the server that the tests of this process share.
var sharedRedis = sync.OnceValues(func() (*RedisServer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := Redis(ctx, RedisOptions{})
	if err != nil {
		return nil, err
	}
	atEnd(func() { s.Close() }) //nolint:errcheck // a folder that stays harms nobody
	return s, nil
})

// SharedRedis is the redis-server that the tests of a process share, each with a
// prefix of its own. They do not stop it. The package's TestMain must use Main.
func SharedRedis(t testing.TB) *RedisServer {
	t.Helper()
	Need(t, "redis")
	s, err := sharedRedis()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
