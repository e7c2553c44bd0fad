// Package mounting is the code of docs/guides/mounting.md: an app in the middle
// of what a program has already. It is a module of its own, so that routers and
// ORMs are no dependencies of the library.
package mounting

import (
	"context"
	"database/sql"
	"log/slog"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
)

// Note is all that this app shows.
type Note struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

// NoteChannel shows one note.
type NoteChannel struct {
	pando.Channel[Note, pando.NoRuntime]
}

// HasPermission lets everybody in who has logged in.
func (c *NoteChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// Who returns the caller's id.
func (c *NoteChannel) Who(context.Context) (string, error) { return c.User().ID, nil }

// New returns the app over the program's own database, sessions and logger.
func New(db *sql.DB, log *slog.Logger) (*pando.App, error) {
	app, err := pando.New(pando.Config{
		Source: sqlitefeed.New(db, sqlitefeed.WithLogger(log)),
		Auth:   Sessions(db),
		Logger: log.With("part", "pando"),
	})
	if err != nil {
		return nil, err
	}
	app.Handle("notes/{note_id}", pando.For(
		func() *NoteChannel { return &NoteChannel{} },
		pando.Actions((*NoteChannel).Who),
	))
	return app, nil
}
