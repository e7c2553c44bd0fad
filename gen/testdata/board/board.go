// Package board is the plain case of the generator's tests: a tree of four
// layers, actions and runtime state.
package board

import "context"

// Board is what a team works on.
type Board struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"` // shown at the top
	Lists []List `json:"lists" pando:"order:position"`
	Owner User   `json:"owner"`
}

// List is a column of cards.
type List struct {
	ID       int64   `json:"id"`
	Name     string  `json:"name"`
	Position float64 `json:"-"`
	// Cards are sorted by hand.
	Cards []*Card `json:"cards" pando:"order:position"`
}

// Card is one thing to do.
//
// It may be done.
type Card struct {
	ID       int64   `json:"id"`
	Title    string  `json:"title"`
	Done     bool    `json:"done"`
	Position float64 `json:"position"`
	ListID   int64   `json:"list_id"`
	Assignee *User   `json:"assignee"`
}

// User is a person.
type User struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// BoardRuntime is what one open board knows besides its rows.
type BoardRuntime struct {
	// Viewers counts the people who look at the board.
	Viewers int      `json:"viewers"`
	Names   []string `json:"names"`
}

// BoardChannel shows a board to its members.
type BoardChannel struct{}

// MoveCard puts a card into a list, at a position among its cards.
func (*BoardChannel) MoveCard(_ context.Context, card, list int64, position float64) error {
	_, _, _ = card, list, position
	return nil
}

// Rename gives the board another name.
func (*BoardChannel) Rename(_ context.Context, name string) error {
	_ = name
	return nil
}
