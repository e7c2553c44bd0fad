package cachetest

import (
	"context"
	"errors"
	"time"

	"github.com/pando-sync/pando/cache"
)

// ErrFault is the error of a call that was made to fail.
var ErrFault = errors.New("cachetest: the store is broken")

// Fault is what happens to a call.
type Fault uint8

// The faults.
const (
	// None lets the call be.
	None Fault = iota
	// Before fails the call: nothing has happened.
	Before
	// After fails the call although it has been carried out.
	After
	// Half carries out half of a call of several rows, then fails it; others fail as
	// Before.
	Half
	// Late carries out the call after a while, Split half of a call of several rows
	// at once and the rest then.
	Late
	Split
	// Stuck has the call take as long as its context allows, then fails it.
	Stuck
)

// Faulty returns a store whose calls meet what choose says of them; choose is
// given the name of the method, and may be called by several goroutines.
func Faulty(s cache.Store, choose func(method string) Fault) cache.Store {
	return &faulty{s, choose}
}

type faulty struct {
	store  cache.Store
	choose func(string) Fault
}

// meet carries out a call, or not; half is half of it.
func (f *faulty) meet(ctx context.Context, method string, call, half func() error) error {
	return f.meetAs(ctx, f.choose(method), call, half)
}

func (f *faulty) meetAs(ctx context.Context, fault Fault, call, half func() error) error {
	switch fault {
	case None:
		return call()
	case After:
		return errors.Join(call(), ErrFault)
	case Half:
		if half == nil {
			return ErrFault
		}
		return errors.Join(half(), ErrFault)
	case Split:
		if half != nil {
			if err := half(); err != nil {
				return err
			}
		}
		return f.late(ctx, call)
	case Late:
		return f.late(ctx, call)
	case Stuck:
		<-ctx.Done()
		return ctx.Err()
	default:
		return ErrFault
	}
}

// lateness is how long a late call takes.
const lateness = 150 * time.Millisecond

func (*faulty) late(ctx context.Context, call func() error) error {
	t := time.NewTimer(lateness)
	defer t.Stop()
	select {
	case <-t.C:
		return call()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Get implements cache.Store.
func (f *faulty) Get(ctx context.Context, key cache.Key) (e cache.Entry, err error) {
	err = f.meet(ctx, "Get", func() (err error) {
		e, err = f.store.Get(ctx, key)
		return err
	}, nil)
	return e, err
}

// Swap implements cache.Store.
func (f *faulty) Swap(ctx context.Context, e cache.Entry) (got cache.Entry, err error) {
	err = f.meet(ctx, "Swap", func() (err error) {
		got, err = f.store.Swap(ctx, e)
		return err
	}, nil)
	if err != nil {
		got = cache.Entry{}
	}
	return got, err
}

// Write implements cache.Store.
func (f *faulty) Write(ctx context.Context, key cache.Key, generation string, rows []cache.Row) error {
	return f.meet(ctx, "Write",
		func() error { return f.store.Write(ctx, key, generation, rows) },
		func() error { return f.store.Write(ctx, key, generation, rows[:len(rows)/2]) },
	)
}

// Read implements cache.Store.
func (f *faulty) Read(ctx context.Context, key cache.Key, generation string, fn func(cache.Row) error) error {
	all := func() error { return f.store.Read(ctx, key, generation, fn) }
	fault := f.choose("Read")
	if fault == Split { // a row must not come twice
		fault = Late
	}
	return f.meetAs(ctx, fault, all,
		func() error {
			n := 0
			return f.store.Read(ctx, key, generation, func(r cache.Row) error {
				if n++; n > 2 {
					return ErrFault
				}
				return fn(r)
			})
		},
	)
}

// Beat implements cache.Store.
func (f *faulty) Beat(ctx context.Context, n cache.Node) error {
	return f.meet(ctx, "Beat", func() error { return f.store.Beat(ctx, n) }, nil)
}

// Node implements cache.Store.
func (f *faulty) Node(ctx context.Context, id string) (n cache.Node, err error) {
	err = f.meet(ctx, "Node", func() (err error) {
		n, err = f.store.Node(ctx, id)
		return err
	}, nil)
	return n, err
}

// List implements cache.Store.
func (f *faulty) List(ctx context.Context, filter cache.Filter, fn func(cache.Entry) error) error {
	return f.meet(ctx, "List", func() error { return f.store.List(ctx, filter, fn) }, nil)
}

// Close implements cache.Store.
func (f *faulty) Close() error { return f.store.Close() }
