package feed

import (
	"slices"

	"github.com/pando-sync/pando/schema"
)

// Compare orders two rows of q.Table by Order and then by key: NULLs come
// first, last where the order is descending, and all else by its canonical
// value.
func (q *Query) Compare(a, b schema.Row) int {
	for _, o := range q.Order {
		c := a[o.Column].Compare(b[o.Column])
		switch {
		case c == 0:
			continue
		case o.Desc:
			return -c
		default:
			return c
		}
	}
	return a[q.Table.Key].Compare(b[q.Table.Key])
}

// Meets tells whether a row meets Where and comes after After. It does not
// look at Values.
func (q *Query) Meets(row schema.Row) bool {
	for i := range q.Where {
		if !q.Where[i].Holds(row) {
			return false
		}
	}
	return q.After == nil || q.Compare(row, q.After) > 0
}

// First collects the first rows of a query that has a Limit, for sources that
// come upon them in another order. It holds no more than the query asks for.
type First struct {
	query *Query
	rows  []schema.Row
}

// First returns an empty collection of q's first rows.
func (q *Query) First() *First { return &First{query: q} }

// Add takes a row that q selects, and drops it or another one when there are
// too many.
func (f *First) Add(row schema.Row) {
	i, _ := slices.BinarySearchFunc(f.rows, row, f.query.Compare)
	if i >= f.query.Limit {
		return
	}
	if len(f.rows) == f.query.Limit {
		f.rows = f.rows[:len(f.rows)-1]
	}
	f.rows = slices.Insert(f.rows, i, row)
}

// Rows are the first rows of all that were added, in order.
func (f *First) Rows() []schema.Row { return f.rows }
