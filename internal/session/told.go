package session

import (
	"context"
	"errors"
	"slices"

	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
)

// Bounds of what a session's streams are told and its client has not read: frames,
// and their bytes, of which a frame that many share counts once for each.
const (
	maxTold      = 4096
	maxToldBytes = 1 << 20
)

// errGone is returned for what a stream that has ended would have been told.
var errGone = errors.New("the stream has ended")

// ledger counts what a session's streams are told. The session's mutex guards it.
type ledger struct {
	frames int
	bytes  int
	// behind are the streams that have lost something and are to be told of it.
	behind []*stream
	// room is closed when there is some again, nil unless somebody waits for it.
	room chan struct{}
}

// takes tells whether there is room for one more frame. Where nothing waits it is
// taken however long it is.
func (l *ledger) takes(f *wire.Frame) bool {
	return l.frames == 0 || l.frames < maxTold && l.bytes+len(f.Bytes) <= maxToldBytes
}

// Tell implements Line.
func (st *stream) Tell(f *wire.Frame) bool {
	c := st.session
	c.mu.Lock()
	if st.mute || c.closing || c.ended {
		c.mu.Unlock()
		return false
	}
	taken := !st.behind && c.told.takes(f)
	if taken {
		c.tell(st, f)
	} else {
		c.fallBehind(st)
	}
	c.mu.Unlock()
	if taken {
		c.Ready()
	}
	return taken
}

// tell puts a frame in line. The mutex is held.
func (c *Session) tell(st *stream, f *wire.Frame) {
	c.replies = append(c.replies, reply{frame: f, to: st})
	c.told.frames++
	c.told.bytes += len(f.Bytes)
}

// fallBehind has a stream told of a gap, behind what is in line. The mutex is held.
func (c *Session) fallBehind(st *stream) {
	if !st.behind {
		st.behind = true
		c.told.behind = append(c.told.behind, st)
	}
}

// Send implements Line.
func (st *stream) Send(ctx context.Context, f *wire.Frame) error {
	c := st.session
	for {
		c.mu.Lock()
		switch {
		case st.mute || c.closing || c.ended:
			c.mu.Unlock()
			return errGone
		case ctx.Err() != nil: // who waited for room may be wanted no more
			c.mu.Unlock()
			return ctx.Err()
		case !st.behind && !st.unheard && c.told.takes(f):
			c.tell(st, f)
			c.mu.Unlock()
			c.Ready()
			return nil
		}
		if c.told.room == nil {
			c.told.room = make(chan struct{})
		}
		room := c.told.room
		c.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ctx.Done():
			return errGone
		}
	}
}

// Drop implements Line.
func (st *stream) Drop() {
	c := st.session
	c.mu.Lock()
	dropped := c.takeOut(st)
	if dropped {
		if st.gaps = !st.behind && !c.closing; st.gaps {
			c.tell(st, c.gapFrame(st))
		}
		c.makeRoom()
	}
	c.mu.Unlock()
	if dropped {
		c.Ready()
	}
}

// takeOut takes what a stream was told out of the line, and tells whether there was
// something. The mutex is held.
func (c *Session) takeOut(st *stream) bool {
	before := c.told.frames
	if before == 0 {
		return false
	}
	c.replies = slices.DeleteFunc(c.replies, func(r reply) bool {
		if r.to != st {
			return false
		}
		c.told.frames--
		c.told.bytes -= len(r.frame.Bytes)
		return true
	})
	return c.told.frames < before
}

// Gap implements Line.
func (st *stream) Gap() {
	c := st.session
	c.mu.Lock()
	// One that waits already tells of this, too.
	told := st.mute || st.behind || c.closing || c.ended || st.gaps
	if !told {
		st.gaps = true
		c.tell(st, c.gapFrame(st))
	}
	c.mu.Unlock()
	if !told {
		c.Ready()
	}
}

// gapFrame tells a client that a stream may have lost something.
func (c *Session) gapFrame(st *stream) *wire.Frame {
	if c.place == nil {
		return wire.Message(st.name, 0, wire.Closed{Type: "gap"})
	}
	e := rpc.Errorf("gap", "something that was to be told may have been lost: ask again for what has to be known")
	return wire.Message(st.name, 0, wire.Error{Type: "error", Code: e.Code, Status: statusOf(e), Message: e.Message})
}

// HangUp implements Line.
func (st *stream) HangUp(code int, reason string) { st.session.close(code, reason) }

// collectReplies takes what is in line, but for what streams must not be told yet.
// The mutex is held.
func (c *Session) collectReplies(b *batch) {
	kept := c.replies[:0]
	c.unread = 0
	if c.told.frames == 0 {
		for _, r := range c.replies {
			b.add(r.frame)
		}
	} else {
		kept = c.collectTold(b, kept)
	}
	clear(c.replies[len(kept):])
	c.replies = kept
	if len(kept) == 0 && cap(kept) > 64 {
		c.replies = nil
	}
	c.collectGaps(b)
}

func (c *Session) collectTold(b *batch, kept []reply) []reply {
	c.told.frames, c.told.bytes = 0, 0
	for _, r := range c.replies {
		if r.to == nil {
			b.add(r.frame)
			continue
		}
		if c.withholds(r.to) {
			kept = append(kept, r)
			c.told.frames++
			c.told.bytes += len(r.frame.Bytes)
			continue
		}
		r.to.gaps = false // one that comes now is behind those that are written
		b.add(r.frame)
	}
	c.makeRoom()
	return kept
}

// withholds tells that a stream must not be told anything now. Who ends that wakes
// the session. The mutex is held.
func (c *Session) withholds(st *stream) bool {
	held := func(w *pipe.Watch) bool { return w != nil && w.Held() > 0 }
	// What a plain connection may not be told its streams may not be told.
	return !st.shown || held(c.auth) || held(st.watch) || c.own != nil && held(c.own.watch)
}

// collectGaps tells the streams of gaps that have been told all that is in line.
func (c *Session) collectGaps(b *batch) {
	if len(c.told.behind) == 0 || c.closing {
		return
	}
	c.told.behind = slices.DeleteFunc(c.told.behind, func(st *stream) bool {
		if c.withholds(st) {
			return false
		}
		b.add(c.gapFrame(st))
		st.behind, st.unheard = false, true
		c.caughtUp = append(c.caughtUp, st)
		return true
	})
	c.makeRoom()
}

// makeRoom wakes those who wait in Send. The mutex is held.
func (c *Session) makeRoom() {
	if c.told.room != nil {
		close(c.told.room)
		c.told.room = nil
	}
}

// silence ends what a stream is told, with what is in line. The mutex is held.
func (c *Session) silence(st *stream) {
	st.mute = true
	c.takeOut(st)
	c.told.behind = slices.DeleteFunc(c.told.behind, func(o *stream) bool { return o == st })
	c.makeRoom()
}

// tellCaughtUp tells the app which streams have been told of a gap. What waits in
// Send goes on after that: it may be a part of what the gap has ended.
func (c *Session) tellCaughtUp() {
	c.mu.Lock()
	streams := c.caughtUp
	c.caughtUp = nil
	c.mu.Unlock()
	for _, st := range streams {
		if open, ok := st.open.(Gapped); ok {
			open.Gapped()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, st := range streams {
		st.unheard = false
	}
	c.makeRoom()
}
