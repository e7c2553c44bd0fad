package pgfeed_test

import (
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// TestRowsThatAreNotKept reads, in a snapshot of before, a table that was emptied
// or rewritten: it must not seem to have been empty.
func TestRowsThatAreNotKept(t *testing.T) {
	url, exec := database(t)
	exec("CREATE TABLE parts (id bigint, grp bigint, PRIMARY KEY (id, grp)) PARTITION BY LIST (grp)",
		"CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)", "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2)")
	parts := &schema.Table{Name: "parts", Columns: []schema.Column{
		{Name: "(id,grp)", Kind: schema.Tuple, Parts: []int{1, 2}}, {Name: "id", Kind: schema.Int}, {Name: "grp", Kind: schema.Int},
	}}
	table := items()
	source := openSource(t, url)
	if err := source.Setup(t.Context(), []*schema.Table{table, parts}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		statement string
		query     feed.Query
		want      string
	}{
		{"TRUNCATE items", feed.Query{Table: table, Column: 1, Values: []schema.Value{number(1)}}, "emptied or rewritten"},
		{"ALTER TABLE items ALTER COLUMN grp TYPE numeric", feed.Query{Table: table, Column: 0, Values: []schema.Value{number(1)}}, "emptied or rewritten"},
		{"TRUNCATE parts_2", feed.Query{Table: parts, Column: 2, Values: []schema.Value{number(1), number(2)}}, "emptied or rewritten"},
		{"DELETE FROM items", feed.Query{Table: table, Column: 0, Values: []schema.Value{number(1)}}, ""},
		{"VACUUM items", feed.Query{Table: table, Column: 0, Values: []schema.Value{number(7)}}, ""},
		{"DELETE FROM parts", feed.Query{Table: parts, Column: 2, Values: []schema.Value{number(1), number(2)}}, ""},
	} {
		exec("TRUNCATE items, parts", "INSERT INTO items VALUES (1, 1, 'a', '')", "INSERT INTO parts VALUES (1, 1), (1, 2)")
		snapshot, err := source.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		exec(c.statement)
		err = snapshot.Rows(t.Context(), c.query, func(schema.Row) error { return nil })
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.statement, err)
		}
		snapshot.Close()
	}
}
