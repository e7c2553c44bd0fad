package route

import (
	"slices"

	"github.com/pando-sync/pando/schema"
)

// Held is what a recorded scope has of one row: a statement that is true at
// the position At.
type Held struct {
	Table *schema.Table
	Key   schema.Value
	// Row is nil for a row that does not exist.
	Row schema.Row
	At  uint64
	// Member tells that the scope has the row, whether or not it exists and is
	// shown. Open are the indexes of the layers in which what stands below the row
	// is linked.
	Member bool
	Open   []int
	// Fresh tells that something below has been linked since the last statement
	// about the row. When it is not set, all that stands below the row was known at
	// all positions since then.
	Fresh bool
}

// recording notes the rows of a scope of which something has changed.
type recording struct {
	rows map[netKey]*noted
}

// noted is a row of which something has changed.
type noted struct {
	table *table
	fresh bool
	// left is the row when it last changed or left, at a position; it may be
	// forgotten by the time that somebody asks.
	left   schema.Row
	leftAt uint64
}

// Record returns all that a ready scope holds, and notes from now on what
// changes of that. Private scopes and lists with a limit are not recorded.
func (t *Router) Record(s *Scope) []Held {
	if s.Private != 0 || s.Tree.Limit > 0 {
		panic("route: only scopes that are shared and whole are recorded")
	}
	t.Unrecord(s)
	s.recorded = &recording{rows: map[netKey]*noted{}}
	var all []Held
	t.holds(s, func(r *row) { all = append(all, t.held(s, r)) })
	return all
}

// Unrecord ends what Record has begun.
func (t *Router) Unrecord(s *Scope) {
	if s.recorded != nil {
		t.noted -= len(s.recorded.rows)
		s.recorded = nil
	}
}

// Recorded tells whether what changes of the scope is noted.
func (s *Scope) Recorded() bool { return s.recorded != nil }

// Noted is the number of rows that have changed in recorded scopes.
func (t *Router) Noted() int { return t.noted }

// Changed takes what has changed of a recorded scope, which must be ready, since
// Record or the last call.
func (t *Router) Changed(s *Scope) []Held {
	if s.recorded == nil || len(s.recorded.rows) == 0 {
		return nil
	}
	all := make([]Held, 0, len(s.recorded.rows))
	for k, n := range s.recorded.rows {
		h := Held{Table: n.table.def, Key: k.key}
		if r := n.table.rows.get(k.key); r != nil {
			h = t.held(s, r)
		}
		if !h.Member {
			if n.leftAt == 0 {
				continue // it came and went, and was never known
			}
			h.Row, h.At = n.left, n.leftAt
		}
		h.Fresh = n.fresh
		all = append(all, h)
	}
	t.noted -= len(s.recorded.rows)
	clear(s.recorded.rows)
	return all
}

// record notes that something of a row changes for a part of a scope.
func (t *Router) record(s *Scope, r *row) *noted {
	rec := s.whole.recorded
	if rec == nil {
		return nil
	}
	k := netKey{r.table.def.ID, r.key}
	n := rec.rows[k]
	if n == nil {
		n = &noted{table: r.table}
		rec.rows[k] = n
		t.noted++
	}
	return n
}

// recordFresh notes that something is linked below a row.
func (t *Router) recordFresh(s *Scope, r *row) {
	if n := t.record(s, r); n != nil {
		n.fresh = true
	}
}

// recordChange notes a row's new values, nil for one that does not exist.
func (t *Router) recordChange(s *Scope, r *row, vals schema.Row) {
	if n := t.record(s, r); n != nil {
		n.left, n.leftAt = vals, t.pos
	}
}

// recordLeave notes the values of a row that leaves. Those of a row that changes
// at the same time have been noted, or are about to come while it is no member.
func (t *Router) recordLeave(s *Scope, r *row) {
	if n := t.record(s, r); n != nil && r.known && n.leftAt < t.pos {
		n.left, n.leftAt = t.upcoming(r), t.pos
	}
}

// held is what a scope has of a row in memory.
func (t *Router) held(s *Scope, r *row) Held {
	h := Held{Table: r.table.def, Key: r.key, Row: r.vals, At: t.pos}
	see := func(m *member) {
		h.Member = true
		if m.node.children != nil && m.scope.place(m.node, r.vals) != nil && !slices.Contains(h.Open, m.node.Index) {
			h.Open = append(h.Open, m.node.Index)
		}
	}
	if len(r.members.list) <= indexAbove {
		for i := range r.members.list {
			if m := &r.members.list[i]; m.scope.whole == s {
				see(m)
			}
		}
		return h
	}
	// One that many scopes show is looked for where this one may have it.
	for _, n := range s.shape.nodes {
		if n.table != r.table {
			continue
		}
		if m := r.members.get(s, n); m != nil {
			see(m)
		}
		for _, p := range s.parts {
			if m := r.members.get(p, n); m != nil {
				see(m)
			}
		}
	}
	return h
}

// holds calls fn for every row that a ready scope has, once.
func (t *Router) holds(s *Scope, fn func(*row)) {
	seen := map[*row]struct{}{}
	at := make([]map[placed]struct{}, len(s.shape.nodes))
	visit := func(n *node, r *row, part *Scope) {
		if first(&seen, r) {
			fn(r)
		}
		if len(n.children) == 0 {
			return
		}
		if p := part.place(n, r.vals); p != nil {
			first(&at[n.Index], placed{r, p})
		}
	}
	if root := s.shape.root; root.Relation == schema.List {
		for _, v := range s.values() {
			root.link.each(v, func(r *row) { visit(root, r, s) })
		}
	} else {
		visit(root, root.table.row(s.Anchor), s)
	}
	for _, n := range s.shape.nodes[1:] {
		for parent := range at[n.Parent.Index] {
			if n.link != nil {
				n.link.each(parent.row.key, func(r *row) { visit(n, r, parent.part) })
			} else if v := parent.row.vals[n.Link]; !v.IsNull() {
				visit(n, n.table.row(v), parent.part)
			}
		}
	}
}

// each calls fn for the rows of a bucket, if there is one.
func (l *link) each(v schema.Value, fn func(*row)) {
	if b := l.buckets.get(v); b != nil {
		for _, r := range b.rows {
			fn(r)
		}
	}
}

// Fork tells that what the last call of Wants has returned is answered by one
// more read: by several calls of Merge or Failed that have some of the wants each.
func (t *Router) Fork() { t.reads++ }
