package pando_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// Album is a tree of two layers: tracks.album_id links them.
type Album struct {
	ID     int64   `json:"id"`
	Title  string  `json:"title"`
	Tracks []Track `json:"tracks" pando:"order:place"`
}

// Track is one track; place only sorts and is not sent.
type Track struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
	Place int    `json:"-"`
}

// AlbumChannel shows an album to everybody.
type AlbumChannel struct {
	pando.Channel[Album, pando.NoRuntime]

	db *sql.DB
}

// HasPermission is asked before anything is read.
func (c *AlbumChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// Rename is called from the browser as actions.rename(title).
func (c *AlbumChannel) Rename(ctx context.Context, title string) error {
	_, err := c.db.ExecContext(ctx, `UPDATE albums SET title = ? WHERE id = ?`, title, c.Args().Int("id"))
	return err
}

// An app is declared over the program's own database and stands as a handler
// in its own server.
func Example() {
	dir, err := os.MkdirTemp("", "pando")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", pandotest.DSN(filepath.Join(dir, "music.db")))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	if _, err := db.Exec(`
		CREATE TABLE albums (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
		CREATE TABLE tracks (id INTEGER PRIMARY KEY, album_id INTEGER, title TEXT NOT NULL, place INTEGER);
		INSERT INTO albums VALUES (1, 'Kind of Blue');
		INSERT INTO tracks VALUES (1, 1, 'So What', 2), (2, 1, 'Blue in Green', 1)`); err != nil {
		fmt.Println(err)
		return
	}

	source := sqlitefeed.New(db)
	defer source.Close()
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		fmt.Println(err)
		return
	}
	app.Handle("albums/{id}", pando.For(
		func() *AlbumChannel { return &AlbumChannel{db: db} },
		pando.Actions((*AlbumChannel).Rename),
		pando.Public(),
	))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	<-app.Ready()

	web := httptest.NewServer(http.StripPrefix("/live", app))
	fmt.Print(fetch(web.URL + "/live/state/albums/1"))
	web.Close()
	stop()
	fmt.Println(<-ended)
	// Output:
	// {"id":"1","title":"Kind of Blue","tracks":[{"id":"2","title":"Blue in Green"},{"id":"1","title":"So What"}]}
	// <nil>
}

func fetch(url string) string {
	resp, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
