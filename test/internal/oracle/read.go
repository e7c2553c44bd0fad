// Package oracle tells what a client must show: it reads every table afresh by
// plain SQL, nests the rows by code of its own, and writes the JSON of
// GET /state. Nothing of it is shared with the library, so that a mistake
// there cannot hide here.
package oracle

import (
	"context"
	"database/sql"
	"fmt"
)

// Row is one row by column: nil, int64, float64 or string.
type Row map[string]any

// Data is the whole database as one read transaction saw it.
type Data struct {
	// Tables holds the rows of every table in the order in which trees show
	// them.
	Tables map[string][]Row
	// Head is the number of the newest change in the log.
	Head uint64

	groups map[[2]string]map[any][]Row
}

// orders are the tables, each with the order of its rows: nulls first, text by
// its bytes, as is SQLite's way.
var orders = map[string]string{
	"users":    "id",
	"labels":   "code",
	"boards":   "id",
	"lists":    "position, id",
	"cards":    "position, id",
	"covers":   "weight DESC, id",
	"comments": "id",
}

// Read reads everything.
func Read(ctx context.Context, db *sql.DB) (*Data, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("oracle: begin: %w", err)
	}
	defer tx.Rollback()
	d := &Data{Tables: map[string][]Row{}, groups: map[[2]string]map[any][]Row{}}
	for table, order := range orders {
		if d.Tables[table], err = rows(ctx, tx, table, order); err != nil {
			return nil, fmt.Errorf("oracle: read %s: %w", table, err)
		}
	}
	const head = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'pando_log'), 0)"
	if err := tx.QueryRowContext(ctx, head).Scan(&d.Head); err != nil {
		return nil, fmt.Errorf("oracle: read the log's head: %w", err)
	}
	return d, nil
}

func rows(ctx context.Context, tx *sql.Tx, table, order string) ([]Row, error) {
	found, err := tx.QueryContext(ctx, "SELECT * FROM "+table+" ORDER BY "+order) //nolint:gosec,unqueryvet // names of our own, all columns
	if err != nil {
		return nil, err
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		return nil, err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var all []Row
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		row := make(Row, len(columns))
		for i, name := range columns {
			row[name] = values[i]
		}
		all = append(all, row)
	}
	return all, found.Err()
}

// group returns the rows of a table that have a value in a column, in order.
func (d *Data) group(table, column string, value any) []Row {
	if value == nil {
		return nil
	}
	by := d.groups[[2]string{table, column}]
	if by == nil {
		by = map[any][]Row{}
		for _, r := range d.Tables[table] {
			by[r[column]] = append(by[r[column]], r)
		}
		d.groups[[2]string{table, column}] = by
	}
	return by[value]
}
