package sqlitefeed_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/schema"
)

// TestContinuityLost does to a followed database what loses changes, and
// wants the feed to say so, to begin a new epoch, and to follow on.
func TestContinuityLost(t *testing.T) {
	for name, c := range map[string]struct {
		do     []string
		reason string
	}{
		"trigger dropped":    {[]string{"BEGIN", "DROP TRIGGER pando_notes_update", "UPDATE notes SET body = 'unseen'", "COMMIT"}, "rebuilt"},
		"trigger replaced":   {[]string{"BEGIN", "DROP TRIGGER pando_notes_update", "CREATE TRIGGER pando_notes_update AFTER UPDATE ON notes BEGIN SELECT 1; END", "COMMIT"}, "rebuilt"},
		"trigger of old":     {[]string{"DROP TRIGGER pando_notes_conflict_insert"}, "rebuilt"}, // had no such one
		"author's trigger":   {[]string{"CREATE TRIGGER late AFTER UPDATE ON notes BEGIN SELECT RAISE(IGNORE); END"}, "added"},
		"column added":       {[]string{"ALTER TABLE notes ADD COLUMN more TEXT"}, "rebuilt"},
		"column renamed":     {[]string{"ALTER TABLE notes RENAME COLUMN extra TO other"}, "rebuilt"},
		"table rebuilt":      {[]string{"BEGIN", "CREATE TABLE n2 (id INTEGER PRIMARY KEY, body TEXT, extra TEXT)", "INSERT INTO n2 SELECT * FROM notes", "DROP TABLE notes", "ALTER TABLE n2 RENAME TO notes", "COMMIT"}, "rebuilt"},
		"log dropped":        {[]string{"DROP TABLE pando_log"}, "rebuilt"},
		"meta emptied":       {[]string{"DELETE FROM pando_meta"}, "rebuilt"},
		"restored in place":  {[]string{"BEGIN", "DELETE FROM pando_log", "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'pando_log'", "COMMIT"}, "restored"},
		"another's new log":  {[]string{"UPDATE pando_meta SET generation = generation + 1"}, "begun anew"},
		"everything dropped": {[]string{"BEGIN", "DROP TRIGGER pando_notes_insert", "DROP TRIGGER pando_notes_update", "DROP TRIGGER pando_notes_delete", "DROP TABLE pando_log", "DROP TABLE pando_meta", "DROP TABLE pando_shape", "COMMIT"}, "rebuilt"},
	} {
		t.Run(name, func(t *testing.T) {
			db, _ := create(t, "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, extra TEXT)")
			db.SetMaxOpenConns(1)
			source, recorder := follow(t, db, notes)
			run(t, db, "INSERT INTO notes (id, body) VALUES (1, 'a')", "INSERT INTO notes (id, body) VALUES (2, 'b')")
			recorder.Reach(source)
			run(t, db, c.do...)
			starts := recorder.Starts(2)
			if !strings.Contains(starts[1].Reason, c.reason) {
				t.Errorf("the reason is %q", starts[1].Reason)
			}
			if starts[1].Epoch == starts[0].Epoch {
				t.Errorf("the epoch stays %s", starts[1].Epoch)
			}
			// A connection whose view of the schema is out of date cannot compile
			// the triggers; the first read mends it.
			run(t, db, "SELECT 1 FROM notes", "UPDATE notes SET body = 'seen' WHERE id = 2")
			got := fed(t, source, recorder)
			if len(got) != 1 || !strings.HasSuffix(got[0], "→2,seen") {
				t.Errorf("fed %q after the loss", got)
			}
		})
	}
}

// TestContinuityKept does what migrations do to other things.
func TestContinuityKept(t *testing.T) {
	db, _ := create(t, createNotes)
	source, recorder := follow(t, db, notes)
	run(t, db,
		"CREATE TABLE other (id INTEGER PRIMARY KEY)", "DROP TABLE other", "CREATE INDEX by_body ON notes (body)",
		"INSERT INTO notes VALUES (1, 'a')", "VACUUM", "INSERT INTO notes VALUES (2, 'b')", "PRAGMA wal_checkpoint(TRUNCATE)",
		"INSERT INTO notes VALUES (3, 'c')")
	wantFed(t, source, recorder, "notes 1 →1,a", "notes 2 →2,b", "notes 3 →3,c")
	if starts := recorder.Starts(1); len(starts) != 1 {
		t.Errorf("started again: %+v", starts)
	}
}

// TestMigrationUnderWay lets the declared table be missing for a while.
func TestMigrationUnderWay(t *testing.T) {
	db, _ := create(t, createNotes)
	source, recorder := follow(t, db, notes)
	run(t, db, "ALTER TABLE notes RENAME TO old_notes")
	if _, err := source.Head(context.Background()); err != nil {
		t.Error(err)
	}
	run(t, db, createNotes, "INSERT INTO notes SELECT * FROM old_notes", "DROP TABLE old_notes")
	recorder.Starts(2)
	run(t, db, "INSERT INTO notes VALUES (5, 'e')")
	recorder.Reach(source)
}

// TestFileReplaced restores a copy of the database under the same name.
func TestFileReplaced(t *testing.T) {
	db, path := create(t, createNotes)
	source, recorder := follow(t, db, notes)
	run(t, db, "INSERT INTO notes VALUES (1, 'a')")
	recorder.Reach(source)
	backup := filepath.Join(t.TempDir(), "backup.db")
	run(t, db, "VACUUM INTO '"+backup+"'", "INSERT INTO notes VALUES (2, 'lost')")
	recorder.Reach(source)
	db.Close()
	for _, old := range []string{path + "-wal", path + "-shm"} {
		if err := os.Remove(old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(backup, path); err != nil {
		t.Fatal(err)
	}
	starts := recorder.Starts(2)
	if starts[1].Epoch == starts[0].Epoch || !strings.Contains(starts[1].Reason, "replaced") {
		t.Errorf("started with %+v", starts)
	}
	run(t, openDB(t, path), "INSERT INTO notes VALUES (3, 'c')")
	wantFed(t, source, recorder, "notes 3 →3,c")
}

// TestSecondProcess lets another version of the app, which declares another
// table, set itself up meanwhile.
func TestSecondProcess(t *testing.T) {
	db, path := create(t, createNotes, "CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT, a, b, c, d)")
	source, recorder := follow(t, db, notes)
	other, second := follow(t, openDB(t, path), declare("tags", "id", "name"))
	run(t, db, "INSERT INTO notes VALUES (1, 'a')", "INSERT INTO tags (id, name) VALUES (1, 't')")
	recorder.Reach(source)
	wantFed(t, other, second, "tags 1 →1,t")
	got := fed(t, source, recorder)
	if len(got) != 1 && len(recorder.Starts(1)) == 1 {
		t.Errorf("the first process is fed %q", got)
	}
	same := sqlitefeed.New(db, quiet)
	defer same.Close()
	if err := same.Setup(context.Background(), []*schema.Table{notes}); err != nil {
		t.Fatal(err)
	}
	recorder.Reach(source)
}
