package schema

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{
		decls: map[reflect.Type]*decl{}, origins: map[*Table][]string{}, assumed: map[*Table]bool{},
		models: map[reflect.Type]*Type{},
	}
}

// typeOf returns the instance type of a struct and registers it, with its
// table and columns, when it is new.
func (r *Registry) typeOf(d *decl) (*Type, error) {
	for _, t := range r.Types {
		if t.decl == d {
			return t, nil
		}
	}
	t := &Type{ID: len(r.Types), Name: d.name, GoType: d.goType, decl: d}
	if err := r.nameApart(t); err != nil {
		return nil, err
	}
	table, err := r.table(d)
	if err != nil {
		return nil, err
	}
	t.Table = table
	for _, f := range d.fields {
		if f.target != nil || !f.sent && !f.tags.writeOnly {
			continue
		}
		if err := r.field(t, f); err != nil {
			return nil, err
		}
	}
	t.Key = r.over(t, table.Key)
	key := &t.Fields[t.Key]
	key.Link, key.AsString = t, key.Kind == Int
	for _, k := range d.keys {
		if n := t.FieldOf(table.index(k.column)); n >= 0 && k.kind == Int {
			t.Fields[n].AsString = true
		}
	}
	r.Types = append(r.Types, t)
	return t, nil
}

// field adds a declared column to a type.
func (r *Registry) field(t *Type, f *fieldDecl) error {
	if f.computed() || f.tags.represent != "" && f.sent {
		return r.derived(t, f)
	}
	column, err := r.column(t.Table, f.column, f.kind, f.nullable, f.String())
	if err != nil {
		return err
	}
	field := Field{Name: f.wire, Column: column, Kind: f.kind, Nullable: f.nullable, AsString: f.asString,
		ReadOnly: f.tags.readOnly, GoType: f.goType, GoName: f.goName}
	if f.tags.writeOnly {
		t.WriteOnly = append(t.WriteOnly, field)
		return nil
	}
	t.Fields = append(t.Fields, field)
	return nil
}

// place returns the type that shows only where the rows of a table stand, and
// registers it when it is new.
func (r *Registry) place(name string, table *Table) (*Type, error) {
	for _, t := range r.Types {
		switch {
		case t.Name != name:
		case t.Table != table || t.decl != nil:
			return nil, fmt.Errorf("schema: %s: the name is taken by a type over table %s: rename one of them", name, t.Table.Name)
		default:
			return t, nil
		}
	}
	t := &Type{ID: len(r.Types), Name: name, GoType: placeType, Table: table}
	t.Key = r.over(t, table.Key)
	t.Fields[t.Key].AsString = t.Fields[t.Key].Kind == Int
	r.Types = append(r.Types, t)
	return t, nil
}

// placeType is the Go type of places, which no Go value has.
var placeType = reflect.TypeFor[struct{}]()

// nameApart puts the packages' names before the names of types that would
// else share one.
func (r *Registry) nameApart(t *Type) error {
	taken := map[string]*Type{}
	for _, o := range r.Types {
		if o.decl != nil && o.GoType.Name() == t.GoType.Name() && t.GoType.Name() != "" {
			t.Name, o.Name = qualified(t.GoType), qualified(o.GoType)
		}
		taken[o.Name] = o
	}
	for plain, n := t.Name, 2; t.GoType.Name() == "" && taken[t.Name] != nil; n++ {
		t.Name = plain + strconv.Itoa(n) // made at run time: it has no package
	}
	if o := taken[t.Name]; o != nil {
		return fmt.Errorf("schema: %s: %s.%s has the same name: rename one of them",
			t.Name, o.GoType.PkgPath(), o.GoType.Name())
	}
	return nil
}

func qualified(t reflect.Type) string { return path.Base(t.PkgPath()) + "." + t.Name() }

// table returns the table of a struct and adds it when it is new.
func (r *Registry) table(d *decl) (*Table, error) {
	t := r.tableNamed(d.table)
	if t != nil && !r.assumed[t] {
		if key := t.Columns[t.Key].Name; key != d.keyName() {
			return nil, d.keys[0].fault("the key of table %s is column %s, but %s says %s: declare one key for the table",
				d.table, d.keyName(), r.origins[t][t.Key], key)
		}
		return t, nil
	}
	if t == nil {
		t = &Table{ID: len(r.Tables), Name: d.table}
		r.Tables = append(r.Tables, t)
	}
	var parts []int
	for _, k := range d.keys {
		column, err := r.column(t, k.column, k.kind, false, k.String())
		if err != nil {
			return nil, err
		}
		parts = append(parts, column)
	}
	r.setKey(t, r.together(t, parts, d.keys[0].String()))
	delete(r.assumed, t)
	return t, nil
}

// setKey gives a table its key. The places over a table whose key was assumed
// learn of it.
func (r *Registry) setKey(t *Table, column int) {
	t.Key = column
	for _, p := range r.Types {
		if p.Table != t {
			continue
		}
		if n := p.FieldOf(column); n >= 0 {
			p.Key = n
			continue
		}
		p.Fields[p.Key] = hiddenField(t, column)
		p.Fields[p.Key].AsString = p.Fields[p.Key].Kind == Int
	}
}

func (r *Registry) tableNamed(name string) *Table {
	for _, t := range r.Tables {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// index is the index of a column, -1 if the table has none of the name.
func (t *Table) index(column string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == column })
}

// column returns the index of a table's column and adds it when it is new.
// Origin names the field that asks for it.
func (r *Registry) column(t *Table, name string, kind Kind, nullable bool, origin string) (int, error) {
	i := t.index(name)
	if i < 0 {
		return r.add(t, Column{Name: name, Kind: kind, Nullable: nullable}, origin), nil
	}
	c := &t.Columns[i]
	if c.Kind != kind {
		return 0, fmt.Errorf("schema: %s: column %s.%s is %s here and %s in %s: declare it alike",
			origin, t.Name, name, kind, c.Kind, r.origins[t][i])
	}
	c.Nullable = c.Nullable || nullable
	return i, nil
}

func (r *Registry) add(t *Table, c Column, origin string) int {
	t.Columns = append(t.Columns, c)
	r.origins[t] = append(r.origins[t], origin)
	return len(t.Columns) - 1
}

// together returns one column as it is, and the tuple of any other number,
// which it adds when it is new.
func (r *Registry) together(t *Table, parts []int, origin string) int {
	if len(parts) == 1 {
		return parts[0]
	}
	names, nullable := make([]string, len(parts)), false
	for i, p := range parts {
		names[i] = t.Columns[p].Name
		nullable = nullable || t.Columns[p].Nullable
	}
	name := tupleName(names)
	if i := t.index(name); i >= 0 {
		t.Columns[i].Nullable = nullable
		return i
	}
	if parts == nil {
		parts = []int{}
	}
	return r.add(t, Column{Name: name, Kind: Tuple, Nullable: nullable, Parts: parts}, origin)
}

// tupleName is the name of the columns together: that of one is its own.
func tupleName(columns []string) string {
	if len(columns) == 1 {
		return columns[0]
	}
	return "(" + strings.Join(columns, ",") + ")"
}

// over returns the index in t.Fields of the field over a column, and adds a
// hidden one when the struct does not send it.
func (r *Registry) over(t *Type, column int) int {
	if i := t.FieldOf(column); i >= 0 {
		return i
	}
	t.Fields = append(t.Fields, hiddenField(t.Table, column))
	return len(t.Fields) - 1
}

func hiddenField(t *Table, column int) Field {
	c := &t.Columns[column]
	f := Field{Name: "@" + c.Name, Hidden: true, Column: column, Kind: c.Kind, Nullable: c.Nullable}
	for _, p := range c.Parts {
		f.Parts = append(f.Parts, t.Columns[p].Kind)
	}
	return f
}

// FieldOf is the index in t.Fields of the field over a column of t.Table, -1
// if it has none.
func (t *Type) FieldOf(column int) int {
	return slices.IndexFunc(t.Fields, func(f Field) bool { return f.Column == column })
}
