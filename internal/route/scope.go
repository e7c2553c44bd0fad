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

// keptDelta is how many notes a scope keeps the memory for between turns.
const keptDelta = 64

// maxTombstones bounds what a scope remembers of rows that left it.
const maxTombstones = 4096

// Scope is one live tree.
type Scope struct {
	Key
	// Owner is for whoever owns the router; the router does not look at it.
	Owner any

	// waits counts the rows and buckets that are shown and not known. While it
	// is above zero the scope says nothing.
	waits   int
	loading bool
	closed  bool
	dirty   bool

	// whole is the public part, nil for itself; parts are the others by user.
	whole *Scope
	user  schema.Value
	parts map[schema.Value]*Scope

	layers layersByType
	delta  []touched
	// seen indexes delta once it is long.
	seen map[touchKey]struct{}

	// changed is the version of the last patch, since the position from which
	// row versions and tombstones are complete.
	changed, since uint64
	tombs          []tombstone
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

// Ready tells whether the scope is whole: everything that it shows is known.
func (s *Scope) Ready() bool {
	if s.whole != nil {
		return s.whole.Ready()
	}
	return s.waits == 0
}

// layersByType are the layers of a tree that show each type, by the type's ID.
// The scopes of a tree share them.
type layersByType [][]*schema.Layer

func (s *Scope) layersOf(t *schema.Type) []*schema.Layer { return s.layers[t.ID] }

// layersOf groups a tree's layers by type.
func (t *Router) layersOf(tree *schema.Tree) layersByType {
	by := t.trees[tree]
	if by != nil {
		return by
	}
	for _, l := range tree.Layers {
		for len(by) <= l.Type.ID {
			by = append(by, nil)
		}
		by[l.Type.ID] = append(by[l.Type.ID], l)
	}
	t.trees[tree] = by
	return by
}

// Open returns the scope of a key, and whether it is new. A new scope is
// loading: it becomes ready by reads.
func (t *Router) Open(k Key) (*Scope, bool) {
	if s := t.scopes[k]; s != nil {
		return s, false
	}
	s := &Scope{Key: k, loading: true, layers: t.layersOf(k.Tree)}
	t.scopes[k] = s
	t.join(t.tables[k.Tree.Root.Type.Table.ID].row(k.Anchor), s, k.Tree.Root)
	return s, true
}

// Loaded tells whether a scope that was loading has become whole; it answers
// true once. From then on the scope emits patches.
func (t *Router) Loaded(s *Scope) bool {
	if !s.loading || !s.Ready() || s.closed {
		return false
	}
	s.loading = false
	s.changed, s.since = t.pos, t.pos
	return true
}

// Close forgets a scope and what only it shows. The turn ends with Flush.
func (t *Router) Close(s *Scope) {
	if s.closed {
		return
	}
	s.closed = true
	delete(t.scopes, s.Key)
	t.leave(t.tables[s.Tree.Root.Type.Table.ID].row(s.Anchor), s, s.Tree.Root)
	s.delta, s.seen, s.tombs = nil, nil, nil
}

// touch notes what an instance shows before it changes. A scope without a
// first state, or without subscribers to come, has nothing to compare with.
func (t *Router) touch(r *row, s *Scope, typ *schema.Type) {
	if s.loading || s.closed {
		return
	}
	if s.touched(r, typ) {
		return
	}
	d := touched{row: r, typ: typ}
	if r.visible(s, typ) {
		d.base, d.version = r.vals, s.versionOf(r, typ)
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
		if d.row.visible(s, d.typ) {
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
	clear(s.delta)
	s.delta, s.seen = s.delta[:0], nil
	if cap(s.delta) > keptDelta {
		s.delta = nil
	}
}

func (s *Scope) stamp(r *row, t *schema.Type, version uint64) {
	for _, l := range s.layersOf(t) {
		if m := r.members.get(s, l); m != nil {
			m.version = version
		}
	}
}

// versionOf is the version of the last patch that told of an instance.
func (s *Scope) versionOf(r *row, t *schema.Type) uint64 {
	var version uint64
	for _, l := range s.layersOf(t) {
		if m := r.members.get(s, l); m != nil {
			version = max(version, m.version)
		}
	}
	return version
}

func (s *Scope) bury(ref state.Ref, version uint64) {
	if len(s.tombs) == maxTombstones {
		half := maxTombstones / 2
		s.since = s.tombs[half-1].version
		s.tombs = append(s.tombs[:0], s.tombs[half:]...)
	}
	s.tombs = append(s.tombs, tombstone{ref, version})
}

// Snapshot puts the scope's whole state into p, the anchor first and parents
// before children. The scope must be ready.
func (t *Router) Snapshot(s *Scope, p *state.Patch) {
	p.Reset(t.pos)
	t.walk(s, func(r *row, typ *schema.Type) {
		p.Set = append(p.Set, state.Instance{Ref: state.Ref{Type: typ, Key: r.key}, Row: r.vals})
	})
}

// Since puts what changed after version into p, as whole rows and deletions,
// and tells whether that is known. The scope must be ready.
func (t *Router) Since(s *Scope, version uint64, p *state.Patch) bool {
	if version < s.since || version > t.pos {
		return false
	}
	p.Reset(t.pos)
	if version >= s.changed {
		return true
	}
	for i := len(s.tombs) - 1; i >= 0 && s.tombs[i].version > version; i-- {
		p.Delete = append(p.Delete, s.tombs[i].ref)
	}
	t.walk(s, func(r *row, typ *schema.Type) {
		for _, l := range s.layersOf(typ) {
			if m := r.members.get(s, l); m != nil && m.version > version {
				p.Set = append(p.Set, state.Instance{Ref: state.Ref{Type: typ, Key: r.key}, Row: r.vals})
				return
			}
		}
	})
	return true
}

// walk visits every instance that a ready scope shows, once, layer by layer.
func (t *Router) walk(s *Scope, visit func(*row, *schema.Type)) {
	w := walker{scope: s, visit: visit, at: make([][]*row, len(s.Tree.Layers))}
	w.show(s.Tree.Root, t.tables[s.Tree.Root.Type.Table.ID].rows[s.Anchor])
	for _, l := range s.Tree.Layers[1:] {
		rows := t.tables[l.Type.Table.ID].rows
		for _, parent := range w.at[l.Parent.Index] {
			if l.Relation.Forward() {
				w.show(l, rows[parent.vals[l.Link]])
				continue
			}
			if b := t.linkOf(l).buckets[parent.key]; b != nil {
				for _, r := range b.rows {
					w.show(l, r)
				}
			}
		}
	}
}

// walker remembers the rows that it has met where more than one way may lead
// to them: targets of links, and types of several layers.
type walker struct {
	scope  *Scope
	visit  func(*row, *schema.Type)
	at     [][]*row
	inside map[memberOf]struct{}
	shown  map[touchKey]struct{}
}

type memberOf struct {
	row   *row
	layer *schema.Layer
}

func (w *walker) show(l *schema.Layer, r *row) {
	if r == nil || r.vals == nil {
		return
	}
	if l.Relation.Forward() && !first(&w.inside, memberOf{r, l}) {
		return
	}
	w.at[l.Index] = append(w.at[l.Index], r)
	if len(w.scope.layersOf(l.Type)) > 1 && !first(&w.shown, touchKey{r, l.Type.ID}) {
		return
	}
	w.visit(r, l.Type)
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
