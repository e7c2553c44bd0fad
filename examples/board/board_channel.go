package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pando-sync/pando"
)

// BoardChannel shows a board to its members, who may all change it.
type BoardChannel struct {
	pando.Channel[Board, BoardRuntime]

	db       *sql.DB
	watching *audience
}

// BoardRuntime is what an open board knows besides its rows.
type BoardRuntime struct {
	// Viewers are the people who have the board open, on this server.
	Viewers []Viewer `json:"viewers"`
}

func (c *BoardChannel) id() int64 { return c.Args().Int("board_id") }

// HasPermission is for members, the owner among them.
func (c *BoardChannel) HasPermission(ctx context.Context) (bool, error) {
	return isMember(ctx, c.db, c.id(), userOf(c.User()))
}

// OnConnect shows the user to the others.
func (c *BoardChannel) OnConnect(context.Context) error { return c.watching.enter(c) }

// OnDisconnect ends that.
func (c *BoardChannel) OnDisconnect(context.Context) { c.watching.leave(c) }

// RenameBoard gives the board another name.
func (c *BoardChannel) RenameBoard(ctx context.Context, name string) error {
	name, err := tidy("name", name, maxName)
	if err != nil {
		return err
	}
	return c.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE boards SET name = ? WHERE id = ?`, name, c.id())
		return err
	})
}

// AddMember lets another user see and change the board.
func (c *BoardChannel) AddMember(ctx context.Context, username string) error {
	return c.change(ctx, func(tx *sql.Tx) error {
		user, err := userID(ctx, tx, strings.TrimSpace(username))
		if errors.Is(err, sql.ErrNoRows) {
			return pando.Errorf("invalid", "nobody here is called %q", username)
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO board_members (board_id, user_id) VALUES (?, ?)
			ON CONFLICT DO NOTHING`, c.id(), user)
		return err
	})
}

// change runs fn in a transaction, in which the user still is a member.
func (c *BoardChannel) change(ctx context.Context, fn func(*sql.Tx) error) error {
	return transact(ctx, c.db, func(tx *sql.Tx) error {
		ok, err := isMember(ctx, tx, c.id(), userOf(c.User()))
		if err != nil {
			return err
		}
		if !ok {
			return pando.Errorf("denied", "you are no member of this board any more")
		}
		return fn(tx)
	})
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func isMember(ctx context.Context, q querier, board, user int64) (ok bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM board_members WHERE board_id = ? AND user_id = ?)
		OR EXISTS (SELECT 1 FROM boards WHERE id = ? AND owner_id = ?)`, board, user, board, user).Scan(&ok)
	if err != nil {
		return false, fmt.Errorf("look for membership: %w", err)
	}
	return ok, nil
}

// The bounds of what people write, in characters.
const (
	maxName    = 80
	maxTitle   = 200
	maxComment = 4000
)

// tidy trims what a user wrote, and refuses it when it is empty or too long.
func tidy(what, text string, limit int) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", pando.Errorf("invalid", "the %s is empty", what)
	}
	if n := utf8.RuneCountInString(text); n > limit {
		return "", pando.Errorf("invalid", "the %s has %d characters: %d are the most", what, n, limit)
	}
	return text, nil
}
