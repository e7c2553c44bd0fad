// Package hub keeps what was said to each scope in one shared log of frames;
// a subscriber is a cursor in it. Delivering a frame copies and allocates
// nothing.
//
// # Concurrency
//
// One goroutine at a time appends (the owner of the router); any number of
// cursors read, each used by one goroutine at a time. A cursor reads ahead of
// nobody: what is past the watermark is not shown, so that all frames of one
// commit become visible together.
//
// # Bounds
//
// A log keeps a bounded number of bytes. A cursor that stands before the
// oldest frame has fallen off: it is told so, and its owner catches it up by
// other means. It never holds memory back.
package hub

import (
	"sync"
	"sync/atomic"

	"github.com/pando-sync/pando/internal/wire"
)

// Subscriber is told that a log has something new.
type Subscriber interface {
	// Ready must not block. It may be called by any goroutine, and again
	// before the subscriber has read.
	Ready()
}

// Hub is the logs of one source and their common watermark.
type Hub struct {
	watermark atomic.Uint64
	limit     int
	touched   []*Log
}

// New returns a hub whose logs keep about limit bytes each, and the newest
// frame whatever its size.
func New(limit int) *Hub { return &Hub{limit: limit} }

// Watermark is the version up to which frames may be written.
func (h *Hub) Watermark() uint64 { return h.watermark.Load() }

// Publish moves the watermark to version and wakes the subscribers of all logs
// that were appended to since the last call.
func (h *Hub) Publish(version uint64) {
	h.watermark.Store(version)
	for i, l := range h.touched {
		l.touched = false
		l.wake()
		h.touched[i] = nil
	}
	h.touched = h.touched[:0]
}

// node is a place in a log: the frame that leads there, and the next one.
type node struct {
	frame *wire.Frame
	next  atomic.Pointer[node]
}

// gone is what comes after a node that has been dropped.
var gone = &node{}

// Log is the frames of one scope and audience, oldest first.
type Log struct {
	hub     *Hub
	touched bool
	// head stands before the oldest frame that is kept, tail at the newest.
	head, tail *node
	bytes      int
	// from is the version after which every frame is in the log.
	from uint64

	mu   sync.Mutex
	subs []*Cursor
}

// NewLog returns an empty log of a scope that stands at version.
func (h *Hub) NewLog(version uint64) *Log {
	n := &node{}
	return &Log{hub: h, head: n, tail: n, from: version}
}

// Append adds a frame, with the parts that follow it. Cursors see it after the next Publish of its version or
// a later one.
func (l *Log) Append(f *wire.Frame) {
	n := &node{frame: f}
	l.tail.next.Store(n)
	l.tail = n
	l.bytes += f.Size()
	for l.bytes > l.hub.limit && l.head.next.Load() != n {
		l.drop()
	}
	if !l.touched {
		l.touched = true
		l.hub.touched = append(l.hub.touched, l)
	}
}

// drop forgets the oldest frame.
func (l *Log) drop() {
	old := l.head
	l.head = old.next.Load()
	l.from = l.head.frame.Version
	l.bytes -= l.head.frame.Size()
	old.next.Store(gone)
}

// From is the version after which every frame is in the log.
func (l *Log) From() uint64 { return l.from }

// Subscribers is the number of cursors.
func (l *Log) Subscribers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.subs)
}

// Subscribe returns a cursor that stands after the frames up to version, and
// false when the log does not go back so far. It is called by the goroutine
// that appends.
func (l *Log) Subscribe(s Subscriber, version uint64) (*Cursor, bool) {
	if version < l.from {
		return nil, false
	}
	c := &Cursor{log: l, sub: s, at: l.seek(version), version: version}
	l.mu.Lock()
	c.index = len(l.subs)
	l.subs = append(l.subs, c)
	l.mu.Unlock()
	return c, true
}

// seek returns the newest node up to version.
func (l *Log) seek(version uint64) *node {
	at := l.head
	for n := at.next.Load(); n != nil && n.frame.Version <= version; n = n.next.Load() {
		at = n
	}
	return at
}

// Reseat moves a cursor that has fallen off behind the frames up to version,
// to which the log goes back. It is called by the goroutine that appends, while
// nobody reads the cursor.
func (l *Log) Reseat(c *Cursor, version uint64) { c.at, c.version = l.seek(version), version }

func (l *Log) wake() {
	l.mu.Lock()
	for _, c := range l.subs {
		c.sub.Ready()
	}
	l.mu.Unlock()
}

// Cursor is a subscriber's place in a log.
type Cursor struct {
	log   *Log
	sub   Subscriber
	at    *node
	seen  *node
	index int
	// version is of the newest frame that was taken.
	version uint64
}

// Version is the version up to which the cursor has taken the log's frames.
func (c *Cursor) Version() uint64 { return c.version }

// Peek returns the next frame of a version up to upto, which is a watermark
// that was read before, or nil. Lost tells that the log has dropped frames
// which the cursor has not seen.
func (c *Cursor) Peek(upto uint64) (f *wire.Frame, lost bool) {
	n := c.at.next.Load()
	c.seen = nil
	switch {
	case n == nil:
		return nil, false
	case n == gone:
		return nil, true
	case n.frame.Version > upto:
		return nil, false
	}
	c.seen = n
	return n.frame, false
}

// Seen is the frame that the last Peek returned, nil when it was taken.
func (c *Cursor) Seen() *wire.Frame {
	if c.seen == nil {
		return nil
	}
	return c.seen.frame
}

// Take moves past the frame that Peek returned, which may have been dropped
// from the log since.
func (c *Cursor) Take() {
	c.at, c.version, c.seen = c.seen, c.seen.frame.Version, nil
}

// Cancel ends the subscription; the log holds nothing of it afterwards.
func (c *Cursor) Cancel() {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.index < 0 {
		return
	}
	last := len(l.subs) - 1
	l.subs[c.index] = l.subs[last]
	l.subs[c.index].index = c.index
	l.subs[last] = nil
	l.subs = l.subs[:last]
	c.index = -1
}
