package memdb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/schema"
)

// words is a table with an integer key.
var words = &schema.Table{Name: "words", Columns: []schema.Column{
	{Name: "id", Kind: schema.Int}, {Name: "word", Kind: schema.Text}, {Name: "note", Kind: schema.Text, Nullable: true},
}}

func begin(ctx context.Context, t *testing.T, db *memdb.DB) feed.Tx {
	t.Helper()
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func setWord(word string) []feed.Assignment {
	return []feed.Assignment{{Column: 1, Value: schema.TextValue(word)}}
}

// TestTransaction writes in one commit, sees what it wrote, and meets
// constraints.
func TestTransaction(t *testing.T) {
	ctx := t.Context()
	db := memdb.New(&schema.Registry{Tables: []*schema.Table{words}})
	tx := begin(ctx, t, db)
	first, err := tx.Insert(ctx, words, setWord("a"))
	if err != nil || first != schema.IntValue(1) {
		t.Fatalf("inserted under %s: %v", first, err)
	}
	second, err := tx.Insert(ctx, words, setWord("b"))
	if err != nil || second == first {
		t.Fatalf("inserted under %s: %v", second, err)
	}
	if err := errors.Join(tx.Update(ctx, words, first, setWord("c")), tx.Delete(ctx, words, second), tx.Update(ctx, words, second, setWord("d"))); err != nil {
		t.Fatal(err)
	}
	var seen []string
	err = tx.Rows(ctx, feed.Query{Table: words, Values: []schema.Value{first, second}}, feed.Exclusive, func(row schema.Row) error {
		seen = append(seen, row[1].Str())
		return nil
	})
	if err != nil || len(seen) != 1 || seen[0] != "c" {
		t.Errorf("the transaction sees %q: %v", seen, err)
	}
	_, err = tx.Insert(ctx, words, nil)
	if met, ok := errors.AsType[*feed.ConstraintError](err); !ok || met.Constraint != feed.NotNull || met.Column != 1 {
		t.Errorf("a row without a word: %v", err)
	}
	_, err = tx.Insert(ctx, words, append(setWord("e"), feed.Assignment{Column: 0, Value: first}))
	if met, ok := errors.AsType[*feed.ConstraintError](err); !ok || met.Constraint != feed.Unique || met.Column != 0 {
		t.Errorf("a second row of one key: %v", err)
	}
	if db.Row(words, first) != nil {
		t.Error("what is not committed is there")
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if row := db.Row(words, first); row == nil || row[1] != schema.TextValue("c") || len(db.Pending()) != 1 {
		t.Errorf("committed is %v", row)
	}
}

// TestClaims applies a request once, and forgets those that were taken back.
func TestClaims(t *testing.T) {
	ctx := t.Context()
	db := memdb.New(&schema.Registry{Tables: []*schema.Table{words}})
	claim := feed.Claim{Owner: "ann", Key: "k", Print: "p"}
	for _, end := range []func(feed.Tx) error{feed.Tx.Rollback, feed.Tx.Commit} {
		tx := begin(ctx, t, db)
		if _, done, err := tx.Claim(ctx, claim); done || err != nil {
			t.Fatalf("a new claim: %t %v", done, err)
		}
		if err := errors.Join(tx.Reply(ctx, []byte("reply")), end(tx)); err != nil {
			t.Fatal(err)
		}
	}
	tx := begin(ctx, t, db)
	if reply, done, err := tx.Claim(ctx, claim); !done || string(reply) != "reply" || err != nil {
		t.Errorf("the claim again: %t %q %v", done, reply, err)
	}
	claim.Print = "q"
	if _, _, err := tx.Claim(ctx, claim); !errors.Is(err, feed.ErrOtherRequest) {
		t.Errorf("another request: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
}

// TestTransactionEnds takes turns, and rolls back with its context.
func TestTransactionEnds(t *testing.T) {
	db := memdb.New(&schema.Registry{Tables: []*schema.Table{words}})
	ctx, cancel := context.WithCancel(t.Context())
	tx := begin(ctx, t, db)
	if _, err := tx.Insert(ctx, words, setWord("a")); err != nil {
		t.Fatal(err)
	}
	cancel()
	next := begin(t.Context(), t, db) // waits for the first
	if err := tx.Commit(); !errors.Is(err, feed.ErrRolledBack) || !errors.Is(err, context.Canceled) {
		t.Errorf("Commit after the context ended: %v", err)
	}
	if err := tx.Delete(t.Context(), words, schema.IntValue(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete after the context ended: %v", err)
	}
	if _, err := db.Begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin after the context ended: %v", err)
	}
	if err := errors.Join(next.Commit(), next.Rollback()); err != nil || db.Row(words, schema.IntValue(1)) != nil {
		t.Errorf("after a rollback: %v", err)
	}
}
