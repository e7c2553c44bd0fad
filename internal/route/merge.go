package route

import (
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// Merge takes a read in and tells whether it could be used: the commits that
// it did not see are replayed on its rows, and where some of them are not kept
// any more all is wanted again. While a commit is staged it waits for the end
// of that. The turn ends with Flush.
func (t *Router) Merge(read *Read) bool {
	if read.Position > t.pos {
		panic("route: merge of a read that is ahead of the feed")
	}
	if t.staged.under {
		t.staged.reads = append(t.staged.reads, read)
		return true
	}
	if t.kept.lost > read.Position || len(read.Wants) > 0 && read.Wants[0].gaps != t.kept.gaps {
		t.Failed(read.Wants)
		return false
	}
	t.merge = newMerge(read, t.kept.after(read.Before))
	for i := range read.Wants {
		t.answer(&read.Wants[i])
	}
	// Rows that have come into a list are shown while what stands below them is
	// at hand, as is what waited for the buckets above it.
	t.settle()
	t.answerLater()
	t.merge = nil
	t.endRead()
	return true
}

func (t *Router) answer(w *Want) {
	if w.Window != nil {
		t.answerWindow(w)
		return
	}
	for _, v := range w.Values {
		if w.byKey {
			if r := w.node.table.rows.get(v); r != nil && !r.known && !t.answerRow(r) {
				t.again(w, v)
			}
		} else if b := w.node.link.buckets.get(v); b != nil && !b.complete && b.bound.len() > 0 {
			t.answerBucket(b)
		}
	}
}

// answerLater answers what nobody has been asked for yet.
func (t *Router) answerLater() {
	for _, w := range t.wantRows {
		if !w.row.known && w.row.members.len() > 0 {
			t.answerRow(w.row)
		}
	}
	for _, w := range t.wantBuckets {
		if w.bucket.coming() {
			t.answerBucket(w.bucket)
		}
	}
}

// merge is a read that is being taken in: its rows, brought up to the router's
// position.
type merge struct {
	rows    map[netKey]schema.Row
	by      map[columnKey]map[schema.Value][]schema.Row
	windows map[*Window][]schema.Row
	changed map[netKey]schema.Row
	// missing are the columns of changed rows that neither the commits nor the
	// read carry.
	missing map[netKey][]int
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
		windows:   map[*Window][]schema.Row{},
		changed:   map[netKey]schema.Row{},
		missing:   map[netKey][]int{},
		changedBy: map[columnKey]map[schema.Value][]netKey{},
	}
	for i := range read.Answers {
		m.add(&read.Answers[i])
	}
	for _, c := range kept {
		if read.Saw(c) {
			continue
		}
		for _, ch := range c.Changes {
			m.replay(ch)
		}
	}
	return m
}

// replay brings the read's rows up to a change.
func (m *merge) replay(ch feed.Change) {
	k := netKey{ch.Table.ID, ch.Key}
	before, again := m.changed[k]
	if !again {
		m.order = append(m.order, k)
		before = m.rows[k]
	}
	if len(ch.Missing) > 0 && before != nil && !ch.Replaces() {
		fill(&ch, before, m.missing[k])
	}
	m.changed[k] = ch.New
	if len(ch.Missing) > 0 {
		m.missing[k] = ch.Missing
	} else {
		delete(m.missing, k)
	}
}

func (m *merge) add(a *Answer) {
	for _, r := range a.Rows {
		m.rows[netKey{a.Table.ID, r[a.Table.Key]}] = r
	}
	if a.Window != nil {
		m.windows[a.Window] = a.Rows
		return
	}
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
		return r, m.missing[k] == nil
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
		if m.missing[k] == nil {
			fn(k.key, m.changed[k])
		}
	}
	return true
}

// eachPartial calls fn for the rows of a bucket that neither the commits nor the
// read carry wholly.
func (m *merge) eachPartial(t *schema.Table, column int, v schema.Value, fn func(key schema.Value, r schema.Row)) {
	if len(m.missing) == 0 {
		return
	}
	for _, k := range m.changedIn(t, column)[v] {
		if m.missing[k] != nil {
			fn(k.key, m.changed[k])
		}
	}
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
		if r := b.link.table.row(key); !r.known {
			t.learn(r, vals)
		}
	})
	if !ok || b.complete {
		return ok
	}
	b.complete, b.asked = true, false
	for i := range b.bound.list {
		b.bound.list[i].scope.whole.waits--
	}
	tab := b.link.table
	t.merge.eachPartial(tab.def, b.link.column, b.value, func(key schema.Value, vals schema.Row) {
		if r := tab.rows.get(key); r == nil || !r.known {
			t.applyPartial(tab, key, vals)
		}
	})
	t.restateOf(b.link, b.value)
	return true
}
