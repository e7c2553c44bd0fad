package main

import (
	"context"
	"time"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/cachetest"
)

// guest is the larder as one life of a server uses it. It is safe for concurrent
// use.
type guest struct {
	cache.Store

	larder *larder
	// heard and active are how many copies of the larder there had been as the
	// server began to tell of itself last, and as it last wrote; guarded by the
	// larder's mutex.
	heard, active int
}

// welcome has a server use the larder, in the place of an earlier life of it. The
// store that it gets meets what happens to the larder.
func (l *larder) welcome(server any) cache.Store {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := &guest{Store: l.store, larder: l}
	l.guests[server] = g
	return cachetest.Faulty(g, l.choose)
}

// farewell forgets a server that is gone.
func (l *larder) farewell(server any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.guests, server)
}

// act notes that the server writes.
func (g *guest) act() {
	g.larder.mu.Lock()
	defer g.larder.mu.Unlock()
	g.active = g.larder.copies
}

// enter begins a call, which may be slow.
func (g *guest) enter(ctx context.Context) error {
	late := g.larder.lateness()
	if late == 0 {
		return nil
	}
	t := time.NewTimer(late)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Get implements cache.Store.
func (g *guest) Get(ctx context.Context, key cache.Key) (cache.Entry, error) {
	if err := g.enter(ctx); err != nil {
		return cache.Entry{}, err
	}
	return g.Store.Get(ctx, key)
}

// Swap implements cache.Store.
func (g *guest) Swap(ctx context.Context, e cache.Entry) (cache.Entry, error) {
	if err := g.enter(ctx); err != nil {
		return cache.Entry{}, err
	}
	g.act()
	got, err := g.Store.Swap(ctx, e)
	if err == nil {
		g.larder.count("cache: to "+e.State.String(), 1)
	}
	return got, err
}

// Write implements cache.Store.
func (g *guest) Write(ctx context.Context, key cache.Key, generation string, rows []cache.Row) error {
	if err := g.enter(ctx); err != nil {
		return err
	}
	g.act()
	return g.Store.Write(ctx, key, generation, rows)
}

// Read implements cache.Store.
func (g *guest) Read(ctx context.Context, key cache.Key, generation string, fn func(cache.Row) error) error {
	if err := g.enter(ctx); err != nil {
		return err
	}
	return g.Store.Read(ctx, key, generation, fn)
}

// Beat implements cache.Store.
func (g *guest) Beat(ctx context.Context, n cache.Node) error {
	if err := g.enter(ctx); err != nil {
		return err
	}
	l := g.larder
	l.mu.Lock()
	copies := l.copies
	l.mu.Unlock()
	err := g.Store.Beat(ctx, n)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		g.heard = copies
	}
	return err
}

// Node implements cache.Store.
func (g *guest) Node(ctx context.Context, id string) (cache.Node, error) {
	if err := g.enter(ctx); err != nil {
		return cache.Node{}, err
	}
	return g.Store.Node(ctx, id)
}

// List implements cache.Store.
func (g *guest) List(ctx context.Context, f cache.Filter, fn func(cache.Entry) error) error {
	if err := g.enter(ctx); err != nil {
		return err
	}
	return g.Store.List(ctx, f, fn)
}

// Close implements cache.Store: the larder stays.
func (*guest) Close() error { return nil }
