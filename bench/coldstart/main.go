// Command coldstart measures how long a process that has just started takes to
// open many anchors from the cache, while the broker keeps what was committed
// since the cache was written, and counts the queries that it makes: none.
//
// The database is a PostgreSQL, the broker a nats-server, both real. In the place
// of MongoDB is FerretDB, in a process of its own: what is shown is true of
// MongoDB as well, how long it takes is not.
//
//  1. A node reads the anchors from the database, which puts them into the cache,
//     and ends.
//  2. Rows of some anchors change, and the owner of the log publishes that.
//  3. Another node starts, with nothing in memory, and opens all anchors. This is
//     what is measured.
//  4. What it shows of some anchors, those that changed among them, is compared
//     with the database.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of PostgreSQL

	"github.com/pando-sync/pando/internal/servers"
)

// plan is what is measured.
type plan struct {
	anchors, changed, compared, clients int
}

func main() {
	var p plan
	role := flag.String("role", "", "what this process is: cache, or none for the measure itself")
	flag.IntVar(&p.anchors, "anchors", 10_000, "anchors that are opened")
	flag.IntVar(&p.changed, "changed", 1000, "anchors that change before the start")
	flag.IntVar(&p.compared, "compared", 1000, "anchors that are compared with the database")
	flag.IntVar(&p.clients, "clients", 32, "anchors that are opened at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := p.run
	if *role == "cache" {
		run = serveCache
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "coldstart:", err)
		os.Exit(1)
	}
}

func (p *plan) run(ctx context.Context) (err error) {
	pg, err := servers.Postgres(ctx, servers.PostgresOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pg.Close()) }()
	nats, err := servers.NATS(ctx, servers.NATSOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, nats.Close()) }()
	mongo, err := startCache(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mongo.stop()) }()
	db, err := sql.Open("pgx", pg.URL())
	if err != nil {
		return err
	}
	defer db.Close()
	if err := p.fill(ctx, db); err != nil {
		return fmt.Errorf("fill the database: %w", err)
	}
	w := &world{db: db, url: pg.URL(), broker: nats.URL(), cache: mongo.uri}
	return p.measure(ctx, w)
}

// rowsOf an anchor are itself, two stacks and four cards.
const rowsOf = 7

func (p *plan) measure(ctx context.Context, w *world) error {
	owner, err := w.start(ctx, false) // it publishes, and shows nothing
	if err != nil {
		return fmt.Errorf("start the owner: %w", err)
	}
	defer owner.stop()
	first, err := w.start(ctx, true)
	if err != nil {
		return fmt.Errorf("start the first node: %w", err)
	}
	began := time.Now()
	if err := p.warmUp(ctx, first); err != nil {
		return errors.Join(fmt.Errorf("write the cache: %w", err), first.stop())
	}
	if err := first.stop(); err != nil {
		return fmt.Errorf("end the first node: %w", err)
	}
	fmt.Printf("coldstart: %d anchors of %d rows were read by %d queries and written to the cache in %.1f s\n",
		p.anchors, rowsOf, first.queries.Load(), time.Since(began).Seconds())
	if err := p.change(ctx, w, owner); err != nil {
		return fmt.Errorf("change rows: %w", err)
	}

	before := heap()
	began = time.Now()
	second, err := w.start(ctx, true)
	if err != nil {
		return fmt.Errorf("start the second node: %w", err)
	}
	defer second.stop()
	started := time.Since(began)
	if err := second.openAll(ctx, p.anchors, p.clients); err != nil {
		return fmt.Errorf("open anchors: %w", err)
	}
	took := time.Since(began)
	queries, stats := second.queries.Load(), second.cache.Stats()
	grown := float64(heap()-before) / 1e6
	fmt.Printf("coldstart: a node that started in %.2f s opened %d anchors after %.1f s in all: %d from the cache, %d not; it holds %.0f MB\n",
		started.Seconds(), p.anchors, took.Seconds(), stats.Opened, stats.Missed, grown)
	if err := p.compare(ctx, second); err != nil {
		return err
	}
	fmt.Printf("coldstart: %d anchors were compared with the database, %d of them had changed: all equal\n", p.compared, min(p.changed, p.compared))
	fmt.Println("coldstart: the cache was FerretDB: the count of queries holds for MongoDB, the time does not")
	fmt.Printf("RESULT coldstart.sql_queries %d queries\nRESULT coldstart.seconds %.2f s\nRESULT coldstart.mb %.0f MB\n", queries, took.Seconds(), grown)
	return nil
}

// heap is how much memory is in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what has a finalizer goes the second time
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// fill makes the tables and their rows.
func (p *plan) fill(ctx context.Context, db *sql.DB) error {
	for _, statement := range []string{
		`CREATE TABLE boards (id bigint PRIMARY KEY, name text NOT NULL)`,
		`CREATE TABLE stacks (id bigint PRIMARY KEY, name text NOT NULL, board_id bigint NOT NULL REFERENCES boards)`,
		`CREATE TABLE cards (id bigint PRIMARY KEY, title text NOT NULL, stack_id bigint NOT NULL REFERENCES stacks)`,
		`CREATE INDEX ON stacks (board_id)`,
		`CREATE INDEX ON cards (stack_id)`,
		fmt.Sprintf(`INSERT INTO boards SELECT n, 'Board ' || n FROM generate_series(1, %d) n`, p.anchors),
		fmt.Sprintf(`INSERT INTO stacks SELECT n, 'Stack ' || n, (n + 1) / 2 FROM generate_series(1, %d) n`, 2*p.anchors),
		fmt.Sprintf(`INSERT INTO cards SELECT n, 'The title of card ' || n, (n + 1) / 2 FROM generate_series(1, %d) n`, 4*p.anchors),
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// change changes, adds and removes cards of the first anchors, and waits until the
// owner has told of it.
func (p *plan) change(ctx context.Context, w *world, owner *node) error {
	for board := 1; board <= p.changed; board++ {
		card := 4*board - 3 // the first of four
		statement, args := `UPDATE cards SET title = 'changed' WHERE id = $1`, []any{card}
		switch board % 3 {
		case 1:
			statement, args = `INSERT INTO cards SELECT $1, 'new', stack_id FROM cards WHERE id = $2`, []any{card + 4*p.anchors, card}
		case 2:
			statement = `DELETE FROM cards WHERE id = $1`
		}
		if _, err := w.db.ExecContext(ctx, statement, args...); err != nil {
			return err
		}
	}
	head, err := owner.source.Head(ctx)
	if err != nil {
		return err
	}
	return owner.reach(ctx, head)
}
