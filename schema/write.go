package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Writable is what clients of a channel may change of one instance type.
type Writable struct {
	Type *Type
	// Save, Create and Delete are the operations that are offered.
	Save, Create, Delete bool
	// Fields are what a client may set.
	Fields []WriteField
	// In are the layers of the tree in which a row may be created: those that
	// show the type below another row (HasMany and HasOne, or places over the same
	// table), and the root of a list. Several may be one relation of one type.
	// It is empty unless Create is set.
	In []*Layer
	// Optimistic is how long a client shows a write that is not confirmed; 0
	// shows none before it is.
	Optimistic time.Duration
}

// WriteField is one value that a client may set.
type WriteField struct {
	// Name is the name on the wire: a field's, or that of a belongs-to relation,
	// which is set to the key of what it is to show.
	Name string
	// Shown is the name of the field that the client is sent the value in, hidden
	// ones ("@owner_id") too; "" for one that is only written.
	Shown string
	// Column is the index in Table.Columns, a stored one.
	Column   int
	Kind     Kind
	Nullable bool
	AsString bool
	// Link is the type that the value is a key of, nil for plain values.
	Link *Type
	// GoType and GoName are the struct field's.
	GoType reflect.Type
	GoName string
	// Element is the kind of each key of a many-to-many relation, whose Column is none
	// of the table's; Null for every other field.
	Element Kind
}

// ReadWhole finds the instance type of a struct among those given and has all
// its columns read from then on, so that its rows can be given to functions of
// the app. The error names the types.
func (r *Registry) ReadWhole(among []*Type, goType reflect.Type) (*Type, error) {
	var names []string
	for _, typ := range among {
		switch {
		case typ.decl == nil: // places, and what is never sent
		case typ.GoType == goType:
			return typ, r.readAll(typ.Table, typ.decl)
		default:
			names = append(names, typ.Name)
		}
	}
	return nil, fmt.Errorf("there are no rows of %s: name one of %s", goType, strings.Join(names, ", "))
}

// Types are the instance types of the layers, each once.
func (t *Tree) Types() []*Type {
	var types []*Type
	for _, l := range t.Layers {
		if !slices.Contains(types, l.Type) {
			types = append(types, l.Type)
		}
	}
	return types
}

// WriteFields are the fields of typ that a client of the tree could set, in the
// order of the struct: what is sent and not read-only, what is write-only, and
// the belongs-to relations. Keys and their parts, computed fields, hidden ones,
// the column that tells deleted rows and the tenant's are not among them. They
// are final once all trees of the registry are in.
func (t *Tree) WriteFields(typ *Type) []WriteField {
	var fields []WriteField
	for i := range typ.Fields {
		f := &typ.Fields[i]
		if !f.Hidden && !f.ReadOnly && t.open(typ, f.Column) {
			fields = append(fields, writeField(f, f.Name))
		}
	}
	for i := range typ.WriteOnly {
		if f := &typ.WriteOnly[i]; !f.ReadOnly && t.open(typ, f.Column) {
			fields = append(fields, writeField(f, ""))
		}
	}
	return append(fields, t.relationFields(typ)...)
}

// open tells whether a client may set a column at all.
func (t *Tree) open(typ *Type, column int) bool {
	key := typ.Table.Key
	return !typ.Table.Columns[column].Derived() && column != key && column != typ.SoftDelete() &&
		!slices.Contains(typ.Table.Columns[key].Parts, column) && !t.Everywhere(typ, column)
}

// Everywhere tells whether every layer is asked for a value of the column: the
// tenant's.
func (t *Tree) Everywhere(typ *Type, column int) bool {
	return slices.Contains(t.everywhere, typ.Table.Columns[column].Name)
}

func writeField(f *Field, shown string) WriteField {
	return WriteField{
		Name: f.Name, Shown: shown, Column: f.Column, Kind: f.Kind, Nullable: f.Nullable,
		AsString: f.AsString, Link: f.Link, GoType: f.GoType, GoName: f.GoName,
	}
}

// relationFields are the belongs-to relations of a type, wherever it stands.
func (t *Tree) relationFields(typ *Type) []WriteField {
	var fields []WriteField
	for _, child := range t.forward(typ) {
		shown, ok := typ.fieldOf(child.Link)
		declared := typ.decl.byColumn(typ.Table.Columns[child.Link].Name)
		if !ok || shown.ReadOnly || declared != nil && declared.tags.readOnly || !t.open(typ, child.Link) {
			continue
		}
		target := child.Shown().Type
		fields = append(fields, WriteField{
			Name: child.Name, Shown: shown.Name, Column: child.Link, Kind: shown.Kind, AsString: true,
			Nullable: typ.Table.Columns[child.Link].Nullable, Link: target, GoType: target.GoType, GoName: child.GoName,
		})
	}
	return fields
}

// forward are the layers of the belongs-to relations of a type, each relation
// once.
func (t *Tree) forward(typ *Type) []*Layer {
	var all []*Layer
	for _, l := range t.Layers {
		if l.Type != typ {
			continue
		}
		for _, child := range l.Children {
			known := slices.ContainsFunc(all, func(o *Layer) bool { return o.Name == child.Name })
			if child.Relation == BelongsTo && !child.Hidden && !known {
				all = append(all, child)
			}
		}
	}
	return all
}

// fieldOf finds the field that a column is sent in.
func (t *Type) fieldOf(column int) (*Field, bool) {
	if i := t.FieldOf(column); i >= 0 {
		return &t.Fields[i], true
	}
	return nil, false
}

// SoftDelete is the index in Table.Columns of the column that is NULL while a
// row is not deleted, -1 where rows are deleted indeed.
func (t *Type) SoftDelete() int {
	if t.decl == nil || t.decl.softDelete == nil {
		return -1
	}
	return t.Table.index(t.decl.softDelete.column)
}

// errUnsafe is of numbers that the field, or JavaScript, cannot hold.
var errUnsafe = errors.New("is out of range")

// Parse reads a value as a client sends it. The error says in a few words what
// is wrong with it.
func (f *WriteField) Parse(typ *Type, raw []byte) (Value, error) {
	v, err := f.Kind.ParseWire(raw)
	switch {
	case err != nil:
		return Value{}, err
	case v.IsNull() && !f.Nullable:
		return Value{}, errors.New("must not be null")
	case v.kind == Int && !f.AsString && (v.Int() > maxSafe || v.Int() < -maxSafe):
		return Value{}, errUnsafe
	}
	return v, typ.holds(f.Column, v)
}

// holds tells whether the struct's field over a column can hold a value.
func (t *Type) holds(column int, v Value) error {
	row := make(Row, column+1)
	row[column] = v
	for _, s := range t.decl.slots(t.Table) {
		if s.column != column {
			continue
		}
		switch err := s.fill(reflect.New(t.GoType).Elem(), row); {
		case err == nil:
		case v.kind == Int:
			return errUnsafe
		default:
			return errors.New("is no value of the field") // the error's text may be the app's own
		}
	}
	return nil
}

// StoredField is a column of a type as the server's own code may set it.
type StoredField struct {
	// Name is the name on the wire, that of the column where it is not sent;
	// GoName is the struct field's.
	Name, GoName string
	// Column is the index in Table.Columns, a stored one.
	Column   int
	Kind     Kind
	Nullable bool
}

// StoredFields are the columns that a type's struct declares, and those of the
// belongs-to relations that it has in the tree. They are final once all trees of
// the registry are in.
func (t *Tree) StoredFields(typ *Type) []StoredField {
	fields := typ.declaredColumns()
	for _, child := range t.forward(typ) {
		if c := &typ.Table.Columns[child.Link]; !c.Derived() {
			fields = append(fields, StoredField{child.Name, child.GoName, child.Link, c.Kind, c.Nullable})
		}
	}
	return fields
}

// declaredColumns are the stored columns of the type's struct.
func (t *Type) declaredColumns() []StoredField {
	var fields []StoredField
	for _, f := range t.decl.fields {
		column := t.Table.index(f.column)
		if !f.stored() || column < 0 {
			continue
		}
		name := f.wire
		if !f.sent && !f.tags.writeOnly {
			name = f.column
		}
		fields = append(fields, StoredField{name, f.goName, column, f.kind, f.nullable})
	}
	return fields
}

// Value is a Go value as one of the field: of the field's type, or anything
// that its column could hold; nil is NULL.
func (f *StoredField) Value(v any) (Value, error) {
	val, err := f.canonical(v)
	switch {
	case err != nil:
		return Value{}, fmt.Errorf("field %s: %w", f.GoName, err)
	case val.IsNull() && !f.Nullable:
		return Value{}, fmt.Errorf("field %s: it cannot be null: make it a pointer or sql.Null", f.GoName)
	default:
		return val, nil
	}
}

func (f *StoredField) canonical(v any) (Value, error) {
	plain, err := plainOf(reflect.ValueOf(v))
	if err != nil || plain == nil {
		return Value{}, err
	}
	if _, isText := textOf(plain); f.Kind == JSON && !isText {
		doc, err := json.Marshal(v)
		if err != nil {
			return Value{}, err
		}
		return f.Kind.FromDriver(doc)
	}
	return f.Kind.FromDriver(plain)
}
