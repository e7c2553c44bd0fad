//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/pando-sync/pando"
)

// Card is the row that is written: N counts the commits, Sent is the time
// before the commit.
type Card struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
	N     int64  `json:"n"`
	Sent  int64  `json:"sent"`
}

// List is the layer between.
type List struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Cards []Card `json:"cards"`
}

// Board is what all clients show.
type Board struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Lists []List `json:"lists"`
}

// lists of cards each are what a board has: a row is not written again before
// its last change has long arrived.
const lists, cards = 3, 200

const tables = `
CREATE TABLE IF NOT EXISTS boards (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lists (id INTEGER PRIMARY KEY, board_id INTEGER NOT NULL, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cards (id INTEGER PRIMARY KEY, list_id INTEGER NOT NULL, title TEXT NOT NULL, n INTEGER NOT NULL, sent BIGINT NOT NULL);
CREATE INDEX IF NOT EXISTS lists_board ON lists(board_id);
CREATE INDEX IF NOT EXISTS cards_list ON cards(list_id);
INSERT INTO boards VALUES (1, 'Groceries');
WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n < 3) INSERT INTO lists SELECT n, 1, 'List ' || n FROM i;
WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n < 600) INSERT INTO cards SELECT n, 1 + n % 3, 'Card ' || n, 0, 0 FROM i;
`

type boardChannel struct {
	pando.Channel[Board, pando.NoRuntime]
}

func (*boardChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// Server is the process with the app.
type Server struct {
	committer

	addr string
}

func runServer(on settings) error {
	db, source, err := on.open()
	if err != nil {
		return err
	}
	defer db.Close()
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		return err
	}
	app.Handle("boards/{board_id}", pando.For(func() *boardChannel { return &boardChannel{} }, pando.Public()))
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if on.fresh {
		if _, err := db.ExecContext(ctx, tables); err != nil {
			return fmt.Errorf("create tables: %w", err)
		}
	}
	if err := app.Setup(ctx); err != nil {
		return err
	}
	socket, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: app, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 2)
	go func() { done <- app.Run(ctx) }()
	go func() { done <- web.Serve(socket) }()
	err = serveParent(&Server{committer: committer{db, on}, addr: socket.Addr().String()})
	stop()
	web.Close()
	for range cap(done) {
		if stopped := <-done; !errors.Is(stopped, http.ErrServerClosed) {
			err = errors.Join(err, stopped)
		}
	}
	return err
}

// Addr tells where the app is served.
func (s *Server) Addr(_ struct{}, addr *string) error { //nolint:unparam // the form of net/rpc
	*addr = s.addr
	return nil
}

// Memory is what the Go runtime holds and uses, in bytes, after a collection:
// heap and stacks in use, and its own structures.
func (*Server) Memory(_ struct{}, bytes *float64) error { //nolint:unparam // the form of net/rpc
	runtime.GC()
	runtime.GC()
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	*bytes = float64(samples[0].Value.Uint64() - samples[1].Value.Uint64() - samples[2].Value.Uint64())
	return nil
}

// Writer is a process that knows the database only.
type Writer struct{ committer }

func runWriter(on settings) error {
	db, err := on.connect()
	if err != nil {
		return err
	}
	defer db.Close()
	return serveParent(&Writer{committer{db, on}})
}

// CommitArgs are commits numbered From on.
type CommitArgs struct{ From, Count, Rate int }

// committer makes commits.
type committer struct {
	db *sql.DB
	on settings
}

// Commit makes commits of one row each, evenly but for some jitter, so that
// nothing that ticks keeps step with them.
func (c committer) Commit(args CommitArgs, _ *struct{}) error {
	ctx := context.Background()
	update, err := c.db.PrepareContext(ctx, c.on.bind("UPDATE cards SET n = ?, sent = ? WHERE id = ?"))
	if err != nil {
		return err
	}
	defer update.Close()
	period := time.Second / time.Duration(args.Rate)
	due := time.Now()
	for i := range args.Count {
		n := args.From + i
		time.Sleep(time.Until(due.Add(rand.N(period / 2)))) //nolint:gosec // jitter, no secret
		if _, err := update.ExecContext(ctx, n, now(), 1+n%(lists*cards)); err != nil {
			return fmt.Errorf("commit %d: %w", n, err)
		}
		due = due.Add(period)
	}
	return nil
}
