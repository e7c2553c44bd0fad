package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// errFull ends the reading of one part.
var errFull = errors.New("the part is full")

// reading is one pass over the log, part by part.
type reading struct {
	*decoder
	conn *conn
	// seq is the last row that was read.
	seq int64
	// earlier has the keys of the parts before, nil in the first.
	earlier *filter
}

// part is what a stretch of the log tells.
type part struct {
	keys []*history
	at   map[rowKey]*history
	// rows is how many rows the log has of a shape, logged of a table.
	rows   map[int64]int
	logged map[*schema.Table]int
	// conflicts tells of which tables rows stood in the way.
	conflicts map[*schema.Table]bool
	// size is about how much memory they take.
	size int
}

// rowKey names a row.
type rowKey struct {
	table *schema.Table
	key   schema.Value
}

// read reads what the log has after position, in the caller's transaction, and
// returns the changes of the last part; give gets those of the parts before it,
// of which none is empty if there are any.
func (d *decoder) read(ctx context.Context, c *conn, after feed.Position, give func([]feed.Change)) (last []feed.Change, err error) {
	r := &reading{decoder: d, conn: c, seq: int64(after)}
	for more := true; more; {
		var changes []feed.Change
		if changes, more, err = r.part(ctx); err != nil {
			return nil, fmt.Errorf("read the change log: %w", err)
		}
		switch {
		case len(changes) == 0:
		case len(last) == 0:
			last = changes
		default:
			give(last)
			last = changes
		}
	}
	return last, nil
}

// part reads the next changes, and tells whether there may be more.
//
// The order of the log is not that of the writes: a cascade or an author's
// trigger that changes a row once more is logged before the statement that set
// it off, and a row that a REPLACE displaced may not be logged at all. So the
// log tells which rows changed, and the table itself what has become of them,
// in the same read transaction. Only where one row of the log is all that there
// is of a table can nothing have come in between.
func (r *reading) part(ctx context.Context) (changes []feed.Change, more bool, err error) {
	from := r.seq
	p := &part{at: make(map[rowKey]*history), rows: make(map[int64]int), logged: make(map[*schema.Table]int), conflicts: make(map[*schema.Table]bool)}
	err = r.conn.query(ctx, r.sql, bind(r.seq), func(row []driver.Value) error {
		r.note(p, row)
		if len(p.keys) >= partChanges || p.size >= partBytes {
			return errFull
		}
		return nil
	})
	more = errors.Is(err, errFull)
	if err != nil && !more {
		return nil, false, err
	}
	whole := r.earlier == nil && !more
	if err := r.readCurrent(ctx, p, from, whole); err != nil {
		return nil, false, err
	}
	for _, h := range p.keys {
		changes = h.appendChanges(changes, r.earlier.mayHave(h.rowKey))
	}
	if more {
		r.earlier = r.earlier.with(p.keys)
	}
	return changes, more, nil
}

// note takes in one row of the log.
func (r *reading) note(p *part, row []driver.Value) {
	r.seq = integerIn(row[0])
	id, op := integerIn(row[1]), integerIn(row[2])
	s := r.shapes[id]
	p.rows[id]++
	p.logged[s.table]++
	p.size += sizeOf(row)
	var before, after schema.Row
	if op != opInsert {
		before = r.source.canonicalRow(s.table, row, s.old)
	}
	if op == opInsert || op == opUpdate {
		after = r.source.canonicalRow(s.table, row, s.new)
	}
	switch {
	case op == opConflict:
		p.conflicts[s.table] = true
		p.add(s.table, step{before, before, true})
	case before != nil && after != nil && before[s.table.Key] == after[s.table.Key]:
		p.add(s.table, step{before: before, after: after})
	default:
		p.add(s.table, step{before: before})
		p.add(s.table, step{after: after})
	}
}

// add notes a step of a row, or none when that is no row before and after.
func (p *part) add(table *schema.Table, s step) {
	named := s.before
	if named == nil {
		named = s.after
	}
	if named == nil {
		return
	}
	key := rowKey{table, named[table.Key]}
	h := p.at[key]
	if h == nil {
		h = &history{rowKey: key}
		p.at[key] = h
		p.keys = append(p.keys, h)
	}
	h.steps = append(h.steps, s)
	h.now = s.after
}

// readCurrent reads what has become of the rows of a part, which begins after
// from, where the log alone cannot tell.
func (r *reading) readCurrent(ctx context.Context, p *part, from int64, whole bool) error {
	unsure := func(table *schema.Table) bool { return !whole || p.logged[table] > 1 || p.conflicts[table] }
	for _, h := range p.keys {
		if unsure(h.table) {
			h.now = nil
		}
	}
	for id := range p.rows {
		s := r.shapes[id]
		if !unsure(s.table) {
			continue
		}
		err := r.conn.query(ctx, s.current, bind(from, r.seq), func(raw []driver.Value) error {
			row := r.source.canonicalRow(s.table, raw, nil)
			if row == nil {
				return nil
			}
			if h := p.at[rowKey{s.table, row[s.table.Key]}]; h != nil {
				h.now = row
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sizeOf is about how much memory the values of a row take.
func sizeOf(row []driver.Value) int {
	const each = 32
	size := each * len(row)
	for _, v := range row {
		switch v := v.(type) {
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		}
	}
	return size
}

// filter is a set of keys in bounded memory: past maxExact it may take some for
// members that are not.
type filter struct {
	exact map[rowKey]struct{} // nil past maxExact
	seed  maphash.Seed
	bits  []uint64
}

const (
	// maxExact is the number of keys that are told apart.
	maxExact = 100_000
	// filterBits is the size of a filter, in which a million keys make one in eight
	// a mistake.
	filterBits = 1 << 23
)

// with adds the keys of a part to the set, which may be nil.
func (f *filter) with(keys []*history) *filter {
	if f == nil {
		f = &filter{exact: make(map[rowKey]struct{}), seed: maphash.MakeSeed(), bits: make([]uint64, filterBits/64)}
	}
	for _, h := range keys {
		word, bit := f.place(h.rowKey)
		f.bits[word] |= bit
		if f.exact != nil {
			f.exact[h.rowKey] = struct{}{}
		}
	}
	if len(f.exact) > maxExact {
		f.exact = nil
	}
	return f
}

// mayHave tells whether a key may be in the set.
func (f *filter) mayHave(key rowKey) bool {
	if f == nil {
		return false
	}
	if f.exact != nil {
		_, has := f.exact[key]
		return has
	}
	word, bit := f.place(key)
	return f.bits[word]&bit != 0
}

func (f *filter) place(key rowKey) (word int, bit uint64) {
	n := maphash.Comparable(f.seed, key) % filterBits
	return int(n / 64), 1 << (n % 64)
}
