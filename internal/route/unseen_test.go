package route_test

import (
	"slices"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/snapshot"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// renamed is a commit of a user's name, by a transaction that reads do not see.
func (w *world) renamed(position feed.Position, name string) *feed.Commit {
	users := w.table("users")
	return &feed.Commit{
		Position: position, Transaction: uint64(position),
		Changes: []feed.Change{memdb.Put(users, users.Complete(row(users, "id", 1, "name", name)))},
	}
}

// readBlind reads what is wanted with a state that no named transaction is part
// of.
func (w *world) readBlind(t *testing.T, before ...*feed.Commit) {
	t.Helper()
	read, err := snapshot.Read(t.Context(), w.db, w.wants[0])
	if err != nil {
		t.Fatal(err)
	}
	w.wants = w.wants[1:]
	saw := read.Saw
	read.Saw = func(c *feed.Commit) bool { return c.Transaction == 0 && saw(c) }
	read.Before = before
	w.reads = append(w.reads, read)
}

func ignore(*client, *state.Patch) {}

// TestReadThatMissesWhatWasDelivered has a read not see commits that came before
// it was wanted, and others that came meanwhile.
func TestReadThatMissesWhatWasDelivered(t *testing.T) {
	w := newWorld(t, 1000)
	users := w.table("users")
	w.write(memdb.Put(users, users.Complete(row(users, "id", 1, "name", "old"))))
	w.deliver()
	one, two, three := w.renamed(10, "one"), w.renamed(11, "two"), w.renamed(12, "three")
	for _, c := range []*feed.Commit{one, two} {
		w.router.Commit(c)
	}
	w.openScope("people/1")
	w.turn(ignore)
	w.readBlind(t, one, two)
	w.router.Merge(w.reads[0])
	w.turn(ignore)
	w.wantUser(t, "two")
	w.router.Commit(three)
	w.turn(ignore)
	w.wantUser(t, "three")
}

// TestLostWhatReadsMayNotSee makes a read again when a commit was lost meanwhile
// whose position does not tell whether the read saw it.
func TestLostWhatReadsMayNotSee(t *testing.T) {
	w := newWorld(t, 1)
	users := w.table("users")
	w.write(memdb.Put(users, users.Complete(row(users, "id", 1, "name", "old"))))
	w.deliver()
	w.openScope("people/1")
	w.turn(ignore)
	for position := range feed.Position(3) {
		w.router.Commit(w.renamed(2+position, "new"))
	}
	w.readBlind(t)
	w.reads[0].Position = 100 // as if it had seen all, by its position
	w.router.Advance(100)
	if w.router.Merge(w.reads[0]) {
		t.Error("the read was used")
	}
}

func (w *world) wantUser(t *testing.T, want string) {
	t.Helper()
	c := w.open["people/1"]
	if !c.ready {
		t.Fatal("the scope is not ready")
	}
	typ := c.scope.Tree.Root.Type
	got := c.store.Get(state.Ref{Type: typ, Key: schema.IntValue(1)})
	if got == nil || got[column(typ.Table, "name")] != schema.TextValue(want) {
		t.Errorf("the user is %v, want the name %s", got, want)
	}
}

// TestKeyOfAnother has a row take over the key of one that is gone, of which the
// source does not carry what the change of key left as it was: that is not what the
// other row had.
func TestKeyOfAnother(t *testing.T) {
	w := newWorld(t, 1000)
	users := w.table("users")
	put := func(id int, name string) feed.Change {
		return memdb.Put(users, users.Complete(row(users, "id", id, "name", name)))
	}
	w.write(put(1, "old"), put(2, "other"))
	w.deliver()
	w.openScope("people/1")
	w.turn(ignore)
	w.readBlind(t)
	w.router.Merge(w.reads[0])
	w.reads = nil
	w.turn(ignore)
	w.wantUser(t, "old")

	gone := func(id int) feed.Change {
		c := memdb.Remove(users, schema.IntValue(int64(id)))
		c.Old, c.Blind = nil, true
		return c
	}
	w.write(gone(1), gone(2), put(1, "other"))
	c := w.queue[0]
	last, name := &c.Changes[2], column(users, "name")
	last.New = slices.Clone(last.New)
	last.Old, last.Blind, last.New[name], last.Missing = nil, false, schema.Value{}, []int{name}
	w.router.Commit(c)
	w.turn(ignore)
	if len(w.wants) == 0 {
		t.Fatal("the row is not read")
	}
	w.readBlind(t)
	w.router.Merge(w.reads[0])
	w.turn(ignore)
	w.wantUser(t, "other")
}
