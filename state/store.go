package state

import (
	"slices"
	"strconv"

	"github.com/pando-sync/pando/schema"
)

// Store is the flat instances of one scope, and the nested tree that they add
// up to. It is used by one goroutine.
type Store struct {
	rows map[*schema.Type]map[schema.Value]schema.Row
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{rows: map[*schema.Type]map[schema.Value]schema.Row{}}
}

// Get returns an instance's row, or nil.
func (s *Store) Get(r Ref) schema.Row { return s.rows[r.Type][r.Key] }

// Set puts an instance, replacing one of the same type and key.
func (s *Store) Set(i Instance) {
	m := s.rows[i.Type]
	if m == nil {
		m = map[schema.Value]schema.Row{}
		s.rows[i.Type] = m
	}
	m[i.Key] = i.Row
}

// Delete removes an instance; one that is not held is no error.
func (s *Store) Delete(r Ref) { delete(s.rows[r.Type], r.Key) }

// Each calls fn for every row that is held of a type, in no order.
func (s *Store) Each(t *schema.Type, fn func(schema.Row)) {
	for _, row := range s.rows[t] {
		fn(row)
	}
}

// Len is the number of instances.
func (s *Store) Len() int {
	n := 0
	for _, m := range s.rows {
		n += len(m)
	}
	return n
}

// Apply applies a patch: deletions, then whole rows, then changed ones.
func (s *Store) Apply(p *Patch) {
	for _, r := range p.Delete {
		s.Delete(r)
	}
	for _, i := range p.Set {
		s.Set(i)
	}
	for _, u := range p.Update {
		if s.Get(u.Ref) != nil {
			s.Set(Instance{u.Ref, u.New})
		}
	}
}

// AppendJSON appends the nested state of the anchor, "null" when there is no
// such row. Relations are nested as tree declares, in its order.
func (s *Store) AppendJSON(dst []byte, tree *schema.Tree, anchor schema.Value) []byte {
	row := s.Get(Ref{tree.Root.Type, anchor})
	if row == nil {
		return append(dst, "null"...)
	}
	n := nester{store: s, children: make([]map[schema.Value][]schema.Row, len(tree.Layers))}
	return n.object(dst, tree.Root, row)
}

// Related returns the rows of a layer that belong to one row of the layer
// above, in order: at most one, except for has-many.
func (s *Store) Related(l *schema.Layer, parent schema.Row) []schema.Row {
	n := nester{store: s, children: make([]map[schema.Value][]schema.Row, l.Index+1)}
	return n.related(l, parent)
}

// nester indexes the rows of has-many layers by their links as it meets them.
type nester struct {
	store    *Store
	children []map[schema.Value][]schema.Row
}

func (n *nester) object(dst []byte, l *schema.Layer, row schema.Row) []byte {
	dst = append(dst, '{')
	for i, m := range l.Members {
		if i > 0 {
			dst = append(dst, ',')
		}
		if m.Layer == nil {
			f := &l.Type.Fields[m.Field]
			dst = strconv.AppendQuote(dst, f.Name)
			dst = append(dst, ':')
			dst = f.AppendJSON(dst, row[f.Column])
			continue
		}
		dst = strconv.AppendQuote(dst, m.Layer.Name)
		dst = append(dst, ':')
		dst = n.relation(dst, m.Layer, row)
	}
	return append(dst, '}')
}

func (n *nester) relation(dst []byte, l *schema.Layer, parent schema.Row) []byte {
	rows := n.related(l, parent)
	if l.Relation != schema.HasMany {
		if len(rows) == 0 {
			return append(dst, "null"...)
		}
		return n.object(dst, l, rows[0])
	}
	dst = append(dst, '[')
	for i, row := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = n.object(dst, l, row)
	}
	return append(dst, ']')
}

func (n *nester) related(l *schema.Layer, parent schema.Row) []schema.Row {
	if l.Relation == schema.HasMany || l.Relation == schema.HasOne {
		rows := n.of(l, parent[l.Parent.Type.Table.Key])
		if l.Relation == schema.HasOne {
			rows = rows[:min(1, len(rows))]
		}
		return rows
	}
	row := n.store.Get(Ref{l.Type, parent[l.Link]})
	if parent[l.Link].IsNull() || row == nil {
		return nil
	}
	return []schema.Row{row}
}

// of returns the rows of a layer below one parent, in order.
func (n *nester) of(l *schema.Layer, parent schema.Value) []schema.Row {
	index := n.children[l.Index]
	if index == nil {
		index = map[schema.Value][]schema.Row{}
		for _, row := range n.store.rows[l.Type] {
			if v := row[l.Link]; !v.IsNull() {
				index[v] = append(index[v], row)
			}
		}
		for _, rows := range index {
			slices.SortFunc(rows, func(a, b schema.Row) int { return Compare(l, a, b) })
		}
		n.children[l.Index] = index
	}
	return index[parent]
}

// Compare orders two rows of a layer: by its order, then by key.
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
