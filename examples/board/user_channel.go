package main

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pando-sync/pando"
)

// UserChannel shows users their own boards.
type UserChannel struct {
	pando.Channel[Me, pando.NoRuntime]

	db *sql.DB
}

// HasPermission is for the user alone.
func (c *UserChannel) HasPermission(context.Context) (bool, error) { //nolint:unparam // the hook may fail, this one cannot
	return c.Args().Int("user_id") == userOf(c.User()), nil
}

// AddBoard makes an empty board of the user's own and returns its key.
func (c *UserChannel) AddBoard(ctx context.Context, name string) (id int64, err error) {
	if name, err = tidy("name", name, maxName); err != nil {
		return 0, err
	}
	user := userOf(c.User())
	err = transact(ctx, c.db, func(tx *sql.Tx) error {
		if id, err = insert(ctx, tx, `INSERT INTO boards (name, owner_id) VALUES (?, ?)`, name, user); err != nil {
			return fmt.Errorf("insert board: %w", err)
		}
		_, err := insert(ctx, tx, `INSERT INTO board_members (board_id, user_id) VALUES (?, ?)`, id, user)
		return err
	})
	return id, err
}
