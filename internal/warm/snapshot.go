package warm

import (
	"context"
	"errors"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
)

// layerKey is a row by which a layer's rows are found: one of a layer above, or
// for the first layer the value that its rows have.
type layerKey struct {
	layer *schema.Layer
	value schema.Value
}

// statement is what an entry says of a row, and is still of use: the row was so
// at a position, and all changes since then are recent.
type statement struct {
	table *schema.Table
	key   schema.Value
	row   schema.Row
	at    uint64
}

// Snapshot is what entries say, brought up to date by what the feed has told
// since: a feed.Snapshot of what it covers. It is used by one goroutine.
type Snapshot struct {
	recent *recent
	epoch  string
	pos    uint64
	// least is the smallest position that an entry was written through.
	least      uint64
	statements map[rowKey]statement
	// covered are the values by which all rows of a layer are known: by is for
	// those below the layer, roots for the first one.
	covered, roots map[layerKey]struct{}
	// indexed are the statements by the values of a column, made when asked for.
	indexed map[[2]int]map[schema.Value][]rowKey
}

var _ feed.Snapshot = (*Snapshot)(nil)

// errPartial is returned for a row of which not all is known.
var errPartial = errors.New("the cache and the feed do not tell all of a row")

func newSnapshot(r *recent, epoch string) *Snapshot {
	_, pos := r.span()
	return &Snapshot{
		recent: r, epoch: epoch, pos: pos, least: pos,
		statements: map[rowKey]statement{}, covered: map[layerKey]struct{}{}, roots: map[layerKey]struct{}{},
		indexed: map[[2]int]map[schema.Value][]rowKey{},
	}
}

// add takes in an entry.
func (s *Snapshot) add(l *loaded) {
	s.least = min(s.least, l.through)
	for i := range l.rows {
		h := &l.rows[i]
		// What left the scope before is not written any more.
		if !h.Member && h.At <= l.through {
			continue
		}
		k := rowKey{h.Table.ID, h.Key}
		if old, ok := s.statements[k]; !ok || old.at < h.At {
			s.statements[k] = statement{h.Table, h.Key, h.Row, h.At}
		}
		if l.since[i] > l.through {
			continue
		}
		for _, layer := range h.Open {
			s.covered[layerKey{l.tree.Layers[layer], h.Key}] = struct{}{}
		}
	}
	for _, v := range l.roots {
		s.roots[layerKey{l.tree.Root, v}] = struct{}{}
	}
}

// Epoch implements feed.Snapshot.
func (s *Snapshot) Epoch() string { return s.epoch }

// Position implements feed.Snapshot.
func (s *Snapshot) Position() feed.Position { return feed.Position(s.pos) }

// Saw implements feed.Snapshot. Rows may be newer: the commits that made them so
// are told again.
func (s *Snapshot) Saw(c *feed.Commit) bool { return uint64(c.Position) <= s.pos }

// Close implements feed.Snapshot.
func (*Snapshot) Close() error { return nil }

// Snapshot makes the snapshot its own opener.
func (s *Snapshot) Snapshot(context.Context) (feed.Snapshot, error) { return s, nil }

// Holds tells whether all is still known that the snapshot needed: what the feed
// has told is forgotten in time.
func (s *Snapshot) Holds() bool {
	from, _ := s.recent.span()
	return from <= s.least
}

// Covered returns those of the values of which it knows all rows of a layer.
func (s *Snapshot) Covered(l *schema.Layer, column int, values []schema.Value) []schema.Value {
	if column != route.ReadColumn(l) {
		return nil
	}
	var known []schema.Value
	for _, v := range values {
		if s.covers(l, v) {
			known = append(known, v)
		}
	}
	return known
}

func (s *Snapshot) covers(l *schema.Layer, v schema.Value) bool {
	switch {
	case l.Parent == nil:
		_, ok := s.roots[layerKey{l, v}]
		return ok
	case l.Relation.Forward():
		k := rowKey{l.Type.Table.ID, v}
		if _, ok := s.statements[k]; ok {
			return true
		}
		c := s.recent.get(k)
		return c != nil && len(c.missing) == 0
	default:
		_, ok := s.covered[layerKey{l.Parent, v}]
		return ok
	}
}

// Rows implements feed.Snapshot for values that are covered.
func (s *Snapshot) Rows(_ context.Context, q feed.Query, fn func(schema.Row) error) error {
	if q.Limit > 0 || q.After != nil {
		return errors.New("the cache is asked for a part of a list")
	}
	give := func(row schema.Row) error {
		if row == nil || !q.Meets(row) {
			return nil
		}
		return fn(row)
	}
	if q.Column == q.Table.Key {
		for _, v := range q.Values {
			row, err := s.row(rowKey{q.Table.ID, v})
			if err == nil {
				err = give(row)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, v := range q.Values {
		if err := s.bucket(bucketKey{q.Table.ID, q.Column, v}, give); err != nil {
			return err
		}
	}
	return nil
}

// row is a row's present state.
func (s *Snapshot) row(k rowKey) (schema.Row, error) {
	st, stated := s.statements[k]
	c := s.recent.get(k)
	if c == nil || stated && st.at > c.pos {
		return st.row, nil
	}
	return s.present(c)
}

// present is the state of a row that has changed.
func (s *Snapshot) present(c *change) (schema.Row, error) {
	if len(c.missing) == 0 {
		return c.row, nil
	}
	st, ok := s.statements[rowKey{c.table.ID, c.key}]
	if !ok || st.row == nil {
		return nil, errPartial
	}
	whole := *c
	whole.fill(st.row, nil)
	return whole.row, nil
}

// bucket gives the rows that have a value in a link column.
func (s *Snapshot) bucket(b bucketKey, give func(schema.Row) error) error {
	// The feed may go on meanwhile: what it tells of a row twice, or not at all, is
	// told again to whoever takes in the read.
	changed := s.recent.bucket(b)
	for _, k := range s.index(b.table, b.column)[b.value] {
		st := s.statements[k]
		if c := s.recent.get(k); c != nil && c.pos >= st.at {
			continue
		}
		if err := give(st.row); err != nil {
			return err
		}
	}
	for _, c := range changed {
		if st, ok := s.statements[rowKey{b.table, c.key}]; ok && st.at > c.pos {
			continue
		}
		row, err := s.present(c)
		if err == nil {
			err = give(row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// index groups the statements about a table by a column.
func (s *Snapshot) index(table, column int) map[schema.Value][]rowKey {
	by, ok := s.indexed[[2]int{table, column}]
	if !ok {
		by = map[schema.Value][]rowKey{}
		for k, st := range s.statements {
			if k.table == table && st.row != nil {
				by[st.row[column]] = append(by[st.row[column]], k)
			}
		}
		s.indexed[[2]int{table, column}] = by
	}
	return by
}
