package manage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/pando-sync/pando/cache"
)

// Cacher is an App that may have a cache; pando.App does.
type Cacher interface {
	// Cached tells whether there is one.
	Cached() bool
	// CacheEntries are the entries that a filter selects.
	CacheEntries(ctx context.Context, f cache.Filter) ([]cache.Entry, error)
	// DropCache removes them, and tells how many.
	DropCache(ctx context.Context, f cache.Filter) (int, error)
}

// expireCache is the command that drops what is in the cache, or has the servers
// read anew.
type expireCache struct {
	Channel string `help:"Only entries of this channel."`
	Anchor  string `help:"Only entries of this anchor's key."`
	DryRun  bool   `help:"List the entries, and drop none." name:"dry-run"`
	Memory  bool   `help:"Have every server forget what it holds in memory, too, and read it anew; clients reconnect."`
}

// Run drops entries. An app without a cache has its servers' memory alone, which
// is forgotten.
func (x *expireCache) Run(env *environment, c *commands) error {
	selects := x.Channel != "" || x.Anchor != "" || x.DryRun
	if x.Memory && selects {
		return errors.New("--memory forgets all that servers hold: give it alone")
	}
	return env.with(c.settings(), func(p *Project) error {
		cacher, ok := p.App.(Cacher)
		switch cached := ok && cacher.Cached(); {
		case x.Memory || !cached && !selects:
			return env.message(p, func(m Messenger) error { return m.ExpireCache(env.ctx) })
		case !cached:
			return errors.New("this app has no cache: set pando.Config.Cache, or leave the flags out to have the servers read anew")
		case x.DryRun:
			return x.list(env, cacher)
		}
		n, err := cacher.DropCache(env.ctx, x.filter())
		if err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "Dropped %s.\n", entries(n))
		return nil
	})
}

func (x *expireCache) filter() cache.Filter {
	return cache.Filter{Channel: x.Channel, Anchor: x.Anchor}
}

// list prints what would be dropped.
func (x *expireCache) list(env *environment, cacher Cacher) error {
	all, err := cacher.CacheEntries(env.ctx, x.filter())
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b cache.Entry) int {
		return cmp.Or(
			cmp.Compare(a.Key.Channel, b.Key.Channel), cmp.Compare(len(a.Key.Anchor), len(b.Key.Anchor)),
			cmp.Compare(a.Key.Anchor, b.Key.Anchor), cmp.Compare(a.Key.Env, b.Key.Env), cmp.Compare(a.Key.Schema, b.Key.Schema),
		)
	})
	w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	if len(all) > 0 {
		fmt.Fprintln(w, "CHANNEL\tANCHOR\tSTATE\tFOR\tROWS")
	}
	for _, e := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", e.Key.Channel, cmp.Or(e.Key.Anchor, "-"), e.State, age(e.Since), e.Rows)
	}
	fmt.Fprintf(w, "%s would be dropped.\n", entries(len(all)))
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// age is how long ago a time is, as people say it.
func age(t time.Time) string { return max(0, time.Since(t)).Round(time.Second).String() }

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// dropAll empties the cache of a project that has one.
func (p *Project) dropAll(ctx context.Context) error {
	cacher, ok := p.App.(Cacher)
	if !ok || !cacher.Cached() {
		return nil
	}
	if _, err := cacher.DropCache(ctx, cache.Filter{}); err != nil {
		return fmt.Errorf("%w: the database is migrated; run expire_cache once the cache answers", err)
	}
	return nil
}
