package main

import (
	"slices"

	"github.com/pando-sync/pando/test/internal/oracle"
)

// recount has the log tell which executions were committed, where it tells all:
// those are looked at in the states right before their commit and after it, since
// what they depend on was locked then; the others in all the states of which they
// may have seen one. The history is locked.
func (b *book) recount(k *call) {
	if !b.history.loose {
		return
	}
	states, entered := b.history.states, b.history.entered[k.id]
	var all []*execution
	for _, i := range entered {
		all = append(all, &execution{ID: k.id, Committed: true, call: k, before: states[i-1], after: states[i]})
	}
	for _, x := range k.executions {
		if x.Code == "" && len(entered) > 0 {
			continue // it is among them
		}
		x.Committed = false
		x.window = b.history.between(x.From, x.To)
		x.before = x.window[0]
		all = append(all, x)
	}
	k.executions = all
}

// late is how many states transactions may have committed before a place in the
// log without being seen yet by those who begin there.
const late = 3

// between are the states of which a transaction may have seen one that began and
// ended between two places in the log; 0 is where it is not known.
func (h *history) between(from, to uint64) []*oracle.Data {
	first, end := 0, len(h.states)
	if from > 0 {
		_, i := h.at(from)
		first = max(0, i-1-late)
	}
	if to > 0 {
		_, end = h.at(to)
	}
	return slices.Clone(h.states[first:max(end, first+1)])
}
