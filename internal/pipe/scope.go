package pipe

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pando-sync/pando/internal/hub"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/state"
)

// Scope is a live tree with its log.
type Scope struct {
	id    string
	life  int
	route *route.Scope
	// ready is closed when the scope has been read, or has failed.
	ready  chan struct{}
	failed bool
	log    *hub.Log
	users  int
	// unused is when the last user left.
	unused time.Time
	// snapshot is the encoded state at version at, nil when it was not asked for
	// lately; since is the number of bytes appended to the log after it.
	snapshot []*wire.Frame
	at       uint64
	since    int
	asked    time.Time
}

// ID is the scope's name in the protocol.
func (s *Scope) ID() string { return s.id }

func (s *Scope) fail() {
	s.failed = true
	close(s.ready)
}

// Attachment is a subscription to a scope: the frames to write first, then
// what the cursor reads.
type Attachment struct {
	Scope  *Scope
	Cursor *hub.Cursor
	// Hub has the watermark up to which the cursor may be read.
	Hub    *hub.Hub
	Frames []*wire.Frame
	// Epoch is the history of the frames' versions. Resumed tells that the frames
	// continue from the version that was held.
	Epoch   string
	Resumed bool
}

// Open subscribes to the scope of a key, which is read first when it is not in
// memory; all who come meanwhile share the read. held is the version that the
// subscriber holds, or nil. The subscription is ended by Close.
func (p *Pipe) Open(ctx context.Context, key route.Key, sub hub.Subscriber, held *state.Version) (*Attachment, error) {
	select {
	case <-p.started:
	case <-ctx.Done():
		return nil, fmt.Errorf("open scope: %w", ErrUnavailable)
	}
	s, err := p.scope(key)
	if err != nil {
		return nil, err
	}
	version, err := p.goal(ctx, s, held)
	if err == nil {
		var a *Attachment
		if a, err = p.attachAt(ctx, version, s, sub, held); err == nil {
			return a, nil
		}
	}
	p.release(s)
	return nil, err
}

// scope returns the scope of a key with one user more.
func (p *Pipe) scope(key route.Key) (*Scope, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return nil, fmt.Errorf("open scope: %w", ErrUnavailable)
	}
	rs, fresh := p.router.Open(key)
	if !fresh {
		s, ok := rs.Owner.(*Scope)
		if !ok {
			panic("pipe: scope without owner")
		}
		s.users++
		return s, nil
	}
	p.scopes++
	s := &Scope{id: scopeID(p.scopes), life: p.life, route: rs, ready: make(chan struct{}), users: 1}
	rs.Owner = s
	p.opening = append(p.opening, s)
	p.turn()
	return s, nil
}

// goal waits until a new scope has been read, and returns the version that it
// has to stand at before it may be shown: the present one, or the held one when
// that is still to come.
func (p *Pipe) goal(ctx context.Context, s *Scope, held *state.Version) (uint64, error) {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return 0, fmt.Errorf("open scope: %w", ErrUnavailable)
	}
	p.mu.Lock()
	version := p.router.Position()
	ahead := held != nil && held.Epoch == p.epoch && held.N > version
	p.mu.Unlock()
	if !ahead {
		return version, nil
	}
	head, err := p.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("open scope: %w", ErrUnavailable)
	}
	if held.N <= head {
		version = held.N
	}
	return version, nil
}

// attachAt makes the subscription in the turn in which the scope is whole at
// version or later.
func (p *Pipe) attachAt(ctx context.Context, version uint64, s *Scope, sub hub.Subscriber, held *state.Version) (*Attachment, error) {
	var a *Attachment
	done := make(chan struct{})
	w := &waiter{version: version, scopes: []*Scope{s}, done: func() {
		if s.life == p.life && !s.failed {
			a = p.attach(s, sub, held)
		}
		close(done)
	}}
	p.mu.Lock()
	p.wait(w)
	p.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
		p.mu.Lock()
		p.waiters = slices.DeleteFunc(p.waiters, func(o *waiter) bool { return o == w })
		p.mu.Unlock()
	}
	if a == nil {
		return nil, fmt.Errorf("open scope: %w", ErrUnavailable)
	}
	return a, nil
}

// attach makes the subscription of a scope that is whole.
func (p *Pipe) attach(s *Scope, sub hub.Subscriber, held *state.Version) *Attachment {
	a := &Attachment{Scope: s, Hub: p.hub, Epoch: p.epoch}
	if held != nil && held.Epoch == p.epoch && held.N <= p.router.Position() {
		if c, ok := s.log.Subscribe(sub, held.N); ok {
			a.Cursor, a.Resumed = c, true
			return a
		}
		if p.router.Since(s.route, held.N, &p.patch) {
			a.Frames = p.conflated(s)
			a.Cursor, a.Resumed = p.atEnd(s, sub), true
			return a
		}
	}
	p.refresh(s)
	a.Cursor, _ = s.log.Subscribe(sub, s.at)
	a.Frames = p.present(s, a.Cursor)
	return a
}

// present is the frames of the scope's present state: the encoded one with what
// was said since, which is shown at once. The subscriber may have seen the
// present by another stream or an action's result, and must not see the past
// again. The cursor is moved to the log's end.
func (p *Pipe) present(s *Scope, c *hub.Cursor) []*wire.Frame {
	version := p.router.Position()
	frame, _ := c.Peek(version)
	if frame == nil {
		return s.snapshot
	}
	frames := append([]*wire.Frame{wire.Mark("begin", version)}, s.snapshot...)
	for ; frame != nil; frame, _ = c.Peek(version) {
		frames = append(frames, frame)
		c.Take()
	}
	return append(frames, wire.Mark("end", version))
}

func (p *Pipe) atEnd(s *Scope, sub hub.Subscriber) *hub.Cursor {
	c, _ := s.log.Subscribe(sub, p.router.Position())
	return c
}

// conflated encodes p.patch, or nothing when it is empty.
func (p *Pipe) conflated(s *Scope) []*wire.Frame {
	if p.patch.Empty() {
		return nil
	}
	return []*wire.Frame{p.enc.Patch(s.id, &p.patch)}
}

// refresh makes the scope's encoded state anew when the log does not continue
// it, or has grown longer than it.
func (p *Pipe) refresh(s *Scope) {
	s.asked = time.Now()
	if s.snapshot == nil {
		p.encoded = append(p.encoded, s)
	}
	size := 0
	for _, f := range s.snapshot {
		size += len(f.Bytes)
	}
	usable := s.snapshot != nil && s.at >= s.log.From()
	if usable && s.since <= size {
		return
	}
	p.router.Snapshot(s.route, &p.patch)
	s.snapshot = p.enc.Snapshot(s.id, &p.patch)
	s.at, s.since = p.router.Position(), 0
}

// CatchUp returns what a cursor that has fallen off its log has missed, as one
// conflated patch, or as a snapshot where that is not known, and moves it to
// the log's end. Nobody may read the cursor meanwhile. While the scope is being
// read there is no answer: ready is false, and the subscriber is woken when
// there is one.
func (p *Pipe) CatchUp(a *Attachment, wake func()) (frames []*wire.Frame, ready bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := a.Scope
	if s.life != p.life {
		return nil, true
	}
	if !s.route.Ready() {
		p.waiters = append(p.waiters, &waiter{p.router.Position(), []*Scope{s}, wake})
		return nil, false
	}
	if p.router.Since(s.route, a.Cursor.Version(), &p.patch) {
		frames = p.conflated(s)
	} else {
		p.router.Snapshot(s.route, &p.patch)
		frames = p.enc.Snapshot(s.id, &p.patch)
	}
	s.log.Reseat(a.Cursor, p.router.Position())
	return frames, true
}

// Close ends a subscription.
func (p *Pipe) Close(a *Attachment) {
	a.Cursor.Cancel()
	p.release(a.Scope)
}

func (p *Pipe) release(s *Scope) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.users--
	if s.users > 0 || s.life != p.life {
		return
	}
	s.unused = time.Now()
	if !slices.Contains(p.idle, s) {
		p.idle = append(p.idle, s)
	}
	if len(p.idle) > p.cfg.Lingering {
		p.forget(time.Now())
	}
}

// sweep closes scopes that have been without users for long.
func (p *Pipe) sweep(ctx context.Context) {
	tick := time.NewTicker(max(p.cfg.Linger/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			p.mu.Lock()
			p.forget(now)
			p.forgetEncoded(now)
			p.mu.Unlock()
		}
	}
}

// forget closes unused scopes: those that have lingered, and the oldest of
// those that are too many.
func (p *Pipe) forget(now time.Time) {
	if len(p.idle) == 0 || p.broken != nil {
		return
	}
	slices.SortFunc(p.idle, func(a, b *Scope) int { return a.unused.Compare(b.unused) })
	surplus := len(p.idle) - p.cfg.Lingering
	rest := p.idle[:0]
	for i, s := range p.idle {
		switch {
		case s.users > 0:
		case i < surplus || now.Sub(s.unused) >= p.cfg.Linger:
			p.closeScope(s)
		default:
			rest = append(rest, s)
		}
	}
	clear(p.idle[len(rest):])
	p.idle = rest
	p.turn()
}

// forgetEncoded drops the encoded states that nobody has asked for lately: the
// rows and the log stay.
func (p *Pipe) forgetEncoded(now time.Time) {
	p.encoded = slices.DeleteFunc(p.encoded, func(s *Scope) bool {
		old := now.Sub(s.asked) >= p.cfg.Linger
		if old {
			s.snapshot = nil
		}
		return old
	})
}

func (p *Pipe) closeScope(s *Scope) {
	p.router.Close(s.route)
	if i := slices.Index(p.opening, s); i >= 0 {
		p.opening = slices.Delete(p.opening, i, i+1)
		s.fail()
	}
}
