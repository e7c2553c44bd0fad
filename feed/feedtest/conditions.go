package feedtest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pando-sync/pando/feed"
	_ "github.com/pando-sync/pando/internal/seeds" // draws the same values in every run
	"github.com/pando-sync/pando/schema"
)

// testTuples reads by one tuple, by many, and by the tuple of no columns.
func testTuples(t *testing.T, f *fixture) {
	source := f.open()
	words := []string{"", "a", "A", "ü,%", "it's"}
	for a := range 30 {
		for _, b := range words {
			f.exec("INSERT INTO pairs VALUES (?, ?, 1, 'n')", a, b)
			f.exec("INSERT INTO legs VALUES (?, 1, ?, ?, 'l')", a*len(words)+slices.Index(words, b), a, b)
		}
	}
	f.exec("INSERT INTO legs VALUES (1000, 1, 1, NULL, 'l')")
	state, snapshot := f.read(source)
	if len(state[f.pairs]) != 30*len(words) || len(state[f.legs]) != 30*len(words)+1 {
		t.Fatalf("read %d pairs and %d legs", len(state[f.pairs]), len(state[f.legs]))
	}
	var keys []schema.Value
	for key, row := range state[f.pairs] {
		if got := f.query(snapshot, feed.Query{Table: f.pairs, Values: []schema.Value{key}}); len(got) != 1 || !slices.Equal(got[key], row) {
			t.Errorf("pair %s: %v", key, got)
		}
		if key.Parts()[0].Int()%2 == 0 {
			keys = append(keys, key)
		}
	}
	keys = append(keys, schema.TupleValue(schema.IntValue(1)), schema.TupleValue(schema.IntValue(77), schema.TextValue("a")))
	for _, q := range []feed.Query{{Table: f.pairs, Values: keys}, {Table: f.legs, Column: f.legs.Links[0], Values: keys}} {
		if got := f.query(snapshot, q); len(got) != len(keys)-2 {
			t.Errorf("read %d rows of %s by %d keys", len(got), q.Table.Name, len(keys)-2)
		}
	}
	f.exec("INSERT INTO samples (id, grp) VALUES (1, 1), (2, 2)")
	_, snapshot = f.read(source)
	if got := f.query(snapshot, feed.Query{Table: f.samples, Column: column(f.samples, "()"), Values: []schema.Value{schema.TupleValue()}}); len(got) != 2 {
		t.Errorf("read %d rows by the tuple of no columns", len(got))
	}
}

func column(table *schema.Table, name string) int {
	return slices.IndexFunc(table.Columns, func(c schema.Column) bool { return c.Name == name })
}

// testConditions reads by random queries and compares with what Go makes of
// all rows: of canonical values, then of others that programs store, then with
// odd ones among them, column by column, and in an old snapshot.
func testConditions(t *testing.T, f *fixture) {
	source := f.open()
	id := int64(0)
	insert := func(kind schema.Kind, stored any) {
		id++
		f.exec("INSERT INTO samples (id, grp, c_"+kind.String()+") VALUES (?, 1, ?)", id, stored)
	}
	for i := range 20 {
		id++
		f.exec("INSERT INTO samples (id, grp, c_bool, c_int, c_float, c_text, c_uuid, c_time, c_bytes, c_json) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?)",
			id, i%2 == 0, i%5-2, float64(i%7)/3, []string{"", "a", "B", "ü", "😀", "\uffee"}[i%6], fmt.Sprintf("f47ac10b-58cc-4372-a567-0e02b2c3d4%02d", i%9),
			fmt.Sprintf("2026-01-02T03:04:05.00000%dZ", i%8), []byte{byte(i % 4), 0}[:1+i%2], strconv.Itoa(i%3))
	}
	for _, kind := range sampleKinds {
		insert(kind, nil)
	}
	_, old := f.read(source)
	check := func(t *testing.T, snapshot feed.Snapshot, most int) { f.compare(t, snapshot, f.samples, most) }
	t.Run("plain", func(t *testing.T) { check(t, old, 10) })
	for _, kind := range sampleKinds {
		for _, s := range samples[kind] {
			if text, ok := s.stored.(string); !ok || len(text) < 100 { // every query reads all
				insert(kind, s.stored)
			}
		}
	}
	_, other := f.read(source)
	t.Run("other", func(t *testing.T) { check(t, other, 10) })
	for _, kind := range sampleKinds {
		t.Run("odd "+kind.String(), func(t *testing.T) {
			for _, stored := range f.Dialect.Values[kind] {
				insert(kind, stored)
			}
			_, snapshot := f.read(source)
			check(t, snapshot, 1)
			snapshot.Close()
		})
	}
	t.Run("old", func(t *testing.T) { check(t, old, 10) })
}

// compare reads a table by random queries, and compares with what Go makes of
// all its rows.
func (f *fixture) compare(t *testing.T, snapshot feed.Snapshot, table *schema.Table, most int) {
	t.Helper()
	rows := f.query(snapshot, all(table))
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, most).Draw(rt, "queries") {
			compareQuery(rt, snapshot, drawQuery(rt, table, rows), rows)
		}
	})
}

// drawQuery draws a query of a table with values that its rows have, or almost.
func drawQuery(t *rapid.T, table *schema.Table, rows map[schema.Value]schema.Row) feed.Query {
	var sorted []schema.Row
	for _, row := range rows {
		sorted = append(sorted, row)
	}
	slices.SortFunc(sorted, func(a, b schema.Row) int { return a[table.Key].Compare(b[table.Key]) })
	anyRow := rapid.SampledFrom(sorted)
	value := func(column int) schema.Value {
		if v := anyRow.Draw(t, "row")[column]; rapid.Bool().Draw(t, "as it is") {
			return v
		}
		return almost(table.Columns[column].Kind, anyRow.Draw(t, "row")[column])
	}
	q := feed.Query{Table: table, Column: rapid.IntRange(0, len(table.Columns)-1).Draw(t, "column")}
	if rapid.Bool().Draw(t, "all") {
		q.Column = column(table, "grp")
	}
	for range rapid.IntRange(1, 5).Draw(t, "values") {
		v := value(q.Column)
		if !v.IsNull() && !slices.Contains(q.Values, v) {
			q.Values = append(q.Values, v)
		}
	}
	derived := slices.IndexFunc(table.Columns, func(c schema.Column) bool { return c.Derived() })
	anyColumn := rapid.IntRange(0, derived-1)
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		c := schema.Bound{Column: anyColumn.Draw(t, "column"), Op: schema.Op(rapid.IntRange(int(schema.Eq), int(schema.NotNull)).Draw(t, "op"))}
		n := 1
		switch c.Op {
		case schema.In:
			n = rapid.IntRange(0, 4).Draw(t, "operands")
		case schema.IsNull, schema.NotNull:
			n = 0
		default:
		}
		for range n {
			c.Values = append(c.Values, value(c.Column))
		}
		q.Where = append(q.Where, c)
	}
	for range rapid.IntRange(0, 3).Draw(t, "orders") {
		q.Order = append(q.Order, schema.Order{Column: anyColumn.Draw(t, "column"), Desc: rapid.Bool().Draw(t, "descending")})
	}
	q.Limit = rapid.IntRange(0, 12).Draw(t, "limit")
	if q.Limit > 0 && rapid.Bool().Draw(t, "after") {
		q.After = anyRow.Draw(t, "after")
	}
	return q
}

// almost is a value next to another one.
func almost(kind schema.Kind, v schema.Value) schema.Value {
	switch kind {
	case schema.Int:
		if v.Int() < math.MaxInt64 {
			return schema.IntValue(v.Int() + 1)
		}
	case schema.Float:
		return schema.FloatValue(math.Nextafter(v.Float(), 1))
	case schema.Text:
		return schema.TextValue(v.Str() + "\x00")
	case schema.Time:
		if t, err := time.Parse(schema.TimeFormat, v.Str()); err == nil {
			return schema.TimeValue(t.Add(time.Microsecond))
		}
	case schema.Bytes:
		return schema.BytesValue([]byte(v.Str() + "\x00"))
	default:
	}
	return v
}

// compareQuery compares what a snapshot reads with what Go selects of all rows.
func compareQuery(t rapid.TB, snapshot feed.Snapshot, q feed.Query, all map[schema.Value]schema.Row) {
	var want, got []schema.Row
	for _, row := range all {
		if slices.Contains(q.Values, row[q.Column]) && q.Meets(row) {
			want = append(want, row)
		}
	}
	err := snapshot.Rows(context.Background(), q, func(row schema.Row) error {
		got = append(got, row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(want, q.Compare)
	if q.Limit > 0 {
		want = want[:min(q.Limit, len(want))]
	} else {
		slices.SortFunc(got, q.Compare)
	}
	if !slices.EqualFunc(got, want, slices.Equal[schema.Row]) {
		t.Fatalf("%s by %s %q where %s order %v limit %d after %v:\nread %v\nwant %v", q.Table.Name, q.Table.Columns[q.Column].Name,
			q.Values, describeWhere(q), q.Order, q.Limit, q.After, got, want)
	}
}

func describeWhere(q feed.Query) string {
	var text strings.Builder
	for i := range q.Where {
		fmt.Fprintf(&text, "[%s %q]", q.Table.Columns[q.Where[i].Column].Name, q.Where[i].String())
	}
	return text.String()
}

// testLarge follows transactions that change more rows than come at once.
func testLarge(t *testing.T, f *fixture) {
	source, recorder := f.follow()
	n := f.Large / 2
	f.tx(fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO items SELECT i, 1, 'n', 'h' FROM n", 2*n),
		fmt.Sprintf("UPDATE items SET name = 'm' WHERE id <= %d", n), fmt.Sprintf("DELETE FROM items WHERE id > %d", 2*n-10))
	recorder.Reach(source)
	f.tx("UPDATE items SET name = name || '!'", fmt.Sprintf("DELETE FROM items WHERE id <= %d", n), "INSERT INTO items VALUES (1, 1, 'again', 'h')")
	recorder.Reach(source)
	state := State{}
	for _, commit := range recorder.Commits() {
		state.Follow(t, commit)
	}
	read, _ := f.read(source)
	f.same("fed differs from read", State{f.items: state[f.items]}, State{f.items: read[f.items]})
	if rows := len(state[f.items]); rows != n-9 {
		t.Errorf("fed %d rows, want %d", rows, n-9)
	}
	if n := len(recorder.Commits()); n != 2 {
		t.Errorf("two transactions came as %d commits", n)
	}
}
