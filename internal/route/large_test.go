package route_test

import (
	"runtime"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/state"
)

// TestMillion commits a million rows in parts, of which one in a thousand is of
// the ten boards that are open: memory is held for those alone, once each.
func TestMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("a million rows")
	}
	const million, part = 1_000_000, 1000
	f := newForest(t, 10)
	shown := f.boards * listsOf * cardsOf * commentsOf
	before, most := heap(), uint64(0)
	for n := 0; n < million; n += part {
		c := &feed.Commit{Position: f.pos + 1, More: true}
		for i := n; i < n+part; i++ {
			c.Changes = append(c.Changes, memdb.Put(f.comments, f.comment(1e9+i, 1e9+i/2, i)))
		}
		id := n / part % shown
		c.Changes[part/2] = memdb.Put(f.comments, f.comment(id, id/commentsOf, 1))
		f.router.Stage(c)
		if n%(million/10) == 0 {
			most = max(most, heap())
		}
	}
	if kept := f.router.Stats().Kept; kept != shown {
		t.Errorf("%d changes are kept of a million, of which %d rows are shown", kept, shown)
	}
	// A million rows take hundreds of MB.
	if grown := int64(most) - int64(before); grown > 2<<20 {
		t.Errorf("memory grew by %d bytes while a million rows came", grown)
	}
	f.router.Commit(&feed.Commit{Position: f.pos + 1})
	updates := 0
	f.router.Flush(func(_ *route.Scope, p *state.Patch) { updates += len(p.Update) })
	if updates != shown {
		t.Errorf("%d rows have changed, want %d", updates, shown)
	}
}

// heap is the memory that is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
