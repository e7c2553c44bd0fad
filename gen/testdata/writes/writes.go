// Package writes is the case of the generator's tests for what clients may
// write: in trees and lists, below themselves, fields that are never sent, and
// actions that are applied once.
package writes

import (
	"context"
	"database/sql"
	"time"
)

// Status is where a card stands.
type Status string

// The statuses.
const (
	Open Status = "open"
	Done Status = "done"
)

// Board is what a team works on.
type Board struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Lists []List `json:"lists"`
	Loose []Card `json:"loose"` // cards in no list
}

// List is a column of cards.
type List struct {
	ID       int64  `json:"id"`
	Title    string `json:"title"`
	Cards    []Card `json:"cards" pando:"filter:archived=false"`
	Archived []Card `json:"archived" pando:"filter:archived=true"`
}

// Card is one thing to do.
type Card struct {
	ID int64 `json:"id"`
	// Title is shown in bold.
	Title     string            `json:"title"`
	Status    Status            `json:"status"`
	Points    int               `json:"points"`
	Big       uint64            `json:"big" pando:"string"`
	Due       *time.Time        `json:"due"`
	CreatedAt time.Time         `json:"created_at" pando:"readonly"`
	Photo     []byte            `json:"photo"`
	Tags      []string          `json:"tags"`
	Extra     map[string]string `json:"extra"`
	Archived  bool              `json:"archived"`
	ListID    *int64            `json:"list_id"`
	BoardID   *int64            `json:"-"`
	// Pin opens the card to others.
	Pin      string `json:"pin" pando:"writeonly"`
	Assignee *User  `json:"assignee"` // who does it
	Reporter User   `json:"reporter"`
	Notes    []Note `json:"notes"`
}

// User is a person, known by a name.
type User struct {
	Login string `json:"login" pando:"key"`
	Name  string `json:"name"`
}

// Note is a remark, with remarks on it.
type Note struct {
	ID      int64   `json:"id"`
	Text    string  `json:"text"`
	NoteID  *int64  `json:"-"`
	Replies []*Note `json:"replies" pando:"depth:2"`
}

// BoardChannel shows a board to its members.
type BoardChannel struct{}

// AddCard puts a card into a list, once.
func (*BoardChannel) AddCard(_ context.Context, tx *sql.Tx, list int64, title string) (int64, error) {
	_, _, _ = tx, list, title
	return 0, nil
}

// Remind sends a mail.
func (*BoardChannel) Remind(_ context.Context, at time.Time) error {
	_ = at
	return nil
}

// CardsChannel lists the open cards of one user.
type CardsChannel struct{}

// LabelsChannel has an action that is applied once, and nothing to write.
type LabelsChannel struct{}

// Clear removes all labels.
func (*LabelsChannel) Clear(_ context.Context, tx *sql.Tx) error {
	_ = tx
	return nil
}

// Label marks cards.
type Label struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}
