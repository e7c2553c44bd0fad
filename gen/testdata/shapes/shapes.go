// Package shapes is the case of the generator's tests for values that travel as
// encoding/json writes them: nothing, embedded structs, generic and recursive
// types, maps and arrays.
package shapes

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/netip"
	"time"
)

// Thing is the row.
type Thing struct {
	ID int64 `json:"id"`
	// Parts are stored as JSON.
	Parts []Part `json:"parts" pando:"kind:json"`
}

// Nothing tells what may be null, and what may be left out.
type Nothing struct {
	Pointer       *int            `json:"pointer"`
	PointerEmpty  *int            `json:"pointer_empty,omitempty"`
	PointerZero   *int            `json:"pointer_zero,omitzero"`
	Slice         []int           `json:"slice"`
	SliceEmpty    []int           `json:"slice_empty,omitempty"`
	Map           map[string]*int `json:"map"`
	MapZero       map[string]int  `json:"map_zero,omitzero"`
	Bytes         []byte          `json:"bytes"`
	Struct        Part            `json:"struct,omitempty"` // is never empty
	StructZero    Part            `json:"struct_zero,omitzero"`
	Fixed         [2]int          `json:"fixed,omitempty"` // is never empty
	Null          sql.NullString  `json:"null"`
	NullOf        sql.Null[int64] `json:"null_of"`
	Interface     any             `json:"interface"`
	Quoted        int64           `json:"quoted,string"`
	QuotedPointer *int64          `json:"quoted_pointer,string"`
	QuotedSlice   []int64         `json:"quoted_slice,string"` // the option has no effect
	BadName       int             `json:"bad'name"`
	Dash          int             `json:"-,"`
	Left          int             `json:"-"`
	hidden        int
}

// Hidden keeps the compiler from calling the field unused.
func (n Nothing) Hidden() int { return n.hidden }

// Part is a piece.
type Part struct {
	Weight float64 `json:"weight"` // in grams
}

// Base has what others promote.
type Base struct {
	ID   int64  `json:"id"`
	Name string `json:"name"` // of Base
	Same int
}

// Other has a field of a name that Base has.
type Other struct {
	Same  int
	Other bool `json:"other"`
}

type inner struct {
	Deep string `json:"deep"` // of a type that is not exported
}

type word string

// Embeds has the fields of others.
type Embeds struct {
	Base
	*Other
	inner
	Part `json:"part"`
	word
	Name string `json:"name"` // of Embeds
	Word
}

// Word is embedded under its name.
type Word string

// Bare keeps the compiler from calling the field unused.
func (e Embeds) Bare() word { return e.word }

// Page is a part of a list.
//
// It has a cursor.
type Page[T any] struct {
	Items []T    `json:"items"` // at most a hundred
	Next  string `json:"next,omitempty"`
}

// Pair is two values.
type Pair[A, B any] struct {
	First  A `json:"first"`
	Second B `json:"second"`
}

// Tree is made of itself.
type Tree struct {
	Value    string           `json:"value"`
	Children []Tree           `json:"children,omitempty"`
	ByName   map[string]*Tree `json:"by_name"`
}

// Folder is a map of itself.
type Folder map[string]Folder

// Nest is a list of itself.
type Nest []Nest

// Grid is a name for what it is made of.
type Grid [][]float64

// Many has the rest.
type Many struct {
	Pair    [2]float64         `json:"pair"`
	Matrix  [16]float64        `json:"matrix"`
	Octets  [4]byte            `json:"octets"`
	Long    [20]byte           `json:"long"`
	Raw     json.RawMessage    `json:"raw"`
	Number  json.Number        `json:"number"`
	Address netip.Addr         `json:"address"`
	At      time.Time          `json:"at"`
	Until   *time.Time         `json:"until,omitempty"` // exclusive
	Times   []time.Time        `json:"times"`
	Wait    time.Duration      `json:"wait"`
	ByID    map[int64]Part     `json:"by_id"`
	ByAddr  map[netip.Addr]int `json:"by_addr"`
	Grid    Grid               `json:"grid"`
	Folder  Folder             `json:"folder"`
	Nest    Nest               `json:"nest"`
	Inline  struct {
		X int  `json:"x"`
		Y *int `json:"y"`
	} `json:"inline"`
	Empty struct{} `json:"empty"`
}

// ThingChannel shows a thing.
type ThingChannel struct{}

// Nothing is what may be missing.
func (*ThingChannel) Nothing(context.Context, Nothing) (Nothing, error) { return Nothing{}, nil }

// Embeds is what is promoted.
func (*ThingChannel) Embeds(context.Context) (*Embeds, error) { return nil, nil }

// Pages are generic.
func (*ThingChannel) Pages(_ context.Context, pair Pair[string, []Part]) (Page[Part], error) {
	_ = pair
	return Page[Part]{}, nil
}

// More pages.
func (*ThingChannel) More(context.Context) (Page[Pair[*Part, map[string]int]], error) {
	return Page[Pair[*Part, map[string]int]]{}, nil
}

// Recur returns what is made of itself.
func (*ThingChannel) Recur(context.Context) (Tree, error) { return Tree{}, nil }

// Rest returns the rest.
func (*ThingChannel) Rest(_ context.Context, at []time.Time, grid Grid) (Many, error) {
	_, _ = at, grid
	return Many{}, nil
}

// Same returns the type of the rows, as encoding/json writes it.
func (*ThingChannel) Same(context.Context) (Thing, error) { return Thing{}, nil }
