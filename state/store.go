package state

import (
	"maps"

	"github.com/pando-sync/pando/schema"
)

// Store is the flat instances of one scope. It is used by one goroutine. A
// View shows the nested tree that they add up to.
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

// Clone returns a store that holds the same and goes its own way.
func (s *Store) Clone() *Store {
	c := &Store{rows: make(map[*schema.Type]map[schema.Value]schema.Row, len(s.rows))}
	for t, rows := range s.rows {
		c.rows[t] = maps.Clone(rows)
	}
	return c
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

// AppendJSON appends the nested state of the anchor as a View of this store
// alone does.
func (s *Store) AppendJSON(dst []byte, tree *schema.Tree, anchor schema.Value) []byte {
	return NewView(tree, s).AppendJSON(dst, anchor)
}
