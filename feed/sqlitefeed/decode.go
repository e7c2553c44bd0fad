package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// decoder turns rows of the log into changes.
type decoder struct {
	source *Source
	// sql reads the log's rows of declared tables after a sequence number: seq,
	// shape, op, and the slots that declared columns need.
	sql    string
	shapes map[int64]shape
}

// shape tells, for each column of a declared table, where a read row of the
// log has its old and its new value, -1 for a derived column.
type shape struct {
	table    *schema.Table
	old, new []int
	// current reads the rows that a stretch of the log names, as they are now.
	current string
}

// slotsAt is the index of the first slot in a read row.
const slotsAt = 3

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
			d.shapes[id], places[id] = shape{table: tables[i], current: selectLogged(tables[i], id, place)}, place
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.layOut(places)
	return d, nil
}

// placeOf returns the index in columns of each of the table's columns, -1 of a
// derived one, or nil for a shape from before one of them was added.
func placeOf(table *schema.Table, columns []string) []int {
	place := make([]int, len(table.Columns))
	for i := range table.Columns {
		column := &table.Columns[i]
		if column.Derived() {
			place[i] = -1
			continue
		}
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
		slots = append(slots, slices.DeleteFunc(slices.Clone(place), func(p int) bool { return p < 0 })...)
		ids = append(ids, strconv.FormatInt(id, 10))
	}
	slices.Sort(slots)
	slots = slices.Compact(slots)
	slices.Sort(ids)

	var b strings.Builder
	b.WriteString("SELECT seq, shape, op")
	for _, slot := range slots {
		fmt.Fprintf(&b, ", old_%d, new_%d", slot, slot)
	}
	b.WriteString(" FROM pando_log WHERE seq > ? AND shape IN (" + strings.Join(ids, ", ") + ") ORDER BY seq")
	d.sql = b.String()

	for id, place := range places {
		s := d.shapes[id]
		for _, p := range place {
			if p < 0 {
				s.old, s.new = append(s.old, -1), append(s.new, -1)
				continue
			}
			i, _ := slices.BinarySearch(slots, p)
			s.old = append(s.old, slotsAt+2*i)
			s.new = append(s.new, slotsAt+2*i+1)
		}
		d.shapes[id] = s
	}
}

// selectLogged is the statement that reads the rows of a table whose keys the
// log has under a shape, after one row of it through another.
func selectLogged(table *schema.Table, shape int64, place []int) string {
	var names, before, after []string
	for _, i := range stored(table, table.Key) {
		slot := strconv.Itoa(place[i])
		names = append(names, quote(table.Columns[i].Name))
		before = append(before, "old_"+slot)
		after = append(after, "new_"+slot)
	}
	logged := " FROM pando_log WHERE seq > ?1 AND seq <= ?2 AND shape = " + strconv.FormatInt(shape, 10)
	return selectColumns(table) + " WHERE (" + strings.Join(names, ", ") + ") IN (SELECT " + strings.Join(before, ", ") + logged +
		" UNION ALL SELECT " + strings.Join(after, ", ") + logged + ")"
}

// forget closes the decoder's statements.
func (d *decoder) forget(c *conn) {
	c.forget(d.sql)
	for _, s := range d.shapes {
		c.forget(s.current)
	}
}

// canonicalRow makes a row of stored values, which stand in raw at slots, or
// in the table's order when slots is nil, and derives the others. It returns
// nil for a row without a key, which nothing can name. A value that its
// column's kind cannot hold becomes NULL, here and so in reads and in the feed
// alike.
func (s *Source) canonicalRow(table *schema.Table, raw []driver.Value, slots []int) schema.Row {
	row := make(schema.Row, len(table.Columns))
	next := 0
	for i := range table.Columns {
		column := &table.Columns[i]
		if column.Derived() {
			continue
		}
		at := next
		if slots != nil {
			at = slots[i]
		}
		next++
		v, err := column.Kind.FromDriver(raw[at])
		if err != nil {
			s.complain(table, column, err)
		}
		row[i] = v
	}
	table.Complete(row)
	if row[table.Key].IsNull() {
		return nil
	}
	return row
}

// complain reports a value that cannot be shown, once per column.
func (s *Source) complain(table *schema.Table, column *schema.Column, err error) {
	name := table.Name + "." + column.Name
	if _, known := s.complained.LoadOrStore(name, true); !known {
		s.log.Error("a stored value does not fit its declared type and is shown as NULL; correct the rows or the Go field's type",
			"column", name, "kind", column.Kind.String(), "error", err)
	}
}
