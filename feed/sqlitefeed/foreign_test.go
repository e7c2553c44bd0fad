package sqlitefeed_test

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/schema"
)

// foreign runs SQL in the sqlite3 program.
func foreign(t testing.TB, path, statements string) {
	t.Helper()
	out, err := exec.Command(sqlite3(t), "-batch", "-bail", "-cmd", ".timeout 30000", path, statements).CombinedOutput()
	if err != nil || strings.Contains(string(out), "Error") {
		t.Fatalf("sqlite3: %v: %s", err, out)
	}
}

// TestForeignProcess follows what another program with another release of
// SQLite writes.
func TestForeignProcess(t *testing.T) {
	db, path := create(t, createNotes, "INSERT INTO notes VALUES (1, 'a'), (2, 'b'), (3, 'c')")
	source, recorder := follow(t, db, notes)
	foreign(t, path, `BEGIN;
		UPDATE notes SET body = body || '!';
		DELETE FROM notes WHERE id = 2;
		INSERT INTO notes VALUES (4, 'd');
		COMMIT;
		BEGIN; DELETE FROM notes; ROLLBACK;`)
	wantFed(t, source, recorder,
		"notes 1 1,a→1,a!", "notes 2 2,b→2,b!", "notes 2 2,b!→", "notes 3 3,c→3,c!", "notes 4 →4,d")
	if commits := recorder.Commits(); len(commits) != 1 {
		t.Errorf("one transaction came as %d commits", len(commits))
	}
}

// TestForeignValues compares what an older SQLite logs with what is read, for
// values that text forms of them lose.
func TestForeignValues(t *testing.T) {
	table := &schema.Table{Name: "v", Columns: []schema.Column{
		{Name: "id", Kind: schema.Int},
		{Name: "grp", Kind: schema.Int},
		{Name: "f", Kind: schema.Float, Nullable: true},
		{Name: "i", Kind: schema.Int, Nullable: true},
		{Name: "s", Kind: schema.Text, Nullable: true},
		{Name: "b", Kind: schema.Bytes, Nullable: true},
		{Name: "n", Kind: schema.Text, Nullable: true},
	}}
	db, path := create(t, "CREATE TABLE v (id INTEGER PRIMARY KEY, grp INTEGER DEFAULT 1, f REAL, i INTEGER, s TEXT, b BLOB, n NUMERIC)")
	source, recorder := follow(t, db, table)
	foreign(t, path, `
		INSERT INTO v (f) VALUES (0.1), (0.1 + 0.2), (1e308 * 10), (-1e308 * 10), (5e-324), (1.7976931348623157e308), (3), (9007199254740993), (-0.0), (123456789.12345678);
		INSERT INTO v (i) VALUES (9223372036854775807), (-9223372036854775808), (9007199254740993), ('12');
		INSERT INTO v (s) VALUES ('a' || char(0) || 'b'), (CAST(x'ff00c3' AS TEXT)), (1.5), ('');
		INSERT INTO v (b) VALUES (x''), (x'00ff00'), ('text'), (zeroblob(100000));
		INSERT INTO v (n) VALUES (1), (1.5), ('1.50'), ('text'), (x'6162'), ('9223372036854775808');
		UPDATE v SET f = f * 3, i = -i, s = s || char(0), b = b || x'00' WHERE id % 2;`)
	recorder.Reach(source)
	state := feedtest.State{}
	for _, commit := range recorder.Commits() {
		state.Follow(t, commit)
	}
	snapshot, err := source.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	rows := 0
	err = snapshot.Rows(context.Background(), feed.Query{Table: table, Column: 1, Values: []schema.Value{schema.IntValue(1)}}, func(row schema.Row) error {
		rows++
		if got := state[table][row[0]]; !slices.Equal(got, row) {
			t.Errorf("row %s: fed %q, read %q", row[0], got, row)
		}
		return nil
	})
	if err != nil || rows != 28 || len(state[table]) != rows {
		t.Errorf("read %d rows, fed %d: %v", rows, len(state[table]), err)
	}
	for id, want := range map[int64]string{2: "0.30000000000000004", 6: "1.7976931348623157e+308", 10: "1.2345678912345678e+08"} {
		if got := state[table][schema.IntValue(id)][2].String(); got != want {
			t.Errorf("row %d is fed %s, want %s", id, got, want)
		}
	}
}
