package sqlitefeed_test

import (
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/schema"
)

func TestCheckChangesNothing(t *testing.T) {
	db, _ := create(t, "CREATE TABLE cards (id INTEGER PRIMARY KEY, title TEXT, list_id INTEGER)")
	cards, messages := declare("cards", "id", "title", "list_id"), declare("pando_messages", "id", "topic", "kind", "body", "created_at")
	lists := declare("lists", "id", "name")
	source := sqlitefeed.New(db, quiet)
	t.Cleanup(func() { source.Close() })
	check := func(want bool, tables ...*schema.Table) error {
		t.Helper()
		ready, err := source.Check(t.Context(), tables)
		if ready != want {
			t.Errorf("ready is %v, want %v", ready, want)
		}
		return err
	}
	if err := check(false, cards); err != nil {
		t.Error(err)
	}
	var objects int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_schema").Scan(&objects); err != nil || objects != 1 {
		t.Errorf("the database has %d objects, %v; want the table alone", objects, err)
	}
	// Before there is a log, and after.
	for range 2 {
		err := check(false, lists, declare("cards", "id", "titel", "lst_id"))
		for _, want := range []string{`table "lists" does not exist`, "titel"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error is %v, want %s", err, want)
			}
		}
		if err := source.Setup(t.Context(), []*schema.Table{cards}); err != nil {
			t.Fatal(err)
		}
	}
	if err := check(true, cards); err != nil {
		t.Error(err)
	}
	if err := check(false, cards, messages); err != nil { // a table of ours that Setup will create
		t.Error(err)
	}
	run(t, db, "ALTER TABLE cards ADD COLUMN done INTEGER")
	if err := check(false, cards); err != nil { // the triggers have to be made anew
		t.Error(err)
	}
}
