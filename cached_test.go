package pando_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/memcache"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// newCachedApp is a process of an app whose processes share a cache.
func newCachedApp(t *testing.T, db *sql.DB, store cache.Store, options ...pando.Option) *pando.App {
	t.Helper()
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: names{}, Cache: store, Linger: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("boards/{board_id}", pando.For(func() *BoardChannel { return &BoardChannel{db: db} }, options...))
	return app
}

// untilEntry waits until the cache has one entry, in a state.
func untilEntry(t *testing.T, app *pando.App, state cache.State) cache.Entry {
	t.Helper()
	var all []cache.Entry
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-tick.C {
		var err error
		if all, err = app.CacheEntries(t.Context(), cache.Filter{Channel: "BoardChannel", Anchor: "1"}); err != nil {
			t.Fatal(err)
		}
		if len(all) == 1 && all[0].State == state {
			return all[0]
		}
	}
	t.Fatalf("the entries are %+v, want one that is %s", all, state)
	return cache.Entry{}
}

// TestCache opens in one process what another one has shown.
func TestCache(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	store := memcache.New(memcache.Config{})
	first := newCachedApp(t, db, store)
	server := pandotest.Serve(t, first)
	client := server.Connect(t, "ada")
	board := pandotest.Open[Board](t, client, "boards/1")
	if e := untilEntry(t, first, cache.Hot); e.Rows == 0 || e.Key.Anchor != "1" {
		t.Errorf("the entry is %+v", e)
	}
	exec(t, db, "UPDATE boards SET name = 'cached' WHERE id = 1")
	board.Wait(t, "the change", func(b *Board) bool { return b.Name == "cached" })
	if s := first.Stats(); s.CacheHeld != 1 || s.CacheMisses != 1 || s.CacheHits != 0 {
		t.Errorf("the first process has %+v", s)
	}
	client.Drop()
	untilEntry(t, first, cache.Cooling)

	second := pandotest.Serve(t, newCachedApp(t, db, store))
	again := pandotest.Open[Board](t, second.Connect(t, "ada"), "boards/1")
	if got := again.State(); got.Name != "cached" || len(got.Lists) == 0 {
		t.Errorf("opened from the cache it is %+v", got)
	}
	exec(t, db, "UPDATE boards SET name = 'after' WHERE id = 1")
	again.Wait(t, "a change of what was opened from the cache", func(b *Board) bool { return b.Name == "after" })
}

// TestDropCache drops entries while clients are connected, who notice nothing.
func TestDropCache(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	app := newCachedApp(t, db, memcache.New(memcache.Config{}))
	client := pandotest.Serve(t, app).Connect(t, "ada")
	board := pandotest.Open[Board](t, client, "boards/1")
	before := untilEntry(t, app, cache.Hot)
	if n, err := app.DropCache(t.Context(), cache.Filter{Channel: "BoardChannel", Anchor: "2"}); n != 0 || err != nil {
		t.Errorf("dropped %d entries of another anchor, %v", n, err)
	}
	if n, err := app.DropCache(t.Context(), cache.Filter{Channel: "BoardChannel"}); n != 1 || err != nil {
		t.Errorf("dropped %d entries, %v", n, err)
	}
	exec(t, db, "UPDATE boards SET name = 'after' WHERE id = 1")
	board.Wait(t, "a change after the entry was dropped", func(b *Board) bool { return b.Name == "after" })
	if after := untilEntry(t, app, cache.Hot); after.Generation == before.Generation {
		t.Error("the entry that was dropped is there again")
	}
}

// TestUncached keeps a channel out of the cache.
func TestUncached(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	store := memcache.New(memcache.Config{})
	app := newCachedApp(t, db, store, pando.CacheTTL(0))
	pandotest.Open[Board](t, pandotest.Serve(t, app).Connect(t, "ada"), "boards/1")
	if s := app.Stats(); s.CacheHits+s.CacheMisses != 0 {
		t.Errorf("the cache was asked: %+v", s)
	}
	wantCheck(t, app, nil, []string{"no channel is cached", "finds little in the cache"})
}

// TestExpireCachedApp has the memory and the cache forgotten.
func TestExpireCachedApp(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	app := newCachedApp(t, db, memcache.New(memcache.Config{}))
	client := pandotest.Serve(t, app).Connect(t, "ada")
	pandotest.Open[Board](t, client, "boards/1")
	untilEntry(t, app, cache.Hot)
	if err := app.ExpireCache(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-client.Closed()
	if all, err := app.CacheEntries(t.Context(), cache.Filter{}); err != nil || len(all) != 0 {
		t.Errorf("the cache has %+v, %v", all, err)
	}
}

func TestNoCache(t *testing.T) {
	app := newApp(t, pandotest.Database(t))
	if app.Cached() {
		t.Error("an app without a cache has one")
	}
	if _, err := app.CacheEntries(t.Context(), cache.Filter{}); err == nil {
		t.Error("it lists entries")
	}
	if _, err := app.DropCache(t.Context(), cache.Filter{}); err == nil {
		t.Error("it drops entries")
	}
}
