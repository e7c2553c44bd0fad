package schema

import (
	"fmt"
	"reflect"
	"slices"
)

// Between is a many-to-many relation of a Model: the table between, whose rows say
// which keys a row is related to.
type Between struct {
	// Name is the field's on the wire, GoName in Go, GoType a slice.
	Name, GoName string
	GoType       reflect.Type
	Table        *Table
	// Owner and Target are the columns of Table that hold the keys of the Model's row
	// and of what it is related to.
	Owner, Target int
	// To is the table that Target leads to, nil where nobody writes the relation. Key
	// is the form of its keys.
	To  *Table
	Key Field

	index   []int
	element reflect.Type
	keys    []*fieldDecl
}

// Betweens are the names on the wire of a Model's many-to-many relations.
func (t *Type) Betweens() []string {
	var names []string
	for _, f := range t.decl.fields {
		if f.target != nil && f.sent && f.through() != "" {
			names = append(names, f.wire)
		}
	}
	return names
}

// Between has the table of a many-to-many relation of a Model followed, with the
// rows as they were, and where clients write it the table that it leads to. An
// error names the field and the mend.
func (r *Registry) Between(m *Type, name string, writes bool) (*Between, error) {
	for _, f := range m.decl.fields {
		if f.wire == name && f.target != nil && f.sent && f.through() != "" {
			return r.between(f, writes)
		}
	}
	return nil, fmt.Errorf("schema: %s has no many-to-many relation %q", m.Name, name)
}

func (r *Registry) between(f *fieldDecl, writes bool) (*Between, error) {
	switch {
	case !f.many:
		return nil, f.fault("tag through: many-to-many has many rows: make the field a slice")
	case f.refused != nil && f.tags.through == "":
		return nil, f.fault("%w", f.refused)
	case f.orm.otherColumns || f.orm.through != "" && f.orm.foreignKey != "":
		return nil, f.fault("a relation by other columns than the key: not supported yet: leave it out")
	case len(f.tags.filter) > 0 || f.tags.userKey != "":
		return nil, f.fault("a binding tells all keys of a many-to-many relation: take the conditions off the tag, or expose the table %s by a binding of its own", f.through())
	}
	target, err := r.declare(f.target)
	if err != nil {
		return nil, fmt.Errorf("%w (by %s)", err, f)
	}
	b := &builder{registry: r}
	links, targets, err := b.throughLinks(f, target)
	if err != nil {
		return nil, err
	}
	if tupleName(links) == tupleName(targets) {
		return nil, f.fault("tag through: both links would be column %s of %s: name them with link:COLUMN and target:COLUMN", tupleName(links), f.through())
	}
	table, err := b.throughTable(f, target, links, targets)
	if err != nil {
		return nil, err
	}
	way := &Between{
		Name: f.wire, GoName: f.goName, GoType: f.goType, Table: table,
		index: f.index, element: f.target, keys: target.keys,
	}
	if err := r.betweenColumns(way, f, target, links, targets); err != nil {
		return nil, err
	}
	r.Whole(table)
	if !writes {
		return way, nil
	}
	for _, link := range []int{way.Owner, way.Target} {
		parts := table.Columns[link].Parts
		if parts == nil {
			parts = []int{link}
		}
		for _, column := range parts {
			if !slices.Contains(table.Filled, column) {
				table.Filled = append(table.Filled, column)
			}
		}
	}
	way.To, err = r.table(target)
	return way, err
}

// betweenColumns finds the links, which the feed never lacks.
func (r *Registry) betweenColumns(way *Between, f *fieldDecl, target *decl, links, targets []string) (err error) {
	table := way.Table
	s := side{table: table, target: f.owner, nullable: !r.assumed[table]}
	for i, d := range r.structsOver(table.Name) {
		if d.softDelete != nil {
			return f.fault("rows of the table %s are deleted softly, which its keys would not tell: expose it by a binding of its own", table.Name)
		}
		if i == 0 {
			s.declares = d
		}
	}
	if way.Owner, err = r.linkColumn(s, f, links); err != nil {
		return err
	}
	s.target = target
	if way.Target, err = r.linkColumn(s, f, targets); err != nil {
		return err
	}
	addLink(table, way.Owner)
	addLink(table, way.Target)
	way.Key = hiddenField(table, way.Target)
	return nil
}

// Fill sets the relation of a struct, one of the Model's, to rows of which nothing
// but the keys is known.
func (w *Between) Fill(into any, keys []Value) error {
	field := fieldAt(reflect.ValueOf(into).Elem(), w.index)
	rows := reflect.MakeSlice(w.GoType, 0, len(keys))
	for _, key := range keys {
		row := reflect.New(w.element)
		parts := []Value{key}
		if key.Kind() == Tuple {
			parts = key.Parts()
		}
		for i, k := range w.keys {
			if err := setterOf(k.kind, k.goType)(fieldAt(row.Elem(), k.index), parts[i]); err != nil {
				return fmt.Errorf("field %s: %w", k, err)
			}
		}
		if w.GoType.Elem().Kind() != reflect.Pointer {
			row = row.Elem()
		}
		rows = reflect.Append(rows, row)
	}
	field.Set(rows)
	return nil
}
