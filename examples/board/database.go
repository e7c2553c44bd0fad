package main

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/token"
)

// The tables in each dialect. All other statements are those that both share.
var (
	//go:embed schema.sqlite.sql
	sqliteTables string
	//go:embed schema.postgres.sql
	postgresTables string
)

// migrate creates the tables that are missing, and brings those of an older
// board up to date. Of several servers that start at once one does it.
func migrate(ctx context.Context, db *backend.Database, users *token.Store) error {
	if err := users.Migrate(ctx); err != nil {
		return err
	}
	if db.Dialect == backend.PostgreSQL {
		return migratePostgres(ctx, db.DB)
	}
	return transact(ctx, db.DB, func(tx *sql.Tx) error {
		for _, step := range []func(context.Context, *sql.Tx) error{addArchived, createTables, addRoles, fillWords} {
			if err := step(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// migratePostgres creates the tables unless they are there: to create what there
// is would wait for all who use it.
func migratePostgres(ctx context.Context, db *sql.DB) error {
	return transact(ctx, db, func(tx *sql.Tx) error {
		if err := alone(ctx, tx); err != nil {
			return err
		}
		var ready bool
		// The last index of the file: all else is there with it.
		err := tx.QueryRowContext(ctx, `SELECT to_regclass('comments_author_id') IS NOT NULL`).Scan(&ready)
		if err != nil || ready {
			return err
		}
		if _, err := tx.ExecContext(ctx, postgresTables); err != nil {
			return fmt.Errorf("create the board's tables: %w", err)
		}
		return nil
	})
}

// setupLock is the number of PostgreSQL's lock that one server at a time holds
// while it creates or fills tables.
const setupLock = 0x626f617264 // "board"

// alone has other servers wait until the transaction ends. In SQLite they do
// anyway.
func alone(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(setupLock)); err != nil {
		return fmt.Errorf("wait for other servers: %w", err)
	}
	return nil
}

func createTables(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, sqliteTables); err != nil {
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

// addColumn adds a column to a table of SQLite that is there without it.
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
