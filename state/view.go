package state

import (
	"slices"

	"github.com/pando-sync/pando/schema"
)

// View is the nested state of a tree, made of the instances of one store or of
// several: those of a stream's scopes, where an instance is there while any of
// them holds it. It looks into the stores as it is asked and remembers what it
// has sorted, so that it is void once one of them changes.
type View struct {
	tree   *schema.Tree
	stores []*Store
	// sorted has, for each layer that was met, the rows that it shows by the
	// value of their link. All rows of a list are under NULL.
	sorted []map[schema.Value][]schema.Row
	// names has, for each layer that was met, its members' names as they stand
	// in JSON.
	names [][]string
}

// NewView returns a view of what the stores hold.
func NewView(tree *schema.Tree, stores ...*Store) *View {
	layers := len(tree.Layers)
	return &View{tree: tree, stores: stores, sorted: make([]map[schema.Value][]schema.Row, layers), names: make([][]string, layers)}
}

// Top returns the rows of tree.Root.Shown(): the anchor's if it is there, or
// those of a list, which has no anchor, in order.
func (v *View) Top(anchor schema.Value) []schema.Row {
	root := v.tree.Root
	if root.Relation == schema.List {
		return v.of(root, schema.Value{})
	}
	return alone(v.one(root.Type, anchor))
}

// Related returns the rows of l.Shown() that belong to one row of the layer
// above, in order: at most one, except for has-many.
func (v *View) Related(l *schema.Layer, parent schema.Row) []schema.Row {
	if l.Relation == schema.BelongsTo {
		return alone(v.target(l, parent))
	}
	rows := v.of(l, parent[l.Parent.Type.Table.Key])
	if l.Relation == schema.HasOne {
		return rows[:min(1, len(rows))]
	}
	return rows
}

// AppendJSON appends the nested state as GET /state has it: the anchor with
// its relations in the order of the tree, "null" when there is no such row, or
// an array for a list.
func (v *View) AppendJSON(dst []byte, anchor schema.Value) []byte {
	if v.tree.Root.Relation == schema.List {
		return v.array(dst, v.tree.Root, v.Top(anchor))
	}
	return v.object(dst, v.tree.Root, v.one(v.tree.Root.Type, anchor))
}

// relation appends what a layer shows below one row.
func (v *View) relation(dst []byte, l *schema.Layer, parent schema.Row) []byte {
	switch l.Relation {
	case schema.BelongsTo:
		return v.object(dst, l.Shown(), v.target(l, parent))
	case schema.HasMany:
		return v.array(dst, l, v.Related(l, parent))
	default:
		var first schema.Row
		if rows := v.Related(l, parent); len(rows) > 0 {
			first = rows[0]
		}
		return v.object(dst, l.Shown(), first)
	}
}

func (v *View) array(dst []byte, l *schema.Layer, rows []schema.Row) []byte {
	dst = append(dst, '[')
	for i, row := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = v.object(dst, l.Shown(), row)
	}
	return append(dst, ']')
}

// object appends a row of a layer, nil as null.
func (v *View) object(dst []byte, l *schema.Layer, row schema.Row) []byte {
	if row == nil {
		return append(dst, "null"...)
	}
	if v.names[l.Index] == nil {
		v.names[l.Index] = namesOf(l)
	}
	dst = append(dst, '{')
	for i, m := range l.Members {
		dst = append(dst, v.names[l.Index][i]...)
		if m.Layer != nil {
			dst = v.relation(dst, m.Layer, row)
			continue
		}
		f := &l.Type.Fields[m.Field]
		dst = f.AppendJSON(dst, row[f.Column])
	}
	return append(dst, '}')
}

// namesOf are the names of a layer's members with what stands around them.
func namesOf(l *schema.Layer) []string {
	names := make([]string, len(l.Members))
	for i, m := range l.Members {
		var name string
		if m.Layer != nil {
			name = m.Layer.Name
		} else {
			name = l.Type.Fields[m.Field].Name
		}
		var quoted schema.Field // of no kind: the value says how it is written
		names[i] = string(quoted.AppendJSON(nil, schema.TextValue(name))) + ":"
		if i > 0 {
			names[i] = "," + names[i]
		}
	}
	return names
}

// get returns an instance's row, or nil.
func (v *View) get(r Ref) schema.Row {
	for _, s := range v.stores {
		if row := s.Get(r); row != nil {
			return row
		}
	}
	return nil
}

// one is the row of a key, or nil; NULL is no key.
func (v *View) one(t *schema.Type, key schema.Value) schema.Row {
	if key.IsNull() {
		return nil
	}
	return v.get(Ref{t, key})
}

// target is what a belongs-to layer shows below one row, or nil.
func (v *View) target(l *schema.Layer, parent schema.Row) schema.Row {
	row := v.one(l.Type, parent[l.Link])
	if row != nil && l.Through != nil {
		return v.target(l.Through, row)
	}
	return row
}

// alone is a row as a list of at most one.
func alone(row schema.Row) []schema.Row {
	if row == nil {
		return nil
	}
	return []schema.Row{row}
}

// each calls fn for every row of a type once, in no order.
func (v *View) each(t *schema.Type, fn func(schema.Row)) {
	for i, s := range v.stores {
		for key, row := range s.rows[t] {
			seen := slices.ContainsFunc(v.stores[:i], func(o *Store) bool { return o.rows[t][key] != nil })
			if !seen {
				fn(row)
			}
		}
	}
}

// of returns the rows that a layer shows under one link, in order.
func (v *View) of(l *schema.Layer, link schema.Value) []schema.Row {
	if v.sorted[l.Index] == nil {
		v.sorted[l.Index] = v.sort(l)
	}
	return v.sorted[l.Index][link]
}

// sort groups the rows of a layer by link, and puts each group in order.
func (v *View) sort(l *schema.Layer) map[schema.Value][]schema.Row {
	if l.Through != nil {
		return v.sortThrough(l)
	}
	groups := map[schema.Value][]schema.Row{}
	v.each(l.Type, func(row schema.Row) {
		if link := linkOf(l, row); !link.IsNull() || l.Relation == schema.List {
			groups[link] = append(groups[link], row)
		}
	})
	for _, rows := range groups {
		slices.SortFunc(rows, func(a, b schema.Row) int { return Compare(l, a, b) })
	}
	return groups
}

// place is a row that says where another one stands, with those behind it: the
// last of them is shown.
type place []schema.Row

// placeOf is the place of a row of a layer; false if nothing is behind it.
func (v *View) placeOf(l *schema.Layer, row schema.Row) (place, bool) {
	p := place{row}
	for l = l.Through; l != nil; l = l.Through {
		if row = v.one(l.Type, row[l.Link]); row == nil {
			return nil, false
		}
		p = append(p, row)
	}
	return p, true
}

// sortThrough is sort for a layer that shows others in the place of its rows.
func (v *View) sortThrough(l *schema.Layer) map[schema.Value][]schema.Row {
	places := map[schema.Value][]place{}
	v.each(l.Type, func(row schema.Row) {
		link := linkOf(l, row)
		if link.IsNull() && l.Relation != schema.List {
			return
		}
		if p, whole := v.placeOf(l, row); whole {
			places[link] = append(places[link], p)
		}
	})
	groups := make(map[schema.Value][]schema.Row, len(places))
	for link, group := range places {
		slices.SortFunc(group, func(a, b place) int { return comparePlaces(l, a, b) })
		rows := make([]schema.Row, len(group))
		for i, p := range group {
			rows[i] = p[len(p)-1]
		}
		groups[link] = rows
	}
	return groups
}

// linkOf is what a row of the layer is found by, NULL for all rows of a list.
func linkOf(l *schema.Layer, row schema.Row) schema.Value {
	if l.Relation == schema.List {
		return schema.Value{}
	}
	return row[l.Link]
}

// Compare orders two rows of a layer: by its order, then by key. Layers with
// Through that have no order of their own are sorted by what they show, which
// a View sees to.
func Compare(l *schema.Layer, a, b schema.Row) int {
	for _, o := range l.Order {
		c := a[o.Column].Compare(b[o.Column])
		if o.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	key := l.Type.Table.Key
	return a[key].Compare(b[key])
}

// comparePlaces orders two rows of a layer with Through: by its own order, or
// by that of the rows behind them, their keys, and its own.
func comparePlaces(l *schema.Layer, a, b place) int {
	if len(l.Order) == 0 && l.Through != nil {
		if c := comparePlaces(l.Through, a[1:], b[1:]); c != 0 {
			return c
		}
	}
	return Compare(l, a[0], b[0])
}
