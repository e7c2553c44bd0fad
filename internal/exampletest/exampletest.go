// Package exampletest serves apps to the examples of documentation, which have no
// testing.T.
package exampletest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// Served is an app that runs.
type Served struct {
	App *pando.App
	DB  *sql.DB
	// URL is where it serves; it begins with http.
	URL string
}

// Serve runs an app over a database that some statements make, while fn does: declare
// tells the app what it serves. It returns what went wrong, in the app too. The
// configuration's Source is the database's.
func Serve(statements string, cfg pando.Config, declare func(*pando.App), fn func(ctx context.Context, s *Served) error) (err error) {
	folder, err := os.MkdirTemp("", "pando")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(folder)
	db, err := sql.Open("sqlite", pandotest.DSN(filepath.Join(folder, "example.db")))
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer db.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if _, err := db.ExecContext(ctx, statements); err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	source := sqlitefeed.New(db)
	defer source.Close()
	cfg.Source = source
	app, err := pando.New(cfg)
	if err != nil {
		return err
	}
	declare(app)
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	select {
	case <-app.Ready():
	case err := <-ended: // what is wrong with what was declared
		return err
	}
	web := httptest.NewServer(app)
	err = fn(ctx, &Served{app, db, web.URL})
	stop()
	err = errors.Join(err, <-ended)
	web.Close()
	return err
}

// Conn is a connection of a client that does not know the protocol.
type Conn struct {
	net.Conn

	in io.Reader
}

// Dial connects to a path of the app's routing.
func (s *Served) Dial(ctx context.Context, path string) (*Conn, error) {
	conn, early, _, err := ws.Dial(ctx, "ws"+strings.TrimPrefix(s.URL, "http")+path)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", path, err)
	}
	c := &Conn{conn, conn}
	if early != nil { // a frame came with the handshake
		c.in = io.MultiReader(io.LimitReader(early, int64(early.Buffered())), conn)
	}
	return c, nil
}

// Send sends a text.
func (c *Conn) Send(text string) error {
	if err := wsutil.WriteClientText(c.Conn, []byte(text)); err != nil {
		return fmt.Errorf("send %s: %w", text, err)
	}
	return nil
}

// Hear returns the next text.
func (c *Conn) Hear() (string, error) {
	text, err := wsutil.ReadServerText(struct {
		io.Reader
		io.Writer
	}{c.in, c.Conn})
	if err != nil {
		return "", fmt.Errorf("read: %w", err)
	}
	return string(text), nil
}
