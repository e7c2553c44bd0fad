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

// migrate creates the tables that are missing, and brings those of an older
// board up to date.
func migrate(ctx context.Context, db *sql.DB, users *token.Store) error {
	if err := users.Migrate(ctx); err != nil {
		return err
	}
	return transact(ctx, db, func(tx *sql.Tx) error {
		for _, step := range []func(context.Context, *sql.Tx) error{addArchived, createTables, addRoles, fillWords} {
			if err := step(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}

func createTables(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, tables); err != nil {
		return fmt.Errorf("create the board's tables: %w", err)
	}
	return nil
}

// addArchived comes before what reads the column is made.
func addArchived(ctx context.Context, tx *sql.Tx) error {
	_, err := addColumn(ctx, tx, "cards", "archived", "BOOLEAN NOT NULL DEFAULT FALSE")
	return err
}

// addRoles makes owners of those who made a board.
func addRoles(ctx context.Context, tx *sql.Tx) error {
	added, err := addColumn(ctx, tx, "board_members", "role",
		"TEXT NOT NULL DEFAULT 'editor' CHECK (role IN ('owner', 'editor', 'viewer'))")
	if err != nil || !added {
		return err
	}
	if _, err = tx.ExecContext(ctx, `UPDATE board_members SET role = 'owner'
		WHERE user_id = (SELECT owner_id FROM boards WHERE boards.id = board_id)`); err != nil {
		return fmt.Errorf("name the owners: %w", err)
	}
	return nil
}

// fillWords writes the words of cards that are older than the triggers.
func fillWords(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO card_words (board_id, card_id, word) SELECT board_id, card_id, word FROM words_of_cards
		WHERE card_id NOT IN (SELECT card_id FROM card_words)`); err != nil {
		return fmt.Errorf("write the words of cards: %w", err)
	}
	return nil
}

// addColumn adds a column to a table that is there without it.
func addColumn(ctx context.Context, tx *sql.Tx, table, column, definition string) (added bool, err error) {
	var lacks bool
	err = tx.QueryRowContext(ctx, `SELECT count(*) > 0 AND NOT max(name = ?) FROM pragma_table_info(?)`, column, table).Scan(&lacks)
	if err != nil || !lacks {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `ALTER TABLE `+table+` ADD COLUMN `+column+` `+definition); err != nil {
		return false, fmt.Errorf("add column %s to table %s: %w", column, table, err)
	}
	return true, nil
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
