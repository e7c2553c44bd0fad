package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// view is one route as a client shows it.
type view struct {
	route  oracle.Route
	tree   *schema.Tree
	stream *pandotest.Stream[json.RawMessage]
	// open tells that the client wants to show it, conn the connection on which
	// it does.
	open bool
	conn int
	// name is the stream's on that connection.
	name string
	// awaited is what was shown as calls were told their results.
	awaited []awaitedState
	// shown is the place in history that the newest checked state has, version
	// what it came with.
	shown   int
	version uint64
	// changed has room for one hint that the state is another.
	changed chan struct{}

	mu     sync.Mutex // guards what follows
	states []shownState
	fresh  bool // no state has come since the view was renewed
	// server is the one that the view is opened at, shownAt the one that it was
	// last shown by.
	server, shownAt int
}

// shownState is a state that a client showed, to be looked up in history once
// the writers rest: it may be shown before the oracle has seen it.
type shownState struct {
	version uint64
	text    string
	// first tells that the stream held nothing before, elsewhere that it was
	// another server then by which the view had been shown last. Servers do not
	// wait for each other: who comes with nothing may be shown less.
	first, elsewhere bool
}

// asks notes the server that the view is opened at.
func (v *view) asks(server int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.server = server
}

// awaitedState is what a view showed when it had awaited a call.
type awaitedState struct {
	call *call
	text string
}

// await notes what is shown now that a call has its result.
func (v *view) await(k *call) {
	v.awaited = append(v.awaited, awaitedState{k, string(v.stream.JSON())})
}

// verifyAwaited looks up whether what was shown is not older than what the calls
// have committed.
func (v *view) verifyAwaited(c *client, h *history) error {
	for _, a := range v.awaited {
		head := a.call.version
		for _, x := range a.call.executions {
			if x.Committed {
				head = max(head, x.after.Head)
			}
		}
		if !h.shows(v.route, c.user, a.text, head) {
			return &divergenceError{
				client: c.id, user: c.user, route: world.Path(v.route), shows: a.text, want: h.first(v.route, c.user, head),
				what: fmt.Sprintf("shows a state from before version %d, though it has awaited call %s, which committed that: told version %d, %s",
					head, a.call.id, a.call.version, a.call.describe()),
			}
		}
	}
	v.awaited = nil
	return nil
}

func newView(c *pandotest.Client, route oracle.Route, tree *schema.Tree) *view {
	v := &view{route: route, tree: tree, changed: make(chan struct{}, 1)}
	v.renew(c)
	return v
}

// renew forgets what the view holds, as a page does that is opened again.
func (v *view) renew(c *pandotest.Client) {
	v.mu.Lock()
	v.fresh = true
	v.mu.Unlock()
	v.stream = pandotest.NewTreeStream(c, world.Path(v.route), v.tree)
	v.stream.Observe(v.observe)
}

// observe notes a state. It runs on the client's reader.
func (v *view) observe(version uint64, state []byte) {
	v.mu.Lock()
	v.states = append(v.states, shownState{version, string(state), v.fresh, v.fresh && v.server != v.shownAt})
	v.fresh, v.shownAt = false, v.server
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
