package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"sync"
)

// office has a desk for servers in other processes, which come by a connection
// each. When one is gone, so are the streams that it had. It is safe for
// concurrent use.
type office struct {
	desk    desk
	journal *journal
	// larder is the cache that they share; nil for none.
	larder   *larder
	listener net.Listener
	running  sync.WaitGroup
}

func openOffice(ctx context.Context, d desk, j *journal, l *larder) (*office, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	o := &office{desk: d, journal: j, larder: l, listener: listener}
	o.running.Go(o.accept)
	return o, nil
}

func (o *office) address() string { return o.listener.Addr().String() }

func (o *office) accept() {
	for {
		conn, err := o.listener.Accept()
		if err != nil {
			return
		}
		o.running.Go(func() {
			w := &Window{office: o}
			server := rpc.NewServer()
			if err := server.Register(w); err != nil {
				panic(err) // its methods are as they must be
			}
			shelf := o.shelf(server)
			server.ServeConn(conn) // until all its calls have ended
			w.leave()
			if shelf != nil {
				shelf.leave()
			}
		})
	}
}

// shelf has a process find the larder, if there is one.
func (o *office) shelf(server *rpc.Server) *Shelf {
	if o.larder == nil {
		return nil
	}
	s := &Shelf{larder: o.larder, ids: map[string]bool{}}
	s.store = o.larder.welcome(s)
	s.count = func(opened int) { o.larder.count("opened from the cache", opened) }
	if err := server.Register(s); err != nil {
		panic(err) // its methods are as they must be
	}
	return s
}

// close waits until all servers are gone.
func (o *office) close() {
	o.listener.Close()
	o.running.Wait()
}

// Window is where one process is served: the methods are net/rpc's. It is safe
// for concurrent use.
type Window struct {
	office *office

	mu   sync.Mutex // guards what follows
	open int
}

// Moment is a call at a moment.
type Moment struct {
	ID string
	At cut
}

// Slip is an order, or none.
type Slip struct{ Order *order }

// Order is desk.order.
func (w *Window) Order(id string, slip *Slip) error { //nolint:unparam // net/rpc wants an error
	slip.Order = w.office.desk.order(id)
	return nil
}

// Reached is desk.reached.
func (w *Window) Reached(m Moment, _ *struct{}) error { //nolint:unparam // net/rpc wants an error
	w.office.desk.reached(context.Background(), m.ID, m.At)
	return nil
}

// Report is desk.report.
func (w *Window) Report(x execution, _ *struct{}) error { //nolint:unparam // net/rpc wants an error
	w.office.desk.report(&x)
	return nil
}

// Count is desk.count.
func (w *Window) Count(n int, _ *struct{}) error { //nolint:unparam // net/rpc wants an error
	w.mu.Lock()
	w.open += n
	w.mu.Unlock()
	w.office.desk.count(n)
	return nil
}

// Fail is desk.fail.
func (w *Window) Fail(text string, _ *struct{}) error { //nolint:unparam // net/rpc wants an error
	w.office.desk.fail(errors.New(text))
	return nil
}

// Note writes a line into the journal.
func (w *Window) Note(line string, _ *struct{}) error { //nolint:unparam // net/rpc wants an error
	w.office.journal.logf("%s", line)
	return nil
}

// leave forgets the streams of a process that is gone.
func (w *Window) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.office.desk.count(-w.open)
}

// branch is the desk in a server's process. What cannot be told any more does not
// matter: the process is about to end.
type branch struct{ client *rpc.Client }

func openBranch(ctx context.Context, address string) (*branch, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("find the office: %w", err)
	}
	return &branch{rpc.NewClient(conn)}, nil
}

func (b *branch) tell(method string, what any) {
	_ = b.client.Call("Window."+method, what, &struct{}{})
}

func (b *branch) order(id string) *order {
	var slip Slip
	if err := b.client.Call("Window.Order", id, &slip); err != nil {
		return nil
	}
	return slip.Order
}

func (b *branch) reached(_ context.Context, id string, at cut) { b.tell("Reached", Moment{id, at}) }
func (b *branch) report(x *execution)                          { b.tell("Report", *x) }
func (b *branch) count(n int)                                  { b.tell("Count", n) }
func (b *branch) fail(err error)                               { b.tell("Fail", err.Error()) }

// Write has the journal get the lines of this process's log.
func (b *branch) Write(line []byte) (int, error) {
	b.tell("Note", string(line))
	return len(line), nil
}
