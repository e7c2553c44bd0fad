package sqlitefeed_test

import (
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/schema"
)

// TestPrintedIsWhatSetupRuns runs by hand what is printed: Setup finds nothing to
// do after it.
func TestPrintedIsWhatSetupRuns(t *testing.T) {
	db, _ := create(t, "CREATE TABLE cards (id INTEGER PRIMARY KEY, title TEXT UNIQUE)")
	tables := []*schema.Table{declare("cards", "id", "title"), declare("pando_messages", "id", "topic", "kind", "body", "created_at")}
	source := sqlitefeed.New(db, quiet)
	t.Cleanup(func() { source.Close() })
	for range 2 { // it changes nothing
		printed, err := source.Print(t.Context(), tables)
		if err != nil || len(printed) == 0 {
			t.Fatalf("Print: %q %v", printed, err)
		}
		if ready, err := source.Check(t.Context(), tables); ready || err != nil {
			t.Fatalf("Check after Print: %t %v", ready, err)
		}
	}
	printed, err := source.Print(t.Context(), tables)
	if err != nil {
		t.Fatal(err)
	}
	run(t, db, printed...)
	if ready, err := source.Check(t.Context(), tables); !ready || err != nil {
		t.Errorf("Check after what was printed: %t %v", ready, err)
	}
	if printed, err := source.Print(t.Context(), tables); len(printed) != 0 || err != nil {
		t.Errorf("Print of what is in place: %q %v", printed, err)
	}
	if _, err := source.Print(t.Context(), []*schema.Table{declare("lists", "id")}); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("Print of a table that does not exist: %v", err)
	}
	if grants, err := source.Grants(t.Context(), tables, "app"); len(grants) != 0 || err != nil {
		t.Errorf("Grants: %q %v", grants, err)
	}
}

// TestUninstall leaves what the author made, and nothing else.
func TestUninstall(t *testing.T) {
	db, _ := create(t, "CREATE TABLE cards (id INTEGER PRIMARY KEY, title TEXT UNIQUE)", "CREATE TRIGGER theirs AFTER INSERT ON cards BEGIN SELECT 1; END")
	objects := func() (n int) {
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := objects()
	source := sqlitefeed.New(db, quiet)
	t.Cleanup(func() { source.Close() })
	tables := []*schema.Table{declare("cards", "id", "title"), declare("pando_messages", "id", "topic", "kind", "body", "created_at")}
	if err := source.Uninstall(t.Context()); err != nil {
		t.Errorf("Uninstall of nothing: %v", err)
	}
	if err := source.Setup(t.Context(), tables); err != nil {
		t.Fatal(err)
	}
	run(t, db, "INSERT INTO cards VALUES (1, 'a')")
	if err := source.Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := objects(); n != before {
		t.Errorf("%d objects are left, want %d", n, before)
	}
	run(t, db, "INSERT INTO cards VALUES (2, 'b')")
}

// TestRenew begins a history of which a feed that runs tells.
func TestRenew(t *testing.T) {
	db, _ := create(t, "CREATE TABLE cards (id INTEGER PRIMARY KEY, title TEXT)")
	source := sqlitefeed.New(db, quiet)
	t.Cleanup(func() { source.Close() })
	if err := source.Renew(t.Context()); err == nil {
		t.Error("Renew before Setup is no error")
	}
	if err := source.Setup(t.Context(), []*schema.Table{declare("cards", "id", "title")}); err != nil {
		t.Fatal(err)
	}
	recorder, stop := feedtest.Record(t, source)
	defer stop()
	if err := source.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if starts := recorder.Starts(2); starts[0].Epoch == starts[1].Epoch {
		t.Errorf("the epoch stays %s", starts[0].Epoch)
	}
}
