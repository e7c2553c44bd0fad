package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// TestForms stores values one by one, in a column that keeps them as they are,
// and wants each to be told from what SQL compares as schema.Value does.
func TestForms(t *testing.T) {
	s, db := newTrimmed(t, time.Hour, 10)
	const canonicalUUID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
	cases := []struct {
		kind   schema.Kind
		values []driver.Value
		want   form
	}{
		{schema.Bool, []driver.Value{nil, int64(0), int64(1), 1.0}, canonical},
		{schema.Bool, []driver.Value{int64(2)}, odd},
		{schema.Bool, []driver.Value{"true"}, odd},
		{schema.Int, []driver.Value{nil, int64(0), int64(math.MaxInt64), int64(math.MinInt64), 3.0}, canonical},
		{schema.Int, []driver.Value{1.5}, odd},
		{schema.Int, []driver.Value{"2"}, odd},
		{schema.Int, []driver.Value{[]byte("2")}, odd},
		{schema.Float, []driver.Value{nil, 1.5, 0.0, math.Copysign(0, -1), math.MaxFloat64, int64(1) << 53}, canonical},
		{schema.Float, []driver.Value{math.Inf(1)}, odd},
		{schema.Float, []driver.Value{math.Inf(-1)}, odd},
		{schema.Float, []driver.Value{int64(1)<<53 + 1}, odd},
		{schema.Float, []driver.Value{"1.5"}, odd},
		{schema.Text, []driver.Value{nil, "", "a", "1", "grüße 😀", "nul \x00 inside", "ü\x00ü"}, canonical},
		{schema.Text, []driver.Value{"bad \xff"}, odd},
		{schema.Text, []driver.Value{"nul \x00 bad \xff"}, odd},
		{schema.Text, []driver.Value{[]byte("a")}, odd},
		{schema.Text, []driver.Value{int64(1)}, odd},
		{schema.UUID, []driver.Value{nil, canonicalUUID}, canonical},
		{schema.UUID, []driver.Value{canonicalUUID, strings.ToUpper(canonicalUUID)}, findable},
		{schema.UUID, []driver.Value{strings.ReplaceAll(canonicalUUID, "-", "")}, findable},
		{schema.UUID, []driver.Value{[]byte("0123456789abcdef"), []byte("fedcba9876543210")}, findable},
		{schema.UUID, []driver.Value{"F47ac10b-58cc-4372-a567-0e02b2c3d479"}, odd},
		{schema.UUID, []driver.Value{[]byte("0123456789abcdef"), "none"}, odd},
		{schema.UUID, []driver.Value{canonicalUUID + "\x00"}, odd},
		{schema.Time, []driver.Value{nil, "2024-02-29T23:59:59.999999Z", "0000-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.000000Z"}, canonical},
		{schema.Time, []driver.Value{"2026-02-29T00:00:00.000000Z"}, odd},
		{schema.Time, []driver.Value{"2026-01-02T24:00:00.000000Z"}, odd},
		{schema.Time, []driver.Value{"2026-01-02 03:04:05", nil, "0000-02-29 23:59:59"}, canonical},
		{schema.Time, []driver.Value{"2026-01-02T03:04:05Z"}, canonical},
		{schema.Time, []driver.Value{"2026-01-02T03:04:05.678Z"}, canonical},
		{schema.Time, []driver.Value{"2026-01-02", "2024-02-29"}, canonical},
		{schema.Time, []driver.Value{int64(0), nil, int64(-62_167_219_200), int64(253_402_300_799)}, canonical},
		{schema.Time, []driver.Value{int64(0), int64(1_700_000_000_123), int64(-2_000_000_000_000)}, canonical},
		{schema.Time, []driver.Value{"2026-01-02 03:04:05", "2026-01-02T03:04:05Z"}, odd},
		{schema.Time, []driver.Value{"2026-01-02 03:04:05", "2026-01-02 24:00:00"}, odd},
		{schema.Time, []driver.Value{"2026-01-02 03:04:05", "2026-02-29 00:00:00"}, odd},
		{schema.Time, []driver.Value{"2026-01-02 03:04:05", "2026-01-02 03:04:05\x00"}, odd},
		{schema.Time, []driver.Value{"2026-01-02 03:04:05", int64(1)}, odd},
		{schema.Time, []driver.Value{"2026-01-02 03:04:05.5"}, odd},
		{schema.Time, []driver.Value{"2026-01-02 03:04:05+00:00"}, odd},
		{schema.Time, []driver.Value{int64(1), int64(1_700_000_000_123)}, odd},
		{schema.Time, []driver.Value{int64(1_700_000_000_123), int64(1)}, odd},
		{schema.Time, []driver.Value{int64(253_402_300_800)}, odd},
		{schema.Time, []driver.Value{int64(math.MaxInt64)}, odd},
		{schema.Time, []driver.Value{1.5}, odd},
		{schema.Time, []driver.Value{"2026-01-02T03:04:05.000000Z\x00"}, odd},
		{schema.Bytes, []driver.Value{nil, []byte{}, []byte{0}}, canonical},
		{schema.Bytes, []driver.Value{"text"}, odd},
		{schema.JSON, []driver.Value{nil, `{"a":1}`, "[]"}, canonical},
		{schema.JSON, []driver.Value{`{"a": 1}`}, odd},
		{schema.JSON, []driver.Value{int64(1)}, odd},
	}
	// One column for each: a table takes long to set up.
	table := &schema.Table{Name: "forms", Columns: []schema.Column{{Name: "id", Kind: schema.Int}}}
	var names []string
	most := 0
	for i, c := range cases {
		name := fmt.Sprintf("x%d %%", i)
		table.Columns = append(table.Columns, schema.Column{Name: name, Kind: c.kind, Nullable: true})
		names = append(names, quote(name))
		most = max(most, len(c.values))
	}
	insert := "INSERT INTO forms VALUES (NULL" + strings.Repeat(", ?", len(cases)) + ")"
	if _, err := db.Exec("CREATE TABLE forms (id INTEGER PRIMARY KEY, " + strings.Join(names, ", ") + ")"); err != nil {
		t.Fatal(err)
	}
	// The same by the table and by the log, after the empty table was looked at.
	for _, before := range []bool{true, false} {
		fresh := New(db, WithLogger(s.log))
		if err := fresh.Setup(context.Background(), []*schema.Table{table}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("DELETE FROM forms"); err != nil {
			t.Fatal(err)
		}
		for i, c := range cases {
			if before && formIn(t, fresh, table, 1+i) != canonical {
				t.Errorf("an empty %s column is not canonical", c.kind)
			}
		}
		for n := range most {
			row := make([]any, len(cases))
			for i, c := range cases {
				if n < len(c.values) {
					row[i] = c.values[n]
				}
			}
			if _, err := db.Exec(insert, row...); err != nil {
				t.Fatal(err)
			}
		}
		for i, c := range cases {
			if got := formIn(t, fresh, table, 1+i); got != c.want {
				t.Errorf("%s %q has form %d, want %d (looked before: %t)", c.kind, c.values, got, c.want, before)
			}
		}
		if err := fresh.Close(); err != nil {
			t.Error(err)
		}
	}
}

// formIn is the form of a table's column in a new snapshot.
func formIn(t *testing.T, s *Source, table *schema.Table, column int) form {
	t.Helper()
	opened, err := s.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	got, err := s.forms.of(context.Background(), &opened.(*snapshot).view, table, column, comparisons)
	if err != nil {
		t.Fatal(err)
	}
	return got.form
}

// TestFormsOfTypes looks at no values where the column's type tells.
func TestFormsOfTypes(t *testing.T) {
	s, db := newTrimmed(t, time.Hour, 10)
	for i, c := range []struct {
		declared, options string
		kind              schema.Kind
		want              form
		always            bool
	}{
		{"INTEGER PRIMARY KEY", "", schema.Int, canonical, true},
		{"INTEGER PRIMARY KEY DESC", "", schema.Int, canonical, false},
		{"INTEGER PRIMARY KEY", "WITHOUT ROWID", schema.Int, canonical, false},
		{"INT PRIMARY KEY", "", schema.Int, canonical, false},
		{"INT PRIMARY KEY", "STRICT", schema.Int, canonical, true},
		{"ANY PRIMARY KEY", "STRICT", schema.Int, canonical, false},
		{"VARCHAR(10)", "", schema.Text, canonical, false},
		{"STRING", "", schema.Text, odd, false}, // numeric, by SQLite's rules
		{"CHARINT", "", schema.Text, odd, false},
		{"BLOB", "", schema.JSON, canonical, false},
		{"JSON", "", schema.JSON, odd, false},
	} {
		table := &schema.Table{Name: fmt.Sprintf("types%d", i), Columns: []schema.Column{{Name: "o", Kind: schema.Int}, {Name: "x", Kind: c.kind}}}
		if _, err := db.Exec("CREATE TABLE " + table.Name + " (o INT, x " + c.declared + ") " + c.options); err != nil {
			t.Fatal(err)
		}
		got := formIn(t, s, table, 1)
		known := s.forms.known[formKey{table.Name, "x", c.kind, comparisons}]
		if got != c.want || known.always != c.always {
			t.Errorf("%s %s as %s: form %d, always %t", c.declared, c.options, c.kind, got, known.always)
		}
	}
}

// TestFormsOfOldSnapshot asks an older snapshot, which has an odd value, after
// a newer one, which has none.
func TestFormsOfOldSnapshot(t *testing.T) {
	s, db := newTrimmed(t, time.Hour, 10)
	if _, err := db.Exec("CREATE TABLE o (id INTEGER PRIMARY KEY, n); INSERT INTO o VALUES (1, '2'), (2, 3)"); err != nil {
		t.Fatal(err)
	}
	table := &schema.Table{Name: "o", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "n", Kind: schema.Int}}}
	if err := s.Setup(context.Background(), []*schema.Table{table}); err != nil {
		t.Fatal(err)
	}
	old, err := s.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if _, err := db.Exec("DELETE FROM o WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	if got := formIn(t, s, table, 1); got != canonical {
		t.Fatalf("the new snapshot has form %d", got)
	}
	var found []schema.Row
	err = old.Rows(context.Background(), feed.Query{Table: table, Column: 1, Values: []schema.Value{schema.IntValue(2)}}, func(row schema.Row) error {
		found = append(found, row)
		return nil
	})
	if err != nil || len(found) != 1 {
		t.Errorf("found %v: %v", found, err)
	}
	if got := formIn(t, s, table, 1); got != canonical {
		t.Errorf("what an old snapshot knows is taken for new: form %d", got)
	}
}

// TestConditionsInSQL wants columns of canonical values to be compared and
// ordered by the database, by the index.
func TestConditionsInSQL(t *testing.T) {
	ctx := context.Background()
	s, db := newTrimmed(t, time.Hour, 10)
	if _, err := db.Exec(`CREATE TABLE notes (a INTEGER, b TEXT, board INTEGER, done BOOLEAN, rank REAL, PRIMARY KEY (a, b)) WITHOUT ROWID;
		CREATE INDEX by_board ON notes (board, rank); INSERT INTO notes VALUES (1, 'x', 1, 0, 1.5)`); err != nil {
		t.Fatal(err)
	}
	table := &schema.Table{Name: "notes", Key: 5, Columns: []schema.Column{
		{Name: "a", Kind: schema.Int}, {Name: "b", Kind: schema.Text}, {Name: "board", Kind: schema.Int}, {Name: "done", Kind: schema.Bool},
		{Name: "rank", Kind: schema.Float}, {Name: "(a,b)", Kind: schema.Tuple, Parts: []int{0, 1}}, {Name: "()", Kind: schema.Tuple, Parts: []int{}},
	}}
	if err := s.Setup(ctx, []*schema.Table{table}); err != nil {
		t.Fatal(err)
	}
	opened, err := s.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	one := schema.IntValue(1)
	after := table.Complete(schema.Row{one, schema.TextValue("x"), one, schema.BoolValue(false), schema.FloatValue(1.5), {}, {}})
	key := after[5]
	for _, c := range []struct {
		q    feed.Query
		plan string
	}{
		{feed.Query{Column: 5, Values: []schema.Value{key}}, "SEARCH notes USING PRIMARY KEY (a=? AND b=?)"},
		{feed.Query{Column: 5, Values: []schema.Value{key, schema.TupleValue(one, schema.TextValue("y"))}}, "SEARCH notes USING PRIMARY KEY (a=? AND b=?)"},
		{feed.Query{Column: 6, Values: []schema.Value{schema.TupleValue()}}, "SCAN notes"},
		{feed.Query{Column: 2, Values: []schema.Value{one}, Order: []schema.Order{{Column: 4}}, Limit: 10, Where: []schema.Bound{{Column: 3, Op: schema.Eq, Values: []schema.Value{schema.BoolValue(false)}}}}, "SEARCH notes USING INDEX by_board (board=?)"},
		{feed.Query{Column: 2, Values: []schema.Value{one}, Order: []schema.Order{{Column: 4}}, Limit: 10, After: after}, "SEARCH notes USING INDEX by_board (board=? AND rank>?)"},
	} {
		c.q.Table = table
		selection, err := newSelection(&c.q, func(column int, ask aspect) (storage, error) {
			return s.forms.of(ctx, &opened.(*snapshot).view, table, column, ask)
		})
		if err != nil || !selection.whole {
			t.Errorf("Go is to compare %+v: %v", c.q, err)
			continue
		}
		var plan []string
		err = opened.(*snapshot).conn.query(ctx, "EXPLAIN QUERY PLAN "+selection.sql(), selection.args, func(row []driver.Value) error {
			plan = append(plan, fmt.Sprint(row[3]))
			return nil
		})
		if err != nil || len(plan) == 0 || plan[0] != c.plan {
			t.Errorf("%s: %q %v", selection.sql(), plan, err)
		}
		if len(c.q.Order) > 0 && strings.Contains(strings.Join(plan, " "), "USE TEMP B-TREE FOR ORDER BY") {
			t.Errorf("%s sorts: %q", selection.sql(), plan)
		}
	}
}
