package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pando-sync/pando/test/internal/oracle"
)

// end has the newest state be what the database holds while nobody writes. Two
// commits of which the log tells nothing, since its triggers were away, may have
// been noted in another order than theirs.
func (h *history) end(d *oracle.Data) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, o := range slices.Backward(h.states) {
		if o.Head != d.Head {
			break
		}
		if sameTables(o, d) {
			h.states = append(slices.Delete(h.states, i, i+1), o)
			return nil
		}
	}
	return &divergenceError{client: -1, what: fmt.Sprintf("the database holds a state of version %d of which no writer has told", d.Head)}
}

func sameTables(a, b *oracle.Data) bool {
	return maps.EqualFunc(a.Tables, b.Tables, func(x, y []oracle.Row) bool {
		return slices.EqualFunc(x, y, func(r, o oracle.Row) bool { return slices.EqualFunc(r, o, equalValues) })
	})
}
