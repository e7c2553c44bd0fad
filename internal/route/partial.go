package route

import (
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// fill puts into a change what its source does not carry: it is as the row was
// before. What was not known of that stays missing.
func fill(ch *feed.Change, before schema.Row, unknown []int) {
	row := slices.Clone(ch.New)
	var missing []int
	for _, c := range ch.Missing {
		if slices.Contains(unknown, c) {
			missing = append(missing, c)
		} else {
			row[c] = before[c]
		}
	}
	if missing == nil {
		ch.Table.Complete(row)
	}
	ch.New, ch.Missing = row, missing
}

// fillWithin fills changes from those of the same rows before them.
func fillWithin(changes []feed.Change) {
	if !slices.ContainsFunc(changes, func(ch feed.Change) bool { return len(ch.Missing) > 0 }) {
		return
	}
	last := make(map[netKey]int, len(changes))
	for i := range changes {
		ch := &changes[i]
		k := netKey{ch.Table.ID, ch.Key}
		if before, ok := last[k]; ok {
			follow(ch, &changes[before])
		}
		last[k] = i
	}
}

// follow makes a change one that stands for those of the same row before it in the
// commit, too.
func follow(ch, before *feed.Change) {
	if ch.New == nil || ch.Replaces() {
		return
	}
	if len(ch.Missing) > 0 && before.New != nil {
		fill(ch, before.New, before.Missing)
	}
	if before.New == nil || before.Replaces() {
		ch.Old, ch.Blind = nil, false // what is still missing is not of the row that was there
	}
}

// pending are the buckets that a row belongs to of which only a part is known.
// Whoever shows them waits until the row has been read.
type pending struct {
	buckets []*bucket
}

// applyPartial takes in that an unknown row has changed, of which the source
// carries only a part: if it comes into what is shown it has to be read.
func (t *Router) applyPartial(tab *table, key schema.Value, vals schema.Row) {
	r := tab.rows.get(key)
	if r == nil && tab.watcher(vals) == nil {
		return
	}
	r = tab.row(key)
	if r.known {
		t.unlearn(r)
	}
	t.settlePending(r)
	for _, l := range tab.links {
		b := l.buckets.get(vals[l.column])
		if b == nil || b.watcher() == nil {
			continue
		}
		if r.pending == nil {
			r.pending = &pending{}
		}
		r.pending.buckets = append(r.pending.buckets, b)
		b.pending = append(b.pending, r)
		b.await(1)
		t.wantRow(r, b.watcher())
	}
	t.drop(r)
}

// unlearn makes a row unknown that was known not to exist.
func (t *Router) unlearn(r *row) {
	r.known = false
	for i := range r.members.list {
		m := &r.members.list[i]
		m.scope.whole.waits++
		t.wantRow(r, m.node)
	}
}

// settlePending lets those go on who wait for a row.
func (t *Router) settlePending(r *row) {
	if r.pending == nil {
		return
	}
	for _, b := range r.pending.buckets {
		b.pending = slices.DeleteFunc(b.pending, func(o *row) bool { return o == r })
		b.await(-1)
		b.link.release(b)
	}
	r.pending = nil
}

// unwatched lets the rows of a bucket go that were to be read for those who
// showed it, once nobody does.
func (t *Router) unwatched(b *bucket) {
	if b.watcher() != nil {
		return
	}
	for _, r := range b.pending {
		r.pending.buckets = slices.DeleteFunc(r.pending.buckets, func(o *bucket) bool { return o == b })
		if len(r.pending.buckets) == 0 {
			r.pending = nil
		}
		t.drop(r)
	}
	b.pending = nil
}

// await has all who show a bucket wait for more rows, or fewer.
func (b *bucket) await(rows int) {
	for i := range b.bound.list {
		b.bound.list[i].scope.whole.waits += rows
	}
	for _, w := range b.windows {
		w.scope.waits += rows
	}
}

// watcher is a layer that looks for rows in a bucket, nil where there is none.
func (b *bucket) watcher() *node {
	switch {
	case b.bound.len() > 0:
		return b.bound.list[0].node
	case len(b.windows) > 0:
		return b.windows[0].node
	default:
		return nil
	}
}

// watcher is a layer that looks for rows where a row with these values stands.
func (t *table) watcher(vals schema.Row) *node {
	for _, l := range t.links {
		if b := l.buckets.get(vals[l.column]); b != nil && b.watcher() != nil {
			return b.watcher()
		}
	}
	return nil
}
