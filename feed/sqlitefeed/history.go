package sqlitefeed

import (
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// history is what a part of the log tells of one row, in an order that need
// not be that of the writes.
type history struct {
	rowKey
	steps []step
	// now is the row in the end, nil if there is none.
	now schema.Row
}

// step is one write of a row; nil stands for no row.
type step struct {
	before, after schema.Row
	// conflict tells that nothing was written: the row stood in the way of
	// another in a unique index. A REPLACE deletes it then, and fires no trigger
	// on it unless the writer has recursive_triggers set.
	conflict bool
}

// appendChanges appends the steps but those that change nothing, also where the
// last leads back to the first: a snapshot may have fallen in between. Where
// they do not lead to what the row is now, or an earlier part may have told of
// the row, a deletion without an Old stands for them, for those who must know
// what every changed row was.
func (h *history) appendChanges(changes []feed.Change, toldOf bool) []feed.Change {
	h.order()
	first := h.steps[0].before
	if !h.ordered() || toldOf && first != nil {
		changes = append(changes, feed.Change{Table: h.table, Key: h.key})
		if h.now != nil {
			changes = append(changes, feed.Change{Table: h.table, Key: h.key, New: h.now})
		}
		return changes
	}
	at := first
	visit := func(version schema.Row) {
		if !slices.Equal(at, version) {
			changes = append(changes, feed.Change{Table: h.table, Key: h.key, Old: at, New: version})
		}
		at = version
	}
	for _, s := range h.steps {
		visit(s.before) // differs from what the last step left if the row was displaced
		visit(s.after)
	}
	visit(h.now)
	return changes
}

// maxTrail bounds the steps that are put in order.
const maxTrail = 64

// order puts steps that are not in the order of the writes into one in which each
// leads to the next, and the last to what the row is now, if there is such an order:
// a trigger that changes its row once more is logged before the change that set it
// off. All such orders begin with the same row.
func (h *history) order() {
	if len(h.steps) > maxTrail || h.ordered() || slices.ContainsFunc(h.steps, func(s step) bool { return s.conflict }) {
		return
	}
	// Back from what is now, by Hierholzer's way: where a step has no other before it,
	// it comes first of those that are not in the order yet.
	left := slices.Clone(h.steps)
	var trail []step
	var back func(to schema.Row)
	back = func(to schema.Row) {
		for {
			i := slices.IndexFunc(left, func(s step) bool { return sameRow(s.after, to) })
			if i < 0 {
				return
			}
			s := left[i]
			left = slices.Delete(left, i, i+1)
			back(s.before)
			trail = append(trail, s)
		}
	}
	back(h.now)
	if known := h.steps; len(left) == 0 {
		if h.steps = trail; !h.ordered() {
			h.steps = known
		}
	}
}

// sameRow compares rows, of which nil is none.
func sameRow(a, b schema.Row) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

// ordered tells whether each step leads to the next, and the last to what the
// row is now.
func (h *history) ordered() bool {
	last := step{after: h.steps[0].before}
	for _, next := range h.steps {
		if !last.leadsTo(next.before) {
			return false
		}
		last = next
	}
	return last.leadsTo(h.now)
}

// leadsTo tells whether a row may be a version when nothing came after the
// step.
func (s step) leadsTo(version schema.Row) bool {
	return slices.Equal(s.after, version) || s.conflict && version == nil
}
