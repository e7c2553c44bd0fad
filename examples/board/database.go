package main

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"net/url"

	"github.com/pando-sync/pando/token"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed schema.sql
var tables string

// openDB opens the file, which is created by the first statement. SQLite has
// one writer at a time: one connection makes the others wait here, in order,
// instead of in the database.
func openDB(path string) (*sql.DB, error) {
	options := url.Values{
		"_pragma": {
			"journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(5000)",
			"foreign_keys(1)", "recursive_triggers(1)",
		},
		"_txlock": {"immediate"},
	}
	file := url.URL{Path: path}
	db, err := sql.Open("sqlite", "file:"+file.EscapedPath()+"?"+options.Encode())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// migrate creates the tables that are missing.
func migrate(ctx context.Context, db *sql.DB, users *token.Store) error {
	if err := users.Migrate(ctx); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, tables); err != nil {
		return fmt.Errorf("create the board's tables: %w", err)
	}
	return nil
}

// transact runs fn in a transaction, which is committed unless fn fails.
func transact(ctx context.Context, db *sql.DB, fn func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() // after Commit it does nothing
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
