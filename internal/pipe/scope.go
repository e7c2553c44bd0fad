package pipe

import (
	"context"
	"slices"
	"time"

	"github.com/pando-sync/pando/internal/hub"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
)

// Scope is a live tree. It is told in parts: the public one, which all see who
// may open it, and for a user what only this user sees.
type Scope struct {
	life  int
	route *route.Scope
	// ready is closed when the scope has been read, or has failed.
	ready  chan struct{}
	failed bool
	closed bool
	// parts are by user; that of NULL is the public one.
	parts map[schema.Value]*part
	// list is the list of one stream alone, nil for a scope that is shared.
	list *List
}

func (s *Scope) public() *part { return s.parts[schema.Value{}] }

func (s *Scope) fail() {
	s.failed = true
	close(s.ready)
}

// part is what one audience sees of a scope, in a log of its own.
type part struct {
	id    string
	user  schema.Value
	scope *Scope
	route *route.Scope
	// log begins with the first who is shown the part; nil before.
	log   *hub.Log
	users int
	// unused is when the last user left.
	unused time.Time
	// snapshot is the encoded state at version at, nil when it was not asked for
	// lately; since is the number of bytes appended to the log after it.
	snapshot *wire.Frame
	at       uint64
	since    int
	asked    time.Time
}

func partOf(rs *route.Scope) *part {
	t, ok := rs.Owner.(*part)
	if !ok {
		panic("pipe: scope without owner")
	}
	return t
}

// enter returns the scope of a key, and its parts that a user is shown, with
// one user more. The mutex is held.
func (p *Pipe) enter(r *Request) (*Scope, []*part) {
	rs, fresh := p.router.Open(r.Key)
	if fresh {
		s := &Scope{
			life: p.life, route: rs, ready: make(chan struct{}), parts: map[schema.Value]*part{}, list: r.List,
		}
		p.newPart(s, schema.Value{}, rs)
		p.opening = append(p.opening, s)
		p.cached(r.Key)
		if r.List != nil {
			r.List.begin(s)
		}
	}
	s := partOf(rs).scope
	shown := []*part{s.public()}
	if !r.User.IsNull() {
		t := s.parts[r.User]
		if t == nil {
			t = p.newPart(s, r.User, p.router.Part(rs, r.User))
		}
		shown = append(shown, t)
	}
	for _, t := range shown {
		t.users++
	}
	if fresh {
		p.turn()
	}
	return s, shown
}

func (p *Pipe) newPart(s *Scope, user schema.Value, rs *route.Scope) *part {
	p.parts++
	t := &part{id: scopeID(p.parts), user: user, scope: s, route: rs}
	rs.Owner = t
	s.parts[user] = t
	return t
}

// release takes a user from parts. A scope of one stream ends with it; others
// linger, since clients come back.
func (p *Pipe) release(parts []*part) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, t := range parts {
		t.users--
		switch {
		case t.users > 0 || t.scope.life != p.life || t.scope.closed:
		case t.scope.list != nil:
			p.closePart(t)
			p.turn()
		default:
			t.unused = now
			if !slices.Contains(p.idle, t) {
				p.idle = append(p.idle, t)
			}
		}
	}
	if len(p.idle) > p.cfg.Lingering {
		p.forget(now)
	}
}

// sweep closes parts that have been without users for long.
func (p *Pipe) sweep(ctx context.Context) {
	tick := time.NewTicker(max(min(p.cfg.Linger, p.cfg.StallLimit)/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			p.mu.Lock()
			p.forget(now)
			p.forgetEncoded(now)
			p.tellStall(now)
			p.mu.Unlock()
		}
	}
}

// forget closes unused parts: those that have lingered, and the oldest of those
// that are too many.
func (p *Pipe) forget(now time.Time) {
	if len(p.idle) == 0 || p.broken != nil {
		return
	}
	slices.SortFunc(p.idle, func(a, b *part) int { return a.unused.Compare(b.unused) })
	surplus := len(p.idle) - p.cfg.Lingering
	rest := p.idle[:0]
	for i, t := range p.idle {
		switch {
		case t.users > 0 || t.scope.closed:
		case i < surplus || now.Sub(t.unused) >= p.cfg.Linger:
			p.closePart(t)
		default:
			rest = append(rest, t)
		}
	}
	clear(p.idle[len(rest):])
	p.idle = rest
	p.turn()
}

// forgetEncoded drops the encoded states that nobody has asked for lately: the
// rows and the log stay.
func (p *Pipe) forgetEncoded(now time.Time) {
	p.encoded = slices.DeleteFunc(p.encoded, func(t *part) bool {
		old := now.Sub(t.asked) >= p.cfg.Linger
		if old {
			t.snapshot = nil
		}
		return old
	})
}

// closePart forgets a part; the scope, with all parts, goes with the public
// one, which every stream shows.
func (p *Pipe) closePart(t *part) {
	s := t.scope
	delete(s.parts, t.user)
	if !t.user.IsNull() {
		p.router.ClosePart(t.route)
		return
	}
	s.closed = true
	p.uncached(s.route.Key)
	if p.cfg.Cache != nil {
		p.cfg.Cache.Closed(p.router, s.route, t.unused)
	}
	p.router.Close(s.route)
	if i := slices.Index(p.opening, s); i >= 0 {
		p.opening = slices.Delete(p.opening, i, i+1)
		s.fail()
	}
}
