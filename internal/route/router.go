package route

import (
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// Router is the live rows of a source and the scopes that show them. It is
// used by one goroutine at a time.
type Router struct {
	tables []*table
	scopes map[Key]*Scope
	trees  map[*schema.Tree]layersByType
	pos    uint64

	// What the current turn has touched.
	dirty   []*Scope
	orphans []*row
	net     map[netKey]int
	patch   state.Patch

	// What is not known yet and nobody has been asked for.
	wantRows    []wantedRow
	wantBuckets []*bucket

	kept   history
	reads  int
	merge  *merge
	staged []feed.Change
}

type wantedRow struct {
	row   *row
	layer *schema.Layer
}

type netKey struct {
	table int
	key   schema.Value
}

// New returns a router over the registry's tables. All trees must have been
// added to the registry; keep is the number of changes that reads in flight
// may hold back before their answers are thrown away and asked for again.
func New(reg *schema.Registry, keep int) *Router {
	t := &Router{
		scopes: map[Key]*Scope{},
		trees:  map[*schema.Tree]layersByType{},
		net:    map[netKey]int{},
		kept:   history{limit: keep},
	}
	for _, def := range reg.Tables {
		tab := &table{def: def, rows: map[schema.Value]*row{}}
		for i, c := range def.Links {
			tab.links = append(tab.links, &link{table: tab, index: i, column: c, buckets: map[schema.Value]*bucket{}})
		}
		t.tables = append(t.tables, tab)
	}
	return t
}

// Position is the position of the feed that the router has reached.
func (t *Router) Position() uint64 { return t.pos }

// Advance moves the position on without changes.
func (t *Router) Advance(pos uint64) { t.pos = pos }

// Stage takes one part of a large commit, which ends with a call of Commit.
// Nothing of it shows before.
func (t *Router) Stage(c *feed.Commit) { t.staged = append(t.staged, c.Changes...) }

// Commit applies a commit, with what was staged of it. What it means for the
// scopes is told by Flush.
func (t *Router) Commit(c *feed.Commit) {
	t.pos = uint64(c.Position)
	if t.staged != nil {
		whole := *c
		whole.Changes = append(t.staged, c.Changes...)
		c, t.staged = &whole, nil
	}
	if t.reads > 0 {
		t.kept.add(c)
	}
	if len(c.Changes) == 1 {
		t.apply(&c.Changes[0])
		return
	}
	// Only the last state of a row counts: a row that is moved away and back
	// must not lose what is known below it on the way.
	clear(t.net)
	for i := range c.Changes {
		t.net[netKey{c.Changes[i].Table.ID, c.Changes[i].Key}] = i
	}
	for i := range c.Changes {
		if t.net[netKey{c.Changes[i].Table.ID, c.Changes[i].Key}] == i {
			t.apply(&c.Changes[i])
		}
	}
}

func (t *Router) apply(c *feed.Change) {
	tab := t.tables[c.Table.ID]
	r := tab.rows[c.Key]
	switch {
	case r == nil:
		if c.New == nil || !tab.shows(c.New) {
			return
		}
		r = tab.row(c.Key)
		r.known = true
		t.change(r, c.New)
	case !r.known:
		t.learn(r, c.New)
	default:
		t.change(r, c.New)
	}
}

// shows tells whether a row that is not in memory belongs to a bucket that
// some scope shows.
func (t *table) shows(vals schema.Row) bool {
	for _, l := range t.links {
		if b := l.buckets[vals[l.column]]; b != nil && b.bound.len() > 0 {
			return true
		}
	}
	return false
}

// Flush ends a turn: it calls emit for every scope that is whole and has
// changed, in no order. The patch belongs to the router and holds until emit
// returns. Scopes that wait for a read keep what they have to say.
func (t *Router) Flush(emit func(*Scope, *state.Patch)) {
	held := t.dirty[:0]
	for _, s := range t.dirty {
		switch {
		case s.closed:
		case s.waits > 0:
			held = append(held, s)
		default:
			s.dirty = false
			t.patch.Reset(t.pos)
			s.flush(&t.patch)
			if !t.patch.Empty() {
				s.changed = t.pos
				emit(s, &t.patch)
			}
		}
	}
	clear(t.dirty[len(held):])
	t.dirty = held
	t.sweep()
}

// sweep forgets the rows that no scope is linked to any more.
func (t *Router) sweep() {
	for _, r := range t.orphans {
		r.orphan = false
		if r.members.len() > 0 {
			continue
		}
		for _, l := range r.table.links {
			if r.vals != nil {
				t.unindex(r, l, r.vals[l.column])
			}
		}
		r.vals = nil
		delete(r.table.rows, r.key)
	}
	clear(t.orphans)
	t.orphans = t.orphans[:0]
}

// Stats are the sizes of what the router holds.
type Stats struct {
	Scopes, Rows, Buckets, Kept int
}

// Stats counts what is in memory.
func (t *Router) Stats() Stats {
	s := Stats{Scopes: len(t.scopes), Kept: t.kept.changes}
	for _, tab := range t.tables {
		s.Rows += len(tab.rows)
		for _, l := range tab.links {
			s.Buckets += len(l.buckets)
		}
	}
	return s
}

// history is the commits since the oldest read in flight began, up to a
// limit of changes.
type history struct {
	commits []*feed.Commit
	changes int
	limit   int
	// lost is the position of the newest commit that did not fit.
	lost uint64
}

func (h *history) add(c *feed.Commit) {
	h.commits = append(h.commits, c)
	h.changes += len(c.Changes)
	n := 0
	for h.changes > h.limit {
		h.lost = uint64(h.commits[n].Position)
		h.changes -= len(h.commits[n].Changes)
		n++
	}
	h.commits = slices.Delete(h.commits, 0, n)
}

func (h *history) clear() {
	clear(h.commits)
	h.commits, h.changes = h.commits[:0], 0
}
