package feedtest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// fixture is a harness with the suite's tables in it.
//
//	items     id, grp, name, hidden (not declared)
//	children  id, grp, item_id → items (cascades), name
//	words     word (text key), grp, note
//	marks     id (uuid key), grp, note
//	pairs     a, b (key of both), grp, note
//	legs      id, grp, (a, b) → pairs (cascades), name
//	nodes     id, grp, parent_id → nodes (cascades), name
//	samples   id, grp, and a nullable column of each kind
//	strays    id (not declared at all)
//
// grp is 1 in every row, so that one query reads a whole table. pairs, legs and
// samples have derived columns too.
type fixture struct {
	Harness
	t                                                          testing.TB
	items, children, words, marks, pairs, legs, nodes, samples *schema.Table
	tables                                                     []*schema.Table
}

// sampleKinds are the kinds of the columns of samples after id and grp.
var sampleKinds = []schema.Kind{schema.Bool, schema.Int, schema.Float, schema.Text, schema.UUID, schema.Time, schema.Bytes, schema.JSON}

func newFixture(t testing.TB, h Harness) *fixture {
	t.Helper()
	f := &fixture{Harness: h, t: t}
	f.items = f.table("items", 0, col("id", schema.Int), col("grp", schema.Int), null("name", schema.Text))
	f.children = f.table("children", 2, col("id", schema.Int), col("grp", schema.Int), null("item_id", schema.Int), null("name", schema.Text))
	f.words = f.table("words", 0, col("word", schema.Text), col("grp", schema.Int), null("note", schema.Text))
	f.marks = f.table("marks", 0, col("id", schema.UUID), col("grp", schema.Int), null("note", schema.Text))
	f.pairs = f.table("pairs", 0, tuple("(a,b)", 1, 2), col("a", schema.Int), col("b", schema.Text), col("grp", schema.Int),
		schema.Column{Name: "@shout", Kind: schema.Text, Compute: shout}, schema.Column{Name: "@total", Kind: schema.Int, Aggregate: &schema.Aggregate{}}, null("note", schema.Text))
	f.legs = f.table("legs", 4, col("id", schema.Int), col("grp", schema.Int), null("a", schema.Int), null("b", schema.Text), tuple("(a,b)", 2, 3), null("name", schema.Text))
	f.nodes = f.table("nodes", 2, col("id", schema.Int), col("grp", schema.Int), null("parent_id", schema.Int), null("name", schema.Text))
	columns := []schema.Column{col("id", schema.Int), col("grp", schema.Int)}
	for _, kind := range sampleKinds {
		columns = append(columns, null("c_"+kind.String(), kind))
	}
	columns = append(columns, tuple("()"), tuple("(grp,id)", 1, 0), tuple("(c_float,c_uuid,c_text,c_bytes)", 4, 6, 5, 8))
	f.samples = f.table("samples", 0, columns...)

	f.create(f.items, "hidden "+h.Dialect.Types[schema.Text])
	f.create(f.children, "FOREIGN KEY (item_id) REFERENCES items (id) ON DELETE CASCADE")
	f.create(f.words)
	f.create(f.marks)
	f.create(f.pairs)
	f.create(f.legs, "FOREIGN KEY (a, b) REFERENCES pairs (a, b) ON DELETE CASCADE ON UPDATE CASCADE")
	f.create(f.nodes, "FOREIGN KEY (parent_id) REFERENCES nodes (id) ON DELETE CASCADE ON UPDATE CASCADE")
	f.create(f.samples)
	f.exec("CREATE TABLE strays (id " + h.Dialect.Types[schema.Int] + " PRIMARY KEY)")
	return f
}

func col(name string, kind schema.Kind) schema.Column { return schema.Column{Name: name, Kind: kind} }

func null(name string, kind schema.Kind) schema.Column {
	return schema.Column{Name: name, Kind: kind, Nullable: true}
}

// tuple declares the tuple of the columns at parts.
func tuple(name string, parts ...int) schema.Column {
	return schema.Column{Name: name, Kind: schema.Tuple, Parts: append([]int{}, parts...)}
}

// shout computes a value of the last column.
func shout(row schema.Row) schema.Value {
	return schema.TextValue(strings.ToUpper(row[len(row)-1].String()) + "!")
}

// table declares a table whose first column is the key; link is the index of
// its link column, 0 for none.
func (f *fixture) table(name string, link int, columns ...schema.Column) *schema.Table {
	table := &schema.Table{ID: len(f.tables), Name: name, Columns: columns}
	if link > 0 {
		table.Links = []int{link}
	}
	f.tables = append(f.tables, table)
	return table
}

// create creates a declared table in the database.
func (f *fixture) create(table *schema.Table, more ...string) {
	f.t.Helper()
	var parts, key []string
	for _, i := range table.Columns[table.Key].Parts {
		key = append(key, table.Columns[i].Name)
	}
	for i, column := range table.Columns {
		if column.Derived() {
			continue
		}
		part := column.Name + " " + f.Dialect.Types[column.Kind]
		if i == table.Key {
			part += " PRIMARY KEY"
		} else if !column.Nullable {
			part += " NOT NULL"
		}
		parts = append(parts, part)
	}
	parts = append(parts, more...)
	if key != nil {
		parts = append(parts, "PRIMARY KEY ("+strings.Join(key, ", ")+")")
	}
	f.exec("CREATE TABLE " + table.Name + " (" + strings.Join(parts, ", ") + ")")
}

// bind gives parameters the dialect's form; sql has no other question marks.
func (f *fixture) bind(sql string) string {
	if !f.Dialect.Numbered {
		return sql
	}
	parts := strings.Split(sql, "?")
	var b strings.Builder
	for i, part := range parts {
		b.WriteString(part)
		if i < len(parts)-1 {
			b.WriteString("$" + strconv.Itoa(i+1))
		}
	}
	return b.String()
}

// exec runs one statement in a transaction of its own.
func (f *fixture) exec(sql string, args ...any) {
	f.t.Helper()
	if _, err := f.DB.Exec(f.bind(sql), args...); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
}

// tx runs statements in one transaction; a last one "ROLLBACK" takes it back.
func (f *fixture) tx(statements ...string) {
	f.t.Helper()
	tx, err := f.DB.Begin()
	if err != nil {
		f.t.Fatal(err)
	}
	defer tx.Rollback()
	for _, sql := range statements {
		if sql == "ROLLBACK" {
			return
		}
		if _, err := tx.Exec(sql); err != nil {
			f.t.Fatalf("%s: %v", sql, err)
		}
	}
	if err := tx.Commit(); err != nil {
		f.t.Fatal(err)
	}
}

// open returns a source that is set up for the fixture's tables.
func (f *fixture) open() feed.Source {
	f.t.Helper()
	source := f.Open(f.t)
	f.t.Cleanup(func() {
		if err := source.Close(); err != nil {
			f.t.Errorf("Close: %v", err)
		}
	})
	if err := source.Setup(context.Background(), f.tables); err != nil {
		f.t.Fatalf("Setup: %v", err)
	}
	return source
}

// follow opens a source and records its feed.
func (f *fixture) follow() (feed.Source, *Recorder) {
	f.t.Helper()
	source := f.open()
	recorder, _ := Record(f.t, source)
	return source, recorder
}

// read reads all rows of the tables in one snapshot.
func (f *fixture) read(source feed.Source) (State, feed.Snapshot) {
	f.t.Helper()
	snapshot, err := source.Snapshot(context.Background())
	if err != nil {
		f.t.Fatalf("Snapshot: %v", err)
	}
	f.t.Cleanup(func() { snapshot.Close() })
	state := make(State)
	for _, table := range f.tables {
		state[table] = f.query(snapshot, all(table))
	}
	return state, snapshot
}

// all reads a whole table.
func all(table *schema.Table) feed.Query {
	grp := slices.IndexFunc(table.Columns, func(c schema.Column) bool { return c.Name == "grp" })
	return feed.Query{Table: table, Column: grp, Values: []schema.Value{schema.IntValue(1)}}
}

// query returns the rows of q by key.
func (f *fixture) query(snapshot feed.Snapshot, q feed.Query) map[schema.Value]schema.Row {
	f.t.Helper()
	rows := make(map[schema.Value]schema.Row)
	err := snapshot.Rows(context.Background(), q, func(row schema.Row) error {
		rows[row[q.Table.Key]] = slices.Clone(row)
		return nil
	})
	if err != nil {
		f.t.Fatalf("Rows: %v", err)
	}
	return rows
}

// same fails unless two states have the same rows.
func (f *fixture) same(what string, got, want State) {
	f.t.Helper()
	if diff := cmp.Diff(show(want), show(got)); diff != "" {
		f.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// show makes a state readable: values with their kinds, so that the text 1
// differs from the number.
func show(s State) map[string]string {
	texts := make(map[string]string)
	for table, rows := range s {
		for key, row := range rows {
			var b strings.Builder
			for _, v := range row {
				fmt.Fprintf(&b, "%s:%q ", v.Kind(), v)
			}
			texts[table.Name+" "+key.String()] = b.String()
		}
	}
	return texts
}
