package world_test

import (
	"database/sql"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// history plays n transactions and returns their statements, and how many of
// each kind the database accepted.
func history(t *testing.T, shape world.Shape, seed uint64, n int) (statements []string, accepted map[string]int) {
	t.Helper()
	db, err := sql.Open("sqlite", shape.DSN(filepath.Join(t.TempDir(), "world.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	create := append(shape.Create(), "CREATE TABLE pando_log (seq INTEGER PRIMARY KEY AUTOINCREMENT)")
	if err := world.Perform(t.Context(), db, world.Tx{SQL: create}); err != nil {
		t.Fatal(err)
	}
	g := world.NewGenerator(rand.New(rand.NewPCG(seed, 0)), shape)
	accepted = map[string]int{}
	for range n {
		data, err := oracle.Read(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		tx := g.Next(data)
		statements = append(statements, tx.SQL...)
		switch err := world.Perform(t.Context(), db, tx); {
		case err == nil:
			accepted[tx.Kind]++
		case !errors.Is(err, world.ErrRefused):
			t.Fatalf("%s %q: %v", tx.Kind, tx.SQL, err)
		}
		if after := read(t, db); tx.Rollback && !slices.Equal(states(data), states(after)) {
			t.Fatalf("the rollback of %q left something", tx.SQL)
		}
	}
	return statements, accepted
}

func read(t *testing.T, db *sql.DB) *oracle.Data {
	t.Helper()
	data, err := oracle.Read(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func states(d *oracle.Data) (all []string) {
	for _, route := range world.Routes {
		all = append(all, d.State(route))
	}
	return all
}

func TestTransactionsDependOnTheSeedAlone(t *testing.T) {
	shape := world.Shape{Trigger: true, Fat: true}
	first, _ := history(t, shape, 5, 60)
	again, _ := history(t, shape, 5, 60)
	other, _ := history(t, shape, 6, 60)
	if !slices.Equal(first, again) {
		t.Error("one seed has two histories")
	}
	if slices.Equal(first, other) {
		t.Error("two seeds have one history")
	}
}

func TestEveryKindIsAccepted(t *testing.T) {
	_, accepted := history(t, world.Shape{Recursive: true}, 1, 600)
	for _, kind := range world.Kinds() {
		if accepted[kind] == 0 {
			t.Errorf("no transaction of kind %q was accepted", kind)
		}
	}
}

func TestMostAreAcceptedWithForeignKeys(t *testing.T) {
	_, accepted := history(t, world.Shape{ForeignKeys: true}, 1, 200)
	sum := 0
	for _, n := range accepted {
		sum += n
	}
	if sum < 160 {
		t.Errorf("of 200 transactions %d were accepted", sum)
	}
}

// TestRebuildKeepsTheRows rebuilds every table, with everything on it.
func TestRebuildKeepsTheRows(t *testing.T) {
	shape := world.Shape{Trigger: true}
	db, err := sql.Open("sqlite", shape.DSN(filepath.Join(t.TempDir(), "rebuild.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	create := append(shape.Create(), "CREATE TABLE pando_log (seq INTEGER PRIMARY KEY AUTOINCREMENT)")
	if err := world.Perform(t.Context(), db, world.Tx{SQL: create}); err != nil {
		t.Fatal(err)
	}
	before := states(read(t, db))
	for _, table := range []string{"users", "lists", "comments"} {
		if err := world.Perform(t.Context(), db, world.Tx{SQL: shape.Rebuild(table)}); err != nil {
			t.Fatalf("rebuild %s: %v", table, err)
		}
	}
	if after := states(read(t, db)); !slices.Equal(before, after) {
		t.Errorf("rows were lost: %q, then %q", before, after)
	}
}
