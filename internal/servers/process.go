package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// process is one run of a server.
type process struct {
	cmd *exec.Cmd
	// ended is closed when the process is gone.
	ended chan struct{}
	// output has its last lines.
	output *tail
}

// run starts a server and waits until one of its lines has the text ready in it.
// The process gets a signal of death when this one ends, however it ends.
func run(ctx context.Context, cmd *exec.Cmd, death syscall.Signal, ready string) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{}), output: &tail{ready: ready, isReady: make(chan struct{})}}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // an interrupt at the terminal is for the tests
	dieWithParent(cmd.SysProcAttr, death)
	lines, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = write, write
	started := make(chan error)
	go func() {
		// The system signals the death of the thread that started the process, so
		// that one has to stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		write.Close()
		started <- err
		if err != nil {
			lines.Close()
			return
		}
		p.output.read(lines)
		cmd.Wait() //nolint:errcheck // how it ended is in its output
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	select {
	case <-p.output.isReady:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("%s has ended: %s", cmd.Path, p.output)
	case <-ctx.Done():
		p.signal(syscall.SIGKILL)
		<-p.ended
		return nil, fmt.Errorf("wait for %s: %w: %s", cmd.Path, context.Cause(ctx), p.output)
	}
}

// signal sends a signal to a process that may be gone.
func (p *process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(fmt.Sprintf("signal a server of ours: %v", err))
	}
}

// stop asks the process to end and waits for it; when ctx ends before, it is
// forced to.
func (p *process) stop(ctx context.Context, ask, force syscall.Signal) {
	p.signal(ask)
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.signal(force)
		<-p.ended
	}
}

// tailLines bounds what is kept of a server's output.
const tailLines = 50

// tail keeps the last lines of an output and waits for one of them.
type tail struct {
	ready   string
	isReady chan struct{}

	mu    sync.Mutex // guards what follows
	lines []string
	met   bool
}

func (t *tail) read(from io.ReadCloser) {
	defer from.Close()
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		t.add(strings.TrimSpace(line))
		if err != nil {
			return
		}
	}
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if line == "" {
		return
	}
	if len(t.lines) == tailLines {
		t.lines = t.lines[1:]
	}
	t.lines = append(t.lines, line)
	if !t.met && strings.Contains(line, t.ready) {
		t.met = true
		close(t.isReady)
	}
}

// String is the lines that are kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

// freePort returns a port of the loopback interface that nobody listens on now.
func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}
