package route

import (
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// Key names a scope: a tree, its anchor, and what its conditions read.
type Key struct {
	Tree *schema.Tree
	// Anchor is the key of the root's row; zero for a list.
	Anchor schema.Value
	// Env is the tuple of the values of Tree.Env, zero when there are none.
	Env schema.Value
	// Private is not 0 for a scope of one stream alone.
	Private uint64
}

// Of how many turns' deltas the memory is kept, and of how long ones.
const keptDeltas, keptDelta = 64, 64

// maxTombstones bounds what a scope remembers of rows that left it.
const maxTombstones = 4096

// Scope is one live tree, or the part of one that a single user is sent.
type Scope struct {
	Key
	// Owner is for whoever owns the router; the router does not look at it.
	Owner any

	// whole is the public part, which is itself one; parts are the others.
	whole *Scope
	parts map[schema.Value]*Scope
	// user is NULL for the public part.
	user schema.Value
	env  []schema.Value
	// links counts the rows and buckets that are linked into the part.
	links   int
	leaving bool

	// waits counts, in the whole, the rows, buckets and windows that are shown
	// and not known, and the judgements that have not come. While it is above
	// zero no part says anything.
	waits   int
	loading bool
	closed  bool
	// quiet tells that there is nobody to tell of changes: the part is loading,
	// closed, or nobody has opened it.
	quiet bool
	dirty bool

	// recorded notes what changes of the whole scope, nil where nobody asks.
	recorded *recording

	shape  *shape
	window *Window
	picks  *picks
	delta  []touched
	// seen indexes delta once it is long.
	seen map[touchKey]struct{}

	// changed is the version of the last patch, since the position from which
	// row versions and tombstones are complete. A private scope may speak twice
	// at one version, as not only commits change it: how much of that version one
	// has seen is then not known.
	changed, since uint64
	tombs          []tombstone
	// mute tells that the part has something to say and must wait, from which
	// version on; leaps are the ways that it was silent on, nil while there are none.
	mute  bool
	from  uint64
	leaps *Steps
}

type touchKey struct {
	row *row
	typ int
}

// touched is an instance that may have changed since the scope last spoke,
// with what it showed then and the version of that.
type touched struct {
	row     *row
	typ     *schema.Type
	base    schema.Row
	version uint64
}

type tombstone struct {
	ref     state.Ref
	version uint64
}

// Ready tells whether the whole scope is there: everything that it shows is
// known and judged.
func (s *Scope) Ready() bool { return s.whole.waits == 0 }

// Open returns the scope of a key, and whether it is new. A new scope is
// loading: it becomes ready by reads.
func (t *Router) Open(k Key) (*Scope, bool) {
	if s := t.scopes[k]; s != nil {
		return s, false
	}
	s := &Scope{Key: k, loading: true, quiet: true, shape: t.shapeOf(k.Tree), env: k.Env.Parts()}
	s.whole = s
	t.scopes[k] = s
	if root := s.shape.root; root.Relation == schema.List {
		t.openList(s)
	} else {
		t.join(root.table.row(k.Anchor), s, root)
	}
	return s, true
}

// Loaded tells whether a scope or a part that was loading has become whole; it
// answers true once. From then on it emits patches.
func (t *Router) Loaded(s *Scope) bool {
	if !s.loading || s.whole.waits > 0 || s.closed {
		return false
	}
	s.loading, s.quiet = false, false
	s.changed, s.since = t.pos, t.pos
	return true
}

// maxLeaps bounds what a part remembers of its silences.
const maxLeaps = 64

// Over tells whether the part was silent on a way that led over a version.
func (s *Scope) Over(version uint64) bool { return s.leaps != nil && s.leaps.Over(version) }

// silence notes that the part has said nothing since it stood at a version.
func (s *Scope) silence(since uint64) {
	if !s.mute {
		s.mute, s.from = true, since
	}
}

// speak ends a silence.
func (s *Scope) speak(version uint64) {
	if !s.mute {
		return
	}
	if s.leaps == nil {
		s.leaps = &Steps{}
	}
	s.leaps.Note(s.from, version, maxLeaps)
	s.mute = false
}

// Close forgets a scope with its parts, and what only it shows. The turn ends
// with Flush.
func (t *Router) Close(s *Scope) {
	if s.closed {
		return
	}
	for _, p := range s.parts {
		p.closed = true
		p.hush()
	}
	delete(t.scopes, s.Key)
	t.Unrecord(s)
	s.closed = true
	s.hush()
	root := s.shape.root
	if root.Relation != schema.List {
		t.leave(root.table.row(s.Anchor), s, root)
		return
	}
	t.closeList(s)
	if s.picks != nil {
		t.closeAdded(s)
	}
}

// hush ends what a part has to say, and what it remembers of its past.
func (s *Scope) hush() {
	s.quiet, s.loading, s.mute, s.leaps = true, false, false, nil
	s.delta, s.seen, s.tombs = nil, nil, nil
}

// touch notes what an instance shows before it changes. A part without a first
// state, or without subscribers to come, has nothing to compare with.
func (t *Router) touch(r *row, s *Scope, typ *schema.Type) {
	if s.quiet || s.touched(r, typ) {
		return
	}
	d := touched{row: r, typ: typ}
	if version, shown := s.shows(r, typ); shown {
		d.base, d.version = r.vals, version
	}
	if s.delta == nil {
		s.delta = t.blank()
	}
	s.delta = append(s.delta, d)
	if !s.dirty {
		s.dirty = true
		t.dirty = append(t.dirty, s)
	}
}

// touched tells whether an instance has been noted; the caller notes it if not.
// Most turns touch a few rows of a scope: those are looked through.
func (s *Scope) touched(r *row, typ *schema.Type) bool {
	if len(s.delta) < indexAbove {
		for i := range s.delta {
			if s.delta[i].row == r && s.delta[i].typ == typ {
				return true
			}
		}
		return false
	}
	if s.seen == nil {
		s.seen = make(map[touchKey]struct{}, 2*len(s.delta))
		for i := range s.delta {
			s.seen[touchKey{s.delta[i].row, s.delta[i].typ.ID}] = struct{}{}
		}
	}
	return !first(&s.seen, touchKey{r, typ.ID})
}

// flush turns what was touched into a patch.
func (s *Scope) flush(p *state.Patch) {
	for i := range s.delta {
		d := &s.delta[i]
		var now schema.Row
		if _, shown := s.shows(d.row, d.typ); shown {
			now = d.row.vals
		}
		ref := state.Ref{Type: d.typ, Key: d.row.key}
		switch {
		case d.base == nil && now == nil:
			continue
		case now == nil:
			p.Delete = append(p.Delete, ref)
			s.bury(ref, p.N)
			continue
		case d.base == nil:
			p.Set = append(p.Set, state.Instance{Ref: ref, Row: now})
		case state.Differs(d.typ, d.base, now):
			p.Update = append(p.Update, state.Update{Ref: ref, Old: d.base, New: now})
		default:
			// It may have left and come back, or come by another layer.
			s.stamp(d.row, d.typ, d.version)
			continue
		}
		s.stamp(d.row, d.typ, p.N)
	}
}

// blank returns memory for what a scope notes.
func (t *Router) blank() []touched {
	last := len(t.deltas) - 1
	if last < 0 {
		return make([]touched, 0, 4)
	}
	d := t.deltas[last]
	t.deltas = t.deltas[:last]
	return d
}

// forget ends what a scope has noted.
func (t *Router) forget(s *Scope) {
	d := s.delta
	s.delta, s.seen = nil, nil
	if cap(d) <= keptDelta && len(t.deltas) < keptDeltas {
		clear(d)
		t.deltas = append(t.deltas, d[:0])
	}
}

// spoke notes that a patch of a version was told.
func (s *Scope) spoke(version uint64) {
	if s.changed == version && s.Private != 0 {
		s.since = version + 1
	}
	s.changed = version
}

func (s *Scope) stamp(r *row, t *schema.Type, version uint64) {
	for _, n := range s.shape.byType[t.ID] {
		if m := s.member(r, n); m != nil {
			m.version = version
		}
	}
}

func (s *Scope) bury(ref state.Ref, version uint64) {
	if len(s.tombs) == maxTombstones {
		half := maxTombstones / 2
		s.since = s.tombs[half-1].version
		s.tombs = append(s.tombs[:0], s.tombs[half:]...)
	}
	s.tombs = append(s.tombs, tombstone{ref, version})
}

// first tells whether k was not in the set, and puts it there.
func first[K comparable](set *map[K]struct{}, k K) bool {
	if _, ok := (*set)[k]; ok {
		return false
	}
	if *set == nil {
		*set = map[K]struct{}{}
	}
	(*set)[k] = struct{}{}
	return true
}
