package pando_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/memcache"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// Chart is what many look at, and comes and goes.
type Chart struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
}

// ChartChannel is a chart.
type ChartChannel struct {
	pando.Channel[Chart, pando.NoRuntime]
}

// HasPermission lets everybody in.
func (*ChartChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// A cache keeps what clients are shown where all processes find it: here for an
// hour after the last one has gone.
func ExampleCacheTTL() {
	folder, err := os.MkdirTemp("", "charts")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	db, err := sql.Open("sqlite", pandotest.DSN(filepath.Join(folder, "charts.db")))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE charts (id INTEGER PRIMARY KEY, title TEXT NOT NULL)`); err != nil {
		log.Fatal(err)
	}
	source := sqlitefeed.New(db)
	defer source.Close()

	app, err := pando.New(pando.Config{Source: source, Cache: memcache.New(memcache.Config{})})
	if err != nil {
		log.Fatal(err)
	}
	app.Handle("charts/{id}", pando.For(func() *ChartChannel { return &ChartChannel{} },
		pando.Public(), pando.CacheTTL(time.Hour)))

	// What is there may be listed and dropped, as the command expire_cache does.
	entries, err := app.CacheEntries(context.Background(), cache.Filter{Channel: "ChartChannel"})
	fmt.Println(len(entries), err)
	// Output: 0 <nil>
}
