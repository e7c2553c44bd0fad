package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/token"
)

// BoardChannel shows a board to its members, who change it as far as their roles
// let them.
type BoardChannel struct {
	pando.Channel[Board, BoardRuntime]

	db *sql.DB
	// quiet end what is shown of those who type, by user.
	quiet map[int64]*time.Timer
}

// BoardRuntime is what an open board knows besides its rows.
type BoardRuntime struct {
	// Viewers are the people who have the board open.
	Viewers []Person `json:"viewers"`
	// Typing are those who write a comment now.
	Typing []Typing `json:"typing"`
	// Unread is the number of others' comments since the user has read them last.
	Unread int `json:"unread"`
}

// Person is somebody who has a board open.
type Person struct {
	ID   int64  `json:"id,string"`
	Name string `json:"name"`
}

func (c *BoardChannel) id() int64 { return c.Args().Int("board_id") }

// group is where the streams of one board hear of each other.
func (c *BoardChannel) group() string { return groupOf(c.id()) }

func groupOf(board int64) string { return "board." + strconv.FormatInt(board, 10) }

// me is the stream's user, as others see them.
func (c *BoardChannel) me() Person {
	user, _ := c.User().Value.(token.User)
	return Person{user.ID, user.Name}
}

// HasPermission is for members. It is asked again when a membership changes.
func (c *BoardChannel) HasPermission(ctx context.Context) (bool, error) {
	role, err := c.role(ctx)
	return role != "", err
}

// OnConnect shows the user to the others.
func (c *BoardChannel) OnConnect(ctx context.Context) error {
	if err := c.startReading(ctx); err != nil {
		return err
	}
	return c.Present(ctx, c.group(), c.me())
}

// OnViewers is told who is there.
func (c *BoardChannel) OnViewers(_ context.Context, p pando.Presence[Person]) error {
	return c.SetRuntime(func(r *BoardRuntime) { r.Viewers = p.Infos() })
}

// OnDisconnect forgets who types.
func (c *BoardChannel) OnDisconnect(context.Context) {
	for _, timer := range c.quiet {
		timer.Stop()
	}
}

// CanSaveBoard lets owners rename the board.
func (c *BoardChannel) CanSaveBoard(ctx context.Context, _ Board, _ pando.Data[Board]) error {
	return c.owns(ctx)
}

// CanDeleteBoard lets owners delete the board with all that is on it.
func (c *BoardChannel) CanDeleteBoard(ctx context.Context, _ Board) error { return c.owns(ctx) }

// AddMember lets another user see the board, and change it as the role says.
func (c *BoardChannel) AddMember(ctx context.Context, tx *sql.Tx, username string, role Role) error {
	if err := c.owns(ctx); err != nil {
		return err
	}
	if err := (&Member{Role: role}).Validate(); err != nil {
		return err
	}
	user, err := userID(ctx, tx, strings.TrimSpace(username))
	if errors.Is(err, sql.ErrNoRows) {
		return pando.Invalid("username", "nobody here is called %q", username)
	}
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO board_members (board_id, user_id, role) VALUES ($1, $2, $3)
		ON CONFLICT DO NOTHING`, c.id(), user, role)
	return err
}

// CanSaveMember lets owners give others another role.
func (c *BoardChannel) CanSaveMember(ctx context.Context, old Member, _ pando.Data[Member]) error {
	if err := c.owns(ctx); err != nil {
		return err
	}
	return spared(old, userOf(c.User()))
}

// CanDeleteMember lets owners take members away, and others leave.
func (c *BoardChannel) CanDeleteMember(ctx context.Context, old Member) error {
	if old.UserID != userOf(c.User()) {
		return c.owns(ctx)
	}
	return spared(old, old.UserID)
}

// spared keeps owners from leaving a board without one.
func spared(old Member, user int64) error {
	if old.Role == RoleOwner && old.UserID == user {
		return pando.Errorf("denied", "have another owner do that: a board needs one")
	}
	return nil
}

// edits permits to those who may change what is on the board.
func (c *BoardChannel) edits(ctx context.Context) error {
	role, err := c.role(ctx)
	if err == nil && role != RoleEditor && role != RoleOwner {
		return pando.Errorf("denied", "viewers of this board only look")
	}
	return err
}

// owns permits to owners.
func (c *BoardChannel) owns(ctx context.Context) error {
	role, err := c.role(ctx)
	if err == nil && role != RoleOwner {
		return pando.Errorf("denied", "only owners of this board do that")
	}
	return err
}

// role is the user's on the board, "" for who is no member.
func (c *BoardChannel) role(ctx context.Context) (Role, error) {
	return roleOn(ctx, c.db, c.id(), userOf(c.User()))
}

// roleOn reads a role: in the transaction of a write, if there is one.
func roleOn(ctx context.Context, db *sql.DB, board, user int64) (role Role, err error) {
	err = reader(ctx, db).QueryRowContext(ctx, `SELECT role FROM board_members WHERE board_id = $1 AND user_id = $2`,
		board, user).Scan(&role)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("look for a membership: %w", err)
	}
	return role, nil
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// reader is the transaction that ctx is in, else the database.
func reader(ctx context.Context, db *sql.DB) querier {
	if tx := pando.TxOf(ctx); tx != nil {
		return tx
	}
	return db
}
