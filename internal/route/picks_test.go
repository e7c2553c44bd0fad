package route_test

import (
	"testing"

	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/schema"
)

func (w *world) add(c *client, key schema.Value) {
	delete(c.list.removed, key)
	c.list.added[key] = true
	w.router.Add(c.scope, key)
}

func (w *world) remove(c *client, key schema.Value) {
	delete(c.list.added, key)
	c.list.removed[key] = true
	w.router.Remove(c.scope, key)
}

func (w *world) clear(c *client) {
	c.list.added, c.list.removed, c.list.cleared = map[schema.Value]bool{}, map[schema.Value]bool{}, true
	w.router.Clear(c.scope)
}

// recheck has all rows of a list judged, by which some are hidden.
func (w *world) recheck(c *client, hidden ...schema.Value) {
	c.list.judged, c.list.hidden = true, map[schema.Value]bool{}
	for _, key := range hidden {
		c.list.hidden[key] = true
	}
	w.router.Ask(c.scope)
}

// TestTakenOutBeyondTheLimit takes a row out of a limited list that is held to
// follow those that are shown: nothing is left of it.
func TestTakenOutBeyondTheLimit(t *testing.T) {
	w := newWorld(t, 1000)
	jobs := w.table("jobs")
	for key := range 9 {
		w.write(memdb.Put(jobs, jobs.Complete(row(jobs, "id", key+1, "title", "a", "state", "a", "rank", key))))
	}
	for len(w.queue) > 0 {
		w.deliver()
	}
	w.openScope("first#1")
	w.settleReads(t)
	for key := range int64(9) {
		w.remove(w.open["first#1"], schema.IntValue(key+1))
	}
	w.settleReads(t)
	w.closeScope("first#1")
	w.settleReads(t)
	if s := w.router.Stats(); s.Scopes+s.Rows+s.Buckets+s.Kept > 0 {
		t.Errorf("nothing is open, and in memory is %+v", s)
	}
}
