package warm

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/pando-sync/pando/cache"
)

const (
	// sweepEvery is how often entries are looked for that nobody holds any more.
	sweepEvery = 10 * time.Minute
	// foreignTTL is how long entries of channels are kept that this release does
	// not know.
	foreignTTL = 10 * time.Minute
)

// sweepAll sweeps until ctx ends.
func (c *Cache) sweepAll(ctx context.Context) {
	for pause(ctx, sweepEvery/2+rand.N(sweepEvery/2)) { //nolint:gosec // spreads nodes, hides nothing
		if err := c.sweep(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Logger.DebugContext(ctx, "cannot sweep the cache", "error", err)
		}
	}
}

// sweep lets entries cool whose node is gone.
func (c *Cache) sweep(ctx context.Context) error {
	all, err := c.store.list(ctx, cache.Filter{})
	if err != nil {
		return err
	}
	ttls := map[string]time.Duration{}
	for _, ch := range c.channels {
		ttls[ch.Name] = ch.TTL
	}
	c.mu.Lock()
	self := c.node
	c.mu.Unlock()
	nodes := map[string]cache.Node{}
	for _, e := range all {
		if e.State != cache.Hot && e.State != cache.Heating || e.Holder == self {
			continue
		}
		n, known := nodes[e.Holder]
		if !known {
			if n, err = c.store.node(ctx, e.Holder); err != nil {
				return err
			}
			nodes[e.Holder] = n
		}
		if since := time.Since(n.Expires); since < c.cfg.Lease {
			continue
		}
		ttl, ok := ttls[e.Key.Channel]
		if !ok {
			ttl = foreignTTL
		}
		if err := c.cool(ctx, e, n, ttl); err != nil {
			return err
		}
	}
	return nil
}

// cool has an entry expire that a node left.
func (c *Cache) cool(ctx context.Context, e cache.Entry, n cache.Node, ttl time.Duration) error {
	now := time.Now()
	left := n.Expires
	if n.ID == "" {
		left = e.Since
	}
	cold := e.State == cache.Heating || !left.Add(ttl).After(now)
	e.State, e.Holder, e.Since, e.Expires = cache.Cooling, "", now, left.Add(ttl)
	e.Through = max(e.Through, n.Through)
	if cold {
		e.State = cache.Cold
	}
	_, err := c.store.swap(ctx, e)
	if errors.Is(err, cache.ErrConflict) {
		return nil // somebody came before
	}
	return err
}
