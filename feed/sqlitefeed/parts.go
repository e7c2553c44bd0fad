package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// A part of a commit ends with the row of the log that reaches one of these
// bounds.
const (
	partChanges = 4096
	partBytes   = 8 << 20
)

// errFull ends the reading of one part.
var errFull = errors.New("the part is full")

// reading is one pass over the log, part by part.
type reading struct {
	*decoder
	conn *conn
	// seq is the last row that was read.
	seq      int64
	inTheWay conflicts
}

// read reads what the log has after position, in the caller's transaction, and
// returns the changes of the last part; give gets those of the parts before it,
// of which none is empty if there are any.
func (d *decoder) read(ctx context.Context, c *conn, after feed.Position, give func([]feed.Change)) (last []feed.Change, err error) {
	r := &reading{decoder: d, conn: c, seq: int64(after)}
	for more := true; more; {
		var part []feed.Change
		if part, more, err = r.part(ctx); err != nil {
			return nil, fmt.Errorf("read the change log: %w", err)
		}
		switch {
		case len(part) == 0:
		case len(last) == 0:
			last = part
		default:
			give(last)
			last = part
		}
	}
	return last, nil
}

// part reads the next changes, and tells whether there may be more.
func (r *reading) part(ctx context.Context) (changes []feed.Change, more bool, err error) {
	size := 0
	err = r.conn.query(ctx, r.sql, bind(r.seq), func(row []driver.Value) error {
		changes = r.appendLogged(changes, row)
		size += sizeOf(row)
		if len(changes) >= partChanges || r.inTheWay.unsure >= partChanges || size >= partBytes {
			return errFull
		}
		return nil
	})
	switch {
	case errors.Is(err, errFull):
		return changes, true, r.inTheWay.dropPresent(ctx, r.conn)
	case err != nil:
		return nil, false, err
	}
	changes, err = r.inTheWay.appendGone(ctx, r.conn, changes)
	return changes, false, err
}

// appendLogged appends the changes of one row of the log.
func (r *reading) appendLogged(changes []feed.Change, row []driver.Value) []feed.Change {
	r.seq = integerIn(row[0])
	s, op := r.shapes[integerIn(row[1])], integerIn(row[2])
	var before, after schema.Row
	if op != opInsert {
		before = r.source.canonicalRow(s.table, row, s.old)
	}
	if op == opInsert || op == opUpdate {
		after = r.source.canonicalRow(s.table, row, s.new)
	}
	if op == opConflict {
		r.inTheWay.add(s.table, before, row, s.old)
		return changes
	}
	r.inTheWay.settle(s.table, before, after)
	return appendChange(changes, s.table, before, after)
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
