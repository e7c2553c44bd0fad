package main

import (
	"context"
	"database/sql"

	"github.com/pando-sync/pando"
)

// Hit is a word of a card's title. The database keeps the words, see schema.sql.
type Hit struct {
	ID      int64      `json:"id"`
	Word    string     `json:"word"`
	BoardID int64      `json:"-"`
	Card    *FoundCard `json:"card"`
}

// TableName is where words are.
func (Hit) TableName() string { return "card_words" }

// FoundCard is a card in a list of hits; it may be archived.
type FoundCard struct {
	ID       int64     `json:"id"`
	Title    string    `json:"title"`
	Done     bool      `json:"done"`
	Archived bool      `json:"archived"`
	List     *ListName `json:"list"`
}

// TableName is where cards are.
func (FoundCard) TableName() string { return "cards" }

// ListName is the list that a found card is in.
type ListName struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// TableName is where lists are.
func (ListName) TableName() string { return "lists" }

// SearchChannel lists the words of a board's cards from one text to another: all
// that begin with "wri" are from "wri" to "wrj".
type SearchChannel struct {
	pando.List[Hit, pando.NoRuntime]

	db *sql.DB
}

// HasPermission is for members of the board.
func (c *SearchChannel) HasPermission(ctx context.Context) (bool, error) {
	role, err := roleOn(ctx, c.db, c.Args().Int("board_id"), userOf(c.User()))
	return role != "", err
}

// found are the words that a search shows.
func found() pando.Query {
	return pando.Where("board_id", pando.Eq(pando.Arg("board_id"))).
		Where("word", pando.Ge(pando.Arg("from"))).
		Where("word", pando.Lt(pando.Arg("to"))).
		OrderBy("word").Limit(20)
}
