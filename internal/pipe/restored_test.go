package pipe_test

import (
	"context"
	"testing"
	"time"

	"github.com/pando-sync/pando/cache"
)

// beaten is the store as one node uses it: it notes what the node has told.
type beaten struct {
	cache.Store

	node *node
}

// Beat implements cache.Store.
func (b beaten) Beat(ctx context.Context, n cache.Node) error {
	c := b.node.cluster
	c.mu.Lock()
	copies := c.copies
	c.mu.Unlock()
	err := b.Store.Beat(ctx, n)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		b.node.heard = copies
	}
	return err
}

// restore has the store go back to a copy, or makes one. The copy is older than
// what every node has told last, and the store is not there for a while, so that
// nobody reads one half of an entry before and the other one after.
func (c *cluster) restore() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.copy == nil {
		c.copies++
		c.copy = c.mem.Copy()
		return
	}
	for _, n := range c.nodes {
		if n.heard < c.copies {
			return
		}
	}
	c.down = true
	c.restored++
	c.mem.Restore(c.copy)
	c.copy = nil
	time.AfterFunc(time.Second, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.down = false
	})
}

// TestRestoredCache has the cache go back to older copies.
func TestRestoredCache(t *testing.T) {
	seeds := uint64(100)
	if testing.Short() {
		seeds = 10
	}
	playClusters(t, seeds, func(c *cluster) { c.restores = true })
}
