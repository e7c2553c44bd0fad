package route

import (
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// Snapshot puts the whole state of a scope's public part, or of another part,
// into p, the anchor first and parents before children. The scope must be
// ready.
func (t *Router) Snapshot(s *Scope, p *state.Patch) {
	p.Reset(t.pos)
	t.walk(s, func(r *row, typ *schema.Type) {
		p.Set = append(p.Set, state.Instance{Ref: state.Ref{Type: typ, Key: r.key}, Row: r.vals})
	})
}

// Since puts what changed after version into p, as whole rows and deletions,
// and tells whether that is known. The scope must be ready.
func (t *Router) Since(s *Scope, version uint64, p *state.Patch) bool {
	if version < s.since || version > t.pos {
		return false
	}
	p.Reset(t.pos)
	if version >= s.changed {
		return true
	}
	for i := len(s.tombs) - 1; i >= 0 && s.tombs[i].version > version; i-- {
		p.Delete = append(p.Delete, s.tombs[i].ref)
	}
	t.walk(s, func(r *row, typ *schema.Type) {
		if told, _ := s.shows(r, typ); told > version {
			p.Set = append(p.Set, state.Instance{Ref: state.Ref{Type: typ, Key: r.key}, Row: r.vals})
		}
	})
	return true
}

// walk visits every instance that a ready part shows, once, layer by layer.
func (*Router) walk(s *Scope, visit func(*row, *schema.Type)) {
	w := walker{target: s, visit: visit, at: make([][]placed, len(s.shape.nodes))}
	w.roots(func(r *row) { w.show(s.shape.root, r, s.whole) })
	for _, n := range s.shape.nodes[1:] {
		if n.Hidden {
			continue
		}
		for _, parent := range w.at[n.Parent.Index] {
			if n.link == nil {
				w.show(n, n.table.rows.get(parent.row.vals[n.Link]), parent.part)
				continue
			}
			if b := n.link.buckets.get(parent.row.key); b != nil {
				for _, r := range b.rows {
					w.show(n, r, parent.part)
				}
			}
		}
	}
}

// walker remembers the rows that it has met where more than one way may lead
// to them: targets of links, rows that were added to a list, and types of
// several layers.
type walker struct {
	target *Scope
	visit  func(*row, *schema.Type)
	at     [][]placed
	inside map[memberOf]struct{}
	shown  map[touchKey]struct{}
}

// placed is a row and the part that shows it: the target, or the public one on
// the way there.
type placed struct {
	row  *row
	part *Scope
}

type memberOf struct {
	row  *row
	node *node
}

// roots visits the rows that are linked into the first layer, some of them
// maybe twice.
func (w *walker) roots(visit func(*row)) {
	s := w.target.whole
	root := s.shape.root
	switch {
	case root.Relation != schema.List:
		visit(root.table.rows.get(s.Anchor))
	case s.window != nil:
		for _, r := range s.window.rows[:min(len(s.window.rows), s.window.limit)] {
			visit(r)
		}
	case s.bound():
		for _, v := range s.values() {
			for _, r := range root.link.bucket(v).rows {
				visit(r)
			}
		}
	}
	if s.picks != nil {
		for key := range s.picks.added {
			visit(root.table.rows.get(key))
		}
	}
}

func (w *walker) show(n *node, r *row, context *Scope) {
	if r == nil || r.vals == nil || n.divides && r.vals[n.UserKey] != w.target.user {
		return
	}
	part := context.place(n, r.vals)
	if part != w.target && (part != w.target.whole || !n.leads) {
		return
	}
	if (n.link == nil || n.Index == 0 && part.picks != nil) && !first(&w.inside, memberOf{r, n}) {
		return
	}
	w.at[n.Index] = append(w.at[n.Index], placed{r, part})
	if part != w.target || len(part.shape.byType[n.Type.ID]) > 1 && !first(&w.shown, touchKey{r, n.Type.ID}) {
		return
	}
	w.visit(r, n.Type)
}
