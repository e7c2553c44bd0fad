package route_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// What one anchor of the benchmarks holds: lists of cards of comments.
const (
	listsOf    = 2
	cardsOf    = 3
	commentsOf = 2
)

// forest is a router with many live boards. Keys are numbered through, so that
// a row's parents follow from its key.
type forest struct {
	*world

	boards, written        int
	lists, cards, comments *schema.Table
	pos                    feed.Position
	emitted                int
}

func newForest(b testing.TB, boards int) *forest {
	b.Helper()
	f := &forest{world: newWorld(b, 1000), boards: boards}
	f.lists, f.cards, f.comments = f.table("lists"), f.table("cards"), f.table("comments")
	users := f.table("users")
	var changes []feed.Change
	for i := range 100 {
		changes = append(changes, memdb.Put(users, row(users, "id", i, "name", "user")))
	}
	for i := range boards {
		changes = append(changes, memdb.Put(f.table("boards"), row(f.table("boards"), "id", i, "name", "board", "owner_id", i%100)))
	}
	for i := range boards * listsOf {
		changes = append(changes, memdb.Put(f.lists, row(f.lists, "id", i, "name", "list", "board_id", i/listsOf)))
	}
	for i := range boards * listsOf * cardsOf {
		changes = append(changes, memdb.Put(f.cards, f.card(i, i/cardsOf)))
	}
	for i := range boards * listsOf * cardsOf * commentsOf {
		changes = append(changes, memdb.Put(f.comments, f.comment(i, i/commentsOf, 0)))
	}
	for _, ch := range changes {
		f.delivered[ch.Table.ID][ch.Key] = ch.New
	}
	f.pos = f.db.Commit(changes...).Position
	f.router.Advance(uint64(f.pos))
	for i := range boards {
		f.openScope(fmt.Sprintf("boards/%d", i))
	}
	f.readAll(b)
	return f
}

// readAll has every scope read.
func (f *forest) readAll(b testing.TB) {
	b.Helper()
	for {
		f.turn(func(*client, *state.Patch) {})
		if len(f.wants) == 0 {
			return
		}
		f.ask(b)
		f.merge()
	}
}

// row makes a row of pairs of column and value.
func row(t *schema.Table, pairs ...any) schema.Row {
	r := make(schema.Row, len(t.Columns))
	for i := 0; i < len(pairs); i += 2 {
		at := column(t, pairs[i].(string))
		switch v := pairs[i+1].(type) {
		case int:
			r[at] = schema.IntValue(int64(v))
		case string:
			r[at] = schema.TextValue(v)
		}
	}
	return r
}

func (f *forest) card(id, list int) schema.Row {
	return row(f.cards, "id", id, "list_id", list, "title", "Milk", "assignee_id", id%100)
}

func (f *forest) comment(id, card, n int) schema.Row {
	return row(f.comments, "id", id, "card_id", card, "author_id", id%100, "body", [2]string{"Two litres", "Three"}[n%2])
}

// commits are prepared before the clock runs: making them is the feed's work.
func (f *forest) run(b *testing.B, commits []*feed.Commit) {
	b.Helper()
	b.ReportAllocs()
	emit := func(_ *route.Scope, p *state.Patch) { f.emitted += len(p.Set) + len(p.Update) + len(p.Delete) }
	for i := 0; b.Loop(); i++ {
		c := commits[i%len(commits)]
		f.pos++
		c.Position = f.pos
		f.router.Commit(c)
		f.router.Flush(emit)
	}
	if f.emitted == 0 {
		b.Fatal("no change has reached a scope")
	}
	if wants := f.router.Wants(); wants != nil {
		b.Fatal("changes within memory want reads: ", len(wants))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}

// overAnchors compares few live boards with many, of which a few or all are
// written. What differs between the last two is the memory that is met cold.
func overAnchors(b *testing.B, commits func(*forest) []*feed.Commit) {
	for _, size := range []struct {
		name            string
		boards, written int
	}{
		{"anchors=10", 10, 10},
		{"anchors=10000", 10_000, 10},
		{"anchors=10000,written=all", 10_000, 10_000},
	} {
		b.Run(size.name, func(b *testing.B) {
			f := newForest(b, size.boards)
			f.written = size.written
			f.run(b, commits(f))
		})
	}
}

const prepared = 1 << 14

func single(ch feed.Change) *feed.Commit { return &feed.Commit{Changes: []feed.Change{ch}} }

// BenchmarkFieldChange changes a field of a row of the fourth layer, anywhere.
func BenchmarkFieldChange(b *testing.B) {
	overAnchors(b, func(f *forest) []*feed.Commit {
		var commits []*feed.Commit
		r := rand.New(rand.NewPCG(1, 2))
		turn := map[int]int{}
		for range prepared {
			id := r.IntN(f.written * listsOf * cardsOf * commentsOf)
			turn[id]++
			commits = append(commits, single(memdb.Put(f.comments, f.comment(id, id/commentsOf, turn[id]))))
		}
		return commits
	})
}

// BenchmarkMove moves a card with its comments between the two lists of its
// board, there and back.
func BenchmarkMove(b *testing.B) {
	overAnchors(b, func(f *forest) []*feed.Commit {
		return f.moves(func(list int) int { return list ^ 1 })
	})
}

// BenchmarkMoveBetweenAnchors moves a card with its comments to the next board,
// and back.
func BenchmarkMoveBetweenAnchors(b *testing.B) {
	overAnchors(b, func(f *forest) []*feed.Commit {
		return f.moves(func(list int) int { return (list + listsOf) % (f.written * listsOf) })
	})
}

// moves brings cards from their list to another one, and back.
func (f *forest) moves(to func(list int) int) []*feed.Commit {
	var commits []*feed.Commit
	r := rand.New(rand.NewPCG(3, 4))
	for range prepared / 2 {
		id := r.IntN(f.written * listsOf * cardsOf)
		home := id / cardsOf
		commits = append(commits, single(memdb.Put(f.cards, f.card(id, to(home)))), single(memdb.Put(f.cards, f.card(id, home))))
	}
	return commits
}

// BenchmarkInsertLeaf inserts a comment and deletes it again.
func BenchmarkInsertLeaf(b *testing.B) {
	overAnchors(b, func(f *forest) []*feed.Commit {
		var commits []*feed.Commit
		r := rand.New(rand.NewPCG(5, 6))
		count := f.boards * listsOf * cardsOf
		for i := range prepared / 2 {
			id := count*commentsOf + i
			commits = append(commits, single(memdb.Put(f.comments, f.comment(id, r.IntN(f.written*listsOf*cardsOf), 0))), single(memdb.Remove(f.comments, schema.IntValue(int64(id)))))
		}
		return commits
	})
}

// BenchmarkElsewhere changes rows that no scope shows.
func BenchmarkElsewhere(b *testing.B) {
	f := newForest(b, 10)
	f.emitted = 1
	var commits []*feed.Commit
	for i := range prepared {
		commits = append(commits, single(memdb.Put(f.comments, f.comment(1e9+i, 1e9, i))))
	}
	f.run(b, commits)
}
