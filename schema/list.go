package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// ListSpec declares a tree whose state is a list of rows.
type ListSpec struct {
	// Name tells lists apart: the channel's name.
	Name string
	// Where are the conditions that the rows of the list meet.
	Where []CondSpec
	// Order names the columns that sort the list, "-created_at" for a
	// descending one; the key is always the last.
	Order []string
	// Limit is the number of rows that are shown at most, the first in order; 0
	// shows all.
	Limit int
}

// maxLimit bounds ListSpec.Limit: a list is for a page to show.
const maxLimit = 10_000

// AsList makes the tree one of a list: the struct is what each of its rows
// shows, with all below it.
func AsList(spec ListSpec) Option {
	return func(b *builder) { b.list = &spec }
}

// listRoot makes the layer of places, and the layer of the rows that are shown
// in them.
func (b *builder) listRoot(typ *Type, d *decl, way trail) error {
	s := b.list
	switch {
	case s.Name == "":
		return fmt.Errorf("schema: list of %s: no name: give it its channel's", d.name)
	case s.Limit < 0 || s.Limit > maxLimit:
		return fmt.Errorf("schema: list %s: limit %d: use 0 for all rows, or a number up to %d", s.Name, s.Limit, maxLimit)
	}
	place, err := b.registry.place("@"+s.Name, typ.Table)
	if err != nil {
		return err
	}
	root := b.add(&Layer{Type: place, Relation: List})
	b.tree.Root, b.tree.Limit = root, s.Limit
	var criteria []orderTag
	for _, o := range s.Order {
		column, desc := strings.CutPrefix(o, "-")
		criteria = append(criteria, orderTag{column, desc})
	}
	if err := b.sort(root, d, criteria); err != nil {
		return fmt.Errorf("schema: list %s: order: %w", s.Name, err)
	}
	if err := b.restrict(root, d, slices.Concat(s.Where, b.filter), false); err != nil {
		return fmt.Errorf("schema: list %s: condition: %w", s.Name, err)
	}
	root.Link = b.listLink(root)
	addLink(typ.Table, root.Link)

	// What a stream adds to its list need not meet the list's conditions, but it
	// is not deleted, and of the stream's tenant.
	row := b.add(&Layer{Path: "@", Type: typ, Parent: root, Relation: BelongsTo, Link: typ.Table.Key})
	if err := b.restrict(row, d, nil, false); err != nil {
		return fmt.Errorf("schema: list %s: condition: %w", s.Name, err)
	}
	b.brand(place, typ.Table.Key, typ)
	root.Through, root.Children = row, []*Layer{row}
	return b.grow(row, d, way)
}

// listLink is the column by which a list's rows are found: those together that
// an equality is asked of, else one that is one of several values, else the
// tuple of no columns, by which all rows are found.
func (b *builder) listLink(root *Layer) int {
	slices.SortStableFunc(root.Where, func(c, o Condition) int { return cmp.Compare(searched(c), searched(o)) })
	var parts []int
	for _, c := range root.Where {
		if searched(c) == 0 && !slices.Contains(parts, c.Column) {
			parts = append(parts, c.Column)
		}
	}
	if i := slices.IndexFunc(root.Where, func(c Condition) bool { return c.Op == In }); parts == nil && i >= 0 {
		parts = []int{root.Where[i].Column}
	}
	return b.registry.together(root.Type.Table, parts, root.Type.Name)
}

// searched puts equalities first, so that they are what rows are found by.
func searched(c Condition) int {
	if c.Op == Eq {
		return 0
	}
	return 1
}
