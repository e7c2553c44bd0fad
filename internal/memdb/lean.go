package memdb

import (
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// Lean is a commit as a source tells of it that carries neither rows as they
// were nor the values that an update left as they were.
func Lean(c *feed.Commit) *feed.Commit {
	lean := *c
	lean.Changes = slices.Clone(c.Changes)
	for i := range lean.Changes {
		ch := &lean.Changes[i]
		old := ch.Old
		ch.Old, ch.Blind = nil, old != nil
		if old != nil && ch.New != nil {
			leaveOut(ch, old)
		}
	}
	return &lean
}

func leaveOut(ch *feed.Change, old schema.Row) {
	kept := slices.Concat([]int{ch.Table.Key}, ch.Table.Links)
	for _, i := range slices.Clone(kept) {
		kept = append(kept, ch.Table.Columns[i].Parts...)
	}
	ch.New = slices.Clone(ch.New)
	for i := range ch.Table.Columns {
		switch {
		case slices.Contains(kept, i):
		case ch.Table.Columns[i].Derived():
			ch.New[i] = schema.Value{}
		case ch.New[i] == old[i] && !old[i].IsNull():
			ch.New[i] = schema.Value{}
			ch.Missing = append(ch.Missing, i)
		}
	}
	if ch.Missing == nil {
		ch.Table.Complete(ch.New)
	}
}
