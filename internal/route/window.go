package route

import (
	"slices"

	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// Window is the beginning of a list with a limit: the rows that are shown and
// some that follow them, so that one that leaves has its successor at hand.
type Window struct {
	scope *Scope
	node  *node
	limit int
	// values are those that the rows of the list have in the column of its link.
	values []schema.Value
	// rows are all rows of the list up to edge, or all of it when whole is set,
	// in order. The first limit of them are shown.
	rows  []*row
	edge  schema.Row
	whole bool
	// shown are the rows that are linked into the scope, as of the last settling.
	shown map[*row]struct{}
	// touched are rows that came or went since, moves is how many.
	touched []*row
	moves   int
	// short tells that the scope waits for rows to follow, asked that they are
	// being read.
	short, asked bool
	unsettled    bool
	closed       bool
}

// spare is how many rows a window is read beyond its limit.
func (w *Window) spare() int { return max(8, w.limit/2) }

// openWindow starts a window, which knows nothing yet.
func (t *Router) openWindow(s *Scope, values []schema.Value) {
	w := &Window{
		scope: s, node: s.shape.root, limit: s.Tree.Limit, values: values,
		shown: map[*row]struct{}{}, whole: len(values) == 0,
	}
	s.window = w
	for _, v := range values {
		b := w.node.link.bucket(v)
		b.windows = append(b.windows, w)
		s.waits += len(b.pending)
		w.node.table.windows++
	}
	t.refill(w)
}

func (t *Router) closeWindow(w *Window) {
	w.closed = true
	w.scope.window = nil
	l := w.node.link
	for _, v := range w.values {
		b := l.buckets.get(v)
		b.windows = slices.DeleteFunc(b.windows, func(o *Window) bool { return o == w })
		w.scope.waits -= len(b.pending)
		t.unwatched(b)
		l.table.windows--
		l.release(b)
	}
	if w.short {
		w.scope.waits--
	}
	for r := range w.shown {
		t.leave(r, w.scope, w.node)
	}
	for _, r := range w.rows {
		r.windows--
		t.drop(r)
	}
}

func (t *Router) unsettle(w *Window) {
	if !w.unsettled {
		w.unsettled = true
		t.windows = append(t.windows, w)
	}
}

// meets tells whether a row is of the list.
func (w *Window) meets(vals schema.Row) bool {
	return vals != nil && w.scope.listed(w.node, vals)
}

// takes tells whether a row is of the part of the list that the window knows.
func (w *Window) takes(vals schema.Row) bool {
	return (w.whole || w.edge != nil && w.compare(vals, w.edge) <= 0) && w.meets(vals)
}

func (w *Window) compare(a, b schema.Row) int { return state.Compare(w.node.Layer, a, b) }

// find is the place of a row with the given values, and whether it is there.
func (w *Window) find(r *row, vals schema.Row) (int, bool) {
	i, _ := slices.BinarySearchFunc(w.rows, vals, func(o *row, vals schema.Row) int { return w.compare(o.vals, vals) })
	return i, i < len(w.rows) && w.rows[i] == r
}

// takeOut removes a row that is about to change from the windows in which it
// will not stand where it stands now.
func (t *Router) takeOut(r *row, old, vals schema.Row) {
	if r.windows == 0 {
		return
	}
	for _, l := range r.table.links {
		b := l.buckets.get(old[l.column])
		if b == nil {
			continue
		}
		for _, w := range b.windows {
			if w.meets(vals) && w.compare(old, vals) == 0 {
				continue
			}
			if i, found := w.find(r, old); found {
				t.takeAt(w, i)
			}
		}
	}
}

func (t *Router) takeAt(w *Window, i int) {
	r := w.rows[i]
	w.rows = slices.Delete(w.rows, i, i+1)
	r.windows--
	t.moved(w, r)
}

func (t *Router) moved(w *Window, r *row) {
	w.touched = append(w.touched, r)
	w.moves++
	t.unsettle(w)
}

// putIn puts a row that has changed into the windows that know its new place.
func (t *Router) putIn(r *row) {
	if r.table.windows == 0 || r.vals == nil {
		return
	}
	for _, l := range r.table.links {
		b := l.buckets.get(r.vals[l.column])
		if b == nil {
			continue
		}
		for _, w := range b.windows {
			t.put(w, r)
		}
	}
}

// put puts a row into a window that knows its place.
func (t *Router) put(w *Window, r *row) {
	if !w.takes(r.vals) {
		return
	}
	i, found := w.find(r, r.vals)
	if found {
		return
	}
	w.rows = slices.Insert(w.rows, i, r)
	r.windows++
	t.moved(w, r)
}

// settleWindow makes the first rows of a window the ones that are shown, and
// wants more where they are too few.
func (t *Router) settleWindow(w *Window) {
	w.unsettled = false
	if w.closed {
		return
	}
	// Rows that did not move themselves were shifted by at most the number of
	// those that did: only around the limit may they come or go.
	end := min(len(w.rows), w.limit+w.moves)
	candidates := slices.Concat(w.touched, w.rows[min(max(0, w.limit-w.moves), end):end])
	w.touched, w.moves = nil, 0
	var out []*row
	for _, r := range candidates {
		i, found := 0, false
		if r.vals != nil {
			i, found = w.find(r, r.vals)
		}
		_, shown := w.shown[r]
		switch inside := found && i < w.limit; {
		case inside && !shown:
			w.shown[r] = struct{}{}
			t.join(r, w.scope, w.node)
		case shown && !inside:
			delete(w.shown, r)
			out = append(out, r)
		}
	}
	for _, r := range out {
		t.leave(r, w.scope, w.node)
	}
	t.cut(w)
	t.refill(w)
}

// cut forgets what a window holds far beyond its limit. While it is being read
// on, its edge stays: the answer begins there.
func (t *Router) cut(w *Window) {
	if w.short || len(w.rows) <= w.limit+2*w.spare() {
		return
	}
	keep := w.limit + w.spare()
	for _, r := range w.rows[keep:] {
		r.windows--
		t.drop(r)
	}
	clear(w.rows[keep:])
	w.rows = w.rows[:keep]
	w.edge, w.whole = w.rows[keep-1].vals, false
}

// refill wants what follows the rows of a window that are too few.
func (t *Router) refill(w *Window) {
	if w.whole || w.short || len(w.rows) >= w.limit {
		return
	}
	w.short = true
	w.scope.waits++
	t.wantWindows = append(t.wantWindows, w)
}

// want is the read that a window needs.
func (w *Window) want() Want {
	missing := max(0, w.limit-len(w.rows))
	return Want{
		Layer:  w.node.Layer,
		Column: w.node.Link,
		Values: w.values,
		Window: w,
		Where:  schema.Bind(w.node.Where, w.scope.env),
		Order:  w.node.Order,
		After:  w.edge,
		Limit:  missing + w.spare(),
		Below:  missing,
	}
}

// answerWindow takes the rows in that follow a window's edge. Of those that
// changed since they were read, and of those that came, the present values
// count.
func (t *Router) answerWindow(want *Want) {
	w := want.Window
	w.asked = false
	if w.closed {
		return
	}
	w.short = false
	w.scope.waits--
	rows := t.merge.windows[w]
	if len(rows) < want.Limit {
		w.whole = true
	} else {
		w.edge = rows[len(rows)-1]
	}
	def := w.node.table.def
	for _, vals := range rows {
		t.follow(w, vals[def.Key])
	}
	for _, k := range t.merge.order {
		if k.table == def.ID {
			t.follow(w, k.key)
		}
	}
	t.unsettle(w)
}

// follow puts a row into a window by its present values, which are in memory or
// in the read that is being merged.
func (t *Router) follow(w *Window, key schema.Value) {
	r := w.node.table.rows.get(key)
	if r != nil && r.known {
		if r.vals != nil {
			t.put(w, r)
		}
		return
	}
	vals, whole := t.merge.row(w.node.table.def, key)
	if vals != nil && !whole {
		t.applyPartial(w.node.table, key, vals)
		return
	}
	if r == nil {
		if vals == nil || !w.takes(vals) {
			return
		}
		r = w.node.table.row(key)
	}
	// What is known joins by itself.
	t.learn(r, vals)
}
