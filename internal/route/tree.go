package route

import "github.com/pando-sync/pando/schema"

// join links a row into a layer of a scope once more.
func (t *Router) join(r *row, s *Scope, l *schema.Layer) {
	if r.members.get(s, l) == nil {
		t.touch(r, s, l.Type)
	}
	if !r.members.add(s, l) {
		return
	}
	if !r.known {
		s.waits++
		if !t.answerRow(r) {
			t.wantRow(r, l)
		}
		return
	}
	if r.vals != nil {
		t.expand(r, s, l)
	}
}

// leave takes one link of a row into a layer of a scope away.
func (t *Router) leave(r *row, s *Scope, l *schema.Layer) {
	m := r.members.get(s, l)
	if m.count > 1 {
		m.count--
		return
	}
	t.touch(r, s, l.Type)
	r.members.remove(s, l)
	switch {
	case !r.known:
		s.waits--
	case r.vals != nil:
		t.collapse(r, r.vals, s, l)
	}
	if r.members.len() == 0 && !r.orphan {
		r.orphan = true
		t.orphans = append(t.orphans, r)
	}
}

// expand links what stands below a row that has come into a layer.
func (t *Router) expand(r *row, s *Scope, l *schema.Layer) {
	for _, c := range l.Children {
		if c.Relation.Forward() {
			if v := r.vals[c.Link]; !v.IsNull() {
				t.join(t.tables[c.Type.Table.ID].row(v), s, c)
			}
			continue
		}
		t.bind(t.linkOf(c).bucket(r.key), s, c)
	}
}

// collapse undoes expand for a row with the given values that has left a
// layer.
func (t *Router) collapse(r *row, vals schema.Row, s *Scope, l *schema.Layer) {
	for _, c := range l.Children {
		if c.Relation.Forward() {
			if v := vals[c.Link]; !v.IsNull() {
				t.leave(t.tables[c.Type.Table.ID].row(v), s, c)
			}
			continue
		}
		t.unbind(t.linkOf(c).bucket(r.key), s, c)
	}
}

func (t *Router) linkOf(l *schema.Layer) *link {
	for _, k := range t.tables[l.Type.Table.ID].links {
		if k.column == l.Link {
			return k
		}
	}
	panic("route: layer " + l.Path + " links by a column that its table does not index")
}

// bind shows a bucket's rows in a layer of a scope.
func (t *Router) bind(b *bucket, s *Scope, l *schema.Layer) {
	b.bound.add(s, l)
	if !b.complete {
		s.waits++
	}
	// Rows that come in from here on join by themselves.
	for _, r := range b.rows {
		t.join(r, s, l)
	}
	if b.complete {
		return
	}
	if !t.answerBucket(b) {
		t.wantBucket(b, l)
	}
}

// unbind hides a bucket's rows from a layer of a scope.
func (t *Router) unbind(b *bucket, s *Scope, l *schema.Layer) {
	b.bound.remove(s, l)
	waited := !b.complete
	for _, r := range b.rows {
		t.leave(r, s, l)
	}
	if waited {
		s.waits--
	}
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
	for _, m := range b.bound.list {
		t.join(r, m.scope, m.layer)
	}
}

// unindex undoes index.
func (t *Router) unindex(r *row, l *link, v schema.Value) {
	if v.IsNull() || r.at[l.index] < 0 {
		return
	}
	b := l.buckets[v]
	b.remove(r)
	var few [4]member
	for _, m := range append(few[:0], b.bound.list...) {
		t.leave(r, m.scope, m.layer)
	}
	l.release(b)
}

// change gives a known row new values; nil means that it does not exist.
func (t *Router) change(r *row, vals schema.Row) {
	old := r.vals
	for i := range r.members.list {
		t.touch(r, r.members.list[i].scope, r.members.list[i].layer.Type)
	}
	switch {
	case old == nil && vals == nil:
	case old == nil:
		t.insert(r, vals)
	case vals == nil:
		t.remove(r)
	default:
		t.update(r, vals)
	}
	if r.members.len() == 0 && !r.orphan {
		r.orphan = true
		t.orphans = append(t.orphans, r)
	}
}

func (t *Router) insert(r *row, vals schema.Row) {
	r.vals = vals
	for _, m := range r.members.list {
		t.expand(r, m.scope, m.layer)
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
		t.collapse(r, old, m.scope, m.layer)
	}
}

func (t *Router) update(r *row, vals schema.Row) {
	old := r.vals
	r.vals = vals
	// The new place is taken before the old one is left, so that what stands
	// below a row that moves within a scope stays known; and in all layers, as
	// the row may stand below itself: whatever collapses it then finds the links
	// that its values name.
	var few [4]member
	members := append(few[:0], r.members.list...)
	for _, m := range members {
		t.link(m, old, vals)
	}
	for _, m := range members {
		t.unlink(m, old, vals)
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

// link joins the new targets of a row's belongs-to links.
func (t *Router) link(m member, old, vals schema.Row) {
	for _, c := range m.layer.Children {
		if c.Relation.Forward() && old[c.Link] != vals[c.Link] && !vals[c.Link].IsNull() {
			t.join(t.tables[c.Type.Table.ID].row(vals[c.Link]), m.scope, c)
		}
	}
}

// unlink leaves their old targets.
func (t *Router) unlink(m member, old, vals schema.Row) {
	for _, c := range m.layer.Children {
		if c.Relation.Forward() && old[c.Link] != vals[c.Link] && !old[c.Link].IsNull() {
			t.leave(t.tables[c.Type.Table.ID].row(old[c.Link]), m.scope, c)
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
