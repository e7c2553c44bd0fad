package warm

import (
	"context"
	"errors"
	"time"

	"github.com/pando-sync/pando/cache"
)

// restTime is how long nothing is opened from the store, or kept there, after
// what it has is in doubt: until all nodes have heard of it.
const restTime = 5 * time.Second

// Rest has the store left alone for a while, at the end of which all of its
// entries are dropped: what this and other nodes had in memory is in doubt, and
// they may have written it. A Start of the router has to follow.
func (c *Cache) Rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resting = time.Now()
}

// rests tells whether the store is left alone. The mutex is held.
func (c *Cache) rests() bool { return !c.resting.IsZero() }

// rise ends a rest that was long enough, once all entries are dropped.
func (c *Cache) rise(ctx context.Context) {
	c.mu.Lock()
	since := c.resting
	c.mu.Unlock()
	if since.IsZero() || time.Since(since) < restTime {
		return
	}
	if _, err := Drop(ctx, c.cfg.Store, cache.Filter{}); err != nil {
		return // the next beat tries again
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resting.Equal(since) {
		c.resting = time.Time{}
	}
}

// Drop removes the entries of a store that a filter selects, and tells how many.
func Drop(ctx context.Context, s cache.Store, f cache.Filter) (dropped int, err error) {
	err = s.List(ctx, f, func(e cache.Entry) error {
		for {
			e.State = cache.Cold
			_, err := s.Swap(ctx, e)
			switch {
			case err == nil:
				dropped++
				return nil
			case !errors.Is(err, cache.ErrConflict):
				return err
			}
			// Somebody changes it at the same time.
			if e, err = s.Get(ctx, e.Key); err != nil || e.State == cache.Cold {
				return err
			}
		}
	})
	return dropped, err
}
