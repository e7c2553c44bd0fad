package route

import (
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// Want is the rows of one layer that a read must bring, with all that stands
// below them.
type Want struct {
	Layer  *schema.Layer
	Values []schema.Value
}

// Column is the column of the layer's table that the values are of: the link
// of a has-many layer, else the key.
func (w Want) Column() int { return ReadColumn(w.Layer) }

// ReadColumn is the column by which the rows of a layer are read.
func ReadColumn(l *schema.Layer) int {
	if l.Relation == schema.HasMany || l.Relation == schema.HasOne {
		return l.Link
	}
	return l.Type.Table.Key
}

// Answer is every row of a table that has one of the values in the column, as
// one read saw it.
type Answer struct {
	Table  *schema.Table
	Column int
	Values []schema.Value
	Rows   []schema.Row
}

// Read is what came back for the wants of one call of Wants.
type Read struct {
	// Position must not be ahead of the router's when the read is merged.
	Position uint64
	// Saw tells whether the read's state includes a commit.
	Saw     func(*feed.Commit) bool
	Wants   []Want
	Answers []Answer
}

// Wants returns what has to be read now, one entry a layer, and nil when
// nothing has. Every call that returns something is to be answered by Merge
// once, or by Failed.
func (t *Router) Wants() []Want {
	if len(t.wantRows) == 0 && len(t.wantBuckets) == 0 {
		return nil
	}
	b := wantBuilder{at: map[*schema.Layer]int{}}
	for _, w := range t.wantRows {
		if !w.row.known && w.row.members.len() > 0 && !w.row.asked {
			w.row.asked = true
			b.add(w.layer, w.row.key)
		}
	}
	for _, k := range t.wantBuckets {
		if !k.complete && k.bound.len() > 0 && !k.asked {
			k.asked = true
			b.add(k.layer, k.value)
		}
	}
	clear(t.wantRows)
	clear(t.wantBuckets)
	t.wantRows, t.wantBuckets = t.wantRows[:0], t.wantBuckets[:0]
	if len(b.wants) > 0 {
		t.reads++
	}
	return b.wants
}

type wantBuilder struct {
	wants []Want
	at    map[*schema.Layer]int
}

func (b *wantBuilder) add(l *schema.Layer, v schema.Value) {
	i, ok := b.at[l]
	if !ok {
		i = len(b.wants)
		b.at[l] = i
		b.wants = append(b.wants, Want{Layer: l})
	}
	b.wants[i].Values = append(b.wants[i].Values, v)
}

func (t *Router) wantRow(r *row, l *schema.Layer) {
	if !r.asked {
		t.wantRows = append(t.wantRows, wantedRow{r, l})
	}
}

func (t *Router) wantBucket(b *bucket, l *schema.Layer) {
	if !b.asked {
		b.layer = l
		t.wantBuckets = append(t.wantBuckets, b)
	}
}

// learn tells what an unknown row is; nil means that it does not exist.
func (t *Router) learn(r *row, vals schema.Row) {
	r.known, r.asked = true, false
	for i := range r.members.list {
		r.members.list[i].scope.waits--
	}
	t.change(r, vals)
}

// Failed takes wants back whose read failed: they are wanted again.
func (t *Router) Failed(wants []Want) {
	t.endRead()
	for _, w := range wants {
		for _, v := range w.Values {
			t.again(w.Layer, v)
		}
	}
}

// again wants what was asked for and did not come.
func (t *Router) again(l *schema.Layer, v schema.Value) {
	tab := t.tables[l.Type.Table.ID]
	if ReadColumn(l) == tab.def.Key && l.Relation != schema.HasMany && l.Relation != schema.HasOne {
		if r := tab.rows[v]; r != nil && !r.known {
			r.asked = false
			t.wantRow(r, l)
		}
		return
	}
	if b := t.linkOf(l).buckets[v]; b != nil && !b.complete {
		b.asked = false
		t.wantBucket(b, l)
	}
}

func (t *Router) endRead() {
	t.reads--
	if t.reads == 0 {
		t.kept.clear()
	}
}

// Merge takes a read in and tells whether it could be used: the commits that
// it did not see are replayed on its rows, and where some of them are not kept
// any more all is wanted again. The turn ends with Flush.
func (t *Router) Merge(read *Read) bool {
	if read.Position > t.pos {
		panic("route: merge of a read that is ahead of the feed")
	}
	if t.kept.lost > read.Position {
		t.Failed(read.Wants)
		return false
	}
	t.merge = newMerge(read, t.kept.commits)
	for _, w := range read.Wants {
		tab := t.tables[w.Layer.Type.Table.ID]
		forward := w.Layer.Relation == schema.Root || w.Layer.Relation.Forward()
		for _, v := range w.Values {
			if forward {
				if r := tab.rows[v]; r != nil && !r.known {
					t.answerRow(r)
				}
			} else if b := t.linkOf(w.Layer).buckets[v]; b != nil && !b.complete && b.bound.len() > 0 {
				t.answerBucket(b)
			}
		}
	}
	t.merge = nil
	t.endRead()
	return true
}

// merge is a read that is being taken in: its rows, brought up to the router's
// position.
type merge struct {
	rows    map[netKey]schema.Row
	by      map[columnKey]map[schema.Value][]schema.Row
	changed map[netKey]schema.Row
	// order is the keys of changed as they came, so that the same commits make
	// the same frames.
	order []netKey
	// changedBy groups the changed rows by a column when that is asked for.
	changedBy map[columnKey]map[schema.Value][]netKey
}

type columnKey struct{ table, column int }

func newMerge(read *Read, kept []*feed.Commit) *merge {
	m := &merge{
		rows:      map[netKey]schema.Row{},
		by:        map[columnKey]map[schema.Value][]schema.Row{},
		changed:   map[netKey]schema.Row{},
		changedBy: map[columnKey]map[schema.Value][]netKey{},
	}
	for _, a := range read.Answers {
		m.add(a)
	}
	for _, c := range kept {
		if read.Saw(c) {
			continue
		}
		for _, ch := range c.Changes {
			k := netKey{ch.Table.ID, ch.Key}
			if _, ok := m.changed[k]; !ok {
				m.order = append(m.order, k)
			}
			m.changed[k] = ch.New
		}
	}
	return m
}

func (m *merge) add(a Answer) {
	by := m.by[columnKey{a.Table.ID, a.Column}]
	if by == nil {
		by = make(map[schema.Value][]schema.Row, len(a.Values))
		m.by[columnKey{a.Table.ID, a.Column}] = by
	}
	for _, v := range a.Values {
		if _, ok := by[v]; !ok {
			by[v] = nil
		}
	}
	got := map[schema.Value]int{}
	for _, r := range a.Rows {
		m.rows[netKey{a.Table.ID, r[a.Table.Key]}] = r
		got[r[a.Column]]++
	}
	for _, r := range a.Rows {
		v := r[a.Column]
		// Two layers may have asked for one value: the rows are the same.
		if n := got[v]; n > 0 {
			by[v] = make([]schema.Row, 0, n)
			got[v] = -1
		}
		by[v] = append(by[v], r)
	}
}

// row returns what the read, brought up to date, knows of a key.
func (m *merge) row(t *schema.Table, key schema.Value) (schema.Row, bool) {
	k := netKey{t.ID, key}
	if r, ok := m.changed[k]; ok {
		return r, true
	}
	if r, ok := m.rows[k]; ok {
		return r, true
	}
	_, asked := m.by[columnKey{t.ID, t.Key}][key]
	return nil, asked
}

// each calls fn for the rows of a bucket, and tells whether they are known.
func (m *merge) each(t *schema.Table, column int, v schema.Value, fn func(key schema.Value, r schema.Row)) bool {
	rows, ok := m.by[columnKey{t.ID, column}][v]
	if !ok {
		return false
	}
	for _, r := range rows {
		key := r[t.Key]
		if _, newer := m.changed[netKey{t.ID, key}]; !newer {
			fn(key, r)
		}
	}
	for _, k := range m.changedIn(t, column)[v] {
		fn(k.key, m.changed[k])
	}
	return true
}

func (m *merge) changedIn(t *schema.Table, column int) map[schema.Value][]netKey {
	ck := columnKey{t.ID, column}
	by, ok := m.changedBy[ck]
	if !ok {
		by = map[schema.Value][]netKey{}
		for _, k := range m.order {
			if r := m.changed[k]; k.table == t.ID && r != nil {
				by[r[column]] = append(by[r[column]], k)
			}
		}
		m.changedBy[ck] = by
	}
	return by
}

// answerRow makes an unknown row known if the read that is being merged tells
// of it.
func (t *Router) answerRow(r *row) bool {
	if t.merge == nil {
		return false
	}
	vals, ok := t.merge.row(r.table.def, r.key)
	if ok {
		t.learn(r, vals)
	}
	return ok
}

// answerBucket completes a bucket if the read that is being merged has it.
func (t *Router) answerBucket(b *bucket) bool {
	if t.merge == nil {
		return false
	}
	ok := t.merge.each(b.link.table.def, b.link.column, b.value, func(key schema.Value, vals schema.Row) {
		r := b.link.table.row(key)
		switch {
		case !r.known && r.members.len() > 0:
			t.learn(r, vals)
		case !r.known:
			r.known = true
			t.change(r, vals)
		}
	})
	if ok && !b.complete {
		b.complete, b.asked = true, false
		for i := range b.bound.list {
			b.bound.list[i].scope.waits--
		}
	}
	return ok
}
