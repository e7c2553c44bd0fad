// Package kitchen is the odd case of the generator's tests: every kind of
// column and argument, and names that TypeScript has its own ideas about.
package kitchen

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// Level is how hot it is. It may end a comment: */
type Level string

// The levels.
const (
	Low  Level = "low"
	High Level = `it's "high"`
)

// Stamps are columns of every table.
type Stamps struct {
	CreatedAt time.Time `json:"created_at"` // set once
}

// Record has a name that TypeScript's library uses.
type Record struct {
	ID [16]byte `json:"id"`
	Stamps
	Level    Level             `json:"level"`
	Previous *Level            `json:"previous"`
	Last     sql.Null[Level]   `json:"last"`
	Note     sql.NullString    `json:"note"`
	Count    int32             `json:"count"`
	Big      uint64            `json:"big" pando:"string"`
	Ratio    *float32          `json:"ratio"`
	Blob     []byte            `json:"blob"`
	Raw      json.RawMessage   `json:"raw"`
	Tags     []string          `json:"tags"`
	Matrix   [][]*float64      `json:"matrix"`
	Extra    map[string]Option `json:"extra"`
	Options  *Option           `json:"options" pando:"kind:json"`
	Odd      bool              `json:"is-odd"`
	Parent   Parent            `json:"parent"`
	Sibling  *Parent           `json:"sibling"`
	Detail   Detail            `json:"detail" pando:"hasone"`
	ParentID sql.NullString    `json:"parent_id"`
}

// Option is stored as JSON.
type Option struct {
	Name string    `json:"name"`
	At   time.Time `json:"at,omitzero"`
	Sub  []Option  `json:"sub,omitempty"`
}

// Parent has a text key.
type Parent struct {
	Code string `json:"code" pando:"key"`
}

// Detail belongs to one record.
type Detail struct {
	ID int64 `json:"id"`
}

// Query is an argument and a result.
type Query struct {
	Text  string   `json:"text"`
	Limit int64    `json:"limit,string"`
	Words []string `json:"words"`
	Paging
	hidden int
}

// Paging is embedded.
type Paging struct {
	After *string `json:"after"`
}

// Hidden keeps the compiler from calling the field unused.
func (q Query) Hidden() int { return q.hidden }

// Hit is a result.
type Hit struct {
	Record string
	Score  float64
	Where  []struct{ From, To int }
	Query  *Query
}

// KitchenChannel has one of everything.
type KitchenChannel struct{}

// Search finds what a query asks for.
func (*KitchenChannel) Search(_ context.Context, query Query, new bool, _ []int64) ([]Hit, error) {
	_, _ = query, new
	return nil, nil
}

// Many has more parameters than fit into one line.
func (*KitchenChannel) Many(_ context.Context, firstParameter int64, secondParameter *int64, thirdParameter []byte, fourthParameter Level, fifthParameter map[string]any) (time.Time, error) {
	_, _, _, _, _ = firstParameter, secondParameter, thirdParameter, fourthParameter, fifthParameter
	return time.Time{}, nil
}

// ParentChannelWithAVeryLongName shows a parent alone, by two parameters.
type ParentChannelWithAVeryLongName struct{}
