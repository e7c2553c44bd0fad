package pgfeed_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/schema"
)

// typed is a column of a database's type as a kind: what is stored, in SQL, and
// what it means.
type typed struct {
	sql, kind string
	values    map[string]any
}

// null is what a value means that its kind cannot hold.
const null = "<null>"

// typedColumns have every type that is told apart somewhere.
var typedColumns = []typed{
	{"boolean", "bool", map[string]any{"true": true, "false": false}},
	{"smallint", "int", map[string]any{"-32768": int64(-32768), "7": int64(7)}},
	{"integer", "int", map[string]any{"-2147483648": int64(-2147483648)}},
	{"bigint", "int", map[string]any{"9223372036854775807": int64(9223372036854775807)}},
	{"oid", "int", map[string]any{"4294967295": int64(4294967295)}},
	{"numeric(10)", "int", map[string]any{"12345": int64(12345), "'NaN'": null}},
	{"numeric(30,0)", "int", map[string]any{"1e25": null, "-3": int64(-3)}},
	{"double precision", "float", map[string]any{"0.1": 0.1, "'Infinity'": 1.7976931348623157e308, "'NaN'": null, "5e-324": 5e-324}},
	{"real", "float", map[string]any{"0.1": float64(float32(0.1)), "1e38": float64(float32(1e38))}},
	{"numeric", "float", map[string]any{"0.1": 0.1, "1e400": 1.7976931348623157e308, "'NaN'": null}},
	{"numeric", "text", map[string]any{"0.10": "0.10", "123456789012345678901234567890.5": "123456789012345678901234567890.5", "'NaN'": "NaN"}},
	{"numeric(6,2)", "text", map[string]any{"1.5": "1.50"}},
	{"text", "text", map[string]any{"''": "", "'a '": "a ", `E'\\x41'`: `\x41`, "'null'": "null"}},
	{"varchar(5)", "text", map[string]any{"'a '": "a "}},
	{"char(5)", "text", map[string]any{"'a'": "a", "'  b'": "  b", "''": ""}},
	{`"char"`, "text", map[string]any{"'x'": "x"}},
	{"name", "text", map[string]any{"'some name'": "some name"}},
	{"citext", "text", map[string]any{"'ABc'": "ABc"}},
	{"mood", "text", map[string]any{"'sad'": "sad", "'it''s, ok'": "it's, ok"}},
	{"uuid", "uuid", map[string]any{"'F47AC10B-58CC-4372-A567-0E02B2C3D479'": "f47ac10b-58cc-4372-a567-0e02b2c3d479"}},
	{"uuid", "text", map[string]any{"'F47AC10B-58CC-4372-A567-0E02B2C3D479'": "f47ac10b-58cc-4372-a567-0e02b2c3d479"}},
	{"text", "uuid", map[string]any{"'F47AC10B58CC4372A5670E02B2C3D479'": "f47ac10b-58cc-4372-a567-0e02b2c3d479", "'nonsense'": null}},
	{"timestamptz", "time", map[string]any{
		"'2026-01-02 03:04:05.678901+02'": "2026-01-02T01:04:05.678901Z", "'infinity'": "9999-12-31T23:59:59.999999Z", "'-infinity'": "0000-01-01T00:00:00.000000Z",
		"'0001-05-06 00:00:00Z BC'": "0000-05-06T00:00:00.000000Z", "'0044-03-15 BC'": "0000-01-01T00:00:00.000000Z", "'20000-01-01'": "9999-12-31T23:59:59.999999Z",
		"'1800-01-01 00:00:00Z'": "1800-01-01T00:00:00.000000Z",
	}},
	{"timestamptz(0)", "time", map[string]any{"'2026-01-02 03:04:05Z'": "2026-01-02T03:04:05.000000Z"}},
	{"timestamp", "time", map[string]any{"'2026-01-02 03:04:05.6'": "2026-01-02T03:04:05.600000Z", "'infinity'": "9999-12-31T23:59:59.999999Z"}},
	{"date", "time", map[string]any{"'2026-01-02'": "2026-01-02T00:00:00.000000Z", "'infinity'": "9999-12-31T00:00:00.000000Z", "'0044-03-15 BC'": "0000-01-01T00:00:00.000000Z"}},
	{"date", "text", map[string]any{"'2026-01-02'": "2026-01-02"}},
	{"timestamptz", "text", map[string]any{"'2026-01-02 03:04:05+02'": "2026-01-02 01:04:05+00"}},
	{"time", "text", map[string]any{"'03:04:05.5'": "03:04:05.5"}},
	{"interval", "text", map[string]any{"'1 day 2 hours'": "1 day 02:00:00"}},
	{"bytea", "bytes", map[string]any{`'\x00ff5c27'`: "\x00\xff\\'", "''": ""}},
	{"json", "json", map[string]any{`'{"b": 1.0, "a": [1e2, "<&>"]}'`: `{"a":[1e2,"<&>"],"b":1.0}`, "'null'": "null", `'{"a":1,"a":2}'`: `{"a":2}`}},
	{"jsonb", "json", map[string]any{`'{"bb": 1.0, "a": 1e2}'`: `{"a":100,"bb":1.0}`}},
	{"text", "json", map[string]any{`'[1, 2]'`: "[1,2]", "'nonsense'": null}},
	{"jsonb", "text", map[string]any{`'{"b": 1}'`: `{"b": 1}`}},
	{"int[]", "json", map[string]any{"'{1,2,NULL}'": "[1,2,null]", "'{}'": "[]", "'{{1,2},{3,4}}'": "[[1,2],[3,4]]", "'[0:1]={5,6}'": "[5,6]"}},
	{"text[]", "json", map[string]any{`ARRAY['a', 'b"c\d', NULL, 'null', '{x}']`: `["a","b\"c\\d",null,"null","{x}"]`}},
	{"float8[]", "json", map[string]any{"'{1.5,NaN}'": `[1.5,"NaN"]`}},
	{"bool[]", "json", map[string]any{"'{t,f}'": "[true,false]"}},
	{"jsonb[]", "json", map[string]any{`ARRAY['{"b":1,"a":[]}'::jsonb, '"x"']`: `[{"a":[],"b":1},"x"]`}},
	{"uuid[]", "json", map[string]any{"'{F47AC10B-58CC-4372-A567-0E02B2C3D479}'": `["f47ac10b-58cc-4372-a567-0e02b2c3d479"]`}},
	{"timestamptz[]", "json", map[string]any{"'{2026-01-02 03:04:05+02}'": `["2026-01-02T01:04:05.000000Z"]`}},
	{"mood[]", "json", map[string]any{"'{sad}'": `["sad"]`}},
	{"text[]", "text", map[string]any{"'{a,b}'": "{a,b}"}},
	{"inet", "text", map[string]any{"'10.0.0.1'": "10.0.0.1", "'10.0.0.1/8'": "10.0.0.1/8"}},
	{"cidr", "text", map[string]any{"'10.0.0.0/8'": "10.0.0.0/8"}},
	{"macaddr", "text", map[string]any{"'08:00:2b:01:02:03'": "08:00:2b:01:02:03"}},
	{"int4range", "text", map[string]any{"'[1,5]'": "[1,6)"}},
	{"point", "text", map[string]any{"'(1,2)'": "(1,2)"}},
	{"xml", "text", map[string]any{"'<a/>'": "<a/>"}},
	{"bit(3)", "text", map[string]any{"B'101'": "101"}},
	{"tsvector", "text", map[string]any{"'a b'": "'a' 'b'"}},
	{"hstore", "text", map[string]any{"'a=>1'": `"a"=>"1"`}},
	{"pair", "text", map[string]any{"ROW(1,'x y')": `(1,"x y")`}},
	{"positive", "int", map[string]any{"5": int64(5)}},
	{"short", "text", map[string]any{"'ab'": "ab"}},
	{"stamp", "time", map[string]any{"'2026-01-02 03:04:05Z'": "2026-01-02T03:04:05.000000Z"}},
}

// typeStatements make what the columns' types are made of.
var typeStatements = []string{
	"CREATE EXTENSION citext", "CREATE EXTENSION hstore", "CREATE TYPE mood AS ENUM ('sad', 'it''s, ok')", "CREATE TYPE pair AS (a int, b text)",
	"CREATE DOMAIN positive AS bigint CHECK (VALUE > 0)", "CREATE DOMAIN shorter AS varchar(5)", "CREATE DOMAIN short AS shorter CHECK (length(VALUE) < 4)",
	"CREATE DOMAIN stamp AS timestamptz(0)",
}

// TestTypes stores values of every type, by insert and by update, and compares
// what is fed, what is read, what a transaction reads whose session writes
// otherwise, and what was meant; then it asks for the rows by them.
func TestTypes(t *testing.T) {
	db, dsn := freshDB(t, typeStatements...)
	columns := []string{"id int", "grp int"}
	sql := []string{"id bigint PRIMARY KEY", "grp bigint DEFAULT 1"}
	for i, c := range typedColumns {
		columns = append(columns, fmt.Sprintf("c%d %s?", i, c.kind))
		sql = append(sql, fmt.Sprintf("c%d %s", i, c.sql))
	}
	execAll(t, db, "CREATE TABLE typed ("+strings.Join(sql, ", ")+")", "ALTER DATABASE "+databaseName(dsn)+" SET timezone = 'Asia/Kolkata'", "ALTER DATABASE "+databaseName(dsn)+" SET datestyle = 'SQL, DMY'",
		"ALTER DATABASE "+databaseName(dsn)+" SET bytea_output = 'escape'", "ALTER DATABASE "+databaseName(dsn)+" SET extra_float_digits = -5",
		"ALTER DATABASE "+databaseName(dsn)+" SET intervalstyle = 'sql_standard'")
	table := declare("typed", columns...)
	db = openDB(t, dsn) // whose sessions have the settings
	source := openSource(t, dsn)
	if err := source.Setup(t.Context(), []*schema.Table{table}); err != nil {
		t.Fatal(err)
	}
	recorder, _ := feedtest.Record(t, source)
	want := map[schema.Value]schema.Row{}
	id := int64(0)
	for i, c := range typedColumns {
		for _, stored := range slices.Sorted(maps.Keys(c.values)) {
			id++
			row := make(schema.Row, len(table.Columns))
			row[0], row[1] = schema.IntValue(id), schema.IntValue(1)
			if meant := c.values[stored]; meant != null {
				v, err := table.Columns[2+i].Kind.FromDriver(meant)
				if err != nil {
					t.Fatal(err)
				}
				row[2+i] = v
			}
			want[row[0]] = row
			insert, update := fmt.Sprintf("INSERT INTO typed (id, c%d) VALUES (%d, %s)", i, id, stored), ""
			if id%2 == 0 {
				insert, update = fmt.Sprintf("INSERT INTO typed (id) VALUES (%d)", id), fmt.Sprintf("UPDATE typed SET c%d = %s WHERE id = %d", i, stored, id)
			}
			execAll(t, db, "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD';"+insert+";"+update+"; RESET timezone; RESET datestyle")
		}
	}
	recorder.Reach(source)
	fed := feedtest.State{}
	for _, commit := range recorder.Commits() {
		fed.Follow(t, commit)
	}
	snapshot, err := source.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	tx, err := source.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	all := feed.Query{Table: table, Column: 1, Values: []schema.Value{schema.IntValue(1)}}
	locked := func(q feed.Query, fn func(schema.Row) error) error { return tx.Rows(t.Context(), q, feed.Shared, fn) }
	read := func(q feed.Query, fn func(schema.Row) error) error { return snapshot.Rows(t.Context(), q, fn) }
	for name, rows := range map[string]map[schema.Value]schema.Row{"fed": fed[table], "read": byKey(t, all, read), "locked": byKey(t, all, locked)} {
		for key, row := range want {
			if got := rows[key]; !slices.Equal(got, row) {
				i := slices.IndexFunc(row[2:], func(v schema.Value) bool { return !v.IsNull() })
				t.Errorf("%s: row %s, of %s, is %q, want %q", name, key, typedColumns[max(i, 0)].sql, got, row)
			}
		}
		if len(rows) != len(want) {
			t.Errorf("%s: %d rows, want %d", name, len(rows), len(want))
		}
	}
	for i, c := range typedColumns {
		compareColumn(t, table, 2+i, c, want, read)
	}
}

// byKey reads the rows of a query.
func byKey(t *testing.T, q feed.Query, read func(feed.Query, func(schema.Row) error) error) map[schema.Value]schema.Row {
	t.Helper()
	rows := map[schema.Value]schema.Row{}
	err := read(q, func(row schema.Row) error {
		rows[row[q.Table.Key]] = row
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// compareColumn asks for rows by a column in every way, and compares with what Go
// selects of all rows.
func compareColumn(t *testing.T, table *schema.Table, column int, c typed, rows map[schema.Value]schema.Row, read func(feed.Query, func(schema.Row) error) error) {
	t.Helper()
	values := []schema.Value{}
	for _, row := range rows {
		if v := row[column]; !v.IsNull() && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	if c.kind == "text" { // values that no row has, nor the type
		values = append(values, schema.TextValue("no such"), schema.TextValue("nul \x00"), schema.TextValue("bad \xff"))
	}
	ask := func(q feed.Query) {
		t.Helper()
		q.Table = table
		want := map[schema.Value]schema.Row{}
		for key, row := range rows {
			if slices.Contains(q.Values, row[q.Column]) && q.Meets(row) {
				want[key] = row
			}
		}
		got := byKey(t, q, read)
		if !maps.EqualFunc(got, want, slices.Equal[schema.Row]) {
			t.Errorf("%s as %s by %q where %v: %d rows, want %d", c.sql, c.kind, q.Values, q.Where, len(got), len(want))
		}
	}
	all := feed.Query{Column: 1, Values: []schema.Value{schema.IntValue(1)}}
	ask(feed.Query{Column: column, Values: values})
	for _, v := range values {
		ask(feed.Query{Column: column, Values: []schema.Value{v}})
		for op := schema.Eq; op <= schema.In; op++ {
			q := all
			q.Where = []schema.Bound{{Column: column, Op: op, Values: []schema.Value{v}}}
			ask(q)
		}
	}
	for _, op := range []schema.Op{schema.IsNull, schema.NotNull} {
		q := all
		q.Where = []schema.Bound{{Column: column, Op: op}}
		ask(q)
	}
	for _, desc := range []bool{false, true} {
		q := all
		q.Table, q.Order, q.Limit = table, []schema.Order{{Column: column, Desc: desc}}, len(rows)
		var got []schema.Row
		if err := read(q, func(row schema.Row) error { got = append(got, row); return nil }); err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(got, q.Compare) || len(got) != len(rows) {
			t.Errorf("%s as %s is not read in order", c.sql, c.kind)
		}
	}
}

// TestOtherTypes runs what goes by types on others that a migration may choose.
func TestOtherTypes(t *testing.T) {
	other := func(t testing.TB) feedtest.Harness {
		h := harness(t)
		h.Dialect.Types = maps.Clone(h.Dialect.Types)
		h.Dialect.Types[schema.Time] = "timestamp"
		h.Dialect.Types[schema.Text] = `varchar COLLATE "C"`
		h.Dialect.Types[schema.JSON] = "json"
		h.Dialect.Times = map[string]func(time.Time) any{"a text": func(t time.Time) any { return t.Format("2006-01-02 15:04:05.999999") }}
		return h
	}
	feedtest.RunOnly(t, other, "Keys", "Tuples", "Conditions", "Times")
	feedtest.RunWriterOnly(t, other, "RoundTrip", "WrittenKeys")
}

// TestWrittenTypes writes what is read of every type, and reads it again.
func TestWrittenTypes(t *testing.T) {
	db, dsn := freshDB(t, typeStatements...)
	for i, c := range typedColumns {
		execAll(t, db, fmt.Sprintf("CREATE TABLE one_%d (id bigint PRIMARY KEY, c %s)", i, c.sql))
	}
	var tables []*schema.Table
	for i, c := range typedColumns {
		tables = append(tables, declare(fmt.Sprintf("one_%d", i), "id int", "c "+c.kind+"?"))
	}
	source := openSource(t, dsn)
	if err := source.Setup(t.Context(), tables); err != nil {
		t.Fatal(err)
	}
	for i, c := range typedColumns {
		tx, err := source.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := map[schema.Value]schema.Row{}
		for _, stored := range slices.Sorted(maps.Keys(c.values)) {
			meant := c.values[stored]
			if meant == null {
				continue
			}
			v, err := tables[i].Columns[1].Kind.FromDriver(meant)
			if err != nil {
				t.Fatal(err)
			}
			id := schema.IntValue(int64(len(want) + 1))
			want[id] = schema.Row{id, v}
			if _, err := tx.Insert(t.Context(), tables[i], []feed.Assignment{{Column: 0, Value: id}, {Column: 1, Value: v}}); err != nil {
				t.Errorf("write %q into %s: %v", v, c.sql, err)
			}
		}
		got := byKey(t, feed.Query{Table: tables[i], Values: slices.Collect(maps.Keys(want))}, func(q feed.Query, fn func(schema.Row) error) error {
			return tx.Rows(t.Context(), q, feed.Exclusive, fn)
		})
		if !maps.EqualFunc(got, want, slices.Equal[schema.Row]) {
			t.Errorf("%s: wrote %q, reads %q", c.sql, want, got)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}
