package feedtest

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/schema"
)

// changeCase is one transaction and what it leaves of the rows it touches:
// "table key" to the row's name, or gone.
type changeCase struct {
	name    string
	needs   func(Dialect) bool
	prepare []string
	do      []string
	want    map[string]string
}

// gone is the name of a row that was deleted.
const gone = "<gone>"

var changeCases = []changeCase{
	{
		name: "Insert",
		do:   []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		want: map[string]string{"items 1": "a"},
	},
	{
		name:    "Update",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		do:      []string{"UPDATE items SET name = 'b'"},
		want:    map[string]string{"items 1": "b"},
	},
	{
		name:    "UpdateToNull",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		do:      []string{"UPDATE items SET name = NULL"},
		want:    map[string]string{"items 1": "null"},
	},
	{
		name:    "Delete",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		do:      []string{"DELETE FROM items"},
		want:    map[string]string{"items 1": gone},
	},
	{
		name:    "NothingChanged",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		do:      []string{"UPDATE items SET name = name"},
	},
	{
		name:    "UndeclaredColumn",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		do:      []string{"UPDATE items SET hidden = 'secret'"},
	},
	{
		name: "UndeclaredTable",
		do:   []string{"INSERT INTO strays VALUES (1)"},
	},
	{
		name:    "Bulk",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h'), (2, 1, 'b', 'h'), (3, 1, 'c', 'h')"},
		do:      []string{"UPDATE items SET name = name || '!' WHERE id < 3", "DELETE FROM items WHERE id = 3"},
		want:    map[string]string{"items 1": "a!", "items 2": "b!", "items 3": gone},
	},
	{
		name:    "Rollback",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		do:      []string{"UPDATE items SET name = 'b'", "ROLLBACK"},
	},
	{
		name: "Savepoint",
		do: []string{
			"INSERT INTO items VALUES (1, 1, 'a', 'h')", "SAVEPOINT one",
			"INSERT INTO items VALUES (2, 1, 'b', 'h')", "UPDATE items SET name = 'x' WHERE id = 1", "ROLLBACK TO SAVEPOINT one",
			"INSERT INTO items VALUES (3, 1, 'c', 'h')",
		},
		want: map[string]string{"items 1": "a", "items 3": "c"},
	},
	{
		name: "Cascade",
		prepare: []string{
			"INSERT INTO items VALUES (1, 1, 'a', 'h'), (2, 1, 'b', 'h')",
			"INSERT INTO children VALUES (10, 1, 1, 'x'), (11, 1, 1, 'y'), (12, 1, 2, 'z')",
		},
		do:   []string{"DELETE FROM items WHERE id = 1"},
		want: map[string]string{"items 1": gone, "children 10": gone, "children 11": gone},
	},
	{
		name:    "KeyChange",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		do:      []string{"UPDATE items SET id = 2"},
		want:    map[string]string{"items 1": gone, "items 2": "a"},
	},
	{
		name:    "DeleteAndReinsert",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		do:      []string{"DELETE FROM items", "INSERT INTO items VALUES (1, 1, 'b', 'h')"},
		want:    map[string]string{"items 1": "b"},
	},
	{
		name: "InsertAndDelete",
		do:   []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')", "DELETE FROM items"},
	},
	{
		name:    "ThereAndBack",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		do:      []string{"UPDATE items SET name = 'b'", "UPDATE items SET name = 'a'"},
	},
	{
		name:    "Swap",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h'), (2, 1, 'b', 'h')"},
		do:      []string{"UPDATE items SET id = 3 WHERE id = 1", "UPDATE items SET id = 1 WHERE id = 2", "UPDATE items SET id = 2 WHERE id = 3"},
		want:    map[string]string{"items 1": "b", "items 2": "a"},
	},
	{
		name:    "Upsert",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		do:      []string{"INSERT INTO items VALUES (1, 1, 'b', 'h'), (2, 1, 'c', 'h') ON CONFLICT (id) DO UPDATE SET name = excluded.name"},
		want:    map[string]string{"items 1": "b", "items 2": "c"},
	},
	{
		name:    "Replace",
		needs:   func(d Dialect) bool { return d.Replace },
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		do:      []string{"REPLACE INTO items VALUES (1, 1, 'b', 'h')"},
		want:    map[string]string{"items 1": "b"},
	},
	{
		name:    "OwnParentMoves",
		prepare: []string{"INSERT INTO nodes VALUES (1, 1, 1, 'a'), (2, 1, 1, 'b')"},
		do:      []string{"UPDATE nodes SET id = 3 WHERE id = 1"}, // the cascade changes the row itself
		want:    map[string]string{"nodes 1": gone, "nodes 3": "a", "nodes 2": "b"},
	},
	{
		name:    "OwnParentGoes",
		prepare: []string{"INSERT INTO nodes VALUES (1, 1, 1, 'a'), (2, 1, 1, 'b'), (3, 1, 2, 'c')"},
		do:      []string{"UPDATE nodes SET id = id + 3", "DELETE FROM nodes WHERE id = 4"},
		want:    map[string]string{"nodes 1": gone, "nodes 2": gone, "nodes 3": gone},
	},
	{
		name:    "PairChanges",
		prepare: []string{"INSERT INTO pairs VALUES (1, 'x', 1, 'n'), (1, 'y', 1, 'm')"},
		do:      []string{"INSERT INTO pairs VALUES (2, 'x', 1, NULL)", "UPDATE pairs SET note = 'o' WHERE a = 1 AND b = 'x'", "DELETE FROM pairs WHERE b = 'y'"},
		want:    map[string]string{"pairs 1,x": "o", "pairs 1,y": gone, "pairs 2,x": "null"},
	},
	{
		name:    "PairMoves",
		prepare: []string{"INSERT INTO pairs VALUES (1, 'x', 1, 'n'), (1, 'y', 1, 'm')"},
		do:      []string{"UPDATE pairs SET b = 'z' WHERE b = 'x'", "UPDATE pairs SET a = 7 WHERE b = 'y'"},
		want:    map[string]string{"pairs 1,x": gone, "pairs 1,z": "n", "pairs 1,y": gone, "pairs 7,y": "m"},
	},
	{
		name:    "PairsSwap",
		prepare: []string{"INSERT INTO pairs VALUES (1, 'x', 1, 'n'), (1, 'y', 1, 'm')"},
		do:      []string{"UPDATE pairs SET b = 't' WHERE b = 'x'", "UPDATE pairs SET b = 'x' WHERE b = 'y'", "UPDATE pairs SET b = 'y' WHERE b = 't'"},
		want:    map[string]string{"pairs 1,x": "m", "pairs 1,y": "n"},
	},
	{
		name:    "PairUpsert",
		prepare: []string{"INSERT INTO pairs VALUES (1, 'x', 1, 'n')"},
		do:      []string{"INSERT INTO pairs VALUES (1, 'x', 1, 'o'), (1, 'w', 1, 'p') ON CONFLICT (a, b) DO UPDATE SET note = excluded.note"},
		want:    map[string]string{"pairs 1,x": "o", "pairs 1,w": "p"},
	},
	{
		name:    "PairReplace",
		needs:   func(d Dialect) bool { return d.Replace },
		prepare: []string{"INSERT INTO pairs VALUES (1, 'x', 1, 'n'), (2, 'x', 1, 'm')"},
		do:      []string{"REPLACE INTO pairs VALUES (1, 'x', 1, 'o')", "UPDATE OR REPLACE pairs SET a = 1 WHERE a = 2"},
		want:    map[string]string{"pairs 1,x": "m", "pairs 2,x": gone},
	},
	{
		name:    "PairCascade",
		prepare: []string{"INSERT INTO pairs VALUES (1, 'x', 1, 'n'), (1, 'y', 1, 'm')", "INSERT INTO legs VALUES (1, 1, 1, 'x', 'l'), (2, 1, 1, 'y', 'k'), (3, 1, 1, NULL, 'j')"},
		do:      []string{"DELETE FROM pairs WHERE b = 'x'", "UPDATE pairs SET b = 'z'"},
		want:    map[string]string{"pairs 1,x": gone, "pairs 1,y": gone, "pairs 1,z": "m", "legs 1": gone, "legs 2": "k"},
	},
	{
		name:    "SavepointsWithin",
		prepare: []string{"INSERT INTO items VALUES (1, 1, 'a', 'h')"},
		do: []string{
			"SAVEPOINT one", "UPDATE items SET name = 'b'", "SAVEPOINT two", "DELETE FROM items", "INSERT INTO items VALUES (2, 1, 'x', 'h')",
			"ROLLBACK TO SAVEPOINT two", "RELEASE SAVEPOINT two", "UPDATE items SET name = name || 'c'", "RELEASE SAVEPOINT one",
		},
		want: map[string]string{"items 1": "bc"},
	},
}

func testChanges(t *testing.T, f *fixture) {
	source, recorder := f.follow()
	for _, c := range changeCases {
		if c.needs != nil && !c.needs(f.Dialect) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			f.tx("DELETE FROM children", "DELETE FROM items", "DELETE FROM legs", "DELETE FROM pairs", "DELETE FROM nodes")
			if len(c.prepare) > 0 {
				f.tx(c.prepare...)
			}
			recorder.Reach(source)
			before, snapshot := f.read(source)
			snapshot.Close()
			known := len(recorder.Commits())

			f.tx(c.do...)
			recorder.Reach(source)

			after := before.Clone()
			for _, commit := range recorder.Commits()[known:] {
				after.Follow(t, commit)
			}
			if diff := cmp.Diff(c.want, difference(before, after)); len(c.want) > 0 && diff != "" {
				t.Errorf("fed (-want +got):\n%s", diff)
			} else if got := difference(before, after); len(c.want) == 0 && len(got) > 0 {
				t.Errorf("fed %v, want nothing", got)
			}
			read, snapshot := f.read(source)
			snapshot.Close()
			f.same("fed differs from read", after, read)
		})
	}
}

// difference names the rows that differ between two states by their last
// column.
func difference(before, after State) map[string]string {
	names := make(map[string]string)
	for table, rows := range after {
		for key, row := range rows {
			if !slices.Equal(row, before[table][key]) {
				names[table.Name+" "+key.String()] = row[len(row)-1].String()
			}
		}
	}
	for table, rows := range before {
		for key := range rows {
			if _, ok := after[table][key]; !ok {
				names[table.Name+" "+key.String()] = gone
			}
		}
	}
	return names
}

// testSetup sets up twice and refuses what does not exist.
func testSetup(t *testing.T, f *fixture) {
	ctx := context.Background()
	source := f.open()
	before, err := source.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Setup(ctx, f.tables); err != nil {
		t.Fatalf("second Setup: %v", err)
	}
	if after, _ := source.Head(ctx); after != before && !f.Dialect.Restless {
		t.Errorf("a second Setup moved the head from %d to %d", before, after)
	}
	for _, table := range []*schema.Table{
		{Name: "nowhere", Columns: []schema.Column{col("id", schema.Int)}},
		{Name: "items", Columns: []schema.Column{col("id", schema.Int), col("nothing", schema.Int)}},
		{Name: "items", Key: 1, Columns: []schema.Column{col("id", schema.Int), null("name", schema.Text)}},
		{Name: "items", Key: 2, Columns: []schema.Column{col("id", schema.Int), null("name", schema.Text), tuple("(id,name)", 0, 1)}},
		{Name: "pairs", Columns: []schema.Column{col("a", schema.Int)}},
	} {
		other := f.Open(t)
		if err := other.Setup(ctx, []*schema.Table{table}); err == nil {
			t.Errorf("Setup accepts %+v", *table)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}
}

// testOrder follows many transactions from several connections.
func testOrder(t *testing.T, f *fixture) {
	source, recorder := f.follow()
	state, snapshot := f.read(source)
	snapshot.Close()
	f.writeALot(4, 25)
	recorder.Reach(source)
	for _, commit := range recorder.Commits() {
		state.Follow(t, commit)
	}
	read, _ := f.read(source)
	f.same("fed differs from read", state, read)
	if starts := recorder.Starts(1); len(starts) != 1 {
		t.Errorf("started again: %v", starts)
	}
}

// testTwoSources follows one database twice.
func testTwoSources(t *testing.T, f *fixture) {
	one, first := f.follow()
	two, second := f.follow()
	f.exec("INSERT INTO items VALUES (1, 1, 'a', 'h')")
	if a, b := first.Reach(one), second.Reach(two); a != b && !f.Dialect.Restless {
		t.Errorf("heads differ: %d and %d", a, b)
	}
	if a, b := first.Starts(1)[0].Epoch, second.Starts(1)[0].Epoch; a != b {
		t.Errorf("epochs differ: %s and %s", a, b)
	}
	for _, r := range []*Recorder{first, second} {
		state := make(State)
		for _, commit := range r.Commits() {
			state.Follow(t, commit)
		}
		if row := state[f.items][schema.IntValue(1)]; row == nil {
			t.Error("a source missed the commit")
		}
	}
}

// testCancel ends Run and closes in every order.
func testCancel(t *testing.T, f *fixture) {
	source := f.open()
	_, stop := Record(t, source)
	stop()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := source.Snapshot(ctx); err == nil {
		t.Error("Snapshot ignores its context")
	}
	if err := source.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := source.Run(context.Background(), &Recorder{t: t, changed: make(chan struct{})}); err == nil {
		t.Error("Run works on a closed source")
	}
	if _, err := source.Head(context.Background()); err == nil {
		t.Error("Head works on a closed source")
	}
}
