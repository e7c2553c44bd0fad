package world_test

import (
	"database/sql"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

func source(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// build makes the database of a seed's schema.
func build(t *testing.T, s *model.Schema, seed uint64) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", world.DSN(s, filepath.Join(t.TempDir(), "world.db"), s.ForeignKeys))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	create := append(world.Create(s), world.Statement{SQL: "CREATE TABLE pando_log (seq INTEGER PRIMARY KEY AUTOINCREMENT)"})
	for _, tx := range []world.Tx{{Statements: create}, world.NewGenerator(source(seed, 9), s).First()} {
		if err := world.Perform(t.Context(), model.SQLite, db, tx, nil); err != nil && len(tx.Statements) == len(create) {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	return db
}

// play makes n transactions and returns their statements, and how many of each
// kind the database accepted.
func play(t *testing.T, seed uint64, n int) (statements []string, accepted map[string]int) {
	t.Helper()
	s := world.RandomSchema(source(seed, 1))
	db := build(t, s, seed)
	g := world.NewGenerator(source(seed, 2), s)
	accepted = map[string]int{}
	data := read(t, db, s)
	for range n {
		tx := g.Next(data)
		for _, st := range tx.Statements {
			statements = append(statements, st.SQL)
		}
		switch err := world.Perform(t.Context(), model.SQLite, db, tx, nil); {
		case err == nil:
			accepted[tx.Kind]++
		case !errors.Is(err, world.ErrRefused):
			t.Fatalf("%s %q: %v", tx.Kind, tx.Statements, err)
		}
		after := read(t, db, s)
		if tx.Rollback && !equal(data, after) {
			t.Fatalf("the rollback of %q left something", tx.Statements)
		}
		data = after
	}
	return statements, accepted
}

func read(t *testing.T, db *sql.DB, s *model.Schema) *oracle.Data {
	t.Helper()
	data, err := oracle.Read(t.Context(), db, s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// equal tells whether all routes show the same.
func equal(a, b *oracle.Data) bool {
	for _, r := range world.Routes(source(1, 1), a.Schema) {
		if a.State(r, "1").JSON != b.State(r, "1").JSON {
			return false
		}
	}
	return true
}

func TestTransactionsDependOnTheSeedAlone(t *testing.T) {
	first, _ := play(t, 5, 60)
	again, _ := play(t, 5, 60)
	other, _ := play(t, 6, 60)
	if !slices.Equal(first, again) {
		t.Error("one seed has two histories")
	}
	if slices.Equal(first, other) {
		t.Error("two seeds have one history")
	}
}

func TestEveryKindIsAccepted(t *testing.T) {
	all := map[string]int{}
	for seed := range uint64(24) {
		_, accepted := play(t, seed, 60)
		for kind, n := range accepted {
			all[kind] += n
		}
	}
	for _, kind := range world.Kinds() {
		if all[kind] == 0 && kind != "insert thousands" && kind != "delete thousands" {
			t.Errorf("no transaction of kind %q was accepted", kind)
		}
	}
}

// TestEverythingIsDrawn draws schemas until they have had all there is.
func TestEverythingIsDrawn(t *testing.T) {
	drawn := map[string]bool{}
	for seed := range uint64(300) {
		s := world.RandomSchema(source(seed, 1))
		world.DrawWritable(source(seed, 3), s, []string{"", "1", "2", "3"})
		for _, name := range s.Features() {
			if !slices.Contains(model.Features, name) {
				t.Fatalf("feature %q is not in the list", name)
			}
			drawn[name] = true
		}
	}
	for _, name := range model.Features {
		if !drawn[name] {
			t.Errorf("no schema has %q", name)
		}
	}
}

// TestRebuildKeepsTheRows rebuilds every table, with everything on it.
func TestRebuildKeepsTheRows(t *testing.T) {
	s := world.RandomSchema(source(3, 1))
	s.ForeignKeys = false
	db := build(t, s, 3)
	before := read(t, db, s)
	for _, table := range s.Tables {
		if err := world.Perform(t.Context(), model.SQLite, db, world.Tx{Statements: world.Rebuild(s, table.Name)}, nil); err != nil {
			t.Fatalf("rebuild %s: %v", table.Name, err)
		}
	}
	if after := read(t, db, s); !equal(before, after) {
		t.Error("rows were lost")
	}
}
