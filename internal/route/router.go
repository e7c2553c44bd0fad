package route

import (
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// Router is the live rows of a source and the scopes that show them. It is
// used by one goroutine at a time.
type Router struct {
	tables []*table
	scopes map[Key]*Scope
	shapes map[*schema.Tree]*shape
	pos    uint64
	said   uint64 // the position of the last Flush

	// What the current turn has touched.
	dirty []*Scope
	// deltas is memory for the notes of scopes: what a turn uses has just been
	// used by the one before.
	deltas  [][]touched
	orphans []*row
	stales  []*row
	windows []*Window
	judged  []*Scope
	parts   []*Scope
	net     map[netKey]int
	// changes are those of the commit that is being applied, of which net has the
	// last ones and applied is the present one; nil outside of commits of several.
	changes []feed.Change
	applied int
	patch   state.Patch

	// What is not known yet and nobody has been asked for.
	wantRows    []wantedRow
	wantBuckets []wantedBucket
	wantWindows []*Window
	asks        []Ask
	// via is the bucket that is being read, through which rows come by the feed:
	// the read brings what stands below them.
	via *bucket

	kept   history
	reads  int
	merge  *merge
	staged staged
	// noted counts the rows that recorded scopes have noted.
	noted int
}

// New returns a router over the registry's tables. All trees must have been
// added to the registry; keep is the number of changes that reads in flight
// may hold back before their answers are thrown away and asked for again.
func New(reg *schema.Registry, keep int) *Router {
	t := &Router{
		scopes: map[Key]*Scope{},
		shapes: map[*schema.Tree]*shape{},
		net:    map[netKey]int{},
		kept:   history{limit: keep},
	}
	for _, def := range reg.Tables {
		tab := &table{def: def, rows: newLookup[row]()}
		for i, c := range def.Links {
			tab.tell(c)
			tab.links = append(tab.links, &link{table: tab, index: i, column: c, buckets: newLookup[bucket]()})
		}
		t.tables = append(t.tables, tab)
	}
	t.readAggregates()
	return t
}

// Position is the position of the feed that the router has reached.
func (t *Router) Position() uint64 { return t.pos }

// Advance moves the position on without changes.
func (t *Router) Advance(pos uint64) { t.pos = pos }

// Flush ends a turn: it calls emit for every part of a scope that is whole and
// has changed, in no order. The patch belongs to the router and holds until
// emit returns. Scopes that wait for a read or for a judgement keep what they
// have to say.
func (t *Router) Flush(emit func(*Scope, *state.Patch)) {
	t.settle()
	t.aggregate()
	held := t.dirty[:0]
	for _, s := range t.dirty {
		switch {
		case s.quiet:
			s.dirty = false
		case s.whole.waits > 0:
			held = append(held, s)
			s.silence(t.said)
		default:
			s.dirty = false
			s.speak(t.pos)
			t.patch.Reset(t.pos)
			s.flush(&t.patch)
			t.forget(s)
			if !t.patch.Empty() {
				s.spoke(t.pos)
				emit(s, &t.patch)
			}
		}
	}
	clear(t.dirty[len(held):])
	t.dirty = held
	t.said = t.pos
	t.sweep()
	t.sweepParts()
}

// sweep forgets the rows that no scope is linked to any more.
func (t *Router) sweep() {
	for _, r := range t.orphans {
		r.orphan = false
		if r.used() {
			continue
		}
		for _, l := range r.table.links {
			if r.vals != nil {
				t.unindex(r, l, r.vals[l.column])
			}
		}
		r.vals = nil
		r.table.rows.delete(r.key)
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
	s := Stats{Scopes: len(t.scopes), Kept: t.kept.changes + len(t.staged.changes)}
	for _, tab := range t.tables {
		s.Rows += tab.rows.len()
		for _, l := range tab.links {
			s.Buckets += l.buckets.len()
		}
	}
	return s
}
