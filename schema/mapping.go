package schema

import (
	"fmt"
	"reflect"
	"strings"
)

// Mapper tells how the library by which a program writes its models stores a
// struct, where tags alone do not: by a naming strategy, say. It returns nil for a
// struct that is no model of the library's, which is read by its tags then. It is
// called once for each struct.
type Mapper func(model reflect.Type) (*Mapping, error)

// Mapping is how a library stores one struct. Fields are named by the way to
// them: "Title", and "Model.ID" for a field of an embedded struct.
type Mapping struct {
	Table string
	// Columns are the columns by their fields; a field that is not here has none.
	// The Kind matters where the Go type tells none, and may be Null.
	Columns map[string]Column
	// Key are the names of the key's columns.
	Key []string
	// Relations are the relations by their fields.
	Relations map[string]Link
	// Faults say of fields why they cannot be followed, and the mend. They are
	// returned only for fields that a tree sends or includes.
	Faults map[string]error
}

// Link is how a library finds the rows of a relation.
type Link struct {
	// Relation is BelongsTo, HasOne or HasMany.
	Relation Relation
	// Columns are the columns that hold the key, by the columns of the key: the
	// target's for BelongsTo, else the one of the struct with the relation.
	Columns map[string]string
	// Through is the table between of a many-to-many relation, which has Columns,
	// and Targets for the target's key; empty for other relations.
	Through string
	Targets map[string]string
	// Between is the struct over the table between, nil if there is none.
	Between reflect.Type
}

// Mapped has the structs that the mapper knows read as it says. It holds for all
// structs of the registry that are met from then on.
func Mapped(m Mapper) Option { return func(b *builder) { b.registry.Mapper = m } }

// mapping asks the registry's mapper for a struct's, nil if there is none.
func (r *Registry) mapping(t reflect.Type) (*Mapping, error) {
	if r.Mapper == nil || t.Name() == "" {
		return nil, nil
	}
	m, err := r.Mapper(t)
	if err != nil {
		return nil, fmt.Errorf("schema: %s: %w", t.Name(), err)
	}
	return m, nil
}

// wayTo is the way to a field of a struct, by Go names joined with dots.
func wayTo(t reflect.Type, index []int) string {
	names := make([]string, len(index))
	for i, n := range index {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		f := t.Field(n)
		names[i], t = f.Name, f.Type
	}
	return strings.Join(names, ".")
}

// mapField gives a field what the struct's mapping says of it, in the place of
// tags that the mapping's library has read as well. It returns false for a field
// that is neither a column nor a relation.
func (d *decl) mapField(f *fieldDecl) bool {
	if d.mapping == nil {
		return true
	}
	way := wayTo(d.goType, f.index)
	f.refused = d.mapping.Faults[way]
	if l, found := d.mapping.Relations[way]; found {
		f.mapped = &l
		f.orm = ormTags{present: true, through: l.Through}
		return true
	}
	c, found := d.mapping.Columns[way]
	if found {
		f.orm.column, f.orm.stored = c.Name, true
		if c.Kind != Null {
			f.orm.kind = c.Kind
		}
	}
	return found || f.refused != nil || f.tags.column != "" || f.computed()
}

// storedAs is the column that the mapping's library has for the field, "" when
// only tags tell.
func (f *fieldDecl) storedAs() string {
	if !f.orm.stored {
		return ""
	}
	return f.orm.column
}

// mapKey finds the fields of the key that the mapping names, in its order.
func (d *decl) mapKey() error {
	for _, column := range d.mapping.Key {
		f := d.byColumn(column)
		if f == nil {
			return fmt.Errorf("schema: %s: no field declares column %s of the key: add one", d.name, column)
		}
		d.keys = append(d.keys, f)
	}
	return nil
}

// holding are the columns that hold the struct's key, in its order.
func (d *decl) holding(f *fieldDecl, columns map[string]string) ([]string, error) {
	names := make([]string, len(d.keys))
	for i, k := range d.keys {
		names[i] = columns[k.column]
		if names[i] == "" || len(columns) != len(d.keys) {
			return nil, f.fault("a relation by other columns than the key of %s: not supported yet: do not include it, or name the columns that hold the key with pando:\"link:COLUMN\"", d.name)
		}
	}
	return names, nil
}

// relateMapped reads a relation that is mapped.
func relateMapped(f *fieldDecl, child *decl) (edge, error) {
	holder := f.owner
	if f.mapped.Relation == BelongsTo {
		holder = child
	}
	links, err := holder.holding(f, f.mapped.Columns)
	return edge{f.mapped.Relation, links}, err
}

// mappedThrough are the links of a many-to-many relation that is mapped.
func (r *Registry) mappedThrough(f *fieldDecl, target *decl) (links, targets []string, err error) {
	if f.mapped.Between != nil {
		if _, err := r.declare(f.mapped.Between); err != nil {
			return nil, nil, fmt.Errorf("%w (by %s)", err, f)
		}
	}
	if links, err = f.owner.holding(f, f.mapped.Columns); err != nil {
		return nil, nil, err
	}
	targets, err = target.holding(f, f.mapped.Targets)
	return links, targets, err
}
