package route_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/state"
)

// TestPopular links one user into many boards, by several layers of each, and
// takes them away again in any order.
func TestPopular(t *testing.T) {
	f := newForest(t, 20)
	boards, r := f.table("boards"), rand.New(rand.NewPCG(7, 8))
	for n := range 2000 {
		id := r.IntN(f.boards * listsOf * cardsOf)
		change := memdb.Put(f.cards, row(f.cards, "id", id, "list_id", id/cardsOf, "title", "Milk", "assignee_id", r.IntN(2)))
		if n%3 == 0 {
			id %= f.boards
			change = memdb.Put(boards, row(boards, "id", id, "name", "board", "owner_id", r.IntN(2)))
		}
		f.write(change)
		f.deliver()
		f.turn(func(*client, *state.Patch) {})
		if n%40 == 0 {
			f.check(t)
		}
	}
	f.check(t)
	for i := range f.boards {
		f.closeScope(fmt.Sprintf("boards/%d", i))
	}
	f.turn(func(*client, *state.Patch) {})
	if s := f.router.Stats(); s.Rows+s.Buckets > 0 {
		t.Errorf("after all scopes were closed there is %+v", s)
	}
}
