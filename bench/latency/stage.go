//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// stage is the processes of one measure.
type stage struct {
	processes []*process
	// writer makes commits by the method commit: the server, or a foreign one.
	writer, clients *process
	commit          string
	addr            string
}

func startStage(cores [2]int, db string, foreign bool) (*stage, error) {
	s := &stage{commit: "Server.Commit"}
	server, err := s.start(cores[0], "server", db)
	if err != nil {
		return nil, err
	}
	s.writer = server
	if err := server.Call("Server.Addr", struct{}{}, &s.addr); err != nil {
		s.stop()
		return nil, err
	}
	if foreign {
		s.commit = "Writer.Commit"
		if s.writer, err = s.start(cores[0], "writer", db); err != nil {
			s.stop()
			return nil, err
		}
	}
	if s.clients, err = s.start(cores[1], "clients", ""); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *stage) start(core int, role, db string) (*process, error) {
	p, err := startProcess(core, "-role", role, "-db", db)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	s.processes = append(s.processes, p)
	return p, nil
}

// stop ends the processes, the last one first.
func (s *stage) stop() {
	for _, p := range slices.Backward(s.processes) {
		p.stop()
	}
}

// process is this program once more, called through its standard input and
// output.
type process struct {
	*rpc.Client

	cmd *exec.Cmd
}

// startProcess starts this program on one core: a process inherits the cores
// of the thread that starts it, and the Go runtime makes as many processors.
func startProcess(core int, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), self, args...) //nolint:gosec // this program itself
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return nil, err
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return nil, fmt.Errorf("bind to core %d: %w", core, err)
	}
	err = errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &all))
	if err != nil {
		return nil, err
	}
	return &process{Client: rpc.NewClient(pipes{out, in}), cmd: cmd}, nil
}

// stop closes the process's input, which ends it.
func (p *process) stop() {
	p.Close()
	p.cmd.Wait()
}

// serveParent serves the calls of the process that started this one, until it
// closes its end.
func serveParent(receiver any) error {
	s := rpc.NewServer()
	if err := s.Register(receiver); err != nil {
		return err
	}
	s.ServeConn(pipes{os.Stdin, os.Stdout})
	return nil
}

// pipes are two one-way pipes as one connection.
type pipes struct {
	io.ReadCloser
	out io.WriteCloser
}

func (p pipes) Write(b []byte) (int, error) { return p.out.Write(b) }
func (p pipes) Close() error                { return errors.Join(p.out.Close(), p.ReadCloser.Close()) }

// twoCores are the first two that this process may use, or one twice.
func twoCores() ([2]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return [2]int{}, err
	}
	var found []int
	for i := 0; len(found) < min(2, set.Count()); i++ {
		if set.IsSet(i) {
			found = append(found, i)
		}
	}
	if len(found) == 1 {
		return [2]int{found[0], found[0]}, nil
	}
	return [2]int{found[0], found[1]}, nil
}

// raiseFiles lets the processes open as many sockets as the machine allows.
func raiseFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// now is the machine's monotonic time in nanoseconds.
func now() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return ts.Nano()
}
