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
}

// HasPermission is for the user alone.
func (c *UserChannel) HasPermission(context.Context) (bool, error) { //nolint:unparam // the hook may fail, this one cannot
	return c.Args().Int("user_id") == userOf(c.User()), nil
}

// AddBoard makes an empty board of the user's own and returns its key.
func (c *UserChannel) AddBoard(ctx context.Context, tx *sql.Tx, name string) (int64, error) {
	if err := (&Board{Name: name}).Validate(); err != nil {
		return 0, err
	}
	user := userOf(c.User())
	id, err := insert(ctx, tx, `INSERT INTO boards (name, owner_id) VALUES ($1, $2)`, name, user)
	if err != nil {
		return 0, fmt.Errorf("insert board: %w", err)
	}
	_, err = insert(ctx, tx, `INSERT INTO board_members (board_id, user_id, role) VALUES ($1, $2, $3)`, id, user, RoleOwner)
	return id, err
}
