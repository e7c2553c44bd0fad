package schema

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Model is the type of a struct by itself, as a binding exposes it: without a
// tree, not among Types, and so never announced. Its table is followed, with all
// columns that the struct declares. What is made of related rows is no field of
// it, nor are rows of other tables, but for the keys in Links. The same struct
// has the same type. Errors name the field and the mend; the registry is of no
// use after one.
func (r *Registry) Model(t reflect.Type) (*Type, error) {
	if m := r.models[t]; m != nil {
		return m, nil
	}
	d, err := r.declare(t)
	if err != nil {
		return nil, err
	}
	table, err := r.table(d)
	if err != nil {
		return nil, err
	}
	m := &Type{ID: -1, Name: d.name, GoType: d.goType, Table: table, decl: d}
	for _, f := range d.fields {
		if err := r.flatField(m, f); err != nil {
			return nil, err
		}
	}
	m.Key = r.over(m, table.Key)
	for _, f := range d.fields {
		if err := r.flatLink(m, f); err != nil {
			return nil, err
		}
	}
	if err := r.readAll(table, d); err != nil {
		return nil, err
	}
	r.models[t] = m
	return m, nil
}

// flatField adds a column, or what is computed of columns alone.
func (r *Registry) flatField(m *Type, f *fieldDecl) error {
	if f.target != nil || !f.sent && !f.tags.writeOnly || f.related() {
		return nil
	}
	if known := r.derivedBefore(f); known != nil {
		m.Fields = append(m.Fields, *known)
		return nil
	}
	return r.field(m, f)
}

// related tells whether the value is made of rows of another table.
func (f *fieldDecl) related() bool { return f.tags.built != "" || f.tags.of != nil }

// derivedBefore finds the field by which a type in a tree sends what is computed,
// so that it is computed once for both.
func (r *Registry) derivedBefore(f *fieldDecl) *Field {
	for _, t := range r.Types {
		for i := range t.Fields {
			if known := &t.Fields[i]; t.decl == f.owner && known.GoName == f.goName && known.made != "" {
				return known
			}
		}
	}
	return nil
}

// flatLink adds the link of a belongs-to relation. Of structs that serve an ORM,
// of which relations are not taken for declared, only links that are columns of
// theirs are.
func (r *Registry) flatLink(m *Type, f *fieldDecl) error {
	if f.target == nil || f.many || !f.sent {
		return nil
	}
	target, err := r.declare(f.target)
	if err != nil {
		return f.unlessORM(fmt.Errorf("%w (by %s)", err, f))
	}
	e, err := relate(f, target)
	switch {
	case err != nil:
		return f.unlessORM(err)
	case e.relation != BelongsTo:
		return nil
	case f.owner.orm && !f.owner.declares(e.links):
		return nil
	}
	s := side{table: m.Table, declares: f.owner, target: target, nullable: f.goType.Kind() == reflect.Pointer}
	column, err := r.linkColumn(s, f, e.links)
	if err != nil {
		return f.unlessORM(err)
	}
	link := hiddenField(m.Table, column)
	link.Name, link.Hidden, link.GoType, link.GoName = f.wire, false, f.goType, f.goName
	for _, name := range e.links {
		own := f.owner.byColumn(name)
		link.ReadOnly = link.ReadOnly || own != nil && own.tags.readOnly
	}
	m.Links = append(m.Links, link)
	return nil
}

// unlessORM is an error of a relation, which only counts where relations are
// declared on purpose.
func (f *fieldDecl) unlessORM(err error) error {
	if f.owner.orm {
		return nil
	}
	return err
}

func (d *decl) declares(columns []string) bool {
	return !slices.ContainsFunc(columns, func(c string) bool { return d.byColumn(c) == nil })
}

// Related names the first field, on the wire, whose value is made of rows of
// another table; "" where there is none.
func (t *Type) Related() string {
	for _, f := range t.decl.fields {
		if f.related() {
			return f.wire
		}
	}
	return ""
}

// Unbound tells why what the struct declares by a name, on the wire or in Go, is
// no field of its Model, and the mend; nil when it declares no such name.
func (t *Type) Unbound(name string) error {
	for _, f := range slices.Concat(t.decl.fields, t.decl.unsent) {
		switch {
		case f.wire != name && f.goName != name && f.column != name:
		case f.target != nil && (f.many || f.tags.hasOne):
			return errors.New("it is rows of another table: leave it out, and expose them by a binding of their own")
		case f.target != nil:
			return errors.New("the relation is not followed: declare the column that holds its key, and name that")
		case f.related():
			return errors.New("it is made of rows of another table, which a binding does not follow: leave it out, or show it by a channel")
		case !f.sent && !f.tags.writeOnly:
			return errors.New("it is tagged json:\"-\": give it a name there")
		case f.wire != name:
			return fmt.Errorf("its name on the wire is %q: write that", f.wire)
		}
	}
	return nil
}

// ModelFields are the fields of a Model that a client could set, in the order of
// the struct and with relations last: what is sent and not read-only, what is
// write-only, and the keys of Links. Keys and their parts, computed fields and the
// column that tells deleted rows are not among them.
func (t *Type) ModelFields() []WriteField {
	none := &Tree{}
	var fields []WriteField
	for i := range t.Fields {
		if f := &t.Fields[i]; !f.Hidden && !f.ReadOnly && none.open(t, f.Column) {
			fields = append(fields, writeField(f, f.Name))
		}
	}
	for i := range t.WriteOnly {
		if f := &t.WriteOnly[i]; !f.ReadOnly && none.open(t, f.Column) {
			fields = append(fields, writeField(f, ""))
		}
	}
	for i := range t.Links {
		if f := &t.Links[i]; !f.ReadOnly && none.open(t, f.Column) {
			field := writeField(f, f.Name)
			field.AsString = true // a key of any size
			fields = append(fields, field)
		}
	}
	return fields
}

// KeyOf is the key of a row as Go code has it: a value of the field's type, or what
// its column could hold; of several columns the text that they have in routes.
func (t *Type) KeyOf(v any) (Value, error) {
	key := &t.Fields[t.Key]
	if text, ok := v.(string); ok && key.Kind == Tuple {
		return key.ParseText(text)
	}
	f := StoredField{GoName: key.GoName, Kind: key.Kind}
	return f.Value(v)
}

// ModelColumns are the columns of a Model that the server's own code may set:
// those of the struct, and of Links.
func (t *Type) ModelColumns() []StoredField {
	fields := t.declaredColumns()
	for i := range t.Links {
		f := &t.Links[i]
		if c := &t.Table.Columns[f.Column]; !c.Derived() {
			fields = append(fields, StoredField{f.Name, f.GoName, f.Column, c.Kind, c.Nullable})
		}
	}
	return fields
}

// SortModel is an order of a Model's rows by columns, "-" before a descending one.
// The database has to compare them as Value does from then on.
func (r *Registry) SortModel(m *Type, columns []string) ([]Order, error) {
	var order []Order
	for _, name := range columns {
		name, desc := strings.CutPrefix(name, "-")
		column, err := r.compared(m.Table, m.decl, name)
		if err != nil {
			return nil, err
		}
		order = append(order, Order{Column: column, Desc: desc})
	}
	return order, nil
}
