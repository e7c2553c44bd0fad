package warm

import (
	"bytes"
	"context"
	crypto "crypto/rand"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/internal/route"
)

var (
	// errHeld is returned for an entry that another node holds.
	errHeld = errors.New("another node holds the entry")
	// errLater is returned when a scope cannot be settled at this moment.
	errLater = errors.New("the scope is not ready")
)

// enqueue has a scope settled. The mutex is held.
func (c *Cache) enqueue(s *scope) {
	s.queued = true
	c.queue = append(c.queue, s)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// dequeue takes a scope that is to be settled, nil when there is none.
func (c *Cache) dequeue() *scope {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 {
		s := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		s.queued = false
		if s.closed || s.recorded || s.settling || s.life != c.life || c.rests() {
			continue
		}
		s.settling = true
		if len(c.queue) > 0 {
			select {
			case c.wake <- struct{}{}:
			default:
			}
		}
		return s
	}
	return nil
}

// mostTries bounds the pause between two tries to settle a scope: each is twice
// as long as the one before.
const mostTries = 5

// settleAll settles scopes until ctx ends.
func (c *Cache) settleAll(ctx context.Context) {
	for {
		s := c.dequeue()
		if s == nil {
			select {
			case <-c.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := c.settle(ctx, s)
		c.mu.Lock()
		s.settling = false
		switch {
		case err != nil && s.recorded:
			c.drop(s)
		case s.recorded && s.closed && s.life == c.life:
			c.leave(s, cache.Cooling)
		}
		if s.closed {
			delete(c.scopes, s.route)
		}
		s.next = time.Now()
		if !errors.Is(err, errLater) {
			// Another node may hold the entry for long, or the store be gone.
			s.next = s.next.Add(c.cfg.Lease<<s.tries + rand.N(c.cfg.Lease)) //nolint:gosec // spreads tries, hides nothing
			s.tries = min(s.tries+1, mostTries)
		}
		c.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
	}
}

// settle has this node hold the entry of a scope, unless another one does.
func (c *Cache) settle(ctx context.Context, s *scope) error {
	c.mu.Lock()
	node, leaving := c.node, c.leaving[s.key] != nil
	c.mu.Unlock()
	if leaving {
		return errLater
	}
	e, err := c.store.get(ctx, s.key)
	if err != nil {
		return err
	}
	if e.State == cache.Hot || e.State == cache.Heating {
		alive, err := c.alive(ctx, e.Holder, node)
		switch {
		case err != nil:
			return err
		case alive:
			return errHeld
		}
	}
	if e.State == cache.Hot || e.State == cache.Cooling {
		if err := c.takeOver(ctx, s, e, node); !errors.Is(err, errVoid) {
			return err
		}
	}
	return c.heat(ctx, s, e, node)
}

// alive tells whether a node may still write. This one does not, if somebody
// asks.
func (c *Cache) alive(ctx context.Context, holder, node string) (bool, error) {
	if holder == node {
		return false, nil
	}
	n, err := c.store.node(ctx, holder)
	return time.Now().Before(n.Expires), err
}

// heat writes all rows of a scope as a new generation.
func (c *Cache) heat(ctx context.Context, s *scope, e cache.Entry, node string) error {
	e = cache.Entry{
		Key: s.key, State: cache.Heating, Generation: crypto.Text(), Holder: node, Since: time.Now(), Revision: e.Revision,
	}
	e, err := c.store.swap(ctx, e)
	if err != nil {
		return err
	}
	all, at, ok := c.begin(s, e, node)
	if !ok {
		e.State = cache.Cold
		_, err := c.store.swap(ctx, e)
		return errors.Join(errLater, err)
	}
	rows := make([]cache.Row, 0, len(all))
	for i := range all {
		row := s.encode(&all[i])
		row.Version, row.Since = at, at
		rows = append(rows, row)
	}
	return c.finish(ctx, s, e, node, at, rows)
}

// begin records a scope for an entry, and returns all that it holds at a
// position.
func (c *Cache) begin(s *scope, e cache.Entry, node string) (all []route.Held, at uint64, ok bool) {
	c.between(func(r *route.Router) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if s.closed || s.life != c.life || c.node != node || !s.route.Ready() {
			return
		}
		all, at, ok = r.Record(s.route), r.Position(), true
		s.recorded, s.entry, s.doubt, s.rows = true, e, false, nil
		s.clean, s.written, s.gone, s.held = at, at, 0, len(all)
	})
	return all, at, ok
}

// finish writes rows and makes the entry hot, which has all of the scope at a
// position.
func (c *Cache) finish(ctx context.Context, s *scope, e cache.Entry, node string, at uint64, rows []cache.Row) error {
	err := c.store.write(ctx, e.Key, e.Generation, rows)
	if errors.Is(err, cache.ErrTooLarge) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.refuse(s, err)
		if e.Holder == node {
			s.doubt = true // another scope of this node may have the entry by now
			c.leave(s, cache.Cold)
		}
		return err
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	e.Rows = s.held
	c.mu.Unlock()
	e.State, e.Holder, e.Through = cache.Hot, node, at
	e.Since, e.Expires = time.Now(), time.Time{}
	now, err := c.store.swap(ctx, e)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !s.recorded || c.node != node:
		return errLater // it was given up meanwhile
	case err == nil:
		s.entry, s.tries = now, 0
		return nil
	case errors.Is(err, cache.ErrConflict), errors.Is(err, errOpen):
		return err
	}
	// The store may have taken it: how far all is written must not be told before
	// it is known not to have, or has forgotten it.
	s.entry, s.doubt = e, true
	c.leave(s, cache.Cold)
	return err
}

// errVoid is returned for an entry that cannot be taken over: it has to be
// heated.
var errVoid = errors.New("the entry is of no use")

// takeOver writes what has changed since nobody holds an entry.
func (c *Cache) takeOver(ctx context.Context, s *scope, e cache.Entry, node string) error {
	l, err := c.read(ctx, s.channel, e)
	switch {
	case err != nil:
		return err
	case l == nil:
		return errVoid
	}
	all, at, ok := c.begin(s, e, node)
	if !ok {
		return errLater
	}
	written := make(map[string]int, len(l.rows))
	for i := range l.rows {
		written[s.id(l.rows[i].Table, l.rows[i].Key)] = i
	}
	var rows []cache.Row
	for i := range all {
		row := s.encode(&all[i])
		row.Version, row.Since = at, at
		if old, ok := written[row.ID]; ok {
			delete(written, row.ID)
			if bytes.Equal(s.encode(&l.rows[old]).Data, row.Data) {
				continue
			}
		}
		rows = append(rows, row)
	}
	gone := 0
	for id, i := range written {
		gone++
		if !l.rows[i].Member {
			continue
		}
		h, ok := c.present(l.rows[i], l.through, at)
		if !ok {
			return c.abandon(s, errVoid)
		}
		row := s.encode(&h)
		row.ID, row.Version = id, at
		rows = append(rows, row)
	}
	c.mu.Lock()
	s.gone += gone
	c.mu.Unlock()
	return c.finish(ctx, s, e, node, at, rows)
}

// abandon gives up what begin has begun.
func (c *Cache) abandon(s *scope, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.recorded {
		c.drop(s)
	}
	return err
}

// present is a row that a scope does not have any more as it was at a position,
// if that is known: it was written as it was at through.
func (c *Cache) present(h route.Held, through, at uint64) (route.Held, bool) {
	h.Member, h.Open = false, nil
	ch := c.recent.get(rowKey{h.Table.ID, h.Key})
	if from, _ := c.recent.span(); from > through {
		return h, false
	}
	switch {
	case ch == nil || ch.pos < h.At:
		return h, true
	case ch.pos > at:
		return h, false
	case len(ch.missing) == 0:
		h.Row = ch.row
		return h, true
	case h.Row == nil:
		return h, false
	}
	whole := *ch
	whole.fill(h.Row, nil)
	h.Row = whole.row
	return h, true
}
