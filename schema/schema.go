package schema

import (
	"reflect"
	"slices"
)

// Table is one SQL table as all declared types together read it.
type Table struct {
	// ID is the table's place in Registry.Tables.
	ID int
	// Name is the table's name in SQL, unquoted.
	Name string
	// Key is the index in Columns of the primary key. A key of several columns
	// is a tuple of them.
	Key int
	// Columns are all columns that any type needs: sent, linking, ordering,
	// filtering, and those that are derived from others.
	Columns []Column
	// Links are the indexes in Columns of the columns by which a layer over
	// this table finds its rows from above, ascending.
	Links []int
	// Whole tells that the feed has to carry the rows as they were before they
	// changed: see Registry.Whole.
	Whole bool
	// Watched are the indexes in Columns of what changes of the table are looked at
	// for without a layer over it: see Registry.Watch.
	Watched []int
	// Filled are the stored columns that get a value in rows which are inserted with
	// no others, nil where none are: see Registry.Between. Setup of a source refuses
	// a table of which another column must have a value and has no default.
	Filled []int
}

// Column is one column that is read, or derived from what is read.
type Column struct {
	Name     string
	Kind     Kind
	Nullable bool
	// Compared tells that conditions, orders or audiences go by the column's
	// values, so that the database has to compare them as Value does.
	Compared bool
	// Parts are the columns that a tuple is made of; nil for every other column.
	// The tuple of no columns is the same for every row: lists without an
	// equality find their rows by it.
	Parts []int
	// Compute makes the value of a row's stored columns; nil for every other
	// column. It is pure.
	Compute func(Row) Value
	// Aggregate makes the value of related rows, kept by the router; nil for
	// every other column.
	Aggregate *Aggregate
}

// Derived tells whether the database has no such column.
func (c *Column) Derived() bool {
	return c.Parts != nil || c.Compute != nil || c.Aggregate != nil
}

// Aggregate is a value made of a row and of rows that are related to it.
type Aggregate struct {
	// Sources are the related rows. Every layer whose type sends the aggregate
	// has a hidden layer below it for each of them, in this order; for several
	// aggregates in the order of Type.Fields.
	Sources []Source
	// Value makes the value; related has each source's rows, in the order of
	// their keys. It is pure and does not keep the slices.
	Value func(row Row, related [][]Row) Value
}

// Source is the rows of a table whose Link holds the key of a row of another,
// and which meet Where, whose conditions are constant.
type Source struct {
	Table *Table
	Link  int
	Where []Condition
}

// Complete fills the tuples and the computed columns of a row of which the
// stored columns are set, and returns it. Aggregates stay NULL.
func (t *Table) Complete(row Row) Row {
	for i := range t.Columns {
		switch c := &t.Columns[i]; {
		case c.Parts != nil:
			row[i] = tupleOf(row, c.Parts)
		case c.Compute != nil:
			row[i] = c.Compute(row)
		}
	}
	return row
}

// tupleOf is NULL when one of the parts is.
func tupleOf(row Row, parts []int) Value {
	var b []byte
	for _, p := range parts {
		if row[p].IsNull() {
			return Value{}
		}
		b = row[p].appendPart(b)
	}
	return Value{kind: Tuple, str: string(b)}
}

// Type is an instance type: one Go struct over a table. Two structs over one
// table are two types.
type Type struct {
	// ID is the type's place in Registry.Types, announced in hello.
	ID int
	// Name is unique in the registry: the struct's name, with its package's
	// name before it where two packages use the same ("billing.Item"). A type
	// that shows only places begins with '@', and one that is read only for
	// computed fields, and never sent, with '#'.
	Name   string
	GoType reflect.Type
	Table  *Table
	// Fields are what a frame carries of a row, in this order: the exported
	// fields in the struct's order, then hidden ones.
	Fields []Field
	// WriteOnly are the fields that a client may write and is never sent.
	WriteOnly []Field
	// Links are the belongs-to relations by the keys of what they lead to; of a
	// Model only, as a tree has layers for them.
	Links []Field
	// Key is the index in Fields of the key, which is always sent.
	Key int

	// decl is nil for the types that show places only.
	decl *decl
}

// Field is one value of an instance on the wire.
type Field struct {
	// Name is the name on the wire and in TypeScript. A hidden field's name is
	// '@' and its column: a link or order column that the struct does not
	// declare, which the client needs to place the row and never shows.
	Name   string
	Hidden bool
	// Column is the index in Table.Columns.
	Column int
	Kind   Kind
	// Parts are the kinds of what a tuple is made of; nil for every other kind.
	Parts []Kind
	// Nullable is exact: the Go field is a pointer or a sql.Null type.
	Nullable bool
	// AsString tells that an Int travels as a JSON string: keys, links, and
	// columns tagged string.
	AsString bool
	// Link is the type that the field's value is a key of: the key itself, or
	// the target of a relation; nil for plain columns. It brands the id.
	Link *Type
	// ReadOnly tells that no client may write the field. Computed fields are
	// read-only.
	ReadOnly bool
	// GoType and GoName are the struct field's; empty for hidden fields.
	GoType reflect.Type
	GoName string

	// made tells what a derived field is made by, as its tag does.
	made string
	// computed is where Decode puts a value that the struct has no column for.
	computed *slot
}

// Relation is how a layer's rows are found from the layer above.
type Relation uint8

// The relations.
const (
	// Root is the relation of the first layer: the anchor.
	Root Relation = iota
	// BelongsTo: parent.Link = key of this layer's row; at most one row.
	BelongsTo
	// HasMany: this layer's Link = key of the parent; rows in Order.
	HasMany
	// HasOne is HasMany of which the first row in Order is shown.
	HasOne
	// List is the relation of the first layer of a list: the rows that meet its
	// conditions, in Order. Its type shows a row's place only; the row itself
	// is the target of its Through layer, over the same table and key.
	List
)

var relationNames = [...]string{"root", "belongsTo", "hasMany", "hasOne", "list"}

// String is the name that the TypeScript models use.
func (r Relation) String() string { return relationNames[r] }

// Forward tells whether the link column stands in the parent's table.
func (r Relation) Forward() bool { return r == BelongsTo }

// Layer is one node of the state tree.
type Layer struct {
	// Index is the layer's place in Tree.Layers; a parent comes before its
	// children.
	Index int
	// Path names the layer from the root in wire names: "", "lists",
	// "lists.cards".
	Path string
	// Name is the relation's wire name in the parent, GoName the field's there;
	// both are empty for the root.
	Name, GoName string

	Type     *Type
	Parent   *Layer
	Relation Relation
	// Link is a column's index: in the parent's table for BelongsTo, in this
	// layer's table for HasMany, HasOne and List. Unused for the root.
	Link int
	// Order sorts the rows of HasMany, HasOne and List; the key, ascending, is
	// always the last criterion and is not listed. A layer with Through that has
	// no Order is sorted by the Order of the Through layer and by its rows'
	// keys, then by its own.
	Order []Order
	// Where are the conditions that a row meets while it is of the layer. A row
	// that meets them not is as if it were not there, with all below it.
	Where []Condition
	// UserKey is the column that names the only user who is sent the layer's
	// rows and what they lead to, -1 for a layer that all see.
	UserKey int
	// Hidden tells that the layer's rows are never sent: they are read for the
	// aggregates of the layer above.
	Hidden bool
	// Through is the child layer, a BelongsTo, whose row is shown in the place
	// of each of this layer's rows; a row without one is not shown. It makes
	// many-to-many relations and lists. Else nil.
	Through *Layer
	// Members are the fields and child layers in the order of the struct, the
	// order of /state and of the TypeScript interface. Hidden fields are left
	// out.
	Members  []Member
	Children []*Layer
}

// Shown is the layer whose rows are seen in the layer's place: the layer
// itself, or the one behind the rows that only say where others stand.
func (l *Layer) Shown() *Layer {
	for l.Through != nil {
		l = l.Through
	}
	return l
}

// Order is one criterion of a layer's order.
type Order struct {
	// Column is an index in the layer's Table.Columns.
	Column int
	Desc   bool
}

// Member is one property of the nested state: a field or a child layer.
type Member struct {
	// Field is an index in Type.Fields, or -1 when Layer is set.
	Field int
	Layer *Layer
}

// Tree is the declared shape of one channel's state.
type Tree struct {
	Root *Layer
	// Layers are all layers, parents before children, hidden ones too.
	Layers []*Layer
	// Env names the values that the conditions of the layers read of a stream.
	Env []EnvVar
	// Limit is the number of rows that a list shows at most, 0 for all.
	Limit int

	// everywhere names the columns that EveryLayer asks for.
	everywhere []string
}

// ListValues are the values of Root.Link that the rows of a list have: those
// that its equalities, or the operands of its first In, ask for. They are
// distinct, and none when no row can meet the conditions.
func (t *Tree) ListValues(env []Value) []Value {
	table := t.Root.Type.Table
	parts := table.Columns[t.Root.Link].Parts
	if parts == nil {
		return t.valuesOf(t.Root.Link, env)
	}
	values := make([]Value, len(parts))
	for i, p := range parts {
		one := t.valuesOf(p, env)
		if len(one) == 0 {
			return nil
		}
		values[i] = one[0]
	}
	return []Value{TupleValue(values...)}
}

// valuesOf are the values that a condition on the column of a list allows.
func (t *Tree) valuesOf(column int, env []Value) []Value {
	var values []Value
	for i := range t.Root.Where {
		c := &t.Root.Where[i]
		if c.Column != column || c.Op != Eq && c.Op != In {
			continue
		}
		for _, o := range c.Operands {
			if v := o.In(env); !v.IsNull() && !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		return values
	}
	return nil
}

// Registry holds every table and type that an app declares. It is filled at
// start-up by one goroutine and only read afterwards. It only grows, but later
// trees may add columns to its tables and hidden fields to its types, make a
// field a link, and prefix a type's name: what is derived from it (frames,
// hashes, generated files) is made once all trees are in.
type Registry struct {
	Tables []*Table
	Types  []*Type
	// Mapper, unless nil, tells how models are stored. It is set before trees are
	// read.
	Mapper Mapper
	// Fault is told once of each computed field whose method panicked, or
	// returned what its kind cannot hold; its value is NULL then. It is set
	// before rows are read, and called by whatever goroutine completes a row.
	Fault func(error)

	decls map[reflect.Type]*decl
	// declared are the same in the order in which they were read.
	declared []*decl
	// origins names the field that declared each column, for messages.
	origins map[*Table][]string
	// models are the types that Model has returned.
	models map[reflect.Type]*Type
	// assumed are the tables whose key no struct has told yet: it is taken for
	// the links of the many-to-many relation that goes through them.
	assumed map[*Table]bool
}
