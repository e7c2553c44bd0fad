package sqlitefeed_test

import (
	"context"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/schema"
)

// TestHints names links without an index, and those that SQL cannot compare.
func TestHints(t *testing.T) {
	db, _ := create(t,
		"CREATE TABLE cards (id INTEGER PRIMARY KEY, list_id INTEGER, board_id INTEGER, a INTEGER, b TEXT, c TEXT)",
		"CREATE INDEX by_list ON cards (list_id, c)", "CREATE INDEX by_some ON cards (board_id) WHERE board_id > 5", "CREATE INDEX by_pair ON cards (b, a)",
		"INSERT INTO cards VALUES (1, 'x', 1, 1, 'b', 'c')")
	cards := declare("cards", "id", "list_id", "board_id", "a", "b", "c")
	cards.Columns[3].Kind = schema.Int
	cards.Columns = append(cards.Columns,
		schema.Column{Name: "(a,b)", Kind: schema.Tuple, Parts: []int{3, 4}},
		schema.Column{Name: "(a,c)", Kind: schema.Tuple, Parts: []int{3, 5}},
		schema.Column{Name: "()", Kind: schema.Tuple, Parts: []int{}})
	cards.Links = []int{0, 1, 2, 6, 7, 8}
	source := sqlitefeed.New(db, quiet)
	defer source.Close()
	if _, err := source.Hints(context.Background()); err == nil {
		t.Error("Hints works before Setup")
	}
	if err := source.Setup(context.Background(), []*schema.Table{cards}); err != nil {
		t.Fatal(err)
	}
	hints, err := source.Hints(context.Background())
	want := []string{
		`column "list_id" of table "cards" has values`,
		`"cards" by "board_id" look at every row: CREATE INDEX "cards_board_id" ON "cards" ("board_id")`,
		`CREATE INDEX "cards_a_c" ON "cards" ("a", "c")`,
	}
	if err != nil || len(hints) != len(want) {
		t.Fatalf("hints %q: %v", hints, err)
	}
	for i := range want {
		if !strings.Contains(hints[i], want[i]) {
			t.Errorf("hint %q does not say %s", hints[i], want[i])
		}
	}
}
