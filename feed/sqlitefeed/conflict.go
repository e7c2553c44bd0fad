package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// conflicts are rows that stood in the way of another in a unique index, and
// of which the log has said nothing since. Whether a REPLACE displaced them,
// or the statement was another, shows in whether they are still there.
type conflicts struct {
	// rows are the rows as they were, by table and key.
	rows map[*schema.Table]map[schema.Value]schema.Row
}

func (c *conflicts) add(table *schema.Table, row schema.Row) {
	if row == nil {
		return
	}
	if c.rows == nil {
		c.rows = make(map[*schema.Table]map[schema.Value]schema.Row)
	}
	if c.rows[table] == nil {
		c.rows[table] = make(map[schema.Value]schema.Row)
	}
	c.rows[table][row[table.Key]] = row
}

// settle forgets rows of which the log tells what became of them.
func (c *conflicts) settle(table *schema.Table, rows ...schema.Row) {
	for _, row := range rows {
		if row != nil && c.rows != nil {
			delete(c.rows[table], row[table.Key])
		}
	}
}

// appendGone appends the deletion of each row that is not there any more, in
// the transaction that read the log.
func (c *conflicts) appendGone(ctx context.Context, db *conn, changes []feed.Change) ([]feed.Change, error) {
	for table, rows := range c.rows {
		if len(rows) == 0 {
			continue
		}
		q := feed.Query{Table: &schema.Table{Name: table.Name, Columns: table.Columns[table.Key : table.Key+1]}}
		for key := range rows {
			q.Values = append(q.Values, key)
		}
		kind := q.Table.Columns[0].Kind
		set, args := valueSet(kind, q.Values)
		err := db.query(ctx, selectRows(q, set), args, func(row []driver.Value) error {
			key, err := kind.FromDriver(row[0])
			delete(rows, key)
			return err
		})
		if err != nil {
			return nil, err
		}
		slices.SortFunc(q.Values, schema.Value.Compare)
		for _, key := range q.Values {
			if row, gone := rows[key]; gone {
				changes = append(changes, feed.Change{Table: table, Key: key, Old: row})
			}
		}
	}
	return changes, nil
}
