package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// conflicts are rows that stood in the way of another in a unique index, and
// of which the log has said nothing since. Whether a REPLACE displaced them,
// or the statement was another, shows in whether they are still there.
type conflicts struct {
	// rows are the rows as they were, by table and key.
	rows map[*schema.Table]map[schema.Value]conflict
	// unsure is how many were added since dropPresent looked.
	unsure int
}

// conflict is a row in the way, and its key as it is stored, of which every
// form finds it again.
type conflict struct {
	row schema.Row
	key []driver.Value
}

// add takes a row of the log; slots are where the table's columns stand in raw.
func (c *conflicts) add(table *schema.Table, row schema.Row, raw []driver.Value, slots []int) {
	if row == nil {
		return
	}
	if c.rows == nil {
		c.rows = make(map[*schema.Table]map[schema.Value]conflict)
	}
	if c.rows[table] == nil {
		c.rows[table] = make(map[schema.Value]conflict)
	}
	var key []driver.Value
	for _, i := range stored(table, table.Key) {
		v := raw[slots[i]]
		if b, ok := v.([]byte); ok {
			v = slices.Clone(b)
		}
		key = append(key, v)
	}
	c.rows[table][row[table.Key]] = conflict{row, key}
	c.unsure++
}

// settle forgets rows of which the log tells what became of them.
func (c *conflicts) settle(table *schema.Table, rows ...schema.Row) {
	for _, row := range rows {
		if row != nil && c.rows != nil {
			delete(c.rows[table], row[table.Key])
		}
	}
}

// dropPresent forgets the rows that are there in the end, in the transaction
// that read the log. One that was displaced and came again is in the log.
func (c *conflicts) dropPresent(ctx context.Context, db *conn) error {
	c.unsure = 0
	for table, rows := range c.rows {
		for key, r := range rows {
			sql, args := selectKey(table, r.key)
			switch err := db.queryRow(ctx, sql, nil, args...); {
			case err == nil:
				delete(rows, key)
			case !errors.Is(err, io.EOF):
				return err
			}
		}
	}
	return nil
}

// selectKey finds a row by its key as it is stored. Drivers bind an empty blob
// as they like, so that blobs travel in hexadecimal.
func selectKey(table *schema.Table, key []driver.Value) (sql string, args []driver.Value) {
	var same []string
	for n, i := range stored(table, table.Key) {
		param, v := "?", key[n]
		if b, ok := v.([]byte); ok {
			param, v = "unhex(?)", hex.EncodeToString(b)
		}
		same = append(same, quote(table.Columns[i].Name)+" = "+param)
		args = append(args, v)
	}
	return "SELECT 1 FROM " + quote(table.Name) + " WHERE " + strings.Join(same, " AND "), args
}

// appendGone appends the deletion of each row that is not there any more, in
// the transaction that read the log.
func (c *conflicts) appendGone(ctx context.Context, db *conn, changes []feed.Change) ([]feed.Change, error) {
	if err := c.dropPresent(ctx, db); err != nil {
		return nil, err
	}
	first := len(changes)
	for table, rows := range c.rows {
		for key, r := range rows {
			changes = append(changes, feed.Change{Table: table, Key: key, Old: r.row})
		}
	}
	slices.SortFunc(changes[first:], func(a, b feed.Change) int {
		if byTable := strings.Compare(a.Table.Name, b.Table.Name); byTable != 0 {
			return byTable
		}
		return a.Key.Compare(b.Key)
	})
	return changes, nil
}
