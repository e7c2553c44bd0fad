package schema

import "reflect"

// Table is one SQL table as all declared types together read it.
type Table struct {
	// ID is the table's place in Registry.Tables.
	ID int
	// Name is the table's name in SQL, unquoted.
	Name string
	// Key is the index in Columns of the primary key.
	Key int
	// Columns are all columns that any type needs: sent, linking, ordering.
	Columns []Column
	// Links are the indexes in Columns of the columns by which a has-many or
	// has-one layer over this table finds its rows, ascending.
	Links []int
}

// Column is one column that is read.
type Column struct {
	Name     string
	Kind     Kind
	Nullable bool
}

// Type is an instance type: one Go struct over a table. Two structs over one
// table are two types.
type Type struct {
	// ID is the type's place in Registry.Types, announced in hello.
	ID int
	// Name is unique in the registry: the struct's name, with its package's
	// name before it where two packages use the same ("billing.Item").
	Name   string
	GoType reflect.Type
	Table  *Table
	// Fields are what a frame carries of a row, in this order: the exported
	// fields in the struct's order, then hidden ones.
	Fields []Field
	// Key is the index in Fields of the key, which is always sent.
	Key int
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
	// Nullable is exact: the Go field is a pointer or a sql.Null type.
	Nullable bool
	// AsString tells that an Int travels as a JSON string: keys, links, and
	// columns tagged string.
	AsString bool
	// Link is the type that the field's value is a key of: the key itself, or
	// the target of a relation; nil for plain columns. It brands the id.
	Link *Type
	// GoType and GoName are the struct field's; empty for hidden fields.
	GoType reflect.Type
	GoName string
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
)

var relationNames = [...]string{"root", "belongsTo", "hasMany", "hasOne"}

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
	// layer's table for HasMany and HasOne. Unused for the root.
	Link int
	// Order sorts the rows of HasMany and HasOne; the key, ascending, is
	// always the last criterion and is not listed.
	Order []Order
	// Members are the fields and child layers in the order of the struct, the
	// order of /state and of the TypeScript interface. Hidden fields are left
	// out.
	Members  []Member
	Children []*Layer
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
	// Layers are all layers, parents before children.
	Layers []*Layer
}

// Registry holds every table and type that an app declares. It is filled at
// start-up by one goroutine and only read afterwards. It only grows, but later
// trees may add columns to its tables and hidden fields to its types, make a
// field a link, and prefix a type's name: what is derived from it (frames,
// hashes, generated files) is made once all trees are in.
type Registry struct {
	Tables []*Table
	Types  []*Type

	decls map[reflect.Type]*decl
	// origins names the field that declared each column, for messages.
	origins map[*Table][]string
}
