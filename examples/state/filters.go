package state

import (
	"time"

	"github.com/pando-sync/pando"
)

// Board shows some of its cards.
type Board struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Closed bool   `json:"-"`
	Cards  []Card `json:"cards" pando:"filter:status!=archived|spam"`
	Mine   []Card `json:"mine" pando:"filter:assignee_id=$user,filter:status=$status"`
}

// Card is deleted softly: its row stays.
type Card struct {
	ID         int64      `json:"id"`
	Title      string     `json:"title"`
	Status     string     `json:"-"`
	AssigneeID int64      `json:"-"`
	DeletedAt  *time.Time `json:"-" bun:",soft_delete"`
}

// BoardChannel shows one open board, with the user's cards of one status beside it.
type BoardChannel struct {
	pando.Channel[Board, pando.NoRuntime]
	everyone
}

func filters(app *pando.App) {
	app.Handle("boards/{board_id}/mine/{status}", pando.For(
		func() *BoardChannel { return &BoardChannel{} },
		pando.AnchorBy("board_id"),
		pando.Where("closed", pando.Eq(false)),
	))
}
