package schema

import (
	"reflect"
	"time"
)

// Writable is what clients of a channel may change of one instance type.
type Writable struct {
	Type *Type
	// Save, Create and Delete are the operations that are offered.
	Save, Create, Delete bool
	// Fields are what a client may set.
	Fields []WriteField
	// In are the layers of the tree in which a row may be created: those of the
	// type that hang below another row, or that a list shows. It is empty unless
	// Create is set.
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
}

// WriteFields are the fields of t that a client of the tree could set, in the
// order of the struct: what is sent and not read-only, what is write-only, and
// the belongs-to relations. Keys, computed fields and hidden ones are not among
// them.
func (t *Tree) WriteFields(typ *Type) []WriteField {
	var fields []WriteField
	for i := range typ.Fields {
		f := &typ.Fields[i]
		if i != typ.Key && !f.Hidden && !f.ReadOnly && !typ.Table.Columns[f.Column].Derived() {
			fields = append(fields, writeField(f, f.Name))
		}
	}
	for i := range typ.WriteOnly {
		fields = append(fields, writeField(&typ.WriteOnly[i], ""))
	}
	return append(fields, t.relationFields(typ)...)
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
	seen := map[string]bool{}
	for _, l := range t.Layers {
		if l.Type != typ {
			continue
		}
		for _, child := range l.Children {
			column := child.Link
			if child.Relation != BelongsTo || child.Hidden || seen[child.Name] || typ.Table.Columns[column].Derived() {
				continue
			}
			seen[child.Name] = true
			if shown, ok := typ.fieldOf(column); ok && !shown.ReadOnly {
				fields = append(fields, WriteField{
					Name: child.Name, Shown: shown.Name, Column: column, Kind: shown.Kind, AsString: true,
					Nullable: typ.Table.Columns[column].Nullable, Link: child.Type,
					GoType: child.Type.GoType, GoName: child.GoName,
				})
			}
		}
	}
	return fields
}

// fieldOf finds the field that a column is sent in.
func (t *Type) fieldOf(column int) (*Field, bool) {
	for i := range t.Fields {
		if t.Fields[i].Column == column {
			return &t.Fields[i], true
		}
	}
	return nil, false
}
