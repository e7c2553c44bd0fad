package pando

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/warm"
)

// defaultCacheTTL is how long scopes stay in the cache that nobody shows.
const defaultCacheTTL = 10 * time.Minute

// CacheTTL is how long what a channel shows is kept in Config.Cache after its last
// client has gone, 10 minutes unless set; 0 keeps the channel out of the cache.
// Lists with a limit and lists of one stream are never cached.
func CacheTTL(d time.Duration) Option {
	return option(func(decl *Declaration) { decl.cacheTTL = &d })
}

// newCache returns the cache of the app's scopes, nil when there is none.
func (a *App) newCache() *warm.Cache {
	history, told := a.cfg.Source.(feed.Historian)
	_, log := a.cfg.Source.(feed.LogSource)
	merges := !told && !log // what comes from a log comes transaction by transaction
	if m, ok := feed.As[feed.Merger](a.cfg.Source); ok {
		merges = m.Merges()
	}
	return warm.New(warm.Config{
		Store: a.cfg.Cache, Registry: a.registry, Channels: a.cachedChannels(), History: history, Logger: a.cfg.Logger,
		Merges: merges,
	})
}

// cachedChannels are the channels whose scopes are cached.
func (a *App) cachedChannels() []warm.Channel {
	var all []warm.Channel
	for _, c := range a.channels {
		ttl := defaultCacheTTL
		if c.cacheTTL != nil {
			ttl = *c.cacheTTL
		}
		if ttl > 0 && !c.ownList && c.query.limit == 0 {
			all = append(all, warm.Channel{Name: c.schema.Name, Hash: c.schema.Hash, Tree: c.schema.Tree, TTL: ttl})
		}
	}
	return all
}

// errNoCache tells that there is nothing to list or drop.
var errNoCache = errors.New("pando: the app has no cache: set Config.Cache")

// Cached tells whether the app has a Config.Cache.
func (a *App) Cached() bool { return a.cfg.Cache != nil }

// CacheEntries are the entries of Config.Cache that a filter selects, of all
// releases of the app, in no order. The app need not run here.
func (a *App) CacheEntries(ctx context.Context, f cache.Filter) ([]cache.Entry, error) {
	if !a.Cached() {
		return nil, errNoCache
	}
	var all []cache.Entry
	err := a.cfg.Cache.List(ctx, f, func(e cache.Entry) error {
		all = append(all, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("pando: list the cache: %w", err)
	}
	return all, nil
}

// DropCache removes the entries of Config.Cache that a filter selects, and tells
// how many. Clients notice nothing: who shows a scope has it in memory, and puts
// it into the cache again. The app need not run here.
func (a *App) DropCache(ctx context.Context, f cache.Filter) (dropped int, err error) {
	if !a.Cached() {
		return 0, errNoCache
	}
	if dropped, err = warm.Drop(ctx, a.cfg.Cache, f); err != nil {
		return dropped, fmt.Errorf("pando: drop from the cache: %w", err)
	}
	return dropped, nil
}

// cacheHints tells what keeps the cache from being of use.
func (a *App) cacheHints() (hints []string) {
	if !a.Cached() {
		return nil
	}
	if len(a.cachedChannels()) == 0 {
		hints = append(hints, "no channel is cached: lists with a limit, lists of one stream and channels with CacheTTL(0) are not; leave Config.Cache out")
	}
	if _, ok := a.cfg.Source.(feed.Historian); !ok {
		hints = append(hints, "a process that starts finds little in the cache: its Config.Source does not tell what was committed before; a source behind a durable stream does")
	}
	return hints
}
