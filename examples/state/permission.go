package state

import (
	"context"
	"database/sql"

	"github.com/pando-sync/pando"
)

// Room is shown to those who are let in.
type Room struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Guest lets a user into a room. It is part of no state.
type Guest struct {
	ID     int64
	RoomID int64
	UserID int64
}

// RoomChannel shows a room to its guests.
type RoomChannel struct {
	pando.Channel[Room, pando.NoRuntime]

	db *sql.DB
}

// HasPermission is asked before anything is read or sent, and again when a
// guest of the room comes or goes.
func (c *RoomChannel) HasPermission(ctx context.Context) (ok bool, err error) {
	err = c.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM guests WHERE room_id = ? AND user_id = ?)`,
		c.Args().Int("room_id"), c.User().ID).Scan(&ok)
	return ok, err
}

func permissions(app *pando.App, db *sql.DB) {
	app.Handle("rooms/{room_id}", pando.For(
		func() *RoomChannel { return &RoomChannel{db: db} },
		pando.RecheckOn[Guest]("room_id"),
	))
}
