package pando_test

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// RecordChannel lets everybody add tracks to an album.
type RecordChannel struct {
	pando.Channel[Album, pando.NoRuntime]
}

// HasPermission is asked before anything is read.
func (c *RecordChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// AddTrack is applied once, though a client whose connection was lost asks
// again: it runs in a transaction that stores its result, too.
func (c *RecordChannel) AddTrack(ctx context.Context, tx *sql.Tx, title string) (int64, error) {
	if title == "" {
		return 0, pando.Invalid("title", "is empty")
	}
	var id int64
	err := tx.QueryRowContext(ctx, `INSERT INTO tracks (album_id, title, place) VALUES (?, ?, 1) RETURNING id`,
		c.Args().Int("id"), title).Scan(&id)
	return id, err
}

// Search lasts, and shares nothing with other actions: they need not wait.
func (c *RecordChannel) Search(_ context.Context, _ string) ([]Track, error) { return nil, nil }

func ExampleActions() {
	db, err := sql.Open("sqlite", pandotest.DSN(":memory:"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	source := sqlitefeed.New(db)
	defer source.Close()
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		fmt.Println(err)
		return
	}
	app.Handle("records/{id}", pando.For(func() *RecordChannel { return &RecordChannel{} },
		pando.Actions((*RecordChannel).AddTrack, pando.Concurrent((*RecordChannel).Search)),
		pando.ActionTimeout(5*time.Second),
		pando.RateLimit(10, 20),
	))
	manifest, err := app.Manifest()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range manifest.Channels[0].Actions {
		fmt.Printf("%s%v once: %v\n", a.Name, a.Args, a.Once)
	}
	// Output:
	// addTrack[string] once: true
	// search[string] once: false
}
