package session

import (
	"net"
	"slices"
	"sync"
	"time"

	"github.com/pando-sync/pando/internal/wire"
)

// A session's schedule:
//
//	idle ──Ready──► queued ──writer──► writing ──nothing left──► idle
//	                                     │  ▲
//	                                   Ready │ looks again
//	                                     ▼  │
//	                                    again
//
// and from any state to retired, when the connection is gone. Whoever brings
// it from queued to writing is its only writer until it leaves that state.
const (
	idle = iota
	queued
	writing
	again
	retired
)

// Ready tells that the session has something to write. It never blocks.
func (c *Session) Ready() {
	for {
		switch now := c.schedule.Load(); now {
		case idle:
			if c.schedule.CompareAndSwap(idle, queued) {
				c.shard.push(c)
				return
			}
		case writing:
			if c.schedule.CompareAndSwap(writing, again) {
				return
			}
		default:
			return
		}
	}
}

func (c *Session) retire() { c.schedule.Store(retired) }

// rest ends a writer's turn, unless there is something new.
func (c *Session) rest() bool {
	if c.schedule.CompareAndSwap(writing, idle) {
		return true
	}
	return !c.schedule.CompareAndSwap(again, writing)
}

// maxBatch is about the bytes that are taken from the logs at once.
const maxBatch = 256 << 10

// batch is what one write puts on the socket, in order.
type batch struct {
	bufs  [][]byte
	bytes int
	// last tells to close the socket behind it.
	last bool
}

// add adds a frame and the parts that follow it.
func (b *batch) add(f *wire.Frame) {
	for ; f != nil; f = f.Next {
		b.bufs = append(b.bufs, f.Bytes)
		b.bytes += len(f.Bytes)
	}
}

func (b *batch) reset() {
	clear(b.bufs)
	b.bufs, b.bytes, b.last = b.bufs[:0], 0, false
}

// collect takes what is due: replies, then what the views have, then a mark.
// It returns the views that have to be caught up, and whether streams have been
// told of gaps.
func (c *Session) collect(b *batch) (lost []*view, caughtUp bool) {
	mark := c.mark.Swap(0)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collectReplies(b)
	if c.closing {
		b.last = true
		return nil, false
	}
	if c.runtime.Swap(false) {
		c.collectRuntime(b)
	}
	held := c.lookAtViews(b)
	whole, lost := c.collectViews(b)
	switch {
	case mark == 0:
	case held > 0 && held <= mark:
		c.raiseMark(mark) // who ends the doubt wakes the session
	case whole && len(lost) == 0:
		b.add(wire.Mark("mark", mark))
	default:
		// What is left of the views wakes the session by itself: waking it here
		// would have it look in vain for as long as a scope is being read.
		c.raiseMark(mark)
	}
	return lost, len(c.caughtUp) > 0
}

// collectRuntime takes what the streams have besides their state, unless it is
// in doubt whether they may be sent anything.
func (c *Session) collectRuntime(b *batch) {
	doubt := c.auth != nil && c.auth.Held() > 0
	for _, st := range c.streams {
		if st.view == nil || !st.changed.Load() {
			continue
		}
		if doubt || st.watch.Held() > 0 {
			c.runtime.Store(true) // who ends the doubt wakes the session
			continue
		}
		if !st.mayShow() {
			continue // the end of its turn wakes the session
		}
		st.changed.Store(false)
		if set := st.open.Runtime(); len(set) > 0 {
			b.add(wire.Message(st.name, 0, wire.Runtime{Type: "runtime", Set: set}))
		}
		for _, f := range st.takeNotices() {
			b.add(f)
		}
	}
}

// lookAtViews finds out how far each view may be read, and takes what stands
// before its cursors. It returns the first version that is held back of any.
func (c *Session) lookAtViews(b *batch) (held uint64) {
	for _, v := range c.views {
		// In this order: what is held is so before the watermark passes it.
		v.upto = v.sub.Hub.Watermark()
		from := v.heldFrom(c.auth)
		if v.held = from > 0; v.held {
			v.upto = min(v.upto, from-1)
			if held == 0 || from < held {
				held = from
			}
		}
		for _, f := range v.frames {
			b.add(f)
		}
		v.frames = nil
	}
	return held
}

// collectViews takes frames in the order of their commits, enclosing those of
// one commit when there are several.
func (c *Session) collectViews(b *batch) (whole bool, lost []*view) {
	for {
		var next uint64
		n := 0
		for _, v := range c.views {
			version, frames, gone := v.peek()
			switch {
			case gone:
				v.behind = true
				lost = append(lost, v)
			case frames == 0:
			case n == 0 || version < next:
				next, n = version, frames
			case version == next:
				n += frames
			}
		}
		if n == 0 {
			return true, lost
		}
		if b.bytes >= maxBatch {
			c.Ready()
			return false, lost
		}
		c.takeCommit(b, next, n)
	}
}

func (c *Session) takeCommit(b *batch, version uint64, n int) {
	var p *pair
	if n > 1 {
		p = c.server.enclosing(version)
		b.add(p.begin)
	}
	for _, v := range c.views {
		if v.due {
			v.take(b, version)
		}
	}
	if n > 1 {
		b.add(p.end)
	}
}

// catchUp brings views on that have lost their log. While a scope is being
// read or held there is nothing to bring; the session is woken when there is.
func (c *Session) catchUp(lost []*view) {
	for _, v := range lost {
		c.mu.Lock()
		watches := v.watches(c.auth)
		v.skip = false
		c.mu.Unlock()
		frames, ready := c.server.cfg.Pipe.CatchUp(v.sub, watches, c.Ready)
		c.mu.Lock()
		v.behind = false
		if ready {
			v.frames = frames
		} else {
			v.skip = true
		}
		c.mu.Unlock()
		if ready && (len(frames) > 0 || c.mark.Load() > 0) {
			c.Ready()
		}
	}
}

// slow writes what a connection could not take at once, and goes on writing
// until nothing is left. It is the session's writer meanwhile.
func (c *Session) slow(rest [][]byte, last bool) {
	b := batch{bufs: rest, last: last}
	for {
		if len(b.bufs) > 0 {
			if err := c.writeAll(b.bufs); err != nil {
				c.conn.Close()
				return
			}
		}
		if b.last {
			c.hangUp()
			return
		}
		b.reset()
		lost := c.gather(&b)
		c.catchUp(lost)
		if len(b.bufs) == 0 && !b.last && c.rest() {
			return
		}
	}
}

func (c *Session) writeAll(bufs [][]byte) error {
	c.busy.Store(true)
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.server.cfg.WriteTimeout)); err != nil {
		return err
	}
	frames := net.Buffers(slices.Clone(bufs))
	if _, err := frames.WriteTo(c.conn); err != nil {
		return err
	}
	return c.conn.SetWriteDeadline(time.Time{})
}

// hangUp closes the sending side behind a close frame and leaves the client a
// moment to close its own: cutting at once could lose the frame.
func (c *Session) hangUp() {
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		if c.conn.SetReadDeadline(time.Now().Add(goodbye)) == nil {
			return
		}
	}
	c.conn.Close()
}

const goodbye = 2 * time.Second

// shard is one writer and the sessions that wait for it.
type shard struct {
	mu      sync.Mutex
	wake    sync.Cond
	waiting []*Session
	stopped bool
	batch   batch
	vector  vector
}

func newShard() *shard {
	w := &shard{}
	w.wake.L = &w.mu
	return w
}

func (w *shard) push(c *Session) {
	w.mu.Lock()
	w.waiting = append(w.waiting, c)
	if len(w.waiting) == 1 {
		w.wake.Signal()
	}
	w.mu.Unlock()
}

func (w *shard) stop() {
	w.mu.Lock()
	w.stopped = true
	w.wake.Signal()
	w.mu.Unlock()
}

func (w *shard) run() {
	var work []*Session
	for {
		w.mu.Lock()
		for len(w.waiting) == 0 && !w.stopped {
			w.wake.Wait()
		}
		if w.stopped {
			w.mu.Unlock()
			return
		}
		work, w.waiting = w.waiting, work[:0]
		w.mu.Unlock()
		for i, c := range work {
			w.serve(c)
			work[i] = nil
		}
	}
}

// serve writes what a session has, as far as its socket takes it at once.
func (w *shard) serve(c *Session) {
	if !c.schedule.CompareAndSwap(queued, writing) {
		return
	}
	for {
		w.batch.reset()
		lost := c.gather(&w.batch)
		if len(lost) > 0 {
			// Catching up waits for the pipe: not here.
			go c.catchUpSlow(lost, slices.Clone(w.batch.bufs))
			return
		}
		if len(w.batch.bufs) == 0 && !w.batch.last {
			if c.rest() {
				return
			}
			continue
		}
		c.busy.Store(true)
		rest, err := c.out.write(w.batch.bufs, &w.vector)
		switch {
		case err != nil:
			c.conn.Close()
			return
		case len(rest) > 0 || w.batch.last:
			go c.slow(slices.Clone(rest), w.batch.last)
			return
		}
	}
}

func (c *Session) catchUpSlow(lost []*view, bufs [][]byte) {
	c.catchUp(lost)
	c.slow(bufs, false)
}
