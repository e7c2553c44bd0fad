package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/test/internal/world"
)

// stream is a pandotest.Stream of any state.
type stream interface {
	Resume(ctx context.Context) error
	Close(ctx context.Context) error
	Observe(fn func(version uint64, state []byte))
	JSON() []byte
	Version() uint64
	Frames() int
}

// view is one route as a client shows it.
type view struct {
	route  string
	stream stream
	// open tells that the client wants to show it, conn the connection on which
	// it does.
	open bool
	conn int
	// shown is the place in history that the newest checked state has, version
	// what it came with.
	shown   int
	version uint64
	// frames is how many had come when the view was closed, -1 while it is open.
	frames int
	// changed has room for one hint that the state is another.
	changed chan struct{}

	mu     sync.Mutex // guards what follows
	states []shownState
	fresh  bool // no state has come since the view was renewed
}

// shownState is a state that a client showed, to be looked up in history once
// the writers rest: it may be shown before the oracle has seen it.
type shownState struct {
	version uint64
	text    string
	// first tells that the stream held nothing before.
	first bool
}

func newView(c *pandotest.Client, route string) (*view, error) {
	v := &view{route: route, frames: -1, changed: make(chan struct{}, 1)}
	if err := v.renew(c); err != nil {
		return nil, err
	}
	return v, nil
}

// renew forgets what the view holds, as a page does that is opened again.
func (v *view) renew(c *pandotest.Client) error {
	var st stream
	var err error
	if strings.HasPrefix(v.route, "people/") {
		st, err = pandotest.NewStream[world.Person](c, v.route)
	} else {
		st, err = pandotest.NewStream[world.Board](c, v.route)
	}
	if err != nil {
		return fmt.Errorf("stream of %s: %w", v.route, err)
	}
	v.mu.Lock()
	v.fresh = true
	v.mu.Unlock()
	st.Observe(v.observe)
	v.stream, v.frames = st, -1
	return nil
}

// observe notes a state. It runs on the client's reader.
func (v *view) observe(version uint64, state []byte) {
	v.mu.Lock()
	v.states = append(v.states, shownState{version, string(state), v.fresh})
	v.fresh = false
	v.mu.Unlock()
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// take returns the states that were shown since the last call.
func (v *view) take() []shownState {
	v.mu.Lock()
	defer v.mu.Unlock()
	states := v.states
	v.states = nil
	return states
}

// reach waits until the view shows a state, until the connection is gone or
// ctx ends. It tells whether it does.
func (v *view) reach(ctx context.Context, want string, gone <-chan struct{}) bool {
	for string(v.stream.JSON()) != want {
		select {
		case <-v.changed:
		case <-gone:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}
