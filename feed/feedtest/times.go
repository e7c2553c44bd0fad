package feedtest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// testTimes reads by times, each column of which is stored in another layout:
// by each comparison with times that are stored and times in between, and by
// random queries.
func testTimes(t *testing.T, f *fixture) {
	names := slices.Sorted(maps.Keys(f.Dialect.Times))
	columns := []schema.Column{col("id", schema.Int), col("grp", schema.Int)}
	for i := range names {
		columns = append(columns, null(fmt.Sprintf("at_%d", i), schema.Time))
	}
	for i := range names {
		columns = append(columns, tuple(fmt.Sprintf("(grp,at_%d)", i), 1, 2+i))
	}
	moments := f.table("moments", 0, columns...)
	f.create(moments)
	before := f.open() // sees the times come
	_, empty := f.read(before)
	for i := range names {
		f.query(empty, feed.Query{Table: moments, Column: 2 + i, Values: []schema.Value{schema.TimeValue(time.Unix(0, 0))}})
	}
	start := time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)
	for id := range 40 {
		f.exec("INSERT INTO moments (id, grp) VALUES (?, 1)", id)
		// Some times are alike, as far as a layout tells them apart.
		at := start.AddDate(20*(id%5), 0, id%3).Add(time.Duration(id%4) * 1500 * time.Millisecond)
		for i, name := range names {
			if (id+i)%7 != 0 {
				f.exec(fmt.Sprintf("UPDATE moments SET at_%d = ? WHERE id = ?", i), f.Dialect.Times[name](at), id)
			}
		}
	}
	_, snapshot := f.read(before)
	f.compare(t, snapshot, moments, 10)
	_, snapshot = f.read(f.open())
	rows := f.query(snapshot, all(moments))
	for i := range names {
		for _, id := range []int64{1, 3, 18, 26} {
			row := rows[schema.IntValue(id)]
			if row[2+i].IsNull() {
				continue
			}
			for _, q := range timeQueries(moments, i, row) {
				compareQuery(t, snapshot, q, rows)
			}
		}
	}
}

// timeQueries are queries by a row's i-th time and by one that is a little
// later, which few layouts can tell.
func timeQueries(moments *schema.Table, i int, row schema.Row) []feed.Query {
	at := 2 + i
	stored := row[at]
	later := almost(schema.Time, stored)
	grp := schema.IntValue(1)
	queries := []feed.Query{
		{Table: moments, Column: at, Values: []schema.Value{later}},
		{Table: moments, Column: at, Values: []schema.Value{later, stored}},
		{Table: moments, Column: column(moments, fmt.Sprintf("(grp,at_%d)", i)), Values: []schema.Value{schema.TupleValue(grp, later)}},
		{Table: moments, Column: column(moments, fmt.Sprintf("(grp,at_%d)", i)), Values: []schema.Value{schema.TupleValue(grp, later), schema.TupleValue(grp, almost(schema.Time, later))}},
	}
	for _, v := range []schema.Value{stored, later} {
		for op := schema.Eq; op <= schema.In; op++ {
			q := all(moments)
			q.Where = []schema.Bound{{Column: at, Op: op, Values: []schema.Value{v}}}
			queries = append(queries, q)
		}
		after := slices.Clone(row)
		after[moments.Key], after[at] = schema.IntValue(-1), v
		for _, desc := range []bool{false, true} {
			q := all(moments)
			q.Order, q.Limit, q.After = []schema.Order{{Column: at, Desc: desc}}, 50, moments.Complete(after)
			queries = append(queries, q)
		}
	}
	return queries
}
