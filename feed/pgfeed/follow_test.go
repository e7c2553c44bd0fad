package pgfeed_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/schema"
)

// followed is a source whose feed is recorded.
type followed struct {
	feed.Source
	*feedtest.Recorder

	t     *testing.T
	known int
}

func follow(t *testing.T, url string, table *schema.Table) *followed {
	t.Helper()
	source := open(t, url, table)
	recorder, _ := feedtest.Record(t, source)
	return &followed{Source: source, Recorder: recorder, t: t}
}

// changes waits for all that was committed and returns what came of it since the
// last call.
func (f *followed) changes() (changes []feed.Change) {
	f.t.Helper()
	f.Reach(f.Source)
	commits := f.Commits()
	for _, c := range commits[f.known:] {
		changes = append(changes, c.Changes...)
	}
	f.known = len(commits)
	return changes
}

// restarted waits for the n-th start and returns why it came.
func (f *followed) restarted(n int) string {
	f.t.Helper()
	f.known = 0
	return f.Starts(n)[n-1].Reason
}

func number(i int64) schema.Value { return schema.IntValue(i) }
func text(s string) schema.Value  { return schema.TextValue(s) }

// sparse is text that PostgreSQL neither compresses well nor keeps in the row.
func large() string {
	var b strings.Builder
	for i := range 40_000 {
		b.WriteByte(byte('a' + (i*i*7919+i/3)%26))
	}
	return b.String()
}

// TestUnchangedLargeValue has the feed tell what it does not carry, or take it
// from the old row where that is carried.
func TestUnchangedLargeValue(t *testing.T) {
	url, exec := database(t)
	f := follow(t, url, items())
	exec("ALTER TABLE items ALTER body SET STORAGE EXTERNAL", "INSERT INTO items VALUES (1, 1, 'a', '"+large()+"')")
	if c := f.changes(); len(c) != 1 || c[0].Blind || c[0].Missing != nil || c[0].New[3] != text(large()) {
		t.Fatalf("insert: %.300v", c)
	}
	exec("UPDATE items SET name = 'b'")
	c := f.changes()
	if len(c) != 1 || !c[0].Blind || c[0].Old != nil || !slices.Equal(c[0].Missing, []int{3}) || c[0].New[2] != text("b") || !c[0].New[3].IsNull() {
		t.Fatalf("update: %.300v", c)
	}
	exec("UPDATE items SET id = 2")
	c = f.changes()
	if len(c) != 2 || c[0].Key != number(1) || c[0].New != nil || c[1].Key != number(2) || !slices.Equal(c[1].Missing, []int{3}) {
		t.Fatalf("change of key: %.300v", c)
	}
	exec("DELETE FROM items")
	if c := f.changes(); len(c) != 1 || c[0].Key != number(2) || c[0].New != nil || !c[0].Blind {
		t.Fatalf("delete: %.300v", c)
	}
	exec("ALTER TABLE items REPLICA IDENTITY FULL", "INSERT INTO items VALUES (1, 1, 'a', '"+large()+"')", "UPDATE items SET name = 'b'", "DELETE FROM items")
	c = f.changes()
	if len(c) != 3 || c[1].Blind || c[1].Old[2] != text("a") || c[1].Missing != nil || c[1].New[3] != text(large()) || c[2].Old[2] != text("b") || c[2].Blind {
		t.Fatalf("full identity: %.300v", c)
	}
}

// TestUnchangedLargeLink starts anew where the log does not carry a link, and tells
// those who decode for another feed that it is this commit alone.
func TestUnchangedLargeLink(t *testing.T) {
	url, exec := database(t)
	exec("ALTER TABLE items ALTER body SET STORAGE EXTERNAL", "INSERT INTO items VALUES (1, 1, 'a', '"+large()[:2600]+"')")
	linked := items()
	linked.Links = []int{3}
	source := open(t, url, linked)
	err := own(t, source, func(ctx context.Context, log feed.Log) error {
		exec("UPDATE items SET name = 'b'", "UPDATE items SET name = 'c', body = 'here'")
		for untold := false; ; {
			part, err := log.Next(ctx)
			if err != nil {
				return err
			}
			if part.Data == nil {
				continue
			}
			switch _, err := source.Decode(part); {
			case errors.Is(err, feed.ErrUntold) && !untold:
				untold = true
			case untold:
				return err
			default:
				return fmt.Errorf("decoded what is not there: %w", err)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
	f := follow(t, url, linked)
	exec("UPDATE items SET body = '"+large()[:2600]+"'", "UPDATE items SET name = 'd'")
	if reason := f.restarted(2); !strings.Contains(reason, "the link body") {
		t.Errorf("started again: %s", reason)
	}
	exec("UPDATE items SET body = 'short'")
	if c := f.changes(); len(c) != 1 || c[0].New[3] != text("short") {
		t.Errorf("changes are %.500v", c)
	}
}

// TestLargeKey updates a row whose key is stored outside of it.
func TestLargeKey(t *testing.T) {
	url, exec := database(t)
	exec("CREATE TABLE words (word text PRIMARY KEY, note text)", "ALTER TABLE words ALTER word SET STORAGE EXTERNAL")
	words := &schema.Table{Name: "words", Columns: []schema.Column{{Name: "word", Kind: schema.Text}, {Name: "note", Kind: schema.Text, Nullable: true}}}
	f := follow(t, url, words)
	word := large()[:2600]
	exec("INSERT INTO words VALUES ('"+word+"', 'a')", "UPDATE words SET note = 'b'", "UPDATE words SET word = word || '.'", "DELETE FROM words")
	c := f.changes()
	if len(c) != 5 || c[1].Key != text(word) || c[1].New[1] != text("b") || c[1].Missing != nil || c[2].Key != text(word) || c[2].New != nil || c[3].Key != text(word+".") || c[4].Key != text(word+".") {
		t.Errorf("changes are %.500v", c)
	}
}

func TestTruncate(t *testing.T) {
	url, exec := database(t)
	exec("CREATE TABLE others (id bigint PRIMARY KEY REFERENCES items)")
	f := follow(t, url, items())
	exec("INSERT INTO items VALUES (1, 1, 'a', '')", "TRUNCATE others")
	if c := f.changes(); len(c) != 1 {
		t.Fatalf("changes are %v", c)
	}
	exec("TRUNCATE items CASCADE")
	if reason := f.restarted(2); !strings.Contains(reason, "items") || !strings.Contains(reason, "TRUNCATE") {
		t.Errorf("started again: %s", reason)
	}
	exec("INSERT INTO items VALUES (2, 1, 'b', '')")
	if c := f.changes(); len(c) != 1 || c[0].Key != number(2) {
		t.Errorf("changes are %v", c)
	}
}

// TestSchemaChanges changes tables under way: what concerns no one is nothing, and
// after what changes rows all is read again.
func TestSchemaChanges(t *testing.T) {
	url, exec := database(t)
	f := follow(t, url, items())
	exec("INSERT INTO items VALUES (1, 1, 'a', '')")
	f.changes()
	starts := 1
	for _, c := range []struct {
		statement string
		want      string
	}{
		{"ALTER TABLE items ADD COLUMN more int DEFAULT 5", ""},
		{"CREATE INDEX ON items (name)", ""},
		{"ALTER TABLE items ALTER name SET DEFAULT 'x', ALTER name SET NOT NULL", ""},
		{"ALTER TABLE items DROP COLUMN more", "items"},
		{"ALTER TABLE items ALTER COLUMN grp TYPE int", "items"},
		{"ALTER TABLE items ALTER COLUMN name TYPE text USING name || '!'", "items"},
		{"BEGIN; ALTER TABLE items RENAME TO old; CREATE TABLE items (LIKE old INCLUDING ALL); INSERT INTO items SELECT * FROM old; DROP TABLE old; COMMIT", "items"},
	} {
		exec(c.statement, "INSERT INTO items (id, grp, name) SELECT max(id) + 1, 1, 'n' FROM items")
		if c.want != "" {
			starts++
			if reason := f.restarted(starts); !strings.Contains(reason, c.want) {
				t.Errorf("%s: started again: %s", c.statement, reason)
			}
		}
		if f.changes(); len(f.Starts(1)) != starts {
			// A guard may have seen what the log has told before.
			starts = len(f.Starts(1))
			f.known = 0
		}
		exec("UPDATE items SET name = 'm'")
		for _, change := range f.changes() {
			if change.New[2] != text("m") || change.New[1] != number(1) {
				t.Errorf("%s: fed %v", c.statement, change)
			}
		}
	}
}

func TestPartitions(t *testing.T) {
	url, exec := database(t)
	exec("CREATE TABLE parts (id bigint, grp bigint, name text, body text, PRIMARY KEY (id, grp)) PARTITION BY LIST (grp)",
		"CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)", "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2)",
		"CREATE TABLE parts_3 (id bigint NOT NULL, grp bigint NOT NULL, name text, body text)", "INSERT INTO parts_3 VALUES (9, 3, 'n', '')")
	table := &schema.Table{Name: "parts", Columns: []schema.Column{
		{Name: "(id,grp)", Kind: schema.Tuple, Parts: []int{1, 2}}, {Name: "id", Kind: schema.Int}, {Name: "grp", Kind: schema.Int}, {Name: "name", Kind: schema.Text, Nullable: true},
	}}
	f := follow(t, url, table)
	exec("INSERT INTO parts VALUES (1, 1, 'a', '')", "UPDATE parts SET grp = 2", "DELETE FROM parts_2")
	c := f.changes()
	one, two := schema.TupleValue(number(1), number(1)), schema.TupleValue(number(1), number(2))
	if len(c) != 4 || c[0].Key != one || c[1].Key != one || c[1].New != nil || c[2].Key != two || c[2].New == nil || c[3].Key != two || c[3].New != nil {
		t.Fatalf("changes are %v", c)
	}
	for i, statement := range []string{
		"ALTER TABLE parts ATTACH PARTITION parts_3 FOR VALUES IN (3)",
		"TRUNCATE parts_3",
		"ALTER TABLE parts DETACH PARTITION parts_2",
	} {
		exec(statement)
		if reason := f.restarted(i + 2); !strings.Contains(reason, "parts") {
			t.Errorf("%s: started again: %s", statement, reason)
		}
	}
}

// TestSubtransactions feeds what savepoints keep, under the number of the whole.
func TestSubtransactions(t *testing.T) {
	url, exec := database(t)
	f := follow(t, url, items())
	exec(`DO $$ BEGIN
		INSERT INTO items VALUES (1, 1, 'a', '');
		FOR i IN 2..100 LOOP
			BEGIN
				INSERT INTO items VALUES (i, 1, 'b', '');
				IF i % 2 = 0 THEN RAISE 'no'; END IF;
			EXCEPTION WHEN raise_exception THEN
			END;
		END LOOP;
	END $$`)
	if c := f.changes(); len(c) != 50 {
		t.Fatalf("%d changes", len(c))
	}
	snapshot, err := f.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	if !snapshot.Saw(f.Commits()[0]) {
		t.Error("a later snapshot did not see the commit")
	}
}

// TestManyInOneTransaction delivers a large transaction in parts that are held in
// memory one at a time.
func TestManyInOneTransaction(t *testing.T) {
	url, exec := database(t)
	f := follow(t, url, items())
	exec("INSERT INTO items SELECT i, 1, 'name ' || i, repeat('x', 100) FROM generate_series(1, 20000) i")
	c := f.changes()
	if len(c) != 20000 || len(f.Commits()) != 1 {
		t.Fatalf("%d changes in %d commits", len(c), len(f.Commits()))
	}
	for i := range c {
		if c[i].Key != number(int64(i+1)) {
			t.Fatalf("change %d is of row %s", i, c[i].Key)
		}
	}
}

// TestEnumsAndArrays feeds and reads kinds that PostgreSQL alone has.
func TestEnumsAndArrays(t *testing.T) {
	url, exec := database(t)
	exec("CREATE TYPE mood AS ENUM ('sad', 'glad')", "CREATE DOMAIN small AS int CHECK (value < 10)",
		"CREATE TABLE moods (id bigint PRIMARY KEY, mood mood, tags text[], counts int[], size small, price numeric(10,2), at timestamptz)")
	table := &schema.Table{Name: "moods", Columns: []schema.Column{
		{Name: "id", Kind: schema.Int}, {Name: "mood", Kind: schema.Text, Nullable: true}, {Name: "tags", Kind: schema.JSON, Nullable: true},
		{Name: "counts", Kind: schema.JSON, Nullable: true}, {Name: "size", Kind: schema.Int, Nullable: true}, {Name: "price", Kind: schema.Text, Nullable: true},
		{Name: "at", Kind: schema.Time, Nullable: true},
	}}
	f := follow(t, url, table)
	exec("SET TimeZone = 'Asia/Tokyo'", `INSERT INTO moods VALUES (1, 'glad', '{a,"b c",NULL}', '{1,2}', 3, 12.5, '2026-01-02 03:04:05.5+09')`)
	c := f.changes()
	snapshot, err := f.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	err = snapshot.Rows(t.Context(), feed.Query{Table: table, Values: []schema.Value{number(1)}}, func(row schema.Row) error {
		if len(c) != 1 || !slices.Equal(row, c[0].New) {
			t.Errorf("read %v, fed %v", row, c)
		}
		if row[1] != text("glad") || row[2].String() != `["a","b c",null]` || row[3].String() != "[1,2]" || row[5] != text("12.50") || row[6].String() != "2026-01-01T18:04:05.500000Z" {
			t.Errorf("read %v", row)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	exec("ALTER TYPE mood RENAME VALUE 'glad' TO 'merry'")
	if reason := f.restarted(2); !strings.Contains(reason, "enums") {
		t.Errorf("started again: %s", reason)
	}
}

// TestRenewWaits tells that the feed stands still where it begins anew by itself
// and has to wait for an open transaction.
func TestRenewWaits(t *testing.T) {
	url, exec := database(t)
	f := follow(t, url, items())
	exec("INSERT INTO items VALUES (1, 1, 'a', '')")
	f.changes()
	tx, err := openDB(t, url).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("UPDATE items SET name = 'b'"); err != nil {
		t.Fatal(err)
	}
	if err := f.Source.(feed.Renewer).Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the stall is told", func() bool { return strings.Contains(f.Stalled(), "another epoch") })
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	f.restarted(2)
}
