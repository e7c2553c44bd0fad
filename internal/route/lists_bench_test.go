//go:build unix

package route_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// newLists is a router with many lists of one table: scope is the format of
// their names, each by another number. They are opened while there is nothing
// to read, and the rows come by the feed.
func newLists(b *testing.B, scope string, lists, entries int) *forest {
	b.Helper()
	f := &forest{world: newWorld(b, 1000), boards: entries}
	for i := range lists {
		f.openScope(fmt.Sprintf(strings.ReplaceAll(scope, "N", "%[1]d"), i))
	}
	f.readAll(b)
	var changes []feed.Change
	for i := range entries {
		changes = append(changes, memdb.Put(f.table("entries"), f.entry(i, i*lists/entries)))
	}
	f.pos++
	f.router.Commit(&feed.Commit{Position: f.pos, Changes: changes})
	f.router.Flush(func(*route.Scope, *state.Patch) {})
	return f
}

// entriesOf is what one list of the benchmarks holds.
const entriesOf = 20

func (f *forest) entry(id, topic int) schema.Row {
	return row(f.table("entries"), "id", id, "title", "Hello", "topic", topic)
}

// BenchmarkLists inserts a row into one of few lists and deletes it again,
// beside few lists and beside many. Lists differ in the value of an equality,
// without and with a limit, or in a range alone.
func BenchmarkLists(b *testing.B) {
	for _, kind := range []struct {
		name, scope             string
		entries, batch, batches int
	}{
		{"lists", "entries(N)", entriesOf, batch, batches},
		{"windows", "newest(N)", entriesOf, batch, batches},
		{"ranges", "above(N)", 0, 16, 2},
		{"rangewindows", "newestabove(N)", 0, 16, 2},
	} {
		b.Run(kind.name, func(b *testing.B) {
			var sizes []*rounds
			for _, lists := range []int{10, 10_000} {
				r := &rounds{
					name: strconv.Itoa(lists), batch: kind.batch, batches: kind.batches, rand: rand.New(rand.NewPCG(1, 2)),
					forest: newLists(b, kind.scope, lists, max(10, lists*kind.entries)),
				}
				sizes = append(sizes, r)
			}
			interleave(b, sizes, listed)
		})
	}
}

// listed inserts an entry into one of ten lists, and deletes it with the next
// commit.
func listed(f *forest, r *rand.Rand, n int) *feed.Commit {
	id := f.boards + n/2
	if n%2 == 1 {
		return single(memdb.Remove(f.table("entries"), schema.IntValue(int64(id))))
	}
	return single(memdb.Put(f.table("entries"), f.entry(id, r.IntN(10))))
}
