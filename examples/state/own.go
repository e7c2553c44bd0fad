package state

import (
	"context"
	"strings"

	"github.com/pando-sync/pando"
)

// Note is somebody's.
type Note struct {
	ID      int64  `json:"id"`
	Text    string `json:"text"`
	OwnerID int64  `json:"-"`
}

// DeskChannel shows a user's notes, and others that they put beside them.
type DeskChannel struct {
	pando.List[Note, pando.NoRuntime]
	everyone
}

// Pin puts a note on the desk.
func (c *DeskChannel) Pin(ctx context.Context, id int64) error { return c.AddInstance(ctx, id) }

// Dismiss takes a note off the desk.
func (c *DeskChannel) Dismiss(ctx context.Context, id int64) error { return c.RemoveInstance(ctx, id) }

// Sweep empties the desk.
func (c *DeskChannel) Sweep(ctx context.Context) error { return c.Clear(ctx) }

// SearchChannel shows the notes that contain a word, which no condition can tell.
type SearchChannel struct {
	pando.List[Note, pando.NoRuntime]
	everyone
}

// IsVisible is asked about each row that meets the conditions.
func (c *SearchChannel) IsVisible(_ context.Context, note *Note) (bool, error) {
	return strings.Contains(note.Text, c.Args().String("word")), nil
}

func ownLists(app *pando.App) {
	app.Handle("desk", pando.For(
		func() *DeskChannel { return &DeskChannel{} },
		pando.OwnList(),
		pando.Where("owner_id", pando.Eq(pando.UserID())),
		pando.Actions((*DeskChannel).Pin, (*DeskChannel).Dismiss, (*DeskChannel).Sweep),
	))
	app.Handle("search/{word}", pando.For(func() *SearchChannel { return &SearchChannel{} }))
}
