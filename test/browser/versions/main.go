//go:build ignore

// Versions is an app in three releases, of which the tests put one in the place
// of another. A release is this file and one of those beside it, built in the
// repository's main module, which has what makefrontend needs:
//
//	go run test/browser/versions/main.go test/browser/versions/release_a.go makefrontend --out test/browser/versions/live
//
// writes the classes that the page is checked with.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"

	_ "modernc.org/sqlite"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/manage"
)

// Shelf is a shelf with its books.
type Shelf struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Books []Book `json:"books"`
}

// ShelfChannel shows a shelf to everybody.
type ShelfChannel struct {
	pando.Channel[Shelf, pando.NoRuntime]

	db *sql.DB
}

// HasPermission agrees.
func (*ShelfChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// Rename gives the shelf another name.
func (c *ShelfChannel) Rename(ctx context.Context, name string) error {
	_, err := c.db.ExecContext(ctx, `UPDATE shelves SET name = ? WHERE id = ?`, name, c.Args().Int("shelf_id"))
	return err
}

func main() {
	manage.Main(manage.Config{Name: "versions", Open: open})
}

func open(_ context.Context, s manage.Settings) (*manage.Project, error) {
	file := url.URL{Path: s.DB}
	db, err := sql.Open("sqlite", "file:"+file.EscapedPath()+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.DB, err)
	}
	app, err := pando.New(pando.Config{
		Source: sqlitefeed.New(db, sqlitefeed.WithLogger(s.Log)),
		Logger: s.Log,
		Static: os.DirFS(s.Static),
	})
	if err != nil {
		db.Close()
		return nil, err
	}
	app.Handle("shelves/{shelf_id}", pando.For(
		func() *ShelfChannel { return &ShelfChannel{db: db} },
		pando.Public(),
		pando.Actions((*ShelfChannel).Rename),
	))
	return &manage.Project{
		App:     app,
		Migrate: func(ctx context.Context) error { return migrate(ctx, db) },
		Close:   db.Close,
	}, nil
}

const tables = `
CREATE TABLE IF NOT EXISTS shelves (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS books (
	id INTEGER PRIMARY KEY, shelf_id INTEGER NOT NULL REFERENCES shelves(id),
	title TEXT NOT NULL, author TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS books_shelf ON books(shelf_id);
INSERT OR IGNORE INTO shelves VALUES (1, 'Novels');
INSERT OR IGNORE INTO books (id, shelf_id, title, author) VALUES (1, 1, 'Emma', 'Austen'), (2, 1, 'Ulysses', 'Joyce');
`

// migrate makes the tables, and the columns that this release adds.
func migrate(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, tables); err != nil {
		return fmt.Errorf("create tables: %w", err)
	}
	for column, statement := range added {
		var there bool
		err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pragma_table_info('books') WHERE name = ?)`, column).Scan(&there)
		if err == nil && !there {
			_, err = db.ExecContext(ctx, statement)
		}
		if err != nil {
			return fmt.Errorf("add %s: %w", column, err)
		}
	}
	return nil
}
