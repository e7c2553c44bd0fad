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
)

// node is a server in a process of its own: this program, run as runNode. It may
// be killed, and stand still. It is safe for concurrent use.
type node struct {
	assignment assignment
	journal    *journal
	url        string

	mu  sync.Mutex // guards what follows
	cmd *exec.Cmd  // nil while it does not run
	in  io.WriteCloser
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

// start runs the process and returns when it serves.
func (n *node) start(context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		return nil // somebody was faster
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.Background(), program) //nolint:gosec // itself
	cmd.Env = append(os.Environ(), nodeVariable+"=1")
	cmd.Stderr = n.journal
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	n.cmd, n.in = cmd, in
	if err := json.NewEncoder(in).Encode(&n.assignment); err != nil {
		return errors.Join(fmt.Errorf("node %d: %w", n.assignment.Index, err), n.end())
	}
	if lines := bufio.NewScanner(out); !lines.Scan() {
		return errors.Join(fmt.Errorf("node %d does not start", n.assignment.Index), n.end())
	}
	return nil
}

// stop ends the node as a deployment does.
func (n *node) stop() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.end()
}

// end waits for the process when it is told to end. The node is locked.
func (n *node) end() error {
	if n.cmd == nil {
		return nil
	}
	cmd := n.cmd
	n.signal(syscall.SIGCONT) // it may stand still
	n.cmd = nil
	if err := errors.Join(n.in.Close(), cmd.Wait()); err != nil {
		return fmt.Errorf("node %d ends: %w", n.assignment.Index, err)
	}
	return nil
}

// kill ends the process at once.
func (n *node) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return
	}
	n.signal(syscall.SIGKILL)
	n.cmd.Wait() //nolint:errcheck // that it was killed is known
	n.in.Close()
	n.cmd = nil
}

// pause has the process stand still until resume.
func (n *node) pause() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		n.signal(syscall.SIGSTOP)
	}
}

func (n *node) resume() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		n.signal(syscall.SIGCONT)
	}
}

// signal sends a signal to a process that is waited for elsewhere.
func (n *node) signal(s syscall.Signal) {
	if err := n.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(fmt.Sprintf("sim: signal a node: %v", err))
	}
}

func (n *node) close() error {
	n.kill()
	return nil
}

// passed does nothing: a node does not tell.
func (*node) passed(context.Context, uint64) {}
