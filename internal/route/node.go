package route

import "github.com/pando-sync/pando/schema"

// node is a layer with what the router looks up of it.
type node struct {
	*schema.Layer

	table *table
	// link is the column by which the layer finds its rows; nil for an anchor
	// and for belongs-to.
	link     *link
	children []*node
	// plain tells that the layer shows every row that exists and is linked to.
	plain bool
	// divides tells that the layer's rows go from the public part of a scope to
	// the part of one user.
	divides bool
	// leads tells that a layer below divides.
	leads bool
}

// shape is a tree as its scopes share it.
type shape struct {
	root *node
	// nodes are by Layer.Index.
	nodes []*node
	// byType are the nodes that show each type, by the type's ID.
	byType [][]*node
}

func (t *Router) shapeOf(tree *schema.Tree) *shape {
	sh := t.shapes[tree]
	if sh != nil {
		return sh
	}
	sh = &shape{}
	for _, l := range tree.Layers {
		n := t.nodeOf(l)
		sh.nodes = append(sh.nodes, n)
		if l.Parent == nil {
			sh.root = n
		} else {
			parent := sh.nodes[l.Parent.Index]
			parent.children = append(parent.children, n)
		}
		n.divides = l.UserKey >= 0 && !private(l.Parent)
		for up := l.Parent; n.divides && up != nil; up = up.Parent {
			sh.nodes[up.Index].leads = true
		}
		if l.Hidden {
			continue
		}
		for len(sh.byType) <= l.Type.ID {
			sh.byType = append(sh.byType, nil)
		}
		sh.byType[l.Type.ID] = append(sh.byType[l.Type.ID], n)
	}
	t.shapes[tree] = sh
	return sh
}

func (t *Router) nodeOf(l *schema.Layer) *node {
	n := &node{Layer: l, table: t.tables[l.Type.Table.ID]}
	n.plain = len(l.Where) == 0 && l.UserKey < 0 && l.Relation != schema.List
	if l.Relation != schema.Root && !l.Relation.Forward() {
		n.link = n.table.linkBy(l.Link)
	}
	return n
}

// private tells whether a layer's rows are in the part of one user.
func private(l *schema.Layer) bool {
	for ; l != nil; l = l.Parent {
		if l.UserKey >= 0 {
			return true
		}
	}
	return false
}

// place is the part that shows a row with the given values which is linked
// into a layer of s, and nil when none does.
func (s *Scope) place(n *node, vals schema.Row) *Scope {
	switch {
	case vals == nil:
		return nil
	case n.plain:
		return s
	case n.Relation == schema.List:
		if !s.lists(n, vals) {
			return nil
		}
		return s
	case !schema.Meets(n.Where, vals, s.env):
		return nil
	case n.UserKey < 0:
		return s
	case n.divides:
		return s.part(vals[n.UserKey])
	case vals[n.UserKey] != s.user:
		return nil
	default:
		return s
	}
}

// context is where the links into a layer are kept by which s shows rows.
func (s *Scope) context(n *node) *Scope {
	if n.divides {
		return s.whole
	}
	return s
}

// member is the link by which s shows an existing row in a layer, or nil.
func (s *Scope) member(r *row, n *node) *member {
	m := r.members.get(s.context(n), n)
	switch {
	case m == nil || n.plain:
		return m
	case n.divides:
		if s.user.IsNull() || r.vals[n.UserKey] != s.user || !schema.Meets(n.Where, r.vals, s.env) {
			return nil
		}
		return m
	case s.place(n, r.vals) == nil:
		return nil
	default:
		return m
	}
}

// visible tells whether s shows the row as type t.
func (s *Scope) visible(r *row, t *schema.Type) bool {
	if r.vals == nil {
		return false
	}
	for _, n := range s.shape.byType[t.ID] {
		if s.member(r, n) != nil {
			return true
		}
	}
	return false
}
