package schema

import (
	"fmt"
	"slices"
	"strings"
)

// through is the table that a many-to-many relation goes through, "" for every
// other relation.
func (f *fieldDecl) through() string { return firstOf(f.tags.through, f.orm.through) }

// throughBranch adds the two layers of a many-to-many relation: the rows of
// the table between, which show only where the targets stand, and the targets
// with all below them.
func (b *builder) throughBranch(parent *Layer, f *fieldDecl, d *decl, typ *Type, way trail) (*Layer, error) {
	switch {
	case !f.many:
		return nil, f.fault("tag through: many-to-many has many rows: make the field a slice")
	case f.tags.hasOne:
		return nil, f.fault("tag hasone: a slice is has-many: leave it out")
	case f.refused != nil && f.tags.through == "":
		return nil, f.fault("%w", f.refused)
	case f.orm.otherColumns || f.orm.through != "" && f.orm.foreignKey != "":
		return nil, f.fault("a relation by other columns than the key: not supported yet: do not include it")
	}
	links, targets, err := b.throughLinks(f, d)
	if err != nil {
		return nil, err
	}
	if slices.Equal(links, targets) {
		return nil, f.fault("tag through: both links would be column %s of %s: name them with link:COLUMN and target:COLUMN", tupleName(links), f.through())
	}
	table, err := b.throughTable(f, d, links, targets)
	if err != nil {
		return nil, err
	}
	place, err := b.registry.place("@"+table.Name, table)
	if err != nil {
		return nil, err
	}
	l := b.below(parent, f, Layer{Type: place, Relation: HasMany})
	between := side{table: table, target: f.owner, nullable: !b.registry.assumed[table]}
	if via := b.registry.structsOver(table.Name); via != nil {
		between.declares = via[0]
	}
	if l.Link, err = b.registry.linkColumn(between, f, links); err != nil {
		return nil, err
	}
	b.brand(place, l.Link, parent.Type)
	addLink(table, l.Link)
	row := b.add(&Layer{Path: l.Path + ".@", Type: typ, Parent: l, Relation: BelongsTo})
	between.target = d
	if row.Link, err = b.registry.linkColumn(between, f, targets); err != nil {
		return nil, err
	}
	b.brand(place, row.Link, typ)
	l.Through, l.Children = row, []*Layer{row}
	if err := b.throughItems(l, f, d); err != nil {
		return nil, err
	}
	return l, b.grow(row, d, way)
}

// throughLinks are the columns of the table between that hold the keys of both
// sides: by the pando tag, by gorm's and bun's, by a struct over the table, or
// by the names of the sides.
func (b *builder) throughLinks(f *fieldDecl, target *decl) (links, targets []string, err error) {
	if f.mapped != nil && f.mapped.Through != "" {
		return b.registry.mappedThrough(f, target)
	}
	sides := [2]*decl{f.owner, target}
	names := [2][]string{f.tags.link, f.tags.target}
	joins := f.orm.joins
	if left, right, found := strings.Cut(f.orm.join, "="); found {
		joins = [2]string{snake(left) + "_id", snake(right) + "_id"} // the fields of bun's model
	}
	for i, d := range sides {
		switch {
		case names[i] != nil:
		case joins[i] != "":
			names[i] = []string{joins[i]}
		case len(d.keys) > 1:
			names[i] = linksTo(d, d.linkPrefix())
		default:
			names[i] = []string{d.linkPrefix() + "_id"}
			for _, between := range b.registry.structsOver(f.through()) {
				if link := between.field(d.name + "ID"); link != nil && link.target == nil {
					names[i] = []string{link.column}
				}
			}
		}
	}
	return names[0], names[1], nil
}

// throughTable returns the table between. A struct over it tells its key; until
// there is one, both links together are taken for it.
func (b *builder) throughTable(f *fieldDecl, target *decl, links, targets []string) (*Table, error) {
	r, name := b.registry, f.through()
	for _, u := range slices.Concat(f.owner.unsent, target.unsent) {
		_, _ = r.declare(u.target) // what cannot be read tells nothing of the table
	}
	for _, d := range r.structsOver(name) {
		if _, err := r.table(d); err != nil {
			return nil, err
		}
	}
	if t := r.tableNamed(name); t != nil {
		return t, nil
	}
	t := &Table{ID: len(r.Tables), Name: name}
	r.Tables = append(r.Tables, t)
	var parts []int
	for _, s := range []struct {
		d     *decl
		names []string
	}{{f.owner, links}, {target, targets}} {
		for i, name := range s.names {
			if i >= len(s.d.keys) {
				break // linkColumn says what is wrong
			}
			column, err := r.column(t, name, s.d.keys[i].kind, false, f.String())
			if err != nil {
				return nil, err
			}
			parts = append(parts, column)
		}
	}
	t.Key = r.together(t, parts, f.String())
	r.assumed[t] = true
	return t, nil
}

// structsOver are the structs that have been declared over a table.
func (r *Registry) structsOver(table string) []*decl {
	var all []*decl
	for _, d := range r.declared {
		if d.table == table {
			all = append(all, d)
		}
	}
	return all
}

// throughItems gives the order, the conditions and the audience to the rows of
// the table between, when they name its columns as TABLE.COLUMN, and else to
// the targets. A struct over the table may be met later in the tree.
func (b *builder) throughItems(l *Layer, f *fieldDecl, d *decl) error {
	own, between := f.tags.split(l.Type.Table.Name + ".")
	if own.order != nil && between.order != nil {
		return f.fault("tag order: columns of both tables: sort by those of %s or by those of %s", d.table, l.Type.Table.Name)
	}
	if err := b.sort(l.Through, d, own.order); err != nil {
		return f.fault("tag order: %w", err)
	}
	if err := b.restrict(l.Through, d, own.filter, f.tags.shared); err != nil {
		return f.fault("condition: %w", err)
	}
	if err := b.audience(l.Through, f, d, own.userKey); err != nil {
		return err
	}
	b.later = append(b.later, func() error {
		if err := b.betweenItems(l, f, between); err != nil {
			return f.fault("table %s: %w", l.Type.Table.Name, err)
		}
		return nil
	})
	return nil
}

// split tells the items that name columns with the prefix, which they lose,
// from the others.
func (t *tags) split(prefix string) (own, with tags) {
	for _, o := range t.order {
		if column, found := strings.CutPrefix(o.column, prefix); found {
			with.order = append(with.order, orderTag{column, o.desc})
		} else {
			own.order = append(own.order, o)
		}
	}
	for _, c := range t.filter {
		if column, found := strings.CutPrefix(c.Column, prefix); found {
			with.filter = append(with.filter, CondSpec{column, c.Op, c.Operands})
		} else {
			own.filter = append(own.filter, c)
		}
	}
	if column, found := strings.CutPrefix(t.userKey, prefix); found {
		with.userKey = column
	} else {
		own.userKey = t.userKey
	}
	return own, with
}

// betweenItems are the order and the conditions of the rows of the table
// between, those of deleted rows and of tenants too, as far as structs tell.
func (b *builder) betweenItems(l *Layer, f *fieldDecl, items tags) error {
	table := l.Type.Table.Name
	for _, o := range items.order {
		via, err := b.registry.declaring(table, o.column)
		if err != nil {
			return err
		}
		if err := b.sort(l, via, []orderTag{o}); err != nil {
			return err
		}
	}
	for _, c := range slices.Concat(items.filter, b.betweenRules(table, f.tags.shared)) {
		via, err := b.registry.declaring(table, c.Column)
		if err != nil {
			return err
		}
		if err := b.where(l, via, []CondSpec{c}); err != nil {
			return err
		}
	}
	if items.userKey == "" {
		return nil
	}
	via, err := b.registry.declaring(table, items.userKey)
	if err != nil {
		return err
	}
	return b.audience(l, f, via, items.userKey)
}

// betweenRules are the conditions that hold everywhere, as far as the structs
// over the table declare their columns.
func (b *builder) betweenRules(table string, exempt bool) []CondSpec {
	var rules []CondSpec
	for _, via := range b.registry.structsOver(table) {
		if via.softDelete != nil && rules == nil {
			rules = []CondSpec{{Column: via.softDelete.column, Op: IsNull}}
		}
	}
	for _, e := range b.every {
		if _, err := b.registry.declaring(table, e.column); err == nil && !exempt {
			rules = append(rules, CondSpec{e.column, Eq, []OperandSpec{{Env: e.value.Name}}})
		}
	}
	return rules
}

// declaring is the first struct over the table that declares the column.
func (r *Registry) declaring(table, column string) (*decl, error) {
	for _, d := range r.structsOver(table) {
		if d.byColumn(column) != nil {
			return d, nil
		}
	}
	return nil, fmt.Errorf("no struct declares column %s of %s: declare a struct for the table: a relation to it tagged json:\"-\" suffices", column, table)
}
