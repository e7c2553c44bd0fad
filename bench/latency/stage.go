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
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// stage is the processes of one measure.
type stage struct {
	processes []*process
	// writer makes commits by the method commit: the server, or a foreign one.
	writer, clients *process
	commit          string
	addrs           []string
}

func startStage(cores [2]int, backing settings, foreign bool, nodes int) (*stage, error) {
	s := &stage{commit: "Server.Commit"}
	err := s.startAll(cores, backing, foreign, nodes)
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *stage) startAll(cores [2]int, backing settings, foreign bool, nodes int) (err error) {
	for i := range nodes {
		backing.fresh = i == 0
		if err := s.startServer(cores[0], backing); err != nil {
			return err
		}
	}
	if foreign {
		s.commit = "Writer.Commit"
		if s.writer, err = s.start(cores[0], "writer", backing); err != nil {
			return err
		}
	}
	s.clients, err = s.start(cores[1], "clients", settings{})
	return err
}

func (s *stage) startServer(core int, backing settings) error {
	server, err := s.start(core, "server", backing)
	if err != nil {
		return err
	}
	var addr string
	if err := server.Call("Server.Addr", struct{}{}, &addr); err != nil {
		return err
	}
	s.writer, s.addrs = server, append(s.addrs, addr)
	return nil
}

// settings tell a process what it works on.
type settings struct {
	// db is a file of SQLite or the URL of a PostgreSQL, broker the URL of the
	// broker that nodes have between them, "" for one node alone.
	db, broker string
	// fresh has the tables made.
	fresh bool
}

func (s *stage) start(core int, role string, backing settings) (*process, error) {
	p, err := startProcess(core, "-role", role, "-db", backing.db, "-broker", backing.broker, "-fresh="+strconv.FormatBool(backing.fresh))
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
	if err := onCore(core, cmd.Start); err != nil {
		return nil, err
	}
	return &process{Client: rpc.NewClient(pipes{out, in}), cmd: cmd}, nil
}

// onCore binds to one core what start starts, from whatever thread.
func onCore(core int, start func() error) error {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	one.Set(core)
	if err := bindThreads(&one); err != nil {
		return fmt.Errorf("bind to core %d: %w", core, err)
	}
	return errors.Join(start(), bindThreads(&all))
}

// bindThreads binds all threads of this process. Those to come follow the ones
// that make them.
func bindThreads(cores *unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, cores); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
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
