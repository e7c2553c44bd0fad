package route

import (
	"slices"

	"github.com/pando-sync/pando/schema"
)

// row is one row of one table, shared by every scope that shows it.
type row struct {
	table *table
	key   schema.Value
	// vals is nil while the row is not known, and when it does not exist.
	vals  schema.Row
	known bool
	asked bool
	// orphan and stale tell that the row is in the router's list of that name.
	orphan, stale bool
	// windows is the number of windows that hold the row.
	windows int32
	// pending tells that only a part of the row is known, and who waits for it.
	pending *pending
	// at is the row's index in its bucket, per link column of the table; most
	// tables have few.
	at  []int32
	few [2]int32
	// members says where the row is linked, existing or not.
	members memberSet
}

// used tells whether anything holds the row in memory.
func (r *row) used() bool { return len(r.members.list) > 0 || r.windows > 0 || r.pending != nil }

// bucket is the rows of one table with one value in one link column.
type bucket struct {
	link  *link
	value schema.Value
	rows  []*row
	// bound says which layers of which scopes show the bucket's rows.
	bound memberSet
	// windows are those that look for rows here.
	windows []*Window
	// complete tells that every such row of the database is in rows. It holds
	// only while bound is not empty: rows that nobody shows are forgotten.
	complete bool
	asked    bool
	// pending are its rows that have to be read first.
	pending []*row
	// node is the layer that asked first; reads descend from it.
	node *node
}

func (b *bucket) add(r *row) {
	r.at[b.link.index] = int32(len(b.rows))
	b.rows = append(b.rows, r)
}

func (b *bucket) remove(r *row) {
	i, last := r.at[b.link.index], len(b.rows)-1
	b.rows[i] = b.rows[last]
	b.rows[i].at[b.link.index] = i
	b.rows[last] = nil
	b.rows = b.rows[:last]
	r.at[b.link.index] = -1
}

// coming tells whether the bucket is being read, or about to be.
func (b *bucket) coming() bool { return !b.complete && b.bound.len() > 0 }

// link is a column by which layers find rows.
type link struct {
	table   *table
	index   int // in table.links
	column  int // in schema.Table.Columns
	buckets lookup[bucket]
	// feeds are the tables of which rows have aggregates of this link's rows.
	feeds []*table
}

// bucket returns the bucket of a value, made when it is missing.
func (l *link) bucket(v schema.Value) *bucket {
	b := l.buckets.get(v)
	if b == nil {
		b = &bucket{link: l, value: v}
		l.buckets.set(v, b)
	}
	return b
}

// release forgets a bucket that holds nothing and that nobody looks at.
func (l *link) release(b *bucket) {
	if len(b.rows) == 0 && b.bound.len() == 0 && len(b.windows) == 0 && len(b.pending) == 0 {
		l.buckets.delete(b.value)
	}
}

type table struct {
	def        *schema.Table
	rows       lookup[row]
	links      []*link
	aggregates []aggregate
	// feeds tells that rows of other tables have aggregates of this table's rows;
	// windows is the number of places in its links at which windows look.
	feeds   bool
	windows int
	// tells are the columns of which a change means more than that a row shows
	// other values: those by which layers find rows or link to them, and those of
	// conditions and audiences.
	tells []int
}

// moves tells whether a row that changes may be of other layers then, or have
// other rows below it.
func (t *table) moves(old, vals schema.Row) bool {
	for _, c := range t.tells {
		if old[c] != vals[c] {
			return true
		}
	}
	return false
}

// tell adds to the columns that tell.
func (t *table) tell(column int) {
	if !slices.Contains(t.tells, column) {
		t.tells = append(t.tells, column)
	}
}

// linkBy is the link of a column.
func (t *table) linkBy(column int) *link {
	for _, l := range t.links {
		if l.column == column {
			return l
		}
	}
	panic("route: rows of " + t.def.Name + " are looked for by a column that the table does not index: " + t.def.Columns[column].Name)
}

// row returns the row of a key, made as unknown when it is not in memory.
func (t *table) row(key schema.Value) *row {
	r := t.rows.get(key)
	if r == nil {
		r = &row{table: t, key: key}
		r.at = r.few[:0]
		for range t.links {
			r.at = append(r.at, -1)
		}
		t.rows.set(key, r)
	}
	return r
}

// shows tells whether a row that is not in memory belongs to what some scope
// shows or some window holds.
func (t *table) shows(vals schema.Row) bool {
	for _, l := range t.links {
		b := l.buckets.get(vals[l.column])
		if b == nil {
			continue
		}
		if b.bound.len() > 0 {
			return true
		}
		for _, w := range b.windows {
			if w.takes(vals) {
				return true
			}
		}
	}
	return false
}
