package warm

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/internal/route"
)

const (
	// writers is the number of entries that are written at once, settlers of those
	// that are settled.
	writers  = 8
	settlers = 4
	// lastBeat is how long the last beat may take.
	lastBeat = 2 * time.Second
)

// Run keeps scopes in the store until ctx ends, and then writes what is left.
func (c *Cache) Run(ctx context.Context, between Between) {
	c.between = between
	var wg sync.WaitGroup
	for range settlers {
		wg.Go(func() { c.settleAll(ctx) })
	}
	wg.Go(func() { c.sweepAll(ctx) })
	wg.Go(func() { c.tellPast(ctx) })
	for pause(ctx, c.cfg.Beat) {
		c.rise(ctx)
		c.beat(ctx, c.cfg.Lease)
	}
	wg.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastBeat)
	defer cancel()
	// Whoever comes next need not wait until the node is taken for dead.
	c.beat(last, 0)
}

// errLate is returned for what is not written any more by a node that others take
// for dead.
var errLate = errors.New("the node has not told for too long that it lives")

// late tells whether others may have taken over what this node holds, as after it
// has stood still: what it knows is old, and a row that has come and gone since
// would stay. It goes by the clock that also counts while a machine sleeps. The
// mutex is held.
func (c *Cache) late() bool {
	return !c.toldAt.IsZero() && time.Since(c.toldAt.Round(0)) >= c.cfg.Lease
}

// beat writes what has changed since the last beat, and then how far all is
// written.
func (c *Cache) beat(ctx context.Context, lease time.Duration) {
	c.mu.Lock()
	late := c.late()
	c.mu.Unlock()
	if late {
		c.giveUp(c.cfg.Lease)
	}
	pos, ok := c.collect()
	if !ok {
		return
	}
	c.mu.Lock()
	node := c.node
	var dirty, leaving []*scope
	for _, s := range c.scopes {
		if s.recorded && len(s.rows) > 0 {
			dirty = append(dirty, s)
		}
	}
	for _, s := range c.leaving {
		leaving = append(leaving, s)
	}
	told := c.told
	c.mu.Unlock()
	// What is written goes on what was written before: the store must be known to
	// have that.
	if len(dirty)+len(leaving) > 0 && c.send(ctx, node, told, c.cfg.Lease) {
		parallel(dirty, func(s *scope) { _ = c.flush(ctx, s) }) // what fails is written by the next beat
		parallel(leaving, func(s *scope) { c.release(ctx, s) })
	}
	c.tell(ctx, node, pos, lease)
	c.despair()
}

// parallel calls fn for all, a few at once.
func parallel[T any](all []T, fn func(T)) {
	var wg sync.WaitGroup
	room := make(chan struct{}, writers)
	for _, one := range all {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			fn(one)
		})
	}
	wg.Wait()
}

// collect takes what has changed of all scopes that are ready, and tells at
// which position.
func (c *Cache) collect() (pos uint64, ok bool) {
	now := time.Now()
	ok = c.between(func(r *route.Router) {
		c.mu.Lock()
		defer c.mu.Unlock()
		pos = r.Position()
		if r.Noted()+c.pending > c.cfg.Pending {
			c.cfg.Logger.Warn("more rows change than the cache takes: what is there is left as it is", "rows", r.Noted()+c.pending)
			c.lose(r, now.Add(c.cfg.Lease))
			return
		}
		for _, s := range c.scopes {
			switch {
			case s.closed:
			case s.recorded:
				if s.route.Ready() {
					c.take(r, s)
				}
			case s.settling:
			default:
				if s.route.Recorded() {
					r.Unrecord(s.route)
				}
				if !s.queued && !s.unfit && !c.rests() && now.After(s.next) {
					c.enqueue(s)
				}
			}
		}
	})
	return pos, ok
}

// lose gives up all that is held, which is settled again after a time. The mutex
// is held, between turns.
func (c *Cache) lose(r *route.Router, next time.Time) {
	for rs, s := range c.scopes {
		r.Unrecord(rs)
		s.next = next
	}
	c.rename()
}

// despair gives up all that is held when the store has not taken it for long.
func (c *Cache) despair() {
	c.mu.Lock()
	long := !c.failing.IsZero() && time.Since(c.failing) > 2*c.cfg.Lease
	c.mu.Unlock()
	if long {
		c.giveUp(c.cfg.Lease)
	}
}

// giveUp gives up all that is held, to be settled again after a pause.
func (c *Cache) giveUp(pause time.Duration) {
	c.between(func(r *route.Router) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.lose(r, time.Now().Add(pause))
	})
}

// flush writes what has changed of an entry.
func (c *Cache) flush(ctx context.Context, s *scope) error {
	c.mu.Lock()
	if c.late() {
		c.mu.Unlock()
		return errLate // the next beat gives it up
	}
	rows, clean, e, life := s.rows, s.clean, s.entry, c.node
	s.rows = nil
	c.mu.Unlock()
	err := c.store.write(ctx, e.Key, e.Generation, rows)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.node != life {
		return err // it was given up meanwhile
	}
	switch {
	case err == nil:
		s.written = max(s.written, clean)
	case errors.Is(err, cache.ErrGone), errors.Is(err, cache.ErrTooLarge):
		// What is left of it is not to be written.
	default:
		s.rows = append(rows, s.rows...)
		return err
	}
	c.pending -= len(rows)
	switch {
	case !s.recorded:
	case errors.Is(err, cache.ErrTooLarge):
		c.refuse(s, err)
		c.leave(s, cache.Cold)
	case err != nil: // somebody has removed it
		c.drop(s)
		s.next = time.Now()
	case s.gone > max(manyGone, s.held) && !s.settling:
		c.leave(s, cache.Cold)
	}
	return err
}

// manyGone is how many rows may be left in an entry that are none of the scope's
// any more, unless the scope has more: then it is heated anew.
const manyGone = 1000

// refuse notes that a scope cannot be cached, which is told once. The mutex is
// held.
func (c *Cache) refuse(s *scope, err error) {
	s.unfit = true
	c.once.Do(func() {
		c.cfg.Logger.Warn("a scope cannot be cached, others may not either", "channel", s.Name, "anchor", s.key.Anchor, "error", err)
	})
}

// release tells the store that an entry is not held any more.
func (c *Cache) release(ctx context.Context, s *scope) {
	c.mu.Lock()
	life, rows := c.node, len(s.rows)
	c.mu.Unlock()
	if rows > 0 && s.into != cache.Cold {
		if err := c.flush(ctx, s); err != nil && !errors.Is(err, cache.ErrGone) {
			return
		}
	}
	c.mu.Lock()
	if len(s.rows) == 0 {
		s.written = s.clean
	}
	c.mu.Unlock()
	done := c.released(ctx, s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !done || c.node != life {
		return
	}
	delete(c.leaving, s.key)
	c.pending -= len(s.rows)
	s.rows = nil
	s.next = time.Now()
}

// released makes the swap of an entry that is left, and tells whether the store
// knows.
func (c *Cache) released(ctx context.Context, s *scope) bool {
	e := s.entry
	if s.doubt {
		now, err := c.store.get(ctx, s.key)
		switch {
		case err != nil:
			return false
		case now.Holder != e.Holder || now.Generation != e.Generation:
			return true
		}
		e = now
	}
	e.State, e.Since = s.into, time.Now()
	if e.State == cache.Cooling {
		e.Holder, e.Through, e.Expires = "", s.written, s.unused.Add(s.TTL)
		if !e.Expires.After(e.Since) || s.doubt && s.written < e.Through {
			e.State = cache.Cold
		}
	}
	_, err := c.store.swap(ctx, e)
	if err != nil {
		s.doubt = true
		return false
	}
	return true
}

// tell tells how far all is written, and that the node lives.
func (c *Cache) tell(ctx context.Context, node string, pos uint64, lease time.Duration) {
	c.mu.Lock()
	through, held := pos, len(c.leaving)
	for _, s := range c.leaving {
		through = min(through, s.written)
	}
	failed := len(c.leaving) > 0
	for _, s := range c.scopes {
		if !s.recorded {
			continue
		}
		held++
		if len(s.rows) == 0 {
			s.written = s.clean
		} else {
			failed = true
		}
		through = min(through, s.written)
	}
	c.noteFailure(failed)
	news := through > c.told && held > 0
	due := news || lease == 0 || time.Since(c.toldAt) > c.cfg.Lease/3
	c.mu.Unlock()
	if due {
		c.send(ctx, node, through, lease)
	}
}

// send tells what the node tells of itself, and returns whether the store has it.
// Where that does not have what was told before, it has lost what was written,
// too: then all is given up.
func (c *Cache) send(ctx context.Context, node string, through uint64, lease time.Duration) bool {
	c.mu.Lock()
	number, dead := c.beats+1, c.node != node || c.late()
	c.mu.Unlock()
	if dead {
		return false
	}
	now := time.Now()
	err := c.store.beat(ctx, cache.Node{ID: node, Number: number, Through: through, Expires: now.Add(lease)})
	if errors.Is(err, cache.ErrConflict) {
		c.cfg.Logger.InfoContext(ctx, "the cache does not have what it had: it is filled anew")
		c.giveUp(0)
	}
	if err != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.node != node {
		return false
	}
	c.told, c.toldAt, c.beats = max(c.told, through), now, number
	return true
}

// noteFailure notes whether the store has taken all that it was given. The mutex
// is held.
func (c *Cache) noteFailure(failed bool) {
	switch {
	case !failed:
		c.failing = time.Time{}
	case c.failing.IsZero():
		c.failing = time.Now()
	}
}
