package sqlitefeed_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/schema"
)

// writing returns a source that is set up for tables, on a handle that begins
// without locks.
func writing(t testing.TB, path string, tables ...*schema.Table) *sqlitefeed.Source {
	t.Helper()
	return writingOn(t, openPlain(t, "sqlite", path), tables...)
}

func writingOn(t testing.TB, db *sql.DB, tables ...*schema.Table) *sqlitefeed.Source {
	t.Helper()
	source := sqlitefeed.New(db, quiet)
	t.Cleanup(func() { source.Close() })
	if err := source.Setup(context.Background(), tables); err != nil {
		t.Fatal(err)
	}
	return source
}

// transact commits what fn does.
func transact(t testing.TB, source feed.Writer, fn func(tx feed.Tx) error) {
	t.Helper()
	tx, err := source.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// storedIn returns what an expression over a table is in SQL, as text.
func storedIn(t testing.TB, db *sql.DB, expression, from string) string {
	t.Helper()
	var text string
	if err := db.QueryRow("SELECT " + expression + " FROM " + from).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// rowOf reads a row by its key.
func rowOf(t testing.TB, source feed.Source, table *schema.Table, key schema.Value) (found schema.Row) {
	t.Helper()
	snapshot, err := source.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	err = snapshot.Rows(context.Background(), feed.Query{Table: table, Column: table.Key, Values: []schema.Value{key}}, func(row schema.Row) error {
		found = row
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func valueOf(t testing.TB, kind schema.Kind, src any) schema.Value {
	t.Helper()
	v, err := kind.FromDriver(src)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestWrittenTimes stores times in the layout that a column has.
func TestWrittenTimes(t *testing.T) {
	const moment = "2026-01-02T03:04:05.678901Z"
	table := &schema.Table{Name: "m", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "at", Kind: schema.Time, Nullable: true}}}
	for name, c := range map[string]struct {
		declared string
		has      []any
		write    string
		want     string
	}{
		"none":                    {"DATETIME", nil, moment, "'" + moment + "'"},
		"canonical":               {"TEXT", []any{"2020-01-01T00:00:00.000000Z"}, moment, "'" + moment + "'"},
		"CURRENT_TIMESTAMP":       {"DATETIME", []any{nil, "2020-01-01 00:00:00"}, moment, "'2026-01-02 03:04:05'"},
		"CURRENT_DATE":            {"DATE", []any{"2020-01-01"}, moment, "'2026-01-02'"},
		"JavaScript":              {"TEXT", []any{"2020-01-01T00:00:00.000Z"}, moment, "'2026-01-02T03:04:05.678Z'"},
		"seconds":                 {"INTEGER", []any{0, 1_700_000_000}, moment, "1767323045"},
		"milliseconds":            {"INTEGER", []any{0, 1_700_000_000_000}, moment, "1767323045678"},
		"milliseconds before":     {"", []any{1_700_000_000_000}, "1990-01-02T03:04:05.678901Z", "'1990-01-02T03:04:05.678901Z'"},
		"before 1970":             {"INTEGER", []any{-5}, "1969-12-31T23:59:59.500000Z", "-1"},
		"integers without values": {"INTEGER", nil, moment, "1767323045"},
		"no one's":                {"TEXT", []any{"2020-01-01 00:00:00 +0000 UTC"}, moment, "'" + moment + "'"},
		"before values":           {"TEXT", []any{"0000-01-01 00:00:00"}, "0000-01-01T00:00:00.000000Z", "'0000-01-01 00:00:00'"},
	} {
		t.Run(name, func(t *testing.T) {
			db, path := create(t, "CREATE TABLE m (id INTEGER PRIMARY KEY, at "+c.declared+")")
			for _, v := range c.has {
				if _, err := db.Exec("INSERT INTO m (at) VALUES (?)", v); err != nil {
					t.Fatal(err)
				}
			}
			source := writing(t, path, table)
			transact(t, source, func(tx feed.Tx) error {
				_, err := tx.Insert(context.Background(), table, []feed.Assignment{{Column: 0, Value: schema.IntValue(90)}, {Column: 1, Value: valueOf(t, schema.Time, c.write)}})
				return err
			})
			if got := storedIn(t, db, "quote(at)", "m WHERE id = 90"); got != c.want {
				t.Errorf("%s is stored as %s, want %s", c.write, got, c.want)
			}
			if row := rowOf(t, source, table, schema.IntValue(90)); row == nil || row[1].IsNull() || row[1].Compare(valueOf(t, schema.Time, c.write)) > 0 {
				t.Errorf("%s is read as %v", c.write, row)
			}
		})
	}
}

// TestWrittenTimesCompared stores a time in the layout of a column that was
// compared, so that it is compared in SQL for ever after.
func TestWrittenTimesCompared(t *testing.T) {
	table := &schema.Table{Name: "m", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "at", Kind: schema.Time, Nullable: true}}}
	db, path := create(t, "CREATE TABLE m (id INTEGER PRIMARY KEY, at DATETIME)")
	for range 300 { // more than are looked at to learn the layout
		run(t, db, "INSERT INTO m (at) VALUES (NULL)")
	}
	run(t, db, "INSERT INTO m (at) VALUES (CURRENT_TIMESTAMP)")
	source := writing(t, path, table)
	at := schema.Value{}
	transact(t, source, func(tx feed.Tx) error {
		q := feed.Query{Table: table, Column: 1, Values: []schema.Value{valueOf(t, schema.Time, "2026-01-02T03:04:05Z")}}
		if err := tx.Rows(context.Background(), q, feed.Shared, func(schema.Row) error { return nil }); err != nil {
			return err
		}
		at = valueOf(t, schema.Time, "2026-01-02T03:04:05.5Z")
		return tx.Update(context.Background(), table, schema.IntValue(1), []feed.Assignment{{Column: 1, Value: at}})
	})
	if got := storedIn(t, db, "at", "m WHERE id = 1"); !strings.Contains(got, "2026-01-02") || strings.Contains(got, ".5") {
		t.Errorf("stored as %s", got)
	}
}

const mark = "f47ac10b-58cc-4372-a567-0e02b2c3d479"

// TestWrittenUUIDs stores UUIDs as the column's others, or as those it refers
// to.
func TestWrittenUUIDs(t *testing.T) {
	const blob = "X'F47AC10B58CC4372A5670E02B2C3D479'"
	table := &schema.Table{Name: "u", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "v", Kind: schema.UUID, Nullable: true}}}
	for name, c := range map[string]struct {
		declared string
		has      any
		referred any
		want     string
	}{
		"none":               {"TEXT", nil, nil, "'" + mark + "'"},
		"none in bytes":      {"BLOB", nil, nil, blob},
		"none in fixed":      {"binary(16)", nil, nil, blob},
		"dashed":             {"BLOB", "00000000-0000-0000-0000-00000000000a", nil, "'" + mark + "'"},
		"upper":              {"TEXT", "00000000-0000-0000-0000-00000000000A", nil, "'" + strings.ToUpper(mark) + "'"},
		"plain":              {"TEXT", "0000000000000000000000000000000a", nil, "'" + strings.ReplaceAll(mark, "-", "") + "'"},
		"bytes":              {"TEXT", []byte("0123456789abcdef"), nil, blob},
		"nonsense":           {"TEXT", "nonsense", nil, "'" + mark + "'"},
		"refers to bytes":    {"BLOB REFERENCES r", nil, []byte{0xf4, 0x7a, 0xc1, 0x0b, 0x58, 0xcc, 0x43, 0x72, 0xa5, 0x67, 0x0e, 0x02, 0xb2, 0xc3, 0xd4, 0x79}, blob},
		"refers to a column": {"REFERENCES r (id)", nil, strings.ToUpper(mark), "'" + strings.ToUpper(mark) + "'"},
	} {
		t.Run(name, func(t *testing.T) {
			db, path := create(t, "CREATE TABLE r (other TEXT, id BLOB PRIMARY KEY)", "CREATE TABLE u (id INTEGER PRIMARY KEY, v "+c.declared+")")
			if c.has != nil {
				if _, err := db.Exec("INSERT INTO u (v) VALUES (?)", c.has); err != nil {
					t.Fatal(err)
				}
			}
			if c.referred != nil {
				if _, err := db.Exec("INSERT INTO r (id) VALUES (?)", c.referred); err != nil {
					t.Fatal(err)
				}
			}
			source := writing(t, path, table)
			v := valueOf(t, schema.UUID, mark)
			transact(t, source, func(tx feed.Tx) error {
				_, err := tx.Insert(context.Background(), table, []feed.Assignment{{Column: 0, Value: schema.IntValue(90)}, {Column: 1, Value: v}})
				return err
			})
			if got := storedIn(t, db, "quote(v)", "u WHERE id = 90"); got != c.want {
				t.Errorf("stored as %s, want %s", got, c.want)
			}
		})
	}
}

// TestOddKeys changes and deletes rows by keys that SQL cannot find.
func TestOddKeys(t *testing.T) {
	ctx := context.Background()
	byTime := pairOf(&schema.Table{Name: "k", Columns: []schema.Column{
		{Name: "at", Kind: schema.Time}, {Name: "raw", Kind: schema.Bytes}, {Name: "note", Kind: schema.Text, Nullable: true},
	}})
	byUUID := &schema.Table{Name: "u", Columns: []schema.Column{{Name: "id", Kind: schema.UUID}, {Name: "note", Kind: schema.Text, Nullable: true}}}
	db, path := create(t, "CREATE TABLE k (at, raw, note, PRIMARY KEY (at, raw))", "CREATE TABLE u (id PRIMARY KEY, note)",
		"INSERT INTO k VALUES ('2026-01-02', x'', 'a'), ('2026-01-02 03:04', 'text', 'b'), (0, x'00', 'c')",
		"INSERT INTO u VALUES (x'"+strings.ReplaceAll(mark, "-", "")+"', 'a'), ('F47ac10b-58cc-4372-a567-0e02b2c3d478', 'b'), ('F47AC10B-58CC-4372-A567-0E02B2C3D477', 'c')")
	source := writing(t, path, byTime, byUUID)
	note := func(s string) []feed.Assignment { return []feed.Assignment{{Column: 2, Value: schema.TextValue(s)}} }
	key := func(at any, raw string) schema.Value {
		return schema.TupleValue(valueOf(t, schema.Time, at), schema.BytesValue([]byte(raw)))
	}
	transact(t, source, func(tx feed.Tx) error {
		return errors.Join(
			tx.Update(ctx, byTime, key("2026-01-02", ""), note("A")),
			tx.Update(ctx, byTime, key("2026-01-02 03:04", "text"), note("B")),
			tx.Update(ctx, byTime, key("2026-01-02 03:04", "none"), note("D")),
			tx.Delete(ctx, byTime, key("1970-01-01", "\x00")),
			tx.Update(ctx, byUUID, valueOf(t, schema.UUID, mark), []feed.Assignment{{Column: 1, Value: schema.TextValue("A")}}),
			tx.Update(ctx, byUUID, valueOf(t, schema.UUID, mark[:35]+"8"), []feed.Assignment{{Column: 1, Value: schema.TextValue("B")}}),
			tx.Delete(ctx, byUUID, valueOf(t, schema.UUID, mark[:35]+"7")),
		)
	})
	if got := storedIn(t, db, "group_concat(note)", "(SELECT note FROM k ORDER BY note)"); got != "A,B" {
		t.Errorf("by times: %s", got)
	}
	if got := storedIn(t, db, "group_concat(note)", "(SELECT note FROM u ORDER BY note)"); got != "A,B" {
		t.Errorf("by UUIDs: %s", got)
	}
}

// TestAuthorsSettings wants a transaction to be one of the author's handle: its
// foreign keys, its recursive triggers, and how long it waits for locks.
func TestAuthorsSettings(t *testing.T) {
	ctx := context.Background()
	db, path := create(t, createNotes, "CREATE TABLE parts (id INTEGER PRIMARY KEY, note_id INTEGER REFERENCES notes (id))",
		// It would never end with recursive triggers, and authors have such.
		"CREATE TRIGGER touch AFTER UPDATE ON notes BEGIN UPDATE notes SET body = body || '!' WHERE id = NEW.id; END",
		"INSERT INTO notes VALUES (1, 'a')")
	parts := &schema.Table{Name: "parts", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "note_id", Kind: schema.Int, Nullable: true}}}
	for options, enforced := range map[string]bool{"_pragma=foreign_keys(1)&_pragma=busy_timeout(12345)": true, "_pragma=foreign_keys(0)&_pragma=busy_timeout(50)&_txlock=exclusive": false} {
		handle := openAs(t, "sqlite", path, options)
		handle.SetMaxOpenConns(1)
		timeout := storedIn(t, handle, "timeout", "pragma_busy_timeout")
		source := writingOn(t, handle, notes, parts)
		tx, err := source.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Update(ctx, notes, schema.IntValue(1), []feed.Assignment{{Column: 1, Value: schema.TextValue("b")}}); err != nil {
			t.Errorf("an author's trigger: %v", err)
		}
		_, err = tx.Insert(ctx, parts, []feed.Assignment{{Column: 1, Value: schema.IntValue(99)}})
		if met, ok := errors.AsType[*feed.ConstraintError](err); ok != enforced || ok && met.Constraint != feed.ForeignKey {
			t.Errorf("with %s: %v", options, err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if got := storedIn(t, handle, "timeout", "pragma_busy_timeout"); got != timeout {
			t.Errorf("the handle waits %s ms for locks, and waited %s", got, timeout)
		}
	}
	if got := storedIn(t, db, "body", "notes"); got != "a" {
		t.Errorf("rolled back is %q", got)
	}
}

// TestBeginGivesUp waits for a stranger's transaction no longer than its
// context, however long the handle waits, and goes on when that ends.
func TestBeginGivesUp(t *testing.T) {
	db, path := create(t, createNotes)
	source := writingOn(t, db, notes) // waits half a minute
	stranger, err := openPlain(t, "sqlite", path).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Rollback()
	if _, err := stranger.Exec("INSERT INTO notes VALUES (1, 'a')"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := source.Begin(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 10*time.Second {
		t.Errorf("Begin gives up after %s: %v", time.Since(began), err)
	}
	opened := make(chan error, 1)
	go func() {
		tx, err := source.Begin(context.Background())
		if err == nil {
			err = tx.Rollback()
		}
		opened <- err
	}()
	if err := stranger.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("Begin after the lock was free: %v", err)
	}
}

// interrupt is what the SQL function interrupt() calls.
var interrupt atomic.Pointer[context.CancelFunc]

//nolint:gochecknoinits // a function is registered once in a process, before connections open
func init() {
	sqlite.MustRegisterScalarFunction("interrupt", 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		(*interrupt.Load())()
		return "n", nil
	})
}

// TestInterrupted ends contexts in the midst of a statement that would never
// end: the transaction's, and one of the statement's own.
func TestInterrupted(t *testing.T) {
	const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO notes SELECT i, interrupt() FROM n"
	db, path := create(t, createNotes)
	source := writing(t, path, notes)
	for _, own := range []bool{false, true} {
		for _, commit := range []bool{false, true} {
			short, cancel := context.WithCancel(context.Background())
			interrupt.Store(&cancel)
			ctx := short
			if own {
				ctx = context.Background()
			}
			tx, err := source.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.SQL().ExecContext(short, endless); err == nil {
				t.Fatal("a statement without end has ended")
			}
			if commit {
				if err := tx.Commit(); err == nil || errors.Is(err, feed.ErrRolledBack) == own {
					t.Errorf("Commit after the end of a context, of the statement's own %t: %v", own, err)
				}
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			transact(t, source, func(tx feed.Tx) error {
				return tx.Delete(context.Background(), notes, schema.IntValue(1))
			})
			if n := storedIn(t, db, "count(*)", "notes"); n != "0" {
				t.Errorf("%s rows are left of a transaction that did not come to its end", n)
			}
		}
	}
}

// TestRaised makes what a trigger refuses a check.
func TestRaised(t *testing.T) {
	db, _ := create(t, createNotes, "CREATE TRIGGER refuse BEFORE INSERT ON notes WHEN NEW.body = 'no' BEGIN SELECT RAISE(ABORT, 'this board is closed'); END",
		"CREATE TRIGGER drop_it BEFORE INSERT ON notes WHEN NEW.body = 'hm' BEGIN SELECT RAISE(IGNORE); END")
	source := writingOn(t, db, notes)
	tx, err := source.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	_, err = tx.Insert(context.Background(), notes, []feed.Assignment{{Column: 1, Value: schema.TextValue("no")}})
	if met, ok := errors.AsType[*feed.ConstraintError](err); !ok || met.Constraint != feed.Check || met.Column != -1 || !strings.Contains(met.Error(), "this board is closed") {
		t.Errorf("a trigger raised, and the error is %v", err)
	}
	_, err = tx.Insert(context.Background(), notes, []feed.Assignment{{Column: 1, Value: schema.TextValue("hm")}})
	if err == nil || !strings.Contains(err.Error(), "trigger") {
		t.Errorf("a trigger ignored the row, and the error is %v", err)
	}
}

// TestMisuse refuses what no row can hold.
func TestMisuse(t *testing.T) {
	ctx := context.Background()
	words := pairOf(&schema.Table{Name: "w", Columns: []schema.Column{{Name: "a", Kind: schema.Text}, {Name: "b", Kind: schema.Int}}})
	db, path := create(t, "CREATE TABLE w (a TEXT, b INTEGER, PRIMARY KEY (a, b))")
	if _, err := sqlitefeed.New(db).Begin(ctx); err == nil || !strings.Contains(err.Error(), "Setup") {
		t.Errorf("Begin before Setup: %v", err)
	}
	source := writing(t, path, words)
	tx, err := source.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set  []feed.Assignment
		want string
	}{
		"derived": {[]feed.Assignment{{Column: 2, Value: schema.TupleValue()}}, "derived"},
		"kind":    {[]feed.Assignment{{Column: 0, Value: schema.IntValue(1)}}, "kind text"},
		"no key":  {[]feed.Assignment{{Column: 0, Value: schema.TextValue("a")}}, `"b"`},
	} {
		if _, err := tx.Insert(ctx, words, c.set); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(tx.Rollback(), source.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Begin(ctx); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Begin after Close: %v", err)
	}
}

// TestRolledBackForms finds rows in a form that is seen in a transaction only,
// and forgets with a rollback that there were none.
func TestRolledBackForms(t *testing.T) {
	ctx := context.Background()
	const odd = "F47ac10b-58cc-4372-a567-0e02b2c3d479"
	table := &schema.Table{Name: "u", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "v", Kind: schema.UUID, Nullable: true}}}
	q := feed.Query{Table: table, Column: 1, Values: []schema.Value{valueOf(t, schema.UUID, mark)}}
	for name, c := range map[string]struct {
		before, within string
		seen, after    int
	}{
		"written": {"INSERT INTO u VALUES (1, '" + mark + "')", "INSERT INTO u VALUES (2, '" + odd + "')", 2, 1},
		"deleted": {"INSERT INTO u VALUES (1, '" + mark + "'), (2, '" + odd + "')", "DELETE FROM u WHERE id = 2", 1, 2},
	} {
		for _, known := range []bool{false, true} {
			db, path := create(t, "CREATE TABLE u (id INTEGER PRIMARY KEY, v TEXT)", c.before)
			source := writing(t, path, table)
			found := func(rows func(context.Context, feed.Query, func(schema.Row) error) error) (n int) {
				t.Helper()
				if err := rows(ctx, q, func(schema.Row) error { n++; return nil }); err != nil {
					t.Fatal(err)
				}
				return n
			}
			snapshot := func() int {
				t.Helper()
				opened, err := source.Snapshot(ctx)
				if err != nil {
					t.Fatal(err)
				}
				defer opened.Close()
				return found(opened.Rows)
			}
			if known {
				snapshot()
			}
			tx, err := source.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.SQL().Exec(c.within); err != nil {
				t.Fatal(err)
			}
			n := found(func(ctx context.Context, q feed.Query, fn func(schema.Row) error) error {
				return tx.Rows(ctx, q, feed.Shared, fn)
			})
			if n != c.seen {
				t.Errorf("%s: the transaction finds %d rows, want %d", name, n, c.seen)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			if n := snapshot(); n != c.after {
				t.Errorf("%s: after a rollback %d rows are found, want %d", name, n, c.after)
			}
			// Its number in the log is that of the row that was taken back.
			run(t, db, "INSERT INTO u VALUES (3, '"+odd+"')")
			if n := snapshot(); n != c.after+1 {
				t.Errorf("%s: after another row %d are found, want %d", name, n, c.after+1)
			}
		}
	}
}

// TestOwnTables creates tables of ours in a database that lacks them, and
// leaves its history alone.
func TestOwnTables(t *testing.T) {
	messages := &schema.Table{Name: "pando_messages", Columns: []schema.Column{
		{Name: "id", Kind: schema.Text}, {Name: "topic", Kind: schema.Text}, {Name: "kind", Kind: schema.Text}, {Name: "body", Kind: schema.Text}, {Name: "created_at", Kind: schema.Int},
	}}
	db, path := create(t, createNotes)
	source, recorder := follow(t, db, notes)
	epoch := recorder.Starts(1)[0].Epoch
	run(t, db, "DROP TABLE pando_claims") // as an earlier release left it
	transact(t, writing(t, path, notes), func(tx feed.Tx) error {
		_, done, err := tx.Claim(context.Background(), feed.Claim{Key: "k"})
		if done {
			t.Error("a new table has a claim")
		}
		return err
	})
	run(t, db, "INSERT INTO notes VALUES (1, 'a')")
	wantFed(t, source, recorder, "notes 1 →1,a")
	if starts := recorder.Starts(1); len(starts) != 1 {
		t.Errorf("a table of ours began a history: %+v", starts)
	}
	other, heard := follow(t, db, messages)
	if now := heard.Starts(1)[0].Epoch; now[:16] != epoch[:16] {
		t.Errorf("the history is %s, and was %s", now, epoch)
	}
	run(t, db, "INSERT INTO pando_messages VALUES ('m1', 'system', 'text', 'Good night', 1)")
	wantFed(t, other, heard, "pando_messages m1 →m1,system,text,Good night,1")
	for _, name := range []string{"pando_claims", "pando_messages"} {
		if n := storedIn(t, db, "count(*)", "sqlite_schema WHERE type = 'table' AND name = '"+name+"'"); n != "1" {
			t.Errorf("%s is there %s times", name, n)
		}
	}
	fresh, _ := create(t, createNotes)
	writingOn(t, fresh, notes)
	if n := storedIn(t, fresh, "count(*)", "sqlite_schema WHERE name = 'pando_messages'"); n != "0" {
		t.Error("pando_messages is created for those who do not declare it")
	}
}

// TestWakes follows by a driver that announces nothing, so that only Commit can
// have woken the source.
func TestWakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	db := openWith(t, "foreign", path)
	run(t, db, createNotes)
	source := writingOn(t, db, notes)
	transact(t, source, func(tx feed.Tx) error {
		if sqlitefeed.Woken(source) {
			t.Error("the source is woken before the commit")
		}
		_, err := tx.Insert(context.Background(), notes, []feed.Assignment{{Column: 1, Value: schema.TextValue("a")}})
		return err
	})
	if !sqlitefeed.Woken(source) {
		t.Error("a commit does not wake the source")
	}
}
