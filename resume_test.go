package pando_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

func redial(t *testing.T, c *pandotest.Client) {
	t.Helper()
	if err := c.Dial(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestResumeSendsOnlyWhatChanged(t *testing.T) {
	server, db := serve(t)
	client := server.Connect(t, "ada")
	board := pandotest.Open[Board](t, client, "boards/1")
	first := board.Frames()
	client.Drop()
	exec(t, db, "UPDATE cards SET title = 'Oat milk' WHERE id = 1")
	exec(t, db, "DELETE FROM cards WHERE id = 2")
	redial(t, client)
	if err := board.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := board.Wait(t, "what was missed", func(b *Board) bool {
		return len(b.Lists[0].Cards) == 1 && b.Lists[0].Cards[0].Title == "Oat milk"
	})
	if got := board.Frames() - first; got > 2 {
		t.Errorf("%d frames came for two commits: no snapshot was due", got)
	}
	if len(b.Lists[0].Cards[0].Comments) != 1 {
		t.Error("what did not change is gone")
	}
}

func TestRestartOfTheServerHeals(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	server := pandotest.Serve(t, newApp(t, db))
	client := server.Connect(t, "ada")
	board := pandotest.Open[Board](t, client, "boards/1")
	server.Stop(t)
	<-client.Closed()
	if got := client.CloseCode(); got != 1001 {
		t.Errorf("the server closed with %d", got)
	}
	exec(t, db, "DELETE FROM cards WHERE id = 2") // while nobody looks
	second := pandotest.Serve(t, newApp(t, db))
	client.Redirect(second.URL)
	redial(t, client)
	if err := board.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	board.Wait(t, "the deletion", func(b *Board) bool { return len(b.Lists[0].Cards) == 1 })
}

func TestLostContinuityIsHealed(t *testing.T) {
	server, db := serve(t)
	client := server.Connect(t, "ada")
	board := pandotest.Open[Board](t, client, "boards/1")
	// A migration as SQLite wants it takes the triggers along.
	exec(t, db, `CREATE TABLE new_cards (id INTEGER PRIMARY KEY, list_id INTEGER, title TEXT NOT NULL, position REAL NOT NULL,
		assignee_id INTEGER, done INTEGER NOT NULL DEFAULT 0, extra TEXT);
		INSERT INTO new_cards SELECT id, list_id, title || '!', position, assignee_id, done, NULL FROM cards;
		DROP TABLE cards; ALTER TABLE new_cards RENAME TO cards;`)
	select {
	case <-client.Closed():
	case <-time.After(10 * time.Second):
		t.Fatal("the client was not told")
	}
	redial(t, client)
	if err := board.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	board.Wait(t, "the migrated rows", func(b *Board) bool { return b.Lists[0].Cards[0].Title == "Milk!" })
	exec(t, db, "UPDATE cards SET title = 'Soy milk' WHERE id = 1")
	board.Wait(t, "a change after the migration", func(b *Board) bool { return b.Lists[0].Cards[0].Title == "Soy milk" })
}

func TestSlowClientGetsOneConflatedPatch(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	source := sqlitefeed.New(db)
	defer source.Close()
	app, err := pando.New(pando.Config{Source: source, Auth: names{}, LogBytes: 2000})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("boards/{board_id}", pando.For(func() *BoardChannel { return &BoardChannel{db: db} }))
	server := pandotest.Serve(t, app)
	client := server.Connect(t, "ada")
	board := pandotest.Open[Board](t, client, "boards/1")
	quick := pandotest.Open[Board](t, server.Connect(t, "grace"), "boards/1")
	before := board.Frames()
	client.Drop()
	const commits = 300
	for i := range commits {
		exec(t, db, "UPDATE cards SET title = ? WHERE id = 1", fmt.Sprintf("Milk %03d of a long enough title to fill the log", i))
	}
	quick.Wait(t, "the last title", func(b *Board) bool { return strings.HasPrefix(b.Lists[0].Cards[0].Title, "Milk 299") })
	redial(t, client)
	if err := board.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	board.Wait(t, "the last title", func(b *Board) bool { return strings.HasPrefix(b.Lists[0].Cards[0].Title, "Milk 299") })
	if got := board.Frames() - before; got != 1 {
		t.Errorf("%d frames came, want one conflated patch", got)
	}
}

// counted counts its hooks.
type counted struct {
	pando.Channel[Board, pando.NoRuntime]

	counts *counts
}

type counts struct{ asked, connected, disconnected atomic.Int32 }

func (c *counted) HasPermission(context.Context) (bool, error) {
	c.counts.asked.Add(1)
	return c.Args().Int("id") == 1, nil
}

func (c *counted) OnConnect(context.Context) error {
	c.counts.connected.Add(1)
	return nil
}

func (c *counted) OnDisconnect(context.Context) { c.counts.disconnected.Add(1) }

func (c *counted) Boom(context.Context) error { panic("boom") }

func TestHooksRunOnceEach(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, tables)
	source := sqlitefeed.New(db)
	defer source.Close()
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	var n counts
	app.Handle("boards/{id}", pando.For(func() *counted { return &counted{counts: &n} },
		pando.Public(), pando.Actions((*counted).Boom)))
	server := pandotest.Serve(t, app)
	client := server.Connect(t, "")
	one := pandotest.Open[Board](t, client, "boards/1")
	if err := one.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	two := pandotest.Open[Board](t, client, "boards/1")
	if err := two.Try(t.Context(), nil, "boom"); err == nil {
		t.Error("a panic gave no error")
	}
	pandotest.Refused[Board](t, client, "boards/2")
	client.Drop()
	server.Stop(t)
	if a, c, d := n.asked.Load(), n.connected.Load(), n.disconnected.Load(); a != 3 || c != 2 || d != 2 {
		t.Errorf("asked %d, connected %d, disconnected %d times, want 3, 2, 2", a, c, d)
	}
}
