package sqlitefeed_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/schema"
)

// printer is a sink that prints the first commit and then ends the feed.
type printer struct {
	started chan struct{}
	end     context.CancelFunc
}

func (p *printer) Start(string, feed.Position, string) { close(p.started) }
func (p *printer) Advance(feed.Position)               {}
func (p *printer) Stall(string)                        {}
func (p *printer) Commit(c *feed.Commit) {
	for _, change := range c.Changes {
		fmt.Println(change.Table.Name, change.Key, change.New)
	}
	p.end()
}

func ExampleNew() {
	dir, err := os.MkdirTemp("", "sqlitefeed")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", filepath.Join(dir, "app.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)"); err != nil {
		log.Fatal(err)
	}

	notes := &schema.Table{Name: "notes", Columns: []schema.Column{
		{Name: "id", Kind: schema.Int},
		{Name: "body", Kind: schema.Text, Nullable: true},
	}}
	ctx, cancel := context.WithCancel(context.Background())
	source := sqlitefeed.New(db)
	defer source.Close()
	if err := source.Setup(ctx, []*schema.Table{notes}); err != nil {
		log.Fatal(err)
	}
	sink := &printer{started: make(chan struct{}), end: cancel}
	go func() {
		<-sink.started
		db.Exec("INSERT INTO notes VALUES (1, 'milk'), (2, 'eggs')")
	}()
	if err := source.Run(ctx, sink); err != nil {
		log.Fatal(err)
	}
	// Output:
	// notes 1 [1 milk]
	// notes 2 [2 eggs]
}

// A transaction sees and locks the rows that it reads, and is applied once
// however often its request comes.
func ExampleSource_Begin() {
	dir, err := os.MkdirTemp("", "sqlitefeed")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", filepath.Join(dir, "app.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)"); err != nil {
		log.Fatal(err)
	}
	notes := &schema.Table{Name: "notes", Columns: []schema.Column{
		{Name: "id", Kind: schema.Int},
		{Name: "body", Kind: schema.Text, Nullable: true},
	}}
	ctx := context.Background()
	source := sqlitefeed.New(db)
	defer source.Close()
	if err := source.Setup(ctx, []*schema.Table{notes}); err != nil {
		log.Fatal(err)
	}

	for range 2 {
		reply, err := addNote(ctx, source, notes, "milk")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(reply)
	}
	// Output:
	// added 1
	// added 1
}

func addNote(ctx context.Context, w feed.Writer, notes *schema.Table, body string) (string, error) {
	tx, err := w.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	reply, done, err := tx.Claim(ctx, feed.Claim{Owner: "ann", Key: "a1b2", Print: body})
	if done || err != nil {
		return string(reply), err
	}
	key, err := tx.Insert(ctx, notes, []feed.Assignment{{Column: 1, Value: schema.TextValue(body)}})
	if err != nil {
		return "", err
	}
	answer := "added " + key.String()
	if err := tx.Reply(ctx, []byte(answer)); err != nil {
		return "", err
	}
	return answer, tx.Commit()
}
