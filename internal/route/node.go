package route

import "github.com/pando-sync/pando/schema"

// node is a layer with what the router looks up of it.
type node struct {
	*schema.Layer

	typ   *schema.Type
	table *table
	// link is the column by which the layer finds its rows; nil for an anchor
	// and for belongs-to.
	link     *link
	children []*node
	// plain tells that the layer shows every row that exists and is linked to, as
	// most do: whoever asks about conditions, audiences and hidden layers asks
	// this first.
	plain bool
	// divides tells that each of the layer's rows is in the part of one user, with
	// all below it; what stands above is public.
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
	n := &node{Layer: l, typ: l.Type, table: t.tables[l.Type.Table.ID], divides: l.UserKey >= 0}
	n.plain = len(l.Where) == 0 && !n.divides && !l.Hidden && l.Relation != schema.List
	if l.Relation != schema.Root && !l.Relation.Forward() {
		n.link = n.table.linkBy(l.Link)
	}
	if n.divides {
		n.table.tell(l.UserKey)
	}
	for i := range l.Where {
		n.table.tell(l.Where[i].Column)
	}
	for _, c := range l.Children {
		if c.Relation.Forward() {
			n.table.tell(c.Link)
		}
	}
	return n
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
	case n.divides:
		return s.part(vals[n.UserKey])
	default:
		return s
	}
}

// member is the link by which s shows an existing row in a layer, or nil.
func (s *Scope) member(r *row, n *node) *member {
	switch {
	case n.plain:
		return r.members.get(s, n)
	case n.divides:
		// The links into the layer are the public part's.
		if s.user.IsNull() || r.vals[n.UserKey] != s.user || !schema.Meets(n.Where, r.vals, s.env) {
			return nil
		}
		return r.members.get(s.whole, n)
	case s.place(n, r.vals) == nil:
		return nil
	default:
		return r.members.get(s, n)
	}
}

// shows tells whether s shows the row as type t, and the version of the last
// patch that told of it.
func (s *Scope) shows(r *row, t *schema.Type) (version uint64, shown bool) {
	if r.vals == nil {
		return 0, false
	}
	for _, n := range s.shape.byType[t.ID] {
		if m := s.member(r, n); m != nil {
			version, shown = max(version, m.version), true
		}
	}
	return version, shown
}
