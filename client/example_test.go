package client_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/client"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

type Album struct {
	ID     int64   `json:"id"`
	Title  string  `json:"title"`
	Tracks []Track `json:"tracks" pando:"order:place"`
}

type Track struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
	Place int    `json:"-"`
}

type AlbumChannel struct {
	pando.Channel[Album, pando.NoRuntime]
}

func (c *AlbumChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// AddTrack is applied once.
func (c *AlbumChannel) AddTrack(ctx context.Context, tx *sql.Tx, title string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO tracks (album_id, title, place) VALUES (?, ?, 1)`, c.Args().Int("id"), title)
	return err
}

// A service follows an album, and adds a track to it.
func Example() {
	url, stop, err := serveMusic()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()

	ctx := context.Background()
	c := client.New(url, client.Options{})
	defer c.Close()
	album, err := client.Open[Album](ctx, c, "albums/1")
	if err != nil {
		fmt.Println(err)
		return
	}
	for a, err := range album.Updates(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(a.Title, a.Tracks)
		if len(a.Tracks) == 1 {
			break
		}
		if _, err := client.CallOnce[struct{}](ctx, album, "addTrack", "So What"); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// Kind of Blue []
	// Kind of Blue [{1 So What 0}]
}

// serveMusic serves an app until stop.
func serveMusic() (url string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "pando")
	if err != nil {
		return "", nil, err
	}
	db, err := sql.Open("sqlite", pandotest.DSN(filepath.Join(dir, "music.db")))
	if err != nil {
		return "", nil, err
	}
	if _, err := db.Exec(`
		CREATE TABLE albums (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
		CREATE TABLE tracks (id INTEGER PRIMARY KEY, album_id INTEGER, title TEXT NOT NULL, place INTEGER);
		INSERT INTO albums VALUES (1, 'Kind of Blue')`); err != nil {
		return "", nil, err
	}
	source := sqlitefeed.New(db)
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		return "", nil, err
	}
	app.Handle("albums/{id}", pando.For(func() *AlbumChannel { return &AlbumChannel{} }, pando.Actions((*AlbumChannel).AddTrack), pando.Public()))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	<-app.Ready()
	web := httptest.NewServer(http.StripPrefix("/live", app))
	return web.URL + "/live", func() {
		cancel()
		<-ended
		web.Close()
		source.Close()
		db.Close()
		os.RemoveAll(dir)
	}, nil
}
