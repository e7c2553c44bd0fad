package memdb_test

import (
	"context"
	"slices"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/schema"
)

// TestRows reads by a tuple, by the tuple of no columns, and the first rows
// under a condition, from rows whose derived columns were left empty.
func TestRows(t *testing.T) {
	table := &schema.Table{Name: "pairs", Key: 3, Columns: []schema.Column{
		{Name: "a", Kind: schema.Int}, {Name: "b", Kind: schema.Int}, {Name: "()", Kind: schema.Tuple, Parts: []int{}}, {Name: "(a,b)", Kind: schema.Tuple, Parts: []int{0, 1}},
		{Name: "@sum", Kind: schema.Int, Compute: func(row schema.Row) schema.Value { return schema.IntValue(row[0].Int() + row[1].Int()) }},
	}}
	db := memdb.New(&schema.Registry{Tables: []*schema.Table{table}})
	var changes []feed.Change
	for a := range int64(4) {
		for b := range int64(4) {
			changes = append(changes, memdb.Put(table, schema.Row{schema.IntValue(a), schema.IntValue(b), {}, {}, {}}))
		}
	}
	db.Commit(changes...)
	snapshot, err := db.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	pair := schema.TupleValue(schema.IntValue(2), schema.IntValue(3))
	atLeastFour := []schema.Bound{{Column: 4, Op: schema.Ge, Values: []schema.Value{schema.IntValue(4)}}}
	for name, c := range map[string]struct {
		q    feed.Query
		want []string
	}{
		"one":   {feed.Query{Column: 3, Values: []schema.Value{pair}}, []string{"2,3"}},
		"first": {feed.Query{Column: 2, Values: []schema.Value{schema.TupleValue()}, Where: atLeastFour, Order: []schema.Order{{Column: 4, Desc: true}}, Limit: 3}, []string{"3,3", "2,3", "3,2"}},
		"none":  {feed.Query{Column: 2, Values: []schema.Value{pair}}, nil},
	} {
		c.q.Table = table
		var got []string
		err := snapshot.Rows(context.Background(), c.q, func(row schema.Row) error {
			got = append(got, row[3].String())
			return nil
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q %v, want %q", name, got, err, c.want)
		}
	}
}
