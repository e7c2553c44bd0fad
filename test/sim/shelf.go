package main

import (
	"context"
	"errors"
	"maps"
	"net/rpc"
	"slices"
	"sync"
	"time"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/cachetest"
)

// Shelf is where one process finds the larder: the method is net/rpc's. It is
// safe for concurrent use.
type Shelf struct {
	larder *larder
	store  cache.Store
	count  func(opened int)

	mu sync.Mutex // guards what follows
	// node is the process's number, ids the names under which it holds entries.
	node int
	ids  map[string]bool
}

// Question is a call of the cache.Store's method of that name, or Get for "Entry".
type Question struct {
	Method     string
	Entry      cache.Entry
	Key        cache.Key
	Generation string
	Rows       []cache.Row
	Node       cache.Node
	ID         string
	Filter     cache.Filter
}

// Answer is what a call has brought about.
type Answer struct {
	Entry   cache.Entry
	Node    cache.Node
	Rows    []cache.Row
	Entries []cache.Entry
	// Failed tells that Error is what went wrong; Code is one more than its place
	// in codes.
	Failed bool
	Code   int
	Error  string
}

// codes are the errors by which a caller decides.
var codes = []error{cache.ErrConflict, cache.ErrGone, cache.ErrTooLarge, cache.ErrClosed}

// stuck is how long a call may take that nothing comes of.
const stuck = time.Second

// Enter says who asks.
func (s *Shelf) Enter(node int, _ *struct{}) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.node = node
	return nil
}

// Opened counts scopes that a process has opened from the cache.
func (s *Shelf) Opened(n int, _ *struct{}) error { //nolint:unparam // net/rpc wants an error
	s.count(n)
	return nil
}

// Ask makes a call. It is carried out although the caller may have given up.
func (s *Shelf) Ask(q *Question, a *Answer) error {
	ctx, cancel := context.WithTimeout(context.Background(), stuck)
	defer cancel()
	s.mu.Lock()
	node := s.node
	if q.Method == "Beat" {
		s.ids[q.Node.ID] = true
	}
	s.mu.Unlock()
	if s.larder.spring(node, q, false) {
		a.fail(cachetest.ErrFault)
		return nil
	}
	a.fail(s.ask(ctx, q, a))
	if !a.Failed && q.Method == "Swap" {
		s.larder.swapped(node, &q.Entry)
	}
	if !a.Failed && s.larder.spring(node, q, true) {
		a.fail(cachetest.ErrFault)
	}
	return nil
}

func (s *Shelf) ask(ctx context.Context, q *Question, a *Answer) (err error) {
	switch store := s.store; q.Method {
	case "Entry":
		a.Entry, err = store.Get(ctx, q.Key)
	case "Swap":
		a.Entry, err = store.Swap(ctx, q.Entry)
	case "Write":
		err = store.Write(ctx, q.Key, q.Generation, q.Rows)
	case "Read":
		err = store.Read(ctx, q.Key, q.Generation, func(r cache.Row) error {
			a.Rows = append(a.Rows, r)
			return nil
		})
	case "Beat":
		err = store.Beat(ctx, q.Node)
	case "Node":
		a.Node, err = store.Node(ctx, q.ID)
	case "List":
		err = store.List(ctx, q.Filter, func(e cache.Entry) error {
			a.Entries = append(a.Entries, e)
			return nil
		})
	default:
		err = errors.New("no method is named " + q.Method)
	}
	return err
}

func (a *Answer) fail(err error) {
	if a.Failed = err != nil; !a.Failed {
		return
	}
	a.Error = err.Error()
	a.Code = 1 + slices.IndexFunc(codes, func(code error) bool { return errors.Is(err, code) })
}

// err is the error of a call.
func (a *Answer) err() error {
	switch {
	case !a.Failed:
		return nil
	case a.Code > 0:
		return codes[a.Code-1]
	default:
		return errors.New(a.Error)
	}
}

// leave has the leases run out of a process that is gone, of most at once: others
// wait for them.
func (s *Shelf) leave() {
	s.mu.Lock()
	ids := maps.Clone(s.ids)
	s.mu.Unlock()
	s.larder.farewell(s)
	if len(ids) > 0 && s.larder.deadAtOnce() {
		s.larder.bury(ids)
	}
}

// pantry is the cache in a server's process. It is safe for concurrent use.
type pantry struct{ client *rpc.Client }

var _ cache.Store = (*pantry)(nil)

func (p *pantry) ask(ctx context.Context, q *Question) (*Answer, error) {
	a := new(Answer) // nobody's but the call's until it is done
	call := p.client.Go("Shelf.Ask", q, a, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		if call.Error != nil {
			return a, call.Error
		}
		return a, a.err()
	case <-ctx.Done():
		return new(Answer), ctx.Err()
	}
}

// Get implements cache.Store.
func (p *pantry) Get(ctx context.Context, key cache.Key) (cache.Entry, error) {
	a, err := p.ask(ctx, &Question{Method: "Entry", Key: key})
	return a.Entry, err
}

// Swap implements cache.Store.
func (p *pantry) Swap(ctx context.Context, e cache.Entry) (cache.Entry, error) {
	a, err := p.ask(ctx, &Question{Method: "Swap", Entry: e})
	return a.Entry, err
}

// Write implements cache.Store.
func (p *pantry) Write(ctx context.Context, key cache.Key, generation string, rows []cache.Row) error {
	_, err := p.ask(ctx, &Question{Method: "Write", Key: key, Generation: generation, Rows: rows})
	return err
}

// Read implements cache.Store.
func (p *pantry) Read(ctx context.Context, key cache.Key, generation string, fn func(cache.Row) error) error {
	a, err := p.ask(ctx, &Question{Method: "Read", Key: key, Generation: generation})
	for _, r := range a.Rows {
		if stopped := fn(r); stopped != nil {
			return stopped
		}
	}
	return err
}

// Beat implements cache.Store.
func (p *pantry) Beat(ctx context.Context, n cache.Node) error {
	_, err := p.ask(ctx, &Question{Method: "Beat", Node: n})
	return err
}

// Node implements cache.Store.
func (p *pantry) Node(ctx context.Context, id string) (cache.Node, error) {
	a, err := p.ask(ctx, &Question{Method: "Node", ID: id})
	return a.Node, err
}

// List implements cache.Store.
func (p *pantry) List(ctx context.Context, f cache.Filter, fn func(cache.Entry) error) error {
	a, err := p.ask(ctx, &Question{Method: "List", Filter: f})
	for i := 0; err == nil && i < len(a.Entries); i++ {
		err = fn(a.Entries[i])
	}
	return err
}

// Close implements cache.Store: the connection ends with the process.
func (*pantry) Close() error { return nil }

// opened tells every while how much a process has opened from the cache, until it
// ends.
func (b *branch) opened(ctx context.Context, count func() uint64) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	told := uint64(0)
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if n := count(); n > told {
			_ = b.client.Call("Shelf.Opened", int(n-told), &struct{}{})
			told = n
		}
	}
}
