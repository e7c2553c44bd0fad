package schema

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
)

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{decls: map[reflect.Type]*decl{}, origins: map[*Table][]string{}}
}

// typeOf returns the instance type of a struct and registers it, with its
// table and columns, when it is new.
func (r *Registry) typeOf(d *decl) (*Type, error) {
	for _, t := range r.Types {
		if t.GoType == d.goType {
			return t, nil
		}
	}
	t := &Type{ID: len(r.Types), Name: d.name, GoType: d.goType}
	if err := r.nameApart(t); err != nil {
		return nil, err
	}
	table, err := r.table(d)
	if err != nil {
		return nil, err
	}
	t.Table = table
	for _, f := range d.fields {
		if f.target != nil || !f.sent {
			continue
		}
		column, err := r.column(table, f.column, f.kind, f.nullable, f.String())
		if err != nil {
			return nil, err
		}
		field := Field{Name: f.wire, Column: column, Kind: f.kind, Nullable: f.nullable,
			AsString: f.asString, GoType: f.goType, GoName: f.goName}
		if f == d.key {
			t.Key = len(t.Fields)
			field.Link, field.AsString = t, f.kind == Int
		}
		t.Fields = append(t.Fields, field)
	}
	r.Types = append(r.Types, t)
	return t, nil
}

// nameApart puts the packages' names before the names of types that would
// else share one.
func (r *Registry) nameApart(t *Type) error {
	taken := map[string]*Type{}
	for _, o := range r.Types {
		if o.GoType.Name() == t.GoType.Name() && t.GoType.Name() != "" {
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
	key := d.key
	for _, t := range r.Tables {
		if t.Name != d.table {
			continue
		}
		if t.Columns[t.Key].Name != key.column {
			return nil, key.fault("the key of table %s is column %s, but %s says %s: declare one key for the table",
				d.table, key.column, r.origins[t][t.Key], t.Columns[t.Key].Name)
		}
		return t, nil
	}
	t := &Table{ID: len(r.Tables), Name: d.table}
	column, err := r.column(t, key.column, key.kind, false, key.String())
	if err != nil {
		return nil, err
	}
	t.Key = column
	r.Tables = append(r.Tables, t)
	return t, nil
}

// column returns the index of a table's column and adds it when it is new.
// Origin names the field that asks for it.
func (r *Registry) column(t *Table, name string, kind Kind, nullable bool, origin string) (int, error) {
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Name != name {
			continue
		}
		if c.Kind != kind {
			return 0, fmt.Errorf("schema: %s: column %s.%s is %s here and %s in %s: declare it alike",
				origin, t.Name, name, kind, c.Kind, r.origins[t][i])
		}
		c.Nullable = c.Nullable || nullable
		return i, nil
	}
	t.Columns = append(t.Columns, Column{Name: name, Kind: kind, Nullable: nullable})
	r.origins[t] = append(r.origins[t], origin)
	return len(t.Columns) - 1, nil
}

// hidden returns the index in t.Fields of the field over a column, and adds a
// hidden one when the struct does not send it.
func (r *Registry) hidden(t *Type, name string, kind Kind, nullable bool, origin string) (int, error) {
	column, err := r.column(t.Table, name, kind, nullable, origin)
	if err != nil {
		return 0, err
	}
	if i := t.FieldOf(column); i >= 0 {
		return i, nil
	}
	t.Fields = append(t.Fields, Field{Name: "@" + name, Hidden: true, Column: column, Kind: kind, Nullable: nullable})
	return len(t.Fields) - 1, nil
}

// FieldOf is the index in t.Fields of the field over a column of t.Table, -1
// if it has none.
func (t *Type) FieldOf(column int) int {
	return slices.IndexFunc(t.Fields, func(f Field) bool { return f.Column == column })
}
