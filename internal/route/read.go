package route

import (
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// Want is the rows of one layer that a read must bring, with all that stands
// below them.
type Want struct {
	Layer *schema.Layer
	// Column is the column of the layer's table that the values are of.
	Column int
	Values []schema.Value

	// Window is set for the rows of a list with a limit: the first Limit of those
	// that meet Where and come after After in Order. Only what stands below the
	// first Below of them is needed.
	Window       *Window
	Where        []schema.Bound
	Order        []schema.Order
	After        schema.Row
	Limit, Below int

	// byKey tells that the values are keys of rows, and not a link's.
	byKey bool
	node  *node
	// gaps are those of the router's history when this was wanted.
	gaps uint64
}

// ReadColumn is the column by which the rows of a layer are read that stand
// below those of the layer above.
func ReadColumn(l *schema.Layer) int {
	if l.Relation == schema.Root || l.Relation.Forward() {
		return l.Type.Table.Key
	}
	return l.Link
}

// Answer is every row of a table that has one of the values in the column, as
// one read saw it; for a Window it is what its want asks for, in order.
type Answer struct {
	Table  *schema.Table
	Column int
	Values []schema.Value
	Rows   []schema.Row
	Window *Window
}

// Read is what came back for the wants of one call of Wants.
type Read struct {
	// Position must not be ahead of the router's when the read is merged.
	Position uint64
	// Saw tells whether the read's state includes a commit.
	Saw func(*feed.Commit) bool
	// Before are commits that were delivered before the wants, and that the read's
	// state does not include, in order.
	Before  []*feed.Commit
	Wants   []Want
	Answers []Answer
}

type wantedRow struct {
	row  *row
	node *node
	via  *bucket
}

type wantedBucket struct {
	bucket *bucket
	via    *bucket
}

// Wants returns what has to be read now, one entry a layer and one a window,
// and nil when nothing has. Every call that returns something is to be answered
// by Merge once, or by Failed.
func (t *Router) Wants() []Want {
	if len(t.wantRows)+len(t.wantBuckets)+len(t.wantWindows) == 0 {
		return nil
	}
	b := wantBuilder{at: map[wantKey]int{}}
	t.addRows(&b)
	t.addBuckets(&b)
	for _, w := range t.wantWindows {
		if w.short && !w.asked && !w.closed {
			w.asked = true
			b.wants = append(b.wants, w.want())
		}
	}
	clear(t.wantWindows)
	t.wantWindows = t.wantWindows[:0]
	if len(b.wants) > 0 {
		t.reads++
	}
	for i := range b.wants {
		b.wants[i].gaps = t.kept.gaps
	}
	return b.wants
}

// addRows adds the wanted rows. What stands below a bucket that is being read
// comes with it, or is wanted when that read has been merged.
func (t *Router) addRows(b *wantBuilder) {
	later := t.wantRows[:0]
	for _, w := range t.wantRows {
		switch {
		case w.row.known || w.row.asked || !w.row.used():
		case w.via != nil && w.via.coming():
			later = append(later, w)
		default:
			w.row.asked = true
			b.add(w.node, true, w.row.key)
		}
	}
	clear(t.wantRows[len(later):])
	t.wantRows = later
}

func (t *Router) addBuckets(b *wantBuilder) {
	later := t.wantBuckets[:0]
	for _, w := range t.wantBuckets {
		switch k := w.bucket; {
		case k.complete || k.asked || k.bound.len() == 0:
		case w.via != nil && w.via.coming():
			later = append(later, w)
		default:
			k.asked = true
			b.add(k.node, false, k.value)
		}
	}
	clear(t.wantBuckets[len(later):])
	t.wantBuckets = later
}

// wantBuilder puts what is wanted of one layer together.
type wantBuilder struct {
	wants []Want
	at    map[wantKey]int
}

type wantKey struct {
	node  *node
	byKey bool
}

func (b *wantBuilder) add(n *node, byKey bool, v schema.Value) {
	k := wantKey{n, byKey}
	i, ok := b.at[k]
	if !ok {
		i = len(b.wants)
		b.at[k] = i
		w := Want{Layer: n.Layer, Column: n.table.def.Key, byKey: byKey, node: n}
		if !byKey {
			w.Column = n.Link
		}
		b.wants = append(b.wants, w)
	}
	b.wants[i].Values = append(b.wants[i].Values, v)
}

func (t *Router) wantRow(r *row, n *node) {
	if !r.asked {
		t.wantRows = append(t.wantRows, wantedRow{r, n, t.via})
	}
}

func (t *Router) wantBucket(b *bucket, n *node) {
	if !b.asked {
		b.node = n
		t.wantBuckets = append(t.wantBuckets, wantedBucket{b, t.via})
	}
}

// learn tells what an unknown row is; nil means that it does not exist.
func (t *Router) learn(r *row, vals schema.Row) {
	r.known, r.asked = true, false
	for i := range r.members.list {
		r.members.list[i].scope.whole.waits--
	}
	t.settlePending(r)
	t.change(r, vals)
}

// Failed takes wants back whose read failed: they are wanted again.
func (t *Router) Failed(wants []Want) {
	t.endRead()
	for i := range wants {
		w := &wants[i]
		if w.Window != nil {
			w.Window.asked = false
			t.wantWindows = append(t.wantWindows, w.Window)
			continue
		}
		for _, v := range w.Values {
			t.again(w, v)
		}
	}
}

// again wants what was asked for and did not come.
func (t *Router) again(w *Want, v schema.Value) {
	if w.byKey {
		if r := w.node.table.rows.get(v); r != nil && !r.known {
			r.asked = false
			t.wantRow(r, w.node)
		}
	} else if b := w.node.link.buckets.get(v); b != nil && !b.complete {
		b.asked = false
		t.wantBucket(b, w.node)
	}
}

func (t *Router) endRead() {
	t.reads--
	if t.reads == 0 {
		t.kept.clear()
	}
}
