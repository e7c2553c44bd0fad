package main

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// database is where the tables of a seed are, and how it is known what they held.
type database interface {
	// open returns connections of their own, by which links are checked unless it
	// is unchecked.
	open(unchecked bool) (*sql.DB, error)
	// address is by what another process opens it.
	address() string
	// url is by what nodes open it.
	url() string
	// source is what an app follows.
	source(db *sql.DB, log *slog.Logger) (feed.Source, error)
	// watch has the history get all states from now on, of which empty tables are
	// the first.
	watch(ctx context.Context) error
	// perform makes a transaction, and returns when the history has what it
	// commits.
	perform(ctx context.Context, w writer, tx world.Tx) error
	// known waits until the history has all that is committed.
	known(ctx context.Context) error
	// where is where the log ends, for what does not see it otherwise; nil where
	// all do.
	where(db *sql.DB) func(ctx context.Context) uint64
	// restart ends the server as a crash does, and starts it again.
	restart(ctx context.Context) error
	close() error
}

// drivers are the names of the drivers.
var drivers = map[model.Database]string{model.SQLite: "sqlite", model.Postgres: "pgx"}

// attempts is how often something is read that may meet a connection which has
// ended with its server.
const attempts = 20

// tenacious reads something, again when that fails.
func tenacious[T any](ctx context.Context, read func() (T, error)) (T, error) {
	for i := 1; ; i++ {
		v, err := read()
		if err == nil || i == attempts || ctx.Err() != nil {
			return v, err
		}
	}
}

// sqliteFile is a database in a file: one transaction writes at a time, and
// reads what it will commit before it does.
type sqliteFile struct {
	schema  *model.Schema
	history *history
	file    string
	read    *sql.DB
}

func openFile(s *model.Schema, h *history, file string) (*sqliteFile, error) {
	f := &sqliteFile{schema: s, history: h, file: file}
	read, err := f.open(false)
	f.read = read
	return f, err
}

func (f *sqliteFile) open(unchecked bool) (*sql.DB, error) {
	return sql.Open(drivers[model.SQLite], world.DSN(f.schema, f.file, f.schema.ForeignKeys && !unchecked))
}

func (f *sqliteFile) address() string { return world.DSN(f.schema, f.file, f.schema.ForeignKeys) }

func (f *sqliteFile) url() string { return f.address() }

func (*sqliteFile) source(db *sql.DB, log *slog.Logger) (feed.Source, error) {
	return sqlitefeed.New(db, sqlitefeed.WithLogger(log)), nil
}

// watch implements database: transactions are looked at as they are made, but the
// first.
func (*sqliteFile) watch(context.Context) error { return nil }

func (f *sqliteFile) perform(ctx context.Context, w writer, tx world.Tx) error {
	var after *oracle.Data
	err := w.perform(ctx, tx, func(conn *sql.Conn) (err error) {
		after, err = oracle.ReadIn(ctx, conn, f.schema)
		return err
	})
	if err != nil || tx.Rollback {
		return err
	}
	if after == nil { // the writer is elsewhere
		if after, err = oracle.Read(ctx, f.read, f.schema); err != nil {
			return err
		}
	}
	f.history.add(after)
	return nil
}

func (f *sqliteFile) known(ctx context.Context) error {
	d, err := oracle.Read(ctx, f.read, f.schema)
	if err == nil {
		f.history.note(d)
	}
	return err
}

func (*sqliteFile) where(*sql.DB) func(context.Context) uint64 { return nil }

func (*sqliteFile) restart(context.Context) error { return nil }

func (f *sqliteFile) close() error {
	if err := f.read.Close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}
