// Package world is what a simulation plays with: a small application with its
// tables, and random transactions over them.
package world

import (
	"context"

	"github.com/pando-sync/pando"
)

// User is shared by boards, cards and comments.
type User struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Label has a key of text.
type Label struct {
	Code  string `json:"code"  pando:"key"`
	Color string `json:"color"`
}

// Cover has a UUID for a key; of several the heaviest is a card's.
type Cover struct {
	ID     [16]byte `json:"id"`
	URL    string   `json:"url"`
	Weight int64    `json:"-"`
}

// Comment is the fourth layer.
type Comment struct {
	ID     int64  `json:"id"`
	Body   string `json:"body"`
	Author *User  `json:"author"`
}

// Card is the third layer, with every kind of relation.
type Card struct {
	ID       int64     `json:"id"`
	Title    string    `json:"title"`
	Position *float64  `json:"-"`
	Done     bool      `json:"done"`
	Estimate *float64  `json:"estimate"`
	Label    *Label    `json:"label"    pando:"link:label_code"`
	Assignee *User     `json:"assignee"`
	Cover    *Cover    `json:"cover"    pando:"hasone,order:-weight"`
	Comments []Comment `json:"comments"`
}

// List is the second layer.
type List struct {
	ID       int64    `json:"id"`
	Name     string   `json:"name"`
	Position *float64 `json:"-"`
	Cards    []Card   `json:"cards" pando:"order:position"`
}

// Board is the anchor of the large tree.
type Board struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Owner *User  `json:"owner"`
	Lists []List `json:"lists" pando:"order:position"`
}

// Person is the anchor of a tree over the same tables that goes the other way:
// down to the cards of a user, and from there up to their boards.
type Person struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Tasks []Task `json:"tasks" pando:"link:assignee_id,order:position"`
}

// TableName implements the schema's hook.
func (Person) TableName() string { return "users" }

// Task is a card as its assignee sees it.
type Task struct {
	ID       int64    `json:"id"`
	Title    string   `json:"title"`
	Position *float64 `json:"-"`
	List     *Shelf   `json:"list"`
}

// TableName implements the schema's hook.
func (Task) TableName() string { return "cards" }

// Shelf is a list without its cards.
type Shelf struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Board *Title `json:"board"`
}

// TableName implements the schema's hook.
func (Shelf) TableName() string { return "lists" }

// Title is a board's name.
type Title struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// TableName implements the schema's hook.
func (Title) TableName() string { return "boards" }

type boardChannel struct {
	pando.Channel[Board, pando.NoRuntime]
}

func (*boardChannel) HasPermission(context.Context) (bool, error) { return true, nil }

type personChannel struct {
	pando.Channel[Person, pando.NoRuntime]
}

func (*personChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// Declare declares the channels "boards/{id}" and "people/{id}".
func Declare(app *pando.App) {
	app.Handle("boards/{id}", pando.For(func() *boardChannel { return &boardChannel{} }, pando.Public()))
	app.Handle("people/{id}", pando.For(func() *personChannel { return &personChannel{} }, pando.Public()))
}

// Routes are what clients open. Of boards 4 and 5 and of person 6 only the
// numbers exist, until a transaction makes them.
var Routes = []string{
	"boards/1", "boards/2", "boards/3", "boards/4", "boards/5",
	"people/1", "people/2", "people/6",
}
