package schema

import (
	"reflect"
	"slices"
)

// link finds or adds the link's columns and marks their field as a key of the
// other side.
func (b *builder) link(l *Layer, f *fieldDecl, child *decl, links []string) error {
	holder, target := l.Type, l.Parent.Type
	s := side{table: holder.Table, declares: child, target: f.owner, nullable: true}
	if l.Relation == BelongsTo {
		holder, target = target, holder
		s = side{table: holder.Table, declares: f.owner, target: child, nullable: f.goType.Kind() == reflect.Pointer}
	}
	column, err := b.registry.linkColumn(s, f, links)
	if err != nil {
		return err
	}
	l.Link = column
	b.brand(holder, column, target)
	if l.Relation != BelongsTo {
		addLink(holder.Table, column)
	}
	return nil
}

// side is the table that holds a link, and what it is a key of.
type side struct {
	table *Table
	// declares is the struct over the table, nil if there is none.
	declares *decl
	target   *decl
	// nullable is what the columns are that no struct declares.
	nullable bool
}

// linkColumn is the column of a link: a tuple for a key of several columns.
func (r *Registry) linkColumn(s side, f *fieldDecl, links []string) (int, error) {
	if len(links) != len(s.target.keys) {
		return 0, f.fault("the key of %s is of %d columns (%s), but the link is of %d: name one column for each, as in link:a|b",
			s.target.name, len(s.target.keys), s.target.keyName(), len(links))
	}
	var parts []int
	for i, name := range links {
		key, nullable := s.target.keys[i], s.nullable
		if declared := s.declares.byColumn(name); declared != nil {
			if declared.kind != key.kind {
				return 0, declared.fault("column %s is %s, but as the link of %s it holds keys of %s, which are %s: declare it alike",
					name, declared.kind, f, s.target.name, key.kind)
			}
			nullable = declared.nullable
		}
		column, err := r.column(s.table, name, key.kind, nullable, f.String())
		if err != nil {
			return 0, err
		}
		parts = append(parts, column)
	}
	return r.together(s.table, parts, f.String()), nil
}

// brand makes the field over a link's column one that holds keys of a type.
func (b *builder) brand(holder *Type, column int, target *Type) {
	field := &holder.Fields[b.registry.over(holder, column)]
	field.AsString = field.AsString || field.Kind == Int
	if field.Link == nil {
		field.Link = target
	}
	for _, p := range holder.Table.Columns[column].Parts {
		if n := holder.FieldOf(p); n >= 0 {
			holder.Fields[n].AsString = holder.Fields[n].AsString || holder.Fields[n].Kind == Int
		}
	}
}

func addLink(t *Table, column int) {
	if i, found := slices.BinarySearch(t.Links, column); !found {
		t.Links = slices.Insert(t.Links, i, column)
	}
}

func (b *builder) order(l *Layer, f *fieldDecl, child *decl) error {
	if len(f.tags.order) > 0 && l.Relation == BelongsTo {
		return f.fault("tag order: belongs-to has one row: leave it out")
	}
	if err := b.sort(l, child, f.tags.order); err != nil {
		return f.fault("tag order: %w", err)
	}
	return nil
}

// sort adds criteria to the layer's order.
func (b *builder) sort(l *Layer, d *decl, criteria []orderTag) error {
	for _, o := range criteria {
		column, err := b.registry.compared(l.Type.Table, d, o.column)
		if err != nil {
			return err
		}
		field := &l.Type.Fields[b.registry.over(l.Type, column)]
		field.AsString = field.AsString || d.byColumn(o.column).asString
		l.Order = append(l.Order, Order{Column: column, Desc: o.desc})
	}
	return nil
}
