package route

import "github.com/pando-sync/pando/schema"

// join links a row into a layer of a part once more.
func (t *Router) join(r *row, s *Scope, n *node) {
	if m := r.members.get(s, n); m != nil {
		m.count++
		return
	}
	t.note(r, s, n, r.vals)
	t.record(s, r)
	r.members.add(s, n)
	s.links++
	if !r.known {
		s.whole.waits++
		if !t.answerRow(r) {
			t.wantRow(r, n)
		}
		return
	}
	t.expand(r, r.vals, s, n)
}

// leave takes one link of a row into a layer of a part away.
func (t *Router) leave(r *row, s *Scope, n *node) {
	if m := r.members.get(s, n); m.count > 1 {
		m.count--
		return
	}
	t.note(r, s, n, r.vals)
	t.recordLeave(s, r)
	r.members.remove(s, n)
	t.unlinked(s)
	if r.known {
		t.collapse(r, r.vals, s, n)
	} else {
		s.whole.waits--
	}
	t.drop(r)
}

// drop lets the sweep see to a row that nothing holds.
func (t *Router) drop(r *row) {
	if !r.orphan && !r.used() {
		r.orphan = true
		t.orphans = append(t.orphans, r)
	}
}

// note remembers what a row shows before its link into a layer, or its values,
// change; vals tell in which part it is shown, if in any.
func (t *Router) note(r *row, s *Scope, n *node, vals schema.Row) {
	switch {
	case n.plain:
		t.touch(r, s, n.typ)
	case n.Hidden:
	case n.divides:
		if vals == nil {
			return
		}
		if p := s.parts[vals[n.UserKey]]; p != nil {
			t.touch(r, p, n.typ)
		}
	default:
		if n.Relation == schema.List && s.picks != nil {
			t.consider(s, r)
		}
		if s.place(n, vals) != nil {
			t.touch(r, s, n.typ)
		}
	}
}

// expand links what stands below a row that has come into a layer.
func (t *Router) expand(r *row, vals schema.Row, s *Scope, n *node) {
	if len(n.children) == 0 {
		return
	}
	if p := s.place(n, vals); p != nil {
		t.linkBelow(r, vals, p, n)
	}
}

// collapse undoes expand for a row with the given values that has left a
// layer.
func (t *Router) collapse(r *row, vals schema.Row, s *Scope, n *node) {
	if len(n.children) == 0 {
		return
	}
	if p := s.place(n, vals); p != nil {
		t.unlinkBelow(r, vals, p, n)
	}
}

// linkBelow links what stands below a row that p shows.
func (t *Router) linkBelow(r *row, vals schema.Row, p *Scope, n *node) {
	t.recordFresh(p, r)
	for _, c := range n.children {
		if c.link != nil {
			t.bind(c.link.bucket(r.key), p, c)
		} else if v := vals[c.Link]; !v.IsNull() {
			t.join(c.table.row(v), p, c)
		}
	}
	if p.links == 0 {
		t.unused(p)
	}
}

// unlinkBelow undoes linkBelow.
func (t *Router) unlinkBelow(r *row, vals schema.Row, p *Scope, n *node) {
	for _, c := range n.children {
		if c.link != nil {
			t.unbind(c.link.bucket(r.key), p, c)
		} else if v := vals[c.Link]; !v.IsNull() {
			t.leave(c.table.row(v), p, c)
		}
	}
}

// bind shows a bucket's rows in a layer of a part.
func (t *Router) bind(b *bucket, s *Scope, n *node) {
	b.bound.add(s, n)
	s.links++
	s.whole.waits += len(b.pending)
	if !b.complete {
		s.whole.waits++
	}
	// Rows that come in from here on join by themselves.
	for _, r := range b.rows {
		t.join(r, s, n)
	}
	// A row that stands below itself may have had the bucket answered by now.
	if !b.complete && !t.answerBucket(b) {
		t.wantBucket(b, n)
	}
}

// unbind hides a bucket's rows from a layer of a part.
func (t *Router) unbind(b *bucket, s *Scope, n *node) {
	b.bound.remove(s, n)
	t.unlinked(s)
	s.whole.waits -= len(b.pending)
	if !b.complete {
		s.whole.waits--
	}
	for _, r := range b.rows {
		t.leave(r, s, n)
	}
	t.unwatched(b)
	if b.bound.len() == 0 {
		// A read that is under way is not waited for: its answer may come while
		// nobody shows the bucket.
		b.complete, b.asked = false, false
		b.link.release(b)
	}
}

// index puts a row into the bucket of its link and joins it wherever the
// bucket is shown.
func (t *Router) index(r *row, l *link, v schema.Value) {
	if v.IsNull() {
		return
	}
	b := l.bucket(v)
	b.add(r)
	via := t.via
	if via == nil && b.coming() {
		t.via = b
	}
	for _, m := range b.bound.list {
		t.join(r, m.scope, m.node)
	}
	t.via = via
}

// unindex undoes index.
func (t *Router) unindex(r *row, l *link, v schema.Value) {
	if v.IsNull() || r.at[l.index] < 0 {
		return
	}
	b := l.buckets.get(v)
	b.remove(r)
	var few [4]member
	for _, m := range append(few[:0], b.bound.list...) {
		t.leave(r, m.scope, m.node)
	}
	l.release(b)
}

// change gives a known row new values; nil means that it does not exist.
func (t *Router) change(r *row, vals schema.Row) {
	old := r.vals
	for i := range r.members.list {
		m := &r.members.list[i]
		t.recordChange(m.scope, r, vals)
		t.note(r, m.scope, m.node, old)
		if !m.node.plain {
			t.note(r, m.scope, m.node, vals)
		}
	}
	t.takeOut(r, old, vals)
	switch {
	case old == nil && vals == nil:
	case old == nil:
		t.insert(r, vals)
	case vals == nil:
		t.remove(r)
	default:
		t.update(r, vals)
	}
	t.putIn(r)
	t.restate(r, old, vals)
	t.drop(r)
}

func (t *Router) insert(r *row, vals schema.Row) {
	r.vals = vals
	for _, m := range r.members.list {
		t.expand(r, vals, m.scope, m.node)
	}
	for _, l := range r.table.links {
		t.index(r, l, vals[l.column])
	}
}

func (t *Router) remove(r *row) {
	for _, l := range r.table.links {
		t.unindex(r, l, r.vals[l.column])
	}
	// What is left are links to the row, which outlive it. The row may stand
	// below itself: without values, no layer of it is collapsed twice.
	old := r.vals
	r.vals = nil
	var few [4]member
	for _, m := range append(few[:0], r.members.list...) {
		t.collapse(r, old, m.scope, m.node)
	}
}

func (t *Router) update(r *row, vals schema.Row) {
	old := r.vals
	r.vals = vals
	if !r.table.moves(old, vals) {
		return
	}
	// The new place is taken before the old one is left, so that what stands
	// below a row that moves within a scope stays known; and in all layers, as
	// the row may stand below itself: whatever collapses it then finds the links
	// that its values name.
	var few [4]member
	members := append(few[:0], r.members.list...)
	for _, m := range members {
		t.enter(r, m, old, vals)
	}
	for _, m := range members {
		t.quit(r, m, old, vals)
	}
	for _, l := range r.table.links {
		o, n := old[l.column], vals[l.column]
		if o == n {
			continue
		}
		left := r.at[l.index]
		r.at[l.index] = -1
		t.index(r, l, n)
		t.unindexAt(r, l, o, left)
	}
}

// enter links what the new values of a row have below them and the old ones
// have not.
func (t *Router) enter(r *row, m member, old, vals schema.Row) {
	if len(m.node.children) == 0 {
		return
	}
	p := m.scope
	if !m.node.plain {
		if p = m.scope.place(m.node, vals); p == nil {
			return
		}
		if p != m.scope.place(m.node, old) {
			t.linkBelow(r, vals, p, m.node)
			return
		}
	}
	for _, c := range m.node.children {
		if c.link == nil && old[c.Link] != vals[c.Link] && !vals[c.Link].IsNull() {
			t.join(c.table.row(vals[c.Link]), p, c)
		}
	}
}

// quit takes away what only the old ones have.
func (t *Router) quit(r *row, m member, old, vals schema.Row) {
	if len(m.node.children) == 0 {
		return
	}
	p := m.scope
	if !m.node.plain {
		if p = m.scope.place(m.node, old); p == nil {
			return
		}
		if p != m.scope.place(m.node, vals) {
			t.unlinkBelow(r, old, p, m.node)
			return
		}
	}
	for _, c := range m.node.children {
		if c.link == nil && old[c.Link] != vals[c.Link] && !old[c.Link].IsNull() {
			t.leave(c.table.row(old[c.Link]), p, c)
		}
	}
}

// unindexAt takes a row out of a bucket in which it stands at another index
// than the one that is written in the row.
func (t *Router) unindexAt(r *row, l *link, v schema.Value, at int32) {
	if v.IsNull() || at < 0 {
		return
	}
	now := r.at[l.index]
	r.at[l.index] = at
	t.unindex(r, l, v)
	r.at[l.index] = now
}
