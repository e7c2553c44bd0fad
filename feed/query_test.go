package feed_test

import (
	"slices"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// ranks is a table with a key of two columns and one that may be NULL.
var ranks = &schema.Table{Name: "ranks", Key: 3, Columns: []schema.Column{
	{Name: "a", Kind: schema.Int}, {Name: "b", Kind: schema.Text}, {Name: "rank", Kind: schema.Int, Nullable: true},
	{Name: "(a,b)", Kind: schema.Tuple, Parts: []int{0, 1}},
}}

func ranked(a int64, b string, rank schema.Value) schema.Row {
	return ranks.Complete(schema.Row{schema.IntValue(a), schema.TextValue(b), rank, {}})
}

var rankedRows = []schema.Row{
	ranked(2, "x", schema.IntValue(5)),
	ranked(-1, "x", schema.IntValue(5)),
	ranked(10, "x", schema.Value{}),
	ranked(2, "", schema.Value{}),
	ranked(2, "x\x00", schema.IntValue(-5)),
}

// first are the keys of a query's first rows.
func first(q *feed.Query) []string {
	f := q.First()
	for _, row := range rankedRows {
		if q.Meets(row) {
			f.Add(row)
		}
	}
	var keys []string
	for _, row := range f.Rows() {
		keys = append(keys, row[3].String())
	}
	return keys
}

func TestQueryOrder(t *testing.T) {
	up, down := []schema.Order{{Column: 2}}, []schema.Order{{Column: 2, Desc: true}}
	for name, c := range map[string]struct {
		q    feed.Query
		want []string
	}{
		"by key":              {feed.Query{Limit: 9}, []string{"-1,x", "2,", "2,x", "2,x\x00", "10,x"}},
		"nulls first":         {feed.Query{Limit: 9, Order: up}, []string{"2,", "10,x", "2,x\x00", "-1,x", "2,x"}},
		"descending":          {feed.Query{Limit: 9, Order: down}, []string{"-1,x", "2,x", "2,x\x00", "2,", "10,x"}},
		"limited":             {feed.Query{Limit: 2, Order: down}, []string{"-1,x", "2,x"}},
		"after a null":        {feed.Query{Limit: 2, Order: up, After: rankedRows[3]}, []string{"10,x", "2,x\x00"}},
		"after an equal":      {feed.Query{Limit: 9, Order: down, After: rankedRows[1]}, []string{"2,x", "2,x\x00", "2,", "10,x"}},
		"after null, falling": {feed.Query{Limit: 9, Order: down, After: rankedRows[3]}, []string{"10,x"}},
		"after the last":      {feed.Query{Limit: 9, Order: down, After: rankedRows[2]}, nil},
		"conditions":          {feed.Query{Limit: 9, Where: []schema.Bound{{Column: 2, Op: schema.NotNull}, {Column: 0, Op: schema.Ge, Values: []schema.Value{schema.IntValue(2)}}}}, []string{"2,x", "2,x\x00"}},
	} {
		c.q.Table = ranks
		if got := first(&c.q); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
