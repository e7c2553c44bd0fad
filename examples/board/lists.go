package main

import (
	"context"
	"database/sql"

	"github.com/pando-sync/pando"
)

// AddList adds a list behind the others.
func (c *BoardChannel) AddList(ctx context.Context, name string) error {
	name, err := tidy("name", name, maxName)
	if err != nil {
		return err
	}
	return c.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO lists (board_id, name, position)
			SELECT ?, ?, coalesce(max(position), 0) + 1 FROM lists WHERE board_id = ?`, c.id(), name, c.id())
		return err
	})
}

// RenameList gives a list another name.
func (c *BoardChannel) RenameList(ctx context.Context, listID int64, name string) error {
	name, err := tidy("name", name, maxName)
	if err != nil {
		return err
	}
	return c.changeList(ctx, listID, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE lists SET name = ? WHERE id = ?`, name, listID)
		return err
	})
}

// changeList runs fn in a transaction, in which the list is on the board.
func (c *BoardChannel) changeList(ctx context.Context, list int64, fn func(*sql.Tx) error) error {
	return c.change(ctx, func(tx *sql.Tx) error {
		if err := c.holdsList(ctx, tx, list); err != nil {
			return err
		}
		return fn(tx)
	})
}

func (c *BoardChannel) holdsList(ctx context.Context, tx *sql.Tx, list int64) error {
	var ok bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM lists WHERE id = ? AND board_id = ?)`,
		list, c.id()).Scan(&ok)
	if err == nil && !ok {
		return pando.Errorf("conflict", "the list is not on this board any more")
	}
	return err
}
