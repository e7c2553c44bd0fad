// Package model describes a simulated application as plain data: its tables,
// and the live trees over them. The SQL, the Go types and the oracle's nesting
// are all made from it, each by code of its own, so that a mistake in one does
// not hide in another.
package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Kind is what a column holds.
type Kind string

// The kinds. A BigInt travels as a string of digits.
const (
	Int    Kind = "int"
	BigInt Kind = "bigint"
	Bool   Kind = "bool"
	Float  Kind = "float"
	Text   Kind = "text"
	UUID   Kind = "uuid"
	Time   Kind = "time"
	Bytes  Kind = "bytes"
	JSON   Kind = "json"
)

// Database is what kind of database holds the tables.
type Database string

// The databases.
const (
	SQLite   Database = ""
	Postgres Database = "postgres"
)

// Schema is one application.
type Schema struct {
	Database Database `json:"database,omitempty"`
	// ForeignKeys has links checked at the commit. Without them links may
	// dangle.
	ForeignKeys bool `json:"foreign_keys"`
	// Recursive sets recursive_triggers, which decides what a REPLACE fires.
	Recursive bool `json:"recursive"`
	// Fat makes texts of kilobytes.
	Fat      bool       `json:"fat"`
	Tables   []*Table   `json:"tables"`
	Channels []*Channel `json:"channels"`
}

// Table is one SQL table.
type Table struct {
	Name string `json:"name"`
	// Key are the columns of the primary key, in its order.
	Key     []string  `json:"key"`
	Columns []*Column `json:"columns"`
	// Indexes are the columns that have an index.
	Indexes []string `json:"indexes,omitempty"`
	// Trigger is the table whose rows count up this table's column "n", by a
	// trigger of the application's own: a link of that table, "" for none.
	Trigger *Trigger `json:"trigger,omitempty"`
	// Touch is a column that a trigger counts up in every row whose mark is
	// changed, "" for none.
	Touch string `json:"touch,omitempty"`
}

// Trigger changes Table's Column of the row that Link names after an insert.
type Trigger struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	Link   string `json:"link"`
}

// Column is one column.
type Column struct {
	Name     string `json:"name"`
	Kind     Kind   `json:"kind"`
	Nullable bool   `json:"nullable,omitempty"`
	Unique   bool   `json:"unique,omitempty"`
	// References is the table whose key the column holds, "" for none; a link to
	// a key of several columns is several columns, with the same Link.
	References string `json:"references,omitempty"`
	Cascade    bool   `json:"cascade,omitempty"`
	// Marked columns hold texts that exist nowhere else, by which a frame that
	// should not have them is told. Those that are Secret are never sent.
	Marked bool `json:"marked,omitempty"`
	Secret bool `json:"secret,omitempty"`
}

// Channel is one declared tree.
type Channel struct {
	// Params are the route's parameters before the anchor's key.
	Params []string `json:"params,omitempty"`
	Root   *Layer   `json:"root"`
	// List makes the state an array.
	List bool `json:"list,omitempty"`
	// Limit bounds a list, 0 for no bound.
	Limit int `json:"limit,omitempty"`
	// Tenant is the column that every layer compares with the user's tenant, ""
	// for none.
	Tenant string `json:"tenant,omitempty"`
	// Writable is what clients may write.
	Writable []*Writable `json:"writable,omitempty"`
}

// Layer is one node of a tree.
type Layer struct {
	Name     string   `json:"name,omitempty"`
	Table    string   `json:"table"`
	Relation Relation `json:"relation"`
	// Link are columns of the parent's table for BelongsTo, of the through table
	// for ManyToMany, else of this one.
	Link    []string    `json:"link,omitempty"`
	Through *Through    `json:"through,omitempty"`
	Order   []Order     `json:"order,omitempty"`
	Where   []Condition `json:"where,omitempty"`
	// UserKey is the column that names the only user who sees a row.
	UserKey string `json:"user_key,omitempty"`
	// Fields are the columns that are sent, in order.
	Fields   []string   `json:"fields"`
	Computed []Computed `json:"computed,omitempty"`
	Layers   []*Layer   `json:"layers,omitempty"`
	// Shared exempts the layer from the channel's tenant.
	Shared bool `json:"shared,omitempty"`
	// Struct names a struct that is written by hand, "" for one made at run time.
	Struct string `json:"struct,omitempty"`
	// Depth repeats the parent below itself so many times: the layer has nothing
	// of its own but its name, relation, link and order.
	Depth int `json:"depth,omitempty"`
}

// Relation is how a layer's rows are found from the layer above.
type Relation string

// The relations.
const (
	Root       Relation = "root"
	BelongsTo  Relation = "belongs to"
	HasOne     Relation = "has one"
	HasMany    Relation = "has many"
	ManyToMany Relation = "many to many"
)

// Through is the table between two others.
type Through struct {
	Table  string      `json:"table"`
	Target []string    `json:"target"`
	Order  []Order     `json:"order,omitempty"`
	Where  []Condition `json:"where,omitempty"`
}

// Order is one criterion.
type Order struct {
	Column string `json:"column"`
	Desc   bool   `json:"desc,omitempty"`
}

// Condition compares a column with operands.
type Condition struct {
	Column   string    `json:"column"`
	Op       string    `json:"op"` // =, !=, <, <=, >, >=, in, null, not null
	Operands []Operand `json:"operands,omitempty"`
}

// Operand is a constant, or the name of what a stream brings: "$user", or "$"
// and a parameter of the route.
type Operand struct {
	Text string `json:"text,omitempty"`
	Env  string `json:"env,omitempty"`
}

// Computed is a field that is made of others: Func is count, sum, min or max
// of the rows of Table whose Link is the row's key, or size or quoted, which
// are made of the row's mark.
type Computed struct {
	Name   string      `json:"name"`
	Func   string      `json:"func"`
	Table  string      `json:"table"`
	Link   string      `json:"link"`
	Column string      `json:"column,omitempty"`
	Where  []Condition `json:"where,omitempty"`
}

// Table finds a table.
func (s *Schema) Table(name string) *Table {
	for _, t := range s.Tables {
		if t.Name == name {
			return t
		}
	}
	panic("model: no table " + name)
}

// Has tells whether there is such a table.
func (s *Schema) Has(name string) bool {
	return slices.ContainsFunc(s.Tables, func(t *Table) bool { return t.Name == name })
}

// Index is a column's place in the table.
func (t *Table) Index(column string) int {
	i := slices.IndexFunc(t.Columns, func(c *Column) bool { return c.Name == column })
	if i < 0 {
		panic(fmt.Sprintf("model: table %s has no column %s", t.Name, column))
	}
	return i
}

// Column finds a column.
func (t *Table) Column(name string) *Column { return t.Columns[t.Index(name)] }

// Joins tells whether the table's key is two links.
func (t *Table) Joins() bool { return len(t.Key) == 2 && t.Column(t.Key[0]).References != "" }

// Plain are the columns that are neither key nor link nor marked.
func (t *Table) Plain() []*Column {
	var plain []*Column
	for _, c := range t.Columns {
		if !slices.Contains(t.Key, c.Name) && c.References == "" && !c.Marked && !c.Unique {
			plain = append(plain, c)
		}
	}
	return plain
}

// Links are the columns that hold keys of other rows; the parts of one link
// stand together.
func (t *Table) Links() [][]string {
	var links [][]string
	for i := 0; i < len(t.Columns); i++ {
		c := t.Columns[i]
		if c.References == "" {
			continue
		}
		link := []string{c.Name}
		base, part, _ := strings.Cut(c.Name, "__")
		for part != "" && i+1 < len(t.Columns) && strings.HasPrefix(t.Columns[i+1].Name, base+"__") {
			i++
			link = append(link, t.Columns[i].Name)
		}
		links = append(links, link)
	}
	return links
}

// Walk calls fn for a layer and all below it.
func (l *Layer) Walk(fn func(l *Layer)) {
	fn(l)
	for _, child := range l.Layers {
		child.Walk(fn)
	}
}

// Clone is a deep copy.
func (s *Schema) Clone() *Schema {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	c := new(Schema)
	if err := json.Unmarshal(text, c); err != nil {
		panic(err)
	}
	return c
}
