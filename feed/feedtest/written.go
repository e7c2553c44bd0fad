package feedtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// written are values to write, beyond those that programs of all kinds store.
var written = map[schema.Kind][]schema.Value{
	schema.Text:  {text("12"), text("1.50"), text("0x10"), text("nul \x00 inside"), text("\x00")},
	schema.Float: {schema.FloatValue(math.Inf(1)), schema.FloatValue(-1e-300)},
	schema.Time:  {instant(0, 1, 1, 0, 0, 0, 0), instant(9999, 12, 31, 23, 59, 59, 999999), instant(1970, 1, 1, 0, 0, 0, 0)},
	schema.Bytes: {schema.BytesValue([]byte("text")), schema.BytesValue(make([]byte, 100_000))},
	schema.JSON:  {jsonDocument(`1`), jsonDocument(`-2.5`), jsonDocument(`true`), jsonDocument(`"1"`), jsonDocument(`{"":{"é":[]}}`)},
}

// testRoundTrip writes values of every kind, by insert and by update, and wants
// them back by the transaction, a snapshot and the feed.
func testRoundTrip(t *testing.T, f *fixture) {
	source, recorder := f.follow()
	w := f.writer(source)
	want := make(map[schema.Value]schema.Row)
	id := int64(0)
	tx := f.begin(w)
	for i, kind := range sampleKinds {
		values := append(slices.Clone(written[kind]), schema.Value{})
		for _, s := range samples[kind] {
			values = append(values, s.want)
		}
		for _, v := range values {
			if f.Dialect.Unstorable != nil && f.Dialect.Unstorable(v) {
				f.refuse(w, f.samples, "c_"+kind.String(), v)
				continue
			}
			for _, updated := range []bool{false, true} {
				id++
				name := "c_" + kind.String()
				first := named(map[string]schema.Value{"id": number(id)})
				if !updated {
					first[name] = v
				}
				key := f.insert(tx, f.samples, first)
				if updated {
					f.update(tx, f.samples, key, map[string]schema.Value{name: v})
				}
				row := make(schema.Row, len(f.samples.Columns))
				row[0], row[1], row[2+i] = number(id), number(1), v
				want[number(id)] = f.samples.Complete(row)
			}
		}
	}
	f.same("a transaction sees other than it wrote", State{f.samples: f.rows(tx, all(f.samples), feed.Shared)}, State{f.samples: want})
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	read := f.checkFed(source, recorder)
	f.same("read differs from written", State{f.samples: read[f.samples]}, State{f.samples: want})
}

// refuse writes a value that the database cannot hold.
func (f *fixture) refuse(w feed.Writer, table *schema.Table, column string, v schema.Value) {
	f.t.Helper()
	tx := f.begin(w)
	_, err := tx.Insert(context.Background(), table, assign(table, named(map[string]schema.Value{"id": number(-1), column: v})))
	if _, ok := errors.AsType[*feed.ConstraintError](err); !ok {
		f.t.Errorf("Insert of a %s that cannot be stored: %v, want a *feed.ConstraintError", v.Kind(), err)
	}
	if err := tx.Rollback(); err != nil {
		f.t.Error(err)
	}
}

// testWrittenKeys inserts, changes and deletes rows by keys of every kind.
func testWrittenKeys(t *testing.T, f *fixture) {
	source, recorder := f.follow()
	w := f.writer(source)
	mark := uuid("f47ac10b-58cc-4372-a567-0e02b2c3d479")
	pair := func(a int64, b string) schema.Value { return schema.TupleValue(number(a), text(b)) }
	note := func(s string) map[string]schema.Value { return map[string]schema.Value{"note": text(s)} }
	f.commit(w, func(tx feed.Tx) {
		for _, word := range []string{"", "a", "it's", "1", "ü"} {
			if key := f.insert(tx, f.words, named(map[string]schema.Value{"word": text(word)})); key != text(word) {
				t.Errorf("inserted %q under the key %q", word, key)
			}
		}
		if key := f.insert(tx, f.marks, named(map[string]schema.Value{"id": mark})); key != mark {
			t.Errorf("inserted %s under the key %s", mark, key)
		}
		for _, b := range []string{"x", "y,z", ""} {
			if key := f.insert(tx, f.pairs, named(map[string]schema.Value{"a": number(-1), "b": text(b)})); key != pair(-1, b) {
				t.Errorf("inserted %q under the key %q", b, key)
			}
		}
	})
	f.commit(w, func(tx feed.Tx) {
		f.update(tx, f.words, text("it's"), note("changed"))
		f.update(tx, f.words, text("none"), note("lost"))
		f.update(tx, f.marks, mark, note("changed"))
		f.update(tx, f.pairs, pair(-1, "y,z"), note("changed"))
		f.update(tx, f.pairs, pair(-1, "x"), map[string]schema.Value{"b": text("moved")})
		f.update(tx, f.pairs, number(1), note("of another kind"))
		f.update(tx, f.pairs, schema.Value{}, note("of no row"))
		f.update(tx, f.words, text("a"), nil)
		f.remove(tx, f.words, text("1"))
		f.remove(tx, f.words, text("none"))
		f.remove(tx, f.pairs, pair(-1, ""))
	})
	got := show(f.checkFed(source, recorder))
	for key, want := range map[string]string{
		"words it's": `text:"it's" int:"1" text:"changed" `, "words a": `text:"a" int:"1" null:"null" `,
		"marks " + mark.String(): `uuid:"` + mark.String() + `" int:"1" text:"changed" `,
	} {
		if got[key] != want {
			t.Errorf("%s is %s, want %s", key, got[key], want)
		}
	}
	for key, there := range map[string]bool{"words 1": false, "words ": true, "pairs -1,": false, "pairs -1,x": false, "pairs -1,moved": true, "pairs -1,y%2Cz": true} {
		if (got[key] != "") != there {
			t.Errorf("row %q is there: %t", key, !there)
		}
	}
	if !strings.Contains(got["pairs -1,y%2Cz"], "changed") {
		t.Errorf("the row of a tuple was not changed: %s", got["pairs -1,y%2Cz"])
	}
}

// testGivenKeys inserts rows whose key the database gives.
func testGivenKeys(t *testing.T, f *fixture) {
	if f.Dialect.Serial == "" {
		t.Skip("the dialect has no keys that the database gives")
	}
	table := f.table("numbered", 0, col("id", schema.Int), col("grp", schema.Int), null("note", schema.Text))
	f.exec("CREATE TABLE numbered (id " + f.Dialect.Serial + ", grp " + f.Dialect.Types[schema.Int] + ", note " + f.Dialect.Types[schema.Text] + ")")
	source, recorder := f.follow()
	keys := make(map[schema.Value]bool)
	f.commit(f.writer(source), func(tx feed.Tx) {
		for range 3 {
			key := f.insert(tx, table, named(map[string]schema.Value{"note": text("n")}))
			f.update(tx, table, key, map[string]schema.Value{"note": text(key.String())})
			keys[key] = true
		}
	})
	rows := f.checkFed(source, recorder)[table]
	if len(keys) != 3 || len(rows) != 3 {
		t.Fatalf("3 rows have the keys %v, and %d are there", keys, len(rows))
	}
	for key, row := range rows {
		if !keys[key] || row[2] != text(key.String()) {
			t.Errorf("row %s is %v, given keys are %v", key, row, keys)
		}
	}
}

// testOwnView reads in a transaction what it has written and nobody else sees,
// by every sort of query.
func testOwnView(t *testing.T, f *fixture) {
	for i := range int64(10) {
		f.exec("INSERT INTO items VALUES (?, 1, 'old', 'h')", i)
	}
	source := f.open()
	w := f.writer(source)
	tx := f.begin(w)
	f.rows(tx, all(f.items), feed.Shared)
	for i := range int64(20) {
		if i < 10 {
			f.update(tx, f.items, number(i), map[string]schema.Value{"name": text(fmt.Sprint("new ", i%3))})
		} else {
			f.insert(tx, f.items, named(map[string]schema.Value{"id": number(i), "name": text(fmt.Sprint("new ", i%3))}))
		}
	}
	f.remove(tx, f.items, number(7))
	if _, err := tx.SQL().Exec("INSERT INTO items VALUES (20, 1, 'by hand', 'h')"); err != nil {
		t.Fatal(err)
	}
	rows := f.rows(tx, all(f.items), feed.Exclusive)
	if len(rows) != 20 || rows[number(7)] != nil || rows[number(20)] == nil {
		t.Errorf("a transaction sees %d rows of its own", len(rows))
	}
	for _, q := range []feed.Query{
		{Column: 0, Values: []schema.Value{number(3), number(15), number(7), number(99)}},
		{Column: 1, Values: []schema.Value{number(1)}, Where: []schema.Bound{{Column: 2, Op: schema.Eq, Values: []schema.Value{text("new 1")}}}},
		{Column: 1, Values: []schema.Value{number(1)}, Where: []schema.Bound{{Column: 2, Op: schema.Ge, Values: []schema.Value{text("new 1")}}, {Column: 2, Op: schema.NotNull}}},
		{Column: 2, Values: []schema.Value{text("old"), text("new 2")}},
		{Column: 1, Values: []schema.Value{number(1)}, Order: []schema.Order{{Column: 2, Desc: true}}, Limit: 5},
		{Column: 1, Values: []schema.Value{number(1)}, Order: []schema.Order{{Column: 2}}, Limit: 5, After: rows[number(4)]},
	} {
		q.Table = f.items
		var got, want []string
		err := tx.Rows(context.Background(), q, feed.Shared, func(row schema.Row) error {
			got = append(got, row[0].String())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want = selected(&q, rows)
		if q.Limit == 0 {
			slices.Sort(got)
			slices.Sort(want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("a transaction reads %v by %+v, want %v", got, q, want)
		}
	}
	halt := errors.New("halt")
	if err := tx.Rows(context.Background(), all(f.items), feed.Shared, func(schema.Row) error { return halt }); !errors.Is(err, halt) {
		t.Errorf("Rows goes on after its function failed: %v", err)
	}
	outside, snapshot := f.read(source)
	snapshot.Close()
	if n := len(outside[f.items]); n != 10 || outside[f.items][number(1)][2] != text("old") {
		t.Errorf("a snapshot sees what is not committed: %d rows", n)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	// What the transaction learnt of its rows is not true any more.
	f.exec("INSERT INTO items VALUES (30, 1, 'odd', 'h')")
	after, snapshot := f.read(source)
	defer snapshot.Close()
	q := feed.Query{Table: f.items, Column: 2, Values: []schema.Value{text("odd"), text("by hand"), text("new 2")}}
	if got := f.query(snapshot, q); len(got) != 1 || len(after[f.items]) != 11 {
		t.Errorf("after a rollback %d rows are found and %d read", len(got), len(after[f.items]))
	}
}

// selected are the keys of the rows that a query selects, in its order.
func selected(q *feed.Query, rows map[schema.Value]schema.Row) []string {
	var found []schema.Row
	for _, row := range rows {
		if slices.Contains(q.Values, row[q.Column]) && q.Meets(row) {
			found = append(found, row)
		}
	}
	slices.SortFunc(found, q.Compare)
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	var keys []string
	for _, row := range found {
		keys = append(keys, row[q.Table.Key].String())
	}
	return keys
}

// testDefaults leaves columns to the database, and all of them.
func testDefaults(t *testing.T, f *fixture) {
	types := f.Dialect.Types
	table := f.table("defaults", 0, col("id", schema.Int), col("grp", schema.Int), null("note", schema.Text))
	f.exec("CREATE TABLE defaults (id " + types[schema.Int] + " DEFAULT 7 PRIMARY KEY, grp " + types[schema.Int] + " DEFAULT 1, note " + types[schema.Text] + " DEFAULT 'given')")
	source, recorder := f.follow()
	f.commit(f.writer(source), func(tx feed.Tx) {
		f.insert(tx, table, map[string]schema.Value{"id": number(1)})
		f.insert(tx, table, map[string]schema.Value{"id": number(2), "note": {}})
		f.insert(tx, table, nil)
	})
	rows := f.checkFed(source, recorder)[table]
	if len(rows) != 3 || rows[number(1)][2] != text("given") || !rows[number(2)][2].IsNull() {
		t.Errorf("defaults are %v", rows)
	}
}
