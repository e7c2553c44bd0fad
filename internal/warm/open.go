package warm

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
)

const (
	// loadsAtOnce is the number of entries that are read at once.
	loadsAtOnce = 32
	// heatPause is how long is waited before an entry that is being heated is looked
	// at again.
	heatPause = 20 * time.Millisecond
	// readsAgain is how often an entry is read that changes meanwhile.
	readsAgain = 3
)

// loaded is what an entry says.
type loaded struct {
	tree *schema.Tree
	// through is the position up to which all is written.
	through uint64
	rows    []route.Held
	since   []uint64
	// roots are the values by which the rows of the first layer are found.
	roots []schema.Value
}

// Open reads the entries of scopes, as far as they are there and answer in time,
// which is counted from when they were asked for. It returns what covers them, nil
// when nothing does.
func (c *Cache) Open(ctx context.Context, keys []route.Key, asked time.Time) *Snapshot {
	ctx, cancel := context.WithDeadline(ctx, asked.Add(c.cfg.Wait))
	defer cancel()
	c.mu.Lock()
	epoch, rests := c.epoch, c.rests()
	c.mu.Unlock()
	if rests {
		return nil
	}
	all := make([]*loaded, len(keys))
	done := make(chan struct{}, len(keys))
	for i, k := range keys {
		go func() {
			defer func() { done <- struct{}{} }()
			all[i] = c.load(ctx, epoch, k)
		}()
	}
	for range keys {
		<-done
	}
	var snap *Snapshot
	for _, l := range all {
		if l == nil {
			c.missed.Add(1)
			continue
		}
		c.opened.Add(1)
		if snap == nil {
			snap = newSnapshot(c.recent, epoch)
		}
		snap.add(l)
	}
	return snap
}

// load reads the entry of a scope, nil when it is of no use.
func (c *Cache) load(ctx context.Context, epoch string, k route.Key) *loaded {
	select {
	case c.loads <- struct{}{}:
		defer func() { <-c.loads }()
	case <-ctx.Done():
		return nil
	}
	ch := c.channels[k.Tree]
	key := c.keyOf(ch, epoch, k)
	for range readsAgain {
		e, err := c.heated(ctx, key)
		if err != nil || e.State != cache.Hot && e.State != cache.Cooling {
			return nil
		}
		l, err := c.read(ctx, ch, e)
		if errors.Is(err, errLater) {
			continue
		}
		if err != nil || l == nil {
			return nil
		}
		l.roots = []schema.Value{k.Anchor}
		if k.Tree.Root.Relation == schema.List {
			l.roots = k.Tree.ListValues(k.Env.Parts())
		}
		return l
	}
	return nil
}

// heated returns an entry, after those have ended who heat it.
func (c *Cache) heated(ctx context.Context, key cache.Key) (cache.Entry, error) {
	for {
		e, err := c.store.get(ctx, key)
		if err != nil || e.State != cache.Heating {
			return e, err
		}
		if alive, err := c.alive(ctx, e.Holder, ""); err != nil || !alive {
			return e, err
		}
		if !pause(ctx, heatPause) {
			return e, ctx.Err()
		}
	}
}

// read reads what an entry says, nil when that is too old to be brought up to
// date. Its error is errLater when the entry has changed meanwhile.
func (c *Cache) read(ctx context.Context, ch *channel, e cache.Entry) (*loaded, error) {
	l := &loaded{tree: ch.Tree, through: e.Through}
	if e.State == cache.Hot {
		n, err := c.store.node(ctx, e.Holder)
		if err != nil {
			return nil, err
		}
		l.through = max(l.through, n.Through)
	}
	if !c.remembers(ctx, l.through) {
		return nil, nil
	}
	latest := l.through
	var ahead []uint64
	err := c.store.read(ctx, e.Key, e.Generation, func(r cache.Row) error {
		h, err := ch.decode(r)
		if err != nil {
			return err
		}
		if r.Version > l.through {
			ahead = append(ahead, r.Version)
		}
		latest = max(latest, r.Version, r.Since)
		l.rows = append(l.rows, h)
		l.since = append(l.since, r.Since)
		return nil
	})
	if errors.Is(err, cache.ErrGone) {
		return nil, errLater
	}
	if errors.Is(err, errData) {
		c.once.Do(func() {
			c.cfg.Logger.WarnContext(ctx, "an entry of the cache cannot be read", "channel", ch.Name, "anchor", e.Key.Anchor, "error", err)
		})
	}
	if err != nil {
		return nil, err
	}
	now, err := c.store.get(ctx, e.Key)
	switch {
	case err != nil:
		return nil, err
	case now.Revision != e.Revision:
		return nil, errLater
	case len(l.rows) < e.Rows: // the store has lost some
		return nil, nil
	}
	// What the feed has told is brought up to what the entry says.
	if err := c.recent.through(ctx, latest); err != nil {
		return nil, err
	}
	if c.recent.over(l.through) || slices.ContainsFunc(ahead, c.recent.over) {
		return nil, nil
	}
	return l, nil
}

// remembers tells whether all is known that was committed after a position.
func (c *Cache) remembers(ctx context.Context, pos uint64) bool {
	if from, _ := c.recent.span(); from <= pos {
		return true
	}
	return c.recall(ctx, pos)
}
