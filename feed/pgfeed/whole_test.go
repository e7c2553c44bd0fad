package pgfeed_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/schema"
)

func wholeItems() *schema.Table {
	table := items()
	table.Whole = true
	return table
}

// TestATableWithABindingGetsTheIdentityFull has Setup, the printed statements and
// the check agree, with partitions, and leaves other tables as they are.
func TestATableWithABindingGetsTheIdentityFull(t *testing.T) {
	db, dsn := freshDB(t, createItemTable, "CREATE TABLE notes (id bigint PRIMARY KEY, text text)",
		"CREATE TABLE parts (id bigint PRIMARY KEY) PARTITION BY RANGE (id)", "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)")
	parts, notes := declare("parts", "id int"), declare("notes", "id int", "text text?")
	parts.Whole, notes.Whole = true, true
	tables := []*schema.Table{itemTable, notes, parts}
	source := openSource(t, dsn)
	before := declare("notes", "id int", "text text?")
	if err := source.Setup(t.Context(), []*schema.Table{itemTable, before, declare("parts", "id int")}); err != nil {
		t.Fatal(err)
	}
	if ready, err := source.Check(t.Context(), tables); ready || err != nil {
		t.Errorf("before it is set: ready %v, %v", ready, err)
	}
	printed, err := source.Print(t.Context(), tables)
	if err != nil || !slices.ContainsFunc(printed, func(s string) bool {
		return strings.Contains(s, `"notes" REPLICA IDENTITY FULL`) || strings.Contains(s, `notes REPLICA IDENTITY FULL`)
	}) {
		t.Errorf("printed %q, %v", printed, err)
	}
	if err := source.Setup(t.Context(), tables); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "SELECT count(*) FROM pg_class WHERE relreplident = 'f' AND relname IN ('notes', 'parts', 'parts_1')"); n != 3 {
		t.Errorf("%d tables have the identity FULL, want 3", n)
	}
	if n := count(t, db, "SELECT count(*) FROM pg_class WHERE relreplident = 'f'"); n != 3 {
		t.Errorf("%d tables have the identity FULL, want 3", n)
	}
	if ready, err := source.Check(t.Context(), tables); !ready || err != nil {
		t.Errorf("once it is set: ready %v, %v", ready, err)
	}
}

// TestARoleThatMayNotSetTheIdentityIsToldWhatToRun refuses the start.
func TestARoleThatMayNotSetTheIdentityIsToldWhatToRun(t *testing.T) {
	db, dsn := freshDB(t, createItemTable)
	role := "whole_" + databaseName(dsn)
	if err := openSource(t, dsn).Setup(t.Context(), []*schema.Table{itemTable}); err != nil {
		t.Fatal(err)
	}
	execAll(t, db, "CREATE ROLE "+role+" LOGIN REPLICATION", "GRANT USAGE ON SCHEMA pando TO "+role,
		"GRANT ALL ON ALL TABLES IN SCHEMA pando TO "+role, "GRANT ALL ON items TO "+role)
	app := openSource(t, as(t, dsn, role))
	if err := app.Setup(t.Context(), []*schema.Table{itemTable}); err != nil {
		t.Fatalf("without a binding: %v", err)
	}
	whole := declare("items", "id int", "name text?")
	whole.Whole = true
	if err := app.Setup(t.Context(), []*schema.Table{whole}); err == nil || !strings.Contains(err.Error(), "REPLICA IDENTITY FULL") {
		t.Errorf("with one: %v", err)
	}
}

// TestTriggersRefuseATableWithABinding names the mend.
func TestTriggersRefuseATableWithABinding(t *testing.T) {
	_, dsn := freshDB(t, createItemTable)
	whole := declare("items", "id int", "name text?")
	whole.Whole = true
	err := openSource(t, dsn, pgfeed.WithTriggerLog()).Setup(t.Context(), []*schema.Table{whole})
	if err == nil || !strings.Contains(err.Error(), "WithTriggerLog") || !strings.Contains(err.Error(), `"items"`) {
		t.Errorf("Setup: %v", err)
	}
}

// TestWholeRowsAreFed has every change of a table with a binding carry the row as
// it was, large values and a change of the key included.
func TestWholeRowsAreFed(t *testing.T) {
	url, exec := database(t)
	f := follow(t, url, wholeItems())
	exec("ALTER TABLE items ALTER body SET STORAGE EXTERNAL", "INSERT INTO items VALUES (1, 1, 'a', '"+large()+"')")
	f.changes()
	exec("UPDATE items SET name = 'b'", "UPDATE items SET id = 2", "DELETE FROM items")
	c := f.changes()
	if len(c) != 4 {
		t.Fatalf("%d changes, want 4", len(c))
	}
	whole := func(i int, row schema.Row, key int64, name string) {
		if c[i].Blind || c[i].Missing != nil || row == nil || row[0] != number(key) || row[2] != text(name) || row[3] != text(large()) {
			t.Errorf("change %d: %.300v", i, c[i])
		}
	}
	whole(0, c[0].Old, 1, "a")
	whole(0, c[0].New, 1, "b")
	whole(1, c[1].Old, 1, "b")
	whole(2, c[2].New, 2, "b")
	whole(3, c[3].Old, 2, "b")
	if c[1].New != nil || c[2].Old != nil || !c[2].Replaces() || c[3].New != nil {
		t.Errorf("a change of the key is %.500v", c[1:3])
	}
}

// TestTheIdentityIsPutBack takes it under way: what comes meanwhile says that it
// does not know what was, then the identity is FULL again and all starts anew.
func TestTheIdentityIsPutBack(t *testing.T) {
	url, exec := database(t)
	f := follow(t, url, wholeItems())
	exec("INSERT INTO items VALUES (1, 1, 'a', '')", "ALTER TABLE items REPLICA IDENTITY DEFAULT", "UPDATE items SET name = 'b'")
	if reason := f.restarted(2); !strings.Contains(reason, "identity") {
		t.Errorf("started again: %s", reason)
	}
	exec("UPDATE items SET name = 'c'")
	c := f.changes()
	if last := c[len(c)-1]; last.Blind || last.Old == nil || last.Old[2] != text("b") {
		t.Errorf("after it was put back: %v", last)
	}
}

// TestAnIdentityThatNobodyNeedsMayBeTaken leaves the feed alone.
func TestAnIdentityThatNobodyNeedsMayBeTaken(t *testing.T) {
	url, exec := database(t)
	exec("ALTER TABLE items REPLICA IDENTITY FULL")
	f := follow(t, url, items())
	exec("ALTER TABLE items REPLICA IDENTITY DEFAULT", "ALTER TABLE items ALTER grp TYPE int")
	if reason := f.restarted(2); !strings.Contains(reason, "items") {
		t.Errorf("started again: %s", reason)
	}
	if n := len(f.Starts(2)); n != 2 {
		t.Errorf("%d starts, want one for the column alone", n)
	}
}
