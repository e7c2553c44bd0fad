package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/replica"
	"github.com/pando-sync/pando/test/internal/world"
)

// postgresConf is what a simulation's server does faster than others: it notices
// deadlocks, and receivers that stand still.
var postgresConf = map[string]string{"deadlock_timeout": "50ms", "wal_sender_timeout": "2s", "max_replication_slots": "50", "max_wal_senders": "50"}

// postgresDatabase is a database of a PostgreSQL that one seed at a time uses.
// Transactions commit at once and in any order; what they did is told by its log.
type postgresDatabase struct {
	schema  *model.Schema
	history *history
	server  *servers.PostgresServer
	dsn     string
	drop    func() error
	release func()
	read    *sql.DB
	replica *replica.Replica
}

func openPostgres(ctx context.Context, server *servers.PostgresServer, s *model.Schema, h *history) (*postgresDatabase, error) {
	dsn, drop, err := server.Database(ctx)
	if err != nil {
		return nil, err
	}
	h.loose = true
	p := &postgresDatabase{schema: s, history: h, server: server, dsn: dsn, drop: drop}
	p.read, err = p.open(false)
	return p, err
}

// sessions are the settings of the simulation's own connections: a transaction
// does not wait long for another.
const sessions = "&timezone=UTC&lock_timeout=2s"

func (p *postgresDatabase) open(bool) (*sql.DB, error) { return sql.Open("pgx", p.address()) }

func (p *postgresDatabase) address() string { return p.dsn + sessions }

func (p *postgresDatabase) source(db *sql.DB, log *slog.Logger) (feed.Source, error) {
	return pgfeed.New(db, p.dsn, pgfeed.WithLogger(log)), nil
}

func (p *postgresDatabase) url() string { return p.dsn }

// nameOf is the name of a database, as names on a broker may have it.
func nameOf(url string) string {
	_, name, _ := strings.Cut(strings.TrimPrefix(url, "postgres://"), "/")
	name, _, _ = strings.Cut(name, "?")
	return strings.ReplaceAll(name, "_", "-")
}

func (p *postgresDatabase) watch(ctx context.Context) (err error) {
	p.replica, err = replica.Start(ctx, p.dsn, p.schema, p.history.told)
	return err
}

func (p *postgresDatabase) perform(ctx context.Context, w writer, tx world.Tx) error {
	var number sql.NullInt64
	err := w.perform(ctx, tx, func(conn *sql.Conn) error {
		return conn.QueryRowContext(ctx, "SELECT pg_current_xact_id_if_assigned()::text::bigint").Scan(&number)
	})
	if err != nil || tx.Rollback {
		return err
	}
	_, elsewhere := w.(*foreign)
	if !number.Valid && !elsewhere {
		return nil // it has written nothing
	}
	ctx, cancel := context.WithTimeout(ctx, known)
	defer cancel()
	lsn, err := logEnd(ctx, p.read, flushed)
	if err != nil {
		return nil // the server is away, and the log will tell
	}
	return p.replica.Told(ctx, uint32(number.Int64), lsn)
}

// known is how long a log may take to be told.
const known = 20 * time.Second

// pushed is how long the log may take to be told without anything that is written
// to it: a server may keep what nobody waits for to itself.
const pushed = 300 * time.Millisecond

// known implements database.
func (p *postgresDatabase) known(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, known)
	defer cancel()
	flushed := func() (uint64, error) { return logEnd(ctx, p.read, flushed) }
	lsn, err := tenacious(ctx, flushed)
	if err != nil {
		return err
	}
	soon, stop := context.WithTimeout(ctx, pushed)
	defer stop()
	if err = p.replica.Told(soon, 0, lsn); err == nil || soon.Err() == nil {
		return err
	}
	if _, err := p.read.ExecContext(ctx, "SELECT pg_logical_emit_message(true, 'sim', '')"); err != nil {
		return fmt.Errorf("push the log: %w", err)
	}
	if lsn, err = tenacious(ctx, flushed); err != nil {
		return err
	}
	return p.replica.Told(ctx, 0, lsn)
}

// Places of the log: up to where it is safe, and where the next is written.
const (
	flushed  = "pg_current_wal_flush_lsn()"
	inserted = "pg_current_wal_insert_lsn()"
)

// logEnd is where the log ends.
func logEnd(ctx context.Context, db *sql.DB, place string) (uint64, error) {
	var text string
	if err := db.QueryRowContext(ctx, "SELECT ("+place+" - '0/0'::pg_lsn)::text").Scan(&text); err != nil {
		return 0, fmt.Errorf("read where the log ends: %w", err)
	}
	return strconv.ParseUint(text, 10, 64)
}

func (*postgresDatabase) where(db *sql.DB) func(context.Context) uint64 { return placeIn(db) }

// placeIn tells where the log ends, and 0 while the server is away.
func placeIn(db *sql.DB) func(context.Context) uint64 {
	return func(ctx context.Context) uint64 {
		lsn, err := logEnd(ctx, db, inserted)
		if err != nil {
			return 0
		}
		return lsn
	}
}

func (p *postgresDatabase) restart(ctx context.Context) error {
	p.server.Kill()
	return p.server.Start(ctx)
}

func (p *postgresDatabase) close() error {
	if p.replica != nil {
		p.replica.Close()
	}
	defer p.release()
	return errors.Join(p.read.Close(), p.drop())
}
