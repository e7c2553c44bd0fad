package pipe

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/pando-sync/pando/internal/hub"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
)

// Request is what a subscriber asks for.
type Request struct {
	Key route.Key
	// User is whose part is shown with the public one; NULL for none.
	User       schema.Value
	Subscriber hub.Subscriber
	// Epoch and Held are the versions that the subscriber holds, one for each
	// part; nil when it holds nothing.
	Epoch string
	Held  []uint64
	// Guarded tells that rows decide who may see the scope, so that a permission
	// is one of a moment: the scope is shown at a version not before the call, and
	// nothing of what it was between the held version and that.
	Guarded bool
	// List makes the scope a list of this subscriber alone; its Key is private.
	List *List
}

// held is the version that is held of the i-th part.
func (r *Request) held(epoch string, i int) (version uint64, ok bool) {
	if r.Epoch != epoch || i >= len(r.Held) {
		return 0, false
	}
	return r.Held[i], true
}

// Attachment is a subscription to a scope: the frames to write first, then
// what the cursors of its parts read.
type Attachment struct {
	Scope *Scope
	// Parts are the public one and, where there is one, the user's.
	Parts []Part
	// Hub has the watermark up to which the cursors may be read.
	Hub    *hub.Hub
	Frames []*wire.Frame
	// Epoch is the history of the frames' versions, Version what the scope stood
	// at.
	Epoch   string
	Version uint64
}

// Part is the subscription to what one audience sees of a scope.
type Part struct {
	// ID is the part's name in the protocol.
	ID     string
	Cursor *hub.Cursor
	// Resumed tells that the frames continue from the version that was held.
	Resumed bool

	part *part
}

// Open subscribes to the scope of a key, which is read first when it is not in
// memory; all who come meanwhile share the read. The subscription is ended by
// Close.
func (p *Pipe) Open(ctx context.Context, r Request) (*Attachment, error) {
	select {
	case <-p.started:
	case <-ctx.Done():
		return nil, fmt.Errorf("open scope: %w", ErrUnavailable)
	}
	p.mu.Lock()
	if p.broken != nil {
		p.mu.Unlock()
		return nil, fmt.Errorf("open scope: %w", ErrUnavailable)
	}
	s, parts := p.enter(&r)
	p.mu.Unlock()
	version, err := p.goal(ctx, s, &r)
	if err == nil {
		var a *Attachment
		if a, err = p.attachAt(ctx, version, s, parts, &r); err == nil {
			return a, nil
		}
	}
	p.release(parts)
	return nil, err
}

// never is a version that does not come: who waits for it waits for the feed to
// start anew.
const never = math.MaxUint64

// goal waits until a new scope has been read, and returns the version that it
// has to stand at before it may be shown: the present one, the held one when
// that is still to come, or never when its history is still to begin.
func (p *Pipe) goal(ctx context.Context, s *Scope, r *Request) (uint64, error) {
	if err := p.until(ctx, s, s.ready); err != nil {
		return 0, err
	}
	p.mu.Lock()
	version := p.router.Position()
	ahead, foreign := version, false
	if len(r.Held) > 0 {
		if foreign = r.Epoch != p.epoch; !foreign {
			ahead = max(version, slices.Max(r.Held))
		}
	}
	p.mu.Unlock()
	if foreign {
		if outdated, err := p.outdated(ctx, s); outdated || err != nil {
			return never, err
		}
	}
	if ahead == version && !r.Guarded {
		return version, nil
	}
	head, err := p.Head(ctx)
	switch {
	case err != nil:
		return 0, fmt.Errorf("open scope: %w", ErrUnavailable)
	case r.Guarded:
		return max(version, head), nil
	case ahead <= head:
		version = ahead
	}
	return version, nil
}

// outdated tells whether the database has begun a history of which the feed has
// not told yet. What is held may be of that one, by way of another process on
// the database: who holds it must not be shown what was before.
func (p *Pipe) outdated(ctx context.Context, s *Scope) (bool, error) {
	snap, err := p.cfg.Source.Snapshot(ctx)
	if err != nil {
		return false, fmt.Errorf("open scope: %w", ErrUnavailable)
	}
	epoch := snap.Epoch()
	if snap.Close() != nil {
		return false, fmt.Errorf("open scope: %w", ErrUnavailable)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return s.life == p.life && epoch != p.epoch, nil
}

// until waits for done. Meanwhile it answers what a list of the subscriber's
// own asks, without which the list would never be whole.
func (p *Pipe) until(ctx context.Context, s *Scope, done <-chan struct{}) error {
	var asked <-chan struct{}
	if s.list != nil {
		asked = s.list.asked
	}
	for {
		select {
		case <-done:
			return nil
		case <-asked:
			if err := s.list.Judge(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("open scope: %w", ErrUnavailable)
		}
	}
}

// attachAt makes the subscription in the turn in which the scope is whole at
// version or later.
func (p *Pipe) attachAt(ctx context.Context, version uint64, s *Scope, parts []*part, r *Request) (*Attachment, error) {
	var a *Attachment
	done := make(chan struct{})
	w := &waiter{version: version, scopes: []*Scope{s}, done: func(bool) {
		if s.life == p.life && !s.failed && !s.closed && p.broken == nil {
			a = p.attach(s, parts, r)
		}
		close(done)
	}}
	p.mu.Lock()
	p.wait(w)
	p.mu.Unlock()
	err := p.until(ctx, s, done)
	if err != nil {
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
func (p *Pipe) attach(s *Scope, parts []*part, r *Request) *Attachment {
	version := p.router.Position()
	a := &Attachment{Scope: s, Hub: p.hub, Epoch: p.epoch, Version: version}
	for i, t := range parts {
		held, ok := r.held(p.epoch, i)
		one, frames := p.attachPart(t, r, held, ok && s.list == nil)
		if len(parts) > 1 {
			// The parts of a stream never differ in their version: all are brought to
			// the present at once.
			frames = drain(frames, one.Cursor, version)
		}
		a.Parts = append(a.Parts, one)
		a.Frames = append(a.Frames, frames...)
	}
	a.Frames = enclose(a.Frames, version)
	return a
}

func (p *Pipe) attachPart(t *part, r *Request, held uint64, holds bool) (Part, []*wire.Frame) {
	version := p.router.Position()
	if t.log == nil {
		p.router.Loaded(t.route) // a user's part; the public one is loaded
		t.log = p.hub.NewLog(version)
	}
	one := Part{ID: t.id, part: t}
	if holds && held <= version && !p.steps.Over(held) && !t.route.Over(held) {
		if !r.Guarded {
			one.Cursor, one.Resumed = t.log.Subscribe(r.Subscriber, held)
		}
		if one.Resumed {
			return one, nil
		}
		if p.router.Since(t.route, held, &p.patch) && !p.tooManyRows() {
			frames := p.conflated(t)
			one.Cursor, _ = t.log.Subscribe(r.Subscriber, version)
			one.Resumed = true
			return one, frames
		}
	}
	p.refresh(t, r.Guarded)
	one.Cursor, _ = t.log.Subscribe(r.Subscriber, t.at)
	return one, drain([]*wire.Frame{t.snapshot}, one.Cursor, version)
}

// drain appends what a cursor has up to version, and moves it there.
func drain(frames []*wire.Frame, c *hub.Cursor, version uint64) []*wire.Frame {
	for {
		f, _ := c.Peek(version)
		if f == nil {
			return frames
		}
		frames = append(frames, f)
		c.Take()
	}
}

// enclose has several frames shown at once. A client may have seen the present
// by another stream or an action's result, and must not see the past again.
func enclose(frames []*wire.Frame, version uint64) []*wire.Frame {
	if len(frames) < 2 {
		return frames
	}
	all := append(make([]*wire.Frame, 0, len(frames)+2), wire.Mark("begin", version))
	return append(append(all, frames...), wire.Mark("end", version))
}

// maxSteps bounds the commits of which is remembered where they began.
const maxSteps = 1 << 16

// tooManyRows tells whether p.patch is better told as a snapshot.
func (p *Pipe) tooManyRows() bool {
	return len(p.patch.Set)+len(p.patch.Delete) > largePatch
}

// conflated encodes p.patch, or nothing when it is empty.
func (p *Pipe) conflated(t *part) []*wire.Frame {
	if p.patch.Empty() {
		return nil
	}
	return []*wire.Frame{p.enc.Patch(t.id, &p.patch)}
}

// refresh makes the part's encoded state anew when the log does not continue
// it, or has grown longer than it, or, where nothing of the past is to be
// shown, has grown at all.
func (p *Pipe) refresh(t *part, present bool) {
	usable := t.snapshot != nil && t.at >= t.log.From()
	if usable && (t.since == 0 || !present && t.since <= t.snapshot.Size()) {
		t.asked = time.Now()
		return
	}
	p.router.Snapshot(t.route, &p.patch)
	p.encode(t)
}

// encode keeps p.patch as the part's encoded state.
func (p *Pipe) encode(t *part) {
	if t.snapshot == nil {
		p.encoded = append(p.encoded, t)
	}
	t.snapshot = p.enc.Snapshot(t.id, &p.patch)
	t.at, t.since, t.asked = p.router.Position(), 0, time.Now()
}

// CatchUp returns what the cursors of a subscription have missed since one of
// them fell off its log, as one conflated patch for each part, or as a snapshot
// where that is not known, and moves them to their logs' ends. Nobody may read
// the cursors meanwhile. While the scope is being read, or one of the watches
// holds it, there is no answer: ready is false, and the subscriber is woken
// when there is one.
func (p *Pipe) CatchUp(a *Attachment, watches []*Watch, wake func()) (frames []*wire.Frame, ready bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := a.Scope
	version := p.router.Position()
	switch {
	case s.life != p.life || s.closed:
		return nil, true
	case slices.ContainsFunc(watches, func(w *Watch) bool { return w.Held() > 0 }):
		return nil, false // who releases it wakes
	case !s.route.Ready():
		p.waiters = append(p.waiters, &waiter{version, []*Scope{s}, func(bool) { wake() }})
		return nil, false
	}
	for i := range a.Parts {
		one := &a.Parts[i]
		frames = append(frames, p.missed(one)...)
		one.part.log.Reseat(one.Cursor, version)
	}
	return enclose(frames, version), true
}

// missed is what a cursor's part has to say after the version that the cursor
// has taken. The encoded state is shared by all who need it.
func (p *Pipe) missed(one *Part) []*wire.Frame {
	t := one.part
	// In a list of one stream's own a version may come twice.
	if t.scope.list == nil && p.router.Since(t.route, one.Cursor.Version(), &p.patch) && !p.tooManyRows() {
		return p.conflated(t)
	}
	p.refresh(t, false)
	t.log.Reseat(one.Cursor, t.at)
	return drain([]*wire.Frame{t.snapshot}, one.Cursor, p.router.Position())
}

// Close ends a subscription.
func (p *Pipe) Close(a *Attachment) {
	parts := make([]*part, len(a.Parts))
	for i := range a.Parts {
		a.Parts[i].Cursor.Cancel()
		parts[i] = a.Parts[i].part
	}
	p.release(parts)
}
