package session

import (
	"context"
	"time"
)

// turnTime is how long what a request changes of the runtime state waits for the
// request's end, to go out as one frame.
const turnTime = 50 * time.Millisecond

// Wake implements Line: it has the writer ask for the runtime state, at the end
// of a turn if one is under way.
func (st *stream) Wake() {
	st.changed.Store(true)
	if !st.postponed() {
		st.wakeNow()
	}
}

func (st *stream) wakeNow() {
	st.session.runtime.Store(true)
	st.session.Ready()
}

// postponed tells that what has changed is sent later.
func (st *stream) postponed() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	x := st.extra
	if x == nil || !x.turn {
		return false
	}
	if x.flush == nil {
		x.flush = time.AfterFunc(turnTime, st.turnLasts)
	}
	return true
}

// turnLasts has sent what has changed since the beginning of a long turn, or
// since it was sent last.
func (st *stream) turnLasts() {
	st.mu.Lock()
	if x := st.extra; x != nil && x.turn {
		x.due, x.flush = true, nil
	}
	st.mu.Unlock()
	st.wakeNow()
}

// mayShow tells the writer that what has changed may be sent now.
func (st *stream) mayShow() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	x := st.extra
	if x == nil || !x.turn {
		return true
	}
	due := x.due
	x.due = false
	if !due && x.flush == nil { // it has changed before the turn began
		x.flush = time.AfterFunc(turnTime, st.turnLasts)
	}
	return due
}

// beginTurn begins a turn of what is first in line, and returns its context.
func (st *stream) beginTurn() context.Context {
	st.mu.Lock()
	defer st.mu.Unlock()
	ctx := st.lasting()
	st.extra.turn = true
	return ctx
}

// endTurn ends the turn. What it changed goes out with what follows.
func (st *stream) endTurn() {
	st.mu.Lock()
	x := st.extra
	if x.flush != nil {
		x.flush.Stop()
	}
	x.turn, x.due, x.flush = false, false, nil
	st.mu.Unlock()
	if st.changed.Load() {
		st.wakeNow()
	}
}
