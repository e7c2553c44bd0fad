package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// node is a server in a process of its own: this program, run as runNode. It may
// be killed, and stand still. When it ends by itself it is started again, as a
// supervisor does. It is safe for concurrent use.
type node struct {
	assignment assignment
	journal    *journal
	// patience is how long it may take to start.
	patience time.Duration
	url      string

	// supervising is what starts it again.
	supervising sync.WaitGroup

	mu   sync.Mutex // guards what follows
	life *process   // nil while it does not run
}

// process is one run of a node.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	gone chan struct{} // closed when it is
	err  error         // how it ended, once it is gone
}

// listen chooses an address, which the node has in all its lives.
func (n *node) listen(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	n.assignment.Listen = listener.Addr().String()
	n.url = "http://" + n.assignment.Listen
	return listener.Close()
}

func (n *node) address() string { return n.url }

// start runs the process and returns when it serves. What it needs may be away:
// then it is tried again.
func (n *node) start(ctx context.Context) error {
	ctx, cancel := patient(ctx, n.patience)
	defer cancel()
	for {
		err := n.attempt()
		if err == nil {
			return nil
		}
		n.journal.logf("     %v", err)
		again := time.NewTimer(100 * time.Millisecond)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return &divergenceError{client: -1, what: err.Error(), waited: context.Cause(ctx)}
		}
	}
}

// attempt runs the process, unless it runs.
func (n *node) attempt() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.life != nil {
		return nil
	}
	p, out, err := n.run()
	if err != nil {
		return err
	}
	err = json.NewEncoder(p.in).Encode(&n.assignment)
	if lines := bufio.NewScanner(out); err != nil || !lines.Scan() {
		p.signal(syscall.SIGKILL)
		<-p.gone
		return errors.Join(fmt.Errorf("node %d does not start", n.assignment.Index), err)
	}
	n.life = p
	n.supervising.Go(func() { n.supervise(p) })
	return nil
}

func (n *node) run() (*process, io.Reader, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(context.Background(), program) //nolint:gosec // itself
	cmd.Env = append(os.Environ(), nodeVariable+"=1")
	cmd.Stderr = n.journal
	p := &process{cmd: cmd, gone: make(chan struct{})}
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, nil, err
	}
	out, write, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer write.Close()
	cmd.Stdout = write
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	n.supervising.Go(func() {
		p.err = cmd.Wait()
		p.in.Close()
		out.Close()
		close(p.gone)
	})
	return p, out, nil
}

// supervise starts the node again when it ends by itself.
func (n *node) supervise(p *process) {
	<-p.gone
	n.mu.Lock()
	if n.life != p {
		n.mu.Unlock()
		return
	}
	n.life = nil
	n.mu.Unlock()
	n.journal.logf("     node %d has ended by itself: %v", n.assignment.Index, p.err)
	if err := n.start(context.Background()); err != nil {
		n.journal.logf("     %v", err) // its clients will miss it
	}
}

// take takes the process away: it may end now. It is nil when there is none.
func (n *node) take() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.life
	n.life = nil
	return p
}

// stop ends the node as a deployment does.
func (n *node) stop() error {
	p := n.take()
	if p == nil {
		return nil
	}
	p.signal(syscall.SIGCONT) // it may stand still
	p.in.Close()
	<-p.gone
	if p.err != nil {
		return fmt.Errorf("node %d ends: %w", n.assignment.Index, p.err)
	}
	return nil
}

// kill ends the process at once.
func (n *node) kill() { n.end(syscall.SIGKILL) }

// dump has the process end with its goroutines in the journal.
func (n *node) dump() {
	n.journal.logf("node %d at %s:", n.assignment.Index, n.url)
	n.end(syscall.SIGQUIT)
}

func (n *node) end(by syscall.Signal) {
	if p := n.take(); p != nil {
		p.signal(syscall.SIGCONT)
		p.signal(by)
		<-p.gone
	}
}

// pause has the process stand still until resume.
func (n *node) pause() { n.tell(syscall.SIGSTOP) }

func (n *node) resume() { n.tell(syscall.SIGCONT) }

func (n *node) tell(s syscall.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.life != nil {
		n.life.signal(s)
	}
}

// signal sends a signal to a process that may be gone.
func (p *process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(fmt.Sprintf("sim: signal a node: %v", err))
	}
}

func (n *node) close() error {
	n.kill()
	n.supervising.Wait()
	return nil
}

// passed does nothing: a node does not tell.
func (*node) passed(context.Context, uint64) {}
