package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/memcache"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// TestCaching lists what the cache has, and drops it, as the guide tells.
func TestCaching(t *testing.T) {
	db := pandotest.Database(t)
	run(t, db, "CREATE TABLE notes (id bigint PRIMARY KEY, colour text NOT NULL)", "INSERT INTO notes VALUES (1, 'red')")
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	store := memcache.New(memcache.Config{MaxBytes: 64 << 20})
	t.Cleanup(func() { store.Close() })
	logger := slog.New(slog.DiscardHandler)
	app, err := pando.New(pando.Config{Source: source, Cache: store, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("notes/{id}", pando.For(
		func() *NoteChannel { return &NoteChannel{} },
		pando.Public(),
		pando.CacheTTL(time.Hour),
	))
	note := shown[Note](t, pandotest.Serve(t, app).URL)
	ctx := t.Context()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for entries := []cache.Entry(nil); len(entries) == 0; <-ticker.C {
		if entries, err = app.CacheEntries(ctx, cache.Filter{Channel: "NoteChannel"}); err != nil {
			t.Fatal(err)
		}
	}
	dropped, err := app.DropCache(ctx, cache.Filter{Channel: "NoteChannel"})
	if dropped != 1 || err != nil {
		t.Errorf("dropped %d, %v", dropped, err)
	}
	run(t, db, "UPDATE notes SET colour = 'blue'")
	wait(t, note, func(n Note) bool { return n.Colour == "blue" })
}
