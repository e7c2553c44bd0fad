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
