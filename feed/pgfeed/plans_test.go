package pgfeed

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/schema"
)

// TestIndexesServe has PostgreSQL find rows by its indexes where it can.
func TestIndexesServe(t *testing.T) {
	source, err := Open(servers.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, statement := range []string{
		"CREATE TYPE state AS ENUM ('old', '" + strings.Join(strings.Split("abcdefghijklmnopqrstuvwxyz", ""), "', '") + "')",
		`CREATE TABLE things (id int PRIMARY KEY, s smallint, t text, v varchar(20), c char(8), u uuid, e state, a timestamptz NOT NULL, d date, b bytea,
			o text COLLATE "C" NOT NULL, n timestamptz)`,
		"CREATE INDEX ON things (s)", "CREATE INDEX ON things (t)", "CREATE INDEX ON things (v)", "CREATE INDEX ON things (c)", "CREATE INDEX ON things (u)",
		"CREATE INDEX ON things (e)", "CREATE INDEX ON things (a, id)", "CREATE INDEX ON things (d)", "CREATE INDEX ON things (b)", "CREATE INDEX ON things (s, t)",
		"CREATE INDEX ON things (o, id)", "CREATE INDEX ON things (n NULLS FIRST, id)",
		`INSERT INTO things SELECT i, i % 1000, i::text, i::varchar, i::char(8), gen_random_uuid(), (enum_range(NULL::state))[2 + i % 20],
			now() - i * interval '1 second', now() - i * interval '1 day', i::text::bytea, i, now() - i * interval '1 second' FROM generate_series(1, 5000) i`, "ANALYZE things",
	} {
		if _, err := source.db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	column := func(name string, kind schema.Kind) schema.Column { return schema.Column{Name: name, Kind: kind} }
	table := &schema.Table{Name: "things", Columns: []schema.Column{
		column("id", schema.Int), column("s", schema.Int), column("t", schema.Text), column("v", schema.Text), column("c", schema.Text), column("u", schema.UUID),
		column("e", schema.Text), column("a", schema.Time), column("d", schema.Time), column("b", schema.Bytes), column("o", schema.Text), column("n", schema.Time),
		{Name: "(s,t)", Kind: schema.Tuple, Parts: []int{1, 2}}, {Name: "()", Kind: schema.Tuple, Parts: []int{}},
	}}
	if err := source.Setup(t.Context(), []*schema.Table{table}); err != nil {
		t.Fatal(err)
	}
	at := func(kind schema.Kind, s string) schema.Value {
		v, err := kind.FromDriver(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	pair := schema.TupleValue(schema.IntValue(7), schema.TextValue("7"))
	middle := schema.TimeValue(time.Now().Add(-40 * time.Minute))
	after := table.Complete(schema.Row{
		schema.IntValue(4), schema.IntValue(4), schema.TextValue("4"), {}, {}, {}, {}, middle, {}, {}, schema.TextValue("4"), middle, {}, {},
	})
	list := func(order int, desc bool, after schema.Row) feed.Query {
		return feed.Query{Column: 13, Values: []schema.Value{schema.TupleValue()}, Order: []schema.Order{{Column: order, Desc: desc}}, Limit: 20, After: after}
	}
	for name, q := range map[string]feed.Query{
		"int":      {Column: 0, Values: []schema.Value{schema.IntValue(7), schema.IntValue(1 << 40)}},
		"smallint": {Column: 1, Values: []schema.Value{schema.IntValue(7)}},
		"text":     {Column: 2, Values: []schema.Value{schema.TextValue("7")}},
		"varchar":  {Column: 3, Values: []schema.Value{schema.TextValue("7")}},
		"char":     {Column: 4, Values: []schema.Value{schema.TextValue("7")}},
		"uuid":     {Column: 5, Values: []schema.Value{at(schema.UUID, "f47ac10b-58cc-4372-a567-0e02b2c3d479")}},
		"enum":     {Column: 6, Values: []schema.Value{schema.TextValue("old"), schema.TextValue("none")}},
		"time":     {Column: 7, Values: []schema.Value{at(schema.Time, "2026-01-02")}},
		"date":     {Column: 8, Values: []schema.Value{at(schema.Time, "2026-01-02")}},
		"bytes":    {Column: 9, Values: []schema.Value{schema.BytesValue([]byte("y"))}},
		"tuple":    {Column: 12, Values: []schema.Value{pair}},

		"newest":           list(7, true, nil),
		"oldest":           list(7, false, nil),
		"next newest":      list(7, true, after),
		"next oldest":      list(7, false, after),
		"by name":          list(10, false, nil),
		"next by name":     list(10, false, after),
		"nullable":         list(11, false, nil),
		"next by nullable": list(11, false, after),
	} {
		q.Table = table
		plan := explain(t, source, &q)
		if strings.Contains(plan, "Seq Scan on things") {
			t.Errorf("%s is found by looking at all rows:\n%s", name, plan)
		}
		if q.Limit > 0 && strings.Contains(plan, "  Sort ") && !strings.Contains(plan, "Incremental Sort") {
			t.Errorf("%s is sorted:\n%s", name, plan)
		}
	}
}

// explain is how PostgreSQL reads the rows of a query.
func explain(t *testing.T, source *Source, q *feed.Query) string {
	t.Helper()
	selection := newSelection(q, source.catalog.tables[q.Table], false)
	var plan []string
	err := source.inTx(t.Context(), func(tx *sql.Tx) error {
		return each(t.Context(), tx, func(line string) { plan = append(plan, line) }, "EXPLAIN "+selection.sql(""), selection.args...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}
