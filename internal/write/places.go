package write

import "github.com/pando-sync/pando/schema"

// Places are the layers of a tree in which a row of the type may be created, see
// schema.Writable.In: where it shows by a link of its own, or in a list.
func Places(tree *schema.Tree, typ *schema.Type) []*schema.Layer {
	var places []*schema.Layer
	for _, l := range tree.Layers {
		created := l.Relation == schema.HasMany || l.Relation == schema.HasOne || l.Relation == schema.List
		if created && l.Type.Table == typ.Table && ownRows(l) && l.Shown().Type == typ {
			places = append(places, l)
		}
	}
	return places
}

// ownRows tells whether the rows that a layer shows are its own, not those that
// rows of a table between lead to.
func ownRows(l *schema.Layer) bool {
	for ; l.Through != nil; l = l.Through {
		if l.Through.Link != l.Type.Table.Key || l.Through.Type.Table != l.Type.Table {
			return false
		}
	}
	return true
}
