package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// decoder turns rows of the log into changes.
type decoder struct {
	source *Source
	// sql reads the log's rows of declared tables after a sequence number:
	// shape, op, and the slots that declared columns need.
	sql    string
	shapes map[int64]shape
}

// shape tells, for each column of a declared table, where a read row of the
// log has its old and its new value.
type shape struct {
	table    *schema.Table
	old, new []int
}

// slotsAt is the index of the first slot in a read row.
const slotsAt = 2

// newDecoder reads the shapes that the log's rows may have.
func newDecoder(ctx context.Context, c *conn, s *Source, tables []*schema.Table) (*decoder, error) {
	d := &decoder{source: s, shapes: make(map[int64]shape)}
	places := make(map[int64][]int)
	err := c.query(ctx, "SELECT id, name, columns FROM pando_shape", nil, func(row []driver.Value) error {
		id, isID := row[0].(int64)
		name, isName := row[1].(string)
		text, isText := row[2].(string)
		if !isID || !isName || !isText {
			return fmt.Errorf("read pando_shape: %v is no row of ours: drop table pando_meta and run migrate", row)
		}
		i := slices.IndexFunc(tables, func(t *schema.Table) bool { return strings.EqualFold(t.Name, name) })
		if i < 0 {
			return nil
		}
		var columns []string
		if err := json.Unmarshal([]byte(text), &columns); err != nil {
			return fmt.Errorf("read pando_shape %d: %w", id, err)
		}
		if place := placeOf(tables[i], columns); place != nil {
			d.shapes[id], places[id] = shape{table: tables[i]}, place
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.layOut(places)
	return d, nil
}

// placeOf returns the index in columns of each of the table's columns, or nil
// for a shape from before one of them was added.
func placeOf(table *schema.Table, columns []string) []int {
	place := make([]int, len(table.Columns))
	for i, column := range table.Columns {
		place[i] = slices.IndexFunc(columns, func(name string) bool { return strings.EqualFold(name, column.Name) })
		if place[i] < 0 {
			return nil
		}
	}
	return place
}

// layOut decides which slots of the log are read, and where each shape finds
// its own.
func (d *decoder) layOut(places map[int64][]int) {
	var slots []int
	var ids []string
	for id, place := range places {
		slots = append(slots, place...)
		ids = append(ids, strconv.FormatInt(id, 10))
	}
	slices.Sort(slots)
	slots = slices.Compact(slots)
	slices.Sort(ids)

	var b strings.Builder
	b.WriteString("SELECT shape, op")
	for _, slot := range slots {
		fmt.Fprintf(&b, ", old_%d, new_%d", slot, slot)
	}
	b.WriteString(" FROM pando_log WHERE seq > ? AND shape IN (" + strings.Join(ids, ", ") + ") ORDER BY seq")
	d.sql = b.String()

	for id, place := range places {
		s := d.shapes[id]
		for _, p := range place {
			i, _ := slices.BinarySearch(slots, p)
			s.old = append(s.old, slotsAt+2*i)
			s.new = append(s.new, slotsAt+2*i+1)
		}
		d.shapes[id] = s
	}
}

// changes reads what the log has after position, in the caller's transaction.
func (d *decoder) changes(ctx context.Context, c *conn, after feed.Position) ([]feed.Change, error) {
	var changes []feed.Change
	var inTheWay conflicts
	err := c.query(ctx, d.sql, bind(int64(after)), func(row []driver.Value) error {
		id, _ := row[0].(int64)
		op, _ := row[1].(int64)
		s := d.shapes[id]
		var before, after schema.Row
		if op != opInsert {
			before = d.source.canonicalRow(s.table, row, s.old)
		}
		if op == opInsert || op == opUpdate {
			after = d.source.canonicalRow(s.table, row, s.new)
		}
		if op == opConflict {
			inTheWay.add(s.table, before)
			return nil
		}
		inTheWay.settle(s.table, before, after)
		changes = appendChange(changes, s.table, before, after)
		return nil
	})
	if err == nil {
		changes, err = inTheWay.appendGone(ctx, c, changes)
	}
	if err != nil {
		return nil, fmt.Errorf("read the change log: %w", err)
	}
	return changes, nil
}

// appendChange appends what turns before into after: nothing when no declared
// column differs, two changes when the key does.
func appendChange(changes []feed.Change, table *schema.Table, before, after schema.Row) []feed.Change {
	if before != nil && after != nil && before[table.Key] == after[table.Key] {
		if slices.Equal(before, after) {
			return changes
		}
		return append(changes, feed.Change{Table: table, Key: after[table.Key], Old: before, New: after})
	}
	if before != nil {
		changes = append(changes, feed.Change{Table: table, Key: before[table.Key], Old: before})
	}
	if after != nil {
		changes = append(changes, feed.Change{Table: table, Key: after[table.Key], New: after})
	}
	return changes
}

// canonicalRow makes a row of stored values, which stand in raw at slots, or
// in the table's order when slots is nil. It returns nil for a row without a
// key, which nothing can name. A value that its column's kind cannot hold
// becomes NULL, here and so in reads and in the feed alike.
func (s *Source) canonicalRow(table *schema.Table, raw []driver.Value, slots []int) schema.Row {
	row := make(schema.Row, len(table.Columns))
	for i, column := range table.Columns {
		at := i
		if slots != nil {
			at = slots[i]
		}
		v, err := column.Kind.FromDriver(raw[at])
		if err != nil {
			s.complain(table, column, err)
		}
		row[i] = v
	}
	if row[table.Key].IsNull() {
		return nil
	}
	return row
}

// complain reports a value that cannot be shown, once per column.
func (s *Source) complain(table *schema.Table, column schema.Column, err error) {
	name := table.Name + "." + column.Name
	if _, known := s.complained.LoadOrStore(name, true); !known {
		s.log.Error("a stored value does not fit its declared type and is shown as NULL; correct the rows or the Go field's type",
			"column", name, "kind", column.Kind.String(), "error", err)
	}
}
