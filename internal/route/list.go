package route

import "github.com/pando-sync/pando/schema"

// picks are what one stream has made of the list of its private scope.
type picks struct {
	added, removed map[schema.Value]struct{}
	cleared        bool
	// judged tells that a row needs a verdict to be shown.
	judged   bool
	verdicts map[schema.Value]*verdict
	// considered are rows that may have come or gone this turn.
	considered []*row
	unsettled  bool
}

// openList links the rows of a list.
func (t *Router) openList(s *Scope) {
	if s.Private != 0 {
		s.picks = &picks{
			added: map[schema.Value]struct{}{}, removed: map[schema.Value]struct{}{}, verdicts: map[schema.Value]*verdict{},
		}
	}
	values := s.values()
	if s.Tree.Limit > 0 {
		t.openWindow(s, values)
		return
	}
	for _, v := range values {
		t.bind(s.shape.root.link.bucket(v), s, s.shape.root)
	}
}

// closeList takes away what the conditions of a list have linked.
func (t *Router) closeList(s *Scope) {
	if s.window != nil {
		t.closeWindow(s.window)
		return
	}
	if s.bound() {
		for _, v := range s.values() {
			t.unbind(s.shape.root.link.bucket(v), s, s.shape.root)
		}
	}
}

// closeAdded takes away what was added to a list.
func (t *Router) closeAdded(s *Scope) {
	for key := range s.picks.added {
		t.leave(s.shape.root.table.row(key), s, s.shape.root)
		delete(s.picks.added, key)
	}
}

// bound tells whether the buckets of a list are bound.
func (s *Scope) bound() bool { return s.Tree.Limit == 0 && (s.picks == nil || !s.picks.cleared) }

// values are those that the rows of a list have in the column of its link.
func (s *Scope) values() []schema.Value { return s.Tree.ListValues(s.env) }

// listed tells whether a row is of the list by its conditions.
func (s *Scope) listed(n *node, vals schema.Row) bool {
	if s.picks != nil {
		if _, removed := s.picks.removed[vals[n.table.def.Key]]; removed {
			return false
		}
	}
	return schema.Meets(n.Where, vals, s.env)
}

// wanted tells whether a row is of the list unless a judgement keeps it out.
func (s *Scope) wanted(n *node, vals schema.Row) bool {
	if s.picks != nil {
		if _, added := s.picks.added[vals[n.table.def.Key]]; added {
			return true
		}
	}
	return s.listed(n, vals)
}

// lists tells whether a row that is linked into the list is shown.
func (s *Scope) lists(n *node, vals schema.Row) bool {
	if !s.wanted(n, vals) {
		return false
	}
	if s.picks == nil || !s.picks.judged {
		return true
	}
	v := s.picks.verdicts[vals[n.table.def.Key]]
	return v != nil && v.visible
}

// pick is what a private scope has made of its list, about to change.
func (s *Scope) pick() *picks {
	if s.picks == nil {
		panic("route: only the list of a private scope is one stream's to change")
	}
	return s.picks
}

// Add shows a row in the list of a private scope though it does not meet the
// conditions, and beyond the limit.
func (t *Router) Add(s *Scope, key schema.Value) {
	p, n := s.pick(), s.shape.root
	if _, added := p.added[key]; added || s.closed {
		return
	}
	r := n.table.row(key)
	t.alter(r, s, func() {
		delete(p.removed, key)
		p.added[key] = struct{}{}
	})
	t.join(r, s, n)
	if s.window != nil && r.vals != nil {
		t.put(s.window, r)
	}
}

// Remove hides a row of the list of a private scope until it is added.
func (t *Router) Remove(s *Scope, key schema.Value) {
	p, n := s.pick(), s.shape.root
	if s.closed {
		return
	}
	_, added := p.added[key]
	hide := func() {
		p.removed[key] = struct{}{}
		delete(p.added, key)
	}
	r := n.table.rows.get(key)
	if r == nil {
		hide()
		return
	}
	t.alter(r, s, hide)
	if s.window != nil && r.vals != nil {
		if i, found := s.window.find(r, r.vals); found {
			t.takeAt(s.window, i)
			t.drop(r) // one that was not shown leaves nothing else
		}
	}
	if added {
		t.leave(r, s, n)
	}
}

// Clear empties the list of a private scope: from then on it shows only what is
// added.
func (t *Router) Clear(s *Scope) {
	p := s.pick()
	if s.closed {
		return
	}
	t.closeList(s)
	t.closeAdded(s)
	clear(p.removed)
	p.cleared = true
}

// Picked tells what has been made of a row of the list of a private scope: that
// it was added, and that its conditions do not show it.
func (s *Scope) Picked(key schema.Value) (added, hidden bool) {
	p := s.pick()
	_, added = p.added[key]
	_, removed := p.removed[key]
	return added, removed || p.cleared
}

// alter changes what is shown of a row by changing the picks.
func (t *Router) alter(r *row, s *Scope, change func()) {
	n := s.shape.root
	if r.members.get(s, n) == nil {
		change()
		return
	}
	t.consider(s, r)
	t.touch(r, s, n.typ)
	was := s.place(n, r.vals) != nil
	change()
	switch is := s.place(n, r.vals) != nil; {
	case is && !was:
		t.linkBelow(r, r.vals, s, n)
	case was && !is:
		t.unlinkBelow(r, r.vals, s, n)
	}
}
