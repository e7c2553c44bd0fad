package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// maxColumns bounds the columns of a followed table: the log needs two for
// each, and SQLite's tables end at 2000.
const maxColumns = 900

// A mismatch is a declared table or column that the database cannot follow.
type mismatch struct{ message string }

func (m *mismatch) Error() string { return m.message }

func mismatchf(format string, args ...any) error {
	return &mismatch{fmt.Sprintf(format, args...)}
}

// description is what the database says about a declared table.
type description struct {
	table *schema.Table
	// name is the table's name as it was created; SQLite ignores case.
	name string
	// columns are all of its columns, in order.
	columns []string
	// place has, for each declared column, its index in columns, -1 for a
	// derived one.
	place []int
	// primary are the columns of the primary key.
	primary []string
	// unique are the sets of columns by which a REPLACE may displace a row, the
	// primary key among them. They are what the database says, whatever key is
	// declared, so that all versions of an app agree on the triggers.
	unique [][]uniqueColumn
}

// uniqueColumn is a column of a unique index, and the collation by which it
// is.
type uniqueColumn struct{ name, collation string }

// describe reads how the database defines table and refuses what cannot be
// followed.
func (c *conn) describe(ctx context.Context, table *schema.Table) (*description, error) {
	row := make([]driver.Value, 2)
	err := c.queryRow(ctx, "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE", row, table.Name)
	switch {
	case errors.Is(err, io.EOF):
		return nil, mismatchf("table %q does not exist: create it, or give its Go struct a TableName method that returns the right name", table.Name)
	case err != nil:
		return nil, fmt.Errorf("describe table %q: %w", table.Name, err)
	case row[0] != "table":
		return nil, mismatchf("%q is a view, which cannot be followed: declare the tables that it reads", table.Name)
	}
	d := &description{table: table, name: textIn(row[1])}
	if err := d.readColumns(ctx, c); err != nil {
		return nil, err
	}
	if err := d.checkKey(ctx, c); err != nil {
		return nil, err
	}
	if err := d.readUnique(ctx, c); err != nil {
		return nil, err
	}
	if err := d.checkFilled(ctx, c); err != nil {
		return nil, err
	}
	return d, d.checkCollations(ctx, c)
}

// checkFilled refuses a table whose rows cannot be inserted with the columns that
// are set.
func (d *description) checkFilled(ctx context.Context, c *conn) error {
	if d.table.Filled == nil {
		return nil
	}
	const sql = `SELECT name FROM pragma_table_xinfo(?1) WHERE "notnull" AND dflt_value IS NULL AND hidden = 0
		AND NOT (pk > 0 AND upper(type) = 'INTEGER' AND (SELECT count(*) FROM pragma_table_info(?1) WHERE pk > 0) = 1) ORDER BY cid`
	var errs []error
	err := c.query(ctx, sql, bind(d.name), func(row []driver.Value) error {
		name := textIn(row[0])
		if !slices.ContainsFunc(d.table.Filled, func(i int) bool { return strings.EqualFold(d.table.Columns[i].Name, name) }) {
			errs = append(errs, mismatchf("column %q of table %q must have a value, which writes of a many-to-many relation do not give: rebuild the table with a default for it, or leave the relation out of the Fields of bindings that write", name, d.name))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("describe table %q: %w", d.name, err)
	}
	return errors.Join(errs...)
}

// readColumns fills columns, place and primary.
func (d *description) readColumns(ctx context.Context, c *conn) error {
	const sql = "SELECT name, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid"
	err := c.query(ctx, sql, bind(d.name), func(row []driver.Value) error {
		if integerIn(row[2]) == 1 {
			return mismatchf("table %q is virtual and takes no triggers: declare the table that holds its rows", d.name)
		}
		d.columns = append(d.columns, textIn(row[0]))
		if integerIn(row[1]) > 0 {
			d.primary = append(d.primary, textIn(row[0]))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("describe table %q: %w", d.name, err)
	}
	if len(d.columns) > maxColumns {
		return mismatchf("table %q has %d columns, and at most %d can be followed: split it", d.name, len(d.columns), maxColumns)
	}
	for i := range d.table.Columns {
		column := &d.table.Columns[i]
		if column.Derived() {
			d.place = append(d.place, -1)
			continue
		}
		i := slices.IndexFunc(d.columns, func(name string) bool { return strings.EqualFold(name, column.Name) })
		if i < 0 {
			return mismatchf(`column %q of table %q does not exist: add it to the table, name the right one with the tag db:"…", or leave the field out with pando:"-"`, column.Name, d.name)
		}
		d.place = append(d.place, i)
	}
	return nil
}

// checkKey refuses a key that may name two rows.
func (d *description) checkKey(ctx context.Context, c *conn) error {
	var key []string
	for _, i := range stored(d.table, d.table.Key) {
		key = append(key, d.columns[d.place[i]])
	}
	slices.Sort(key)
	if slices.Equal(key, slices.Sorted(slices.Values(d.primary))) {
		return nil
	}
	const sql = `SELECT i.seq, x.name FROM pragma_index_list(?1) AS i, pragma_index_info(i.name) AS x
		WHERE i."unique" AND NOT i.partial ORDER BY i.seq, x.name`
	indexes := make(map[int64][]string)
	err := c.query(ctx, sql, bind(d.name), func(row []driver.Value) error {
		index := integerIn(row[0])
		indexes[index] = append(indexes[index], textIn(row[1])) // empty for an expression
		return nil
	})
	if err != nil {
		return fmt.Errorf("describe table %q: %w", d.name, err)
	}
	for _, columns := range indexes {
		if slices.Equal(columns, key) {
			return nil
		}
	}
	if len(key) > 1 {
		return mismatchf("key columns %q of table %q are together neither the primary key nor unique: declare another key, or CREATE UNIQUE INDEX on them", key, d.name)
	}
	return mismatchf("key column %q of table %q is neither the primary key nor unique: declare another key, or CREATE UNIQUE INDEX on it", key[0], d.name)
}

// stored returns the columns that hold a column's values in the database: its
// parts if it is a tuple, and else itself.
func stored(table *schema.Table, column int) []int {
	if parts := table.Columns[column].Parts; parts != nil {
		return parts
	}
	return []int{column}
}

// readUnique fills unique. An index over an expression is left out; one over
// a part of the rows counts as one over all, which finds too many.
func (d *description) readUnique(ctx context.Context, c *conn) error {
	const sql = `SELECT i.seq, i.origin, x.name, x.coll FROM pragma_index_list(?1) AS i, pragma_index_xinfo(i.name) AS x
		WHERE i."unique" AND x."key" AND NOT EXISTS (SELECT 1 FROM pragma_index_xinfo(i.name) AS e WHERE e.cid = -2)
		ORDER BY i.seq, x.seqno`
	index := int64(-1)
	primaryIndex := false
	err := c.query(ctx, sql, bind(d.name), func(row []driver.Value) error {
		if row[0] != index {
			index = integerIn(row[0])
			d.unique = append(d.unique, nil)
		}
		last := &d.unique[len(d.unique)-1]
		*last = append(*last, uniqueColumn{textIn(row[2]), textIn(row[3])})
		primaryIndex = primaryIndex || row[1] == "pk"
		return nil
	})
	if err != nil {
		return fmt.Errorf("describe table %q: %w", d.name, err)
	}
	if !primaryIndex && len(d.primary) == 1 { // the rowid
		d.unique = append(d.unique, []uniqueColumn{{d.primary[0], "BINARY"}})
	}
	return nil
}

// checkCollations refuses a column that is a key, a link or compared, and whose
// equality in the database is not that of its bytes.
func (d *description) checkCollations(ctx context.Context, c *conn) error {
	var compared []int
	for _, i := range append([]int{d.table.Key}, d.table.Links...) {
		compared = append(compared, stored(d.table, i)...)
	}
	for i := range d.table.Columns {
		if d.table.Columns[i].Compared {
			compared = append(compared, i)
		}
	}
	slices.Sort(compared)
	for _, i := range slices.Compact(compared) {
		column := d.columns[d.place[i]]
		// A column of a compound select has the collation of its first arm.
		sql := fmt.Sprintf(`WITH probe(value) AS MATERIALIZED (SELECT %s FROM %s WHERE 0 UNION ALL SELECT 'a')
			SELECT value = 'A' OR value = 'a ' FROM probe`, quote(column), quote(d.name))
		row := make([]driver.Value, 1)
		err := c.queryRow(ctx, sql, row)
		if err == nil && row[0] == int64(0) {
			continue
		}
		if err != nil && !strings.Contains(err.Error(), "collation") {
			return fmt.Errorf("describe table %q: %w", d.name, err)
		}
		return mismatchf("column %q of table %q does not have the collation BINARY, so its equality is not that of the key, link, condition or order that it is declared as: rebuild the table without COLLATE on it", column, d.name)
	}
	return nil
}

// describeAll describes tables in order.
func (c *conn) describeAll(ctx context.Context, tables []*schema.Table) ([]*description, error) {
	all := make([]*description, len(tables))
	var errs []error
	for i, table := range tables {
		d, err := c.describe(ctx, table)
		if err != nil {
			errs = append(errs, err)
		}
		all[i] = d
	}
	return all, errors.Join(errs...)
}

// quote quotes an identifier.
func quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
