// Package oracle tells what a client must show: it reads every table afresh by
// plain SQL, nests the rows by code of its own, and writes the JSON of
// GET /state. Nothing of it is shared with the library, so that a mistake
// there cannot hide here.
package oracle

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/pando-sync/pando/test/internal/model"
)

// Row is one row by the places of its columns: nil, int64, float64, string or
// []byte.
type Row []any

// Data is the whole database as one read transaction saw it. It is used by one
// goroutine at a time.
type Data struct {
	Schema *model.Schema
	// Tables holds the rows of every table in the order of its key.
	Tables map[string][]Row
	// Head is the place in the database's log that this is the state of: the number
	// of the newest change, or the LSN.
	Head uint64

	groups map[string]map[string][]Row
	states map[string]*State
}

// Queryer is a *sql.DB, *sql.Conn or *sql.Tx.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Read reads everything in a transaction of its own.
func Read(ctx context.Context, db *sql.DB, s *model.Schema) (*Data, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("oracle: begin: %w", err)
	}
	defer tx.Rollback()
	return ReadIn(ctx, tx, s)
}

// ReadIn reads everything in a transaction that runs: what it has changed too.
func ReadIn(ctx context.Context, tx Queryer, s *model.Schema) (*Data, error) {
	tables := map[string][]Row{}
	var err error
	for _, t := range s.Tables {
		if tables[t.Name], err = rows(ctx, tx, s.Database, t); err != nil {
			return nil, fmt.Errorf("oracle: read %s: %w", t.Name, err)
		}
	}
	d := New(s, tables, 0)
	head, err := tx.QueryContext(ctx, heads[s.Database])
	if err != nil {
		return nil, fmt.Errorf("oracle: read the log's head: %w", err)
	}
	defer head.Close()
	for head.Next() {
		if err := head.Scan(&d.Head); err != nil {
			return nil, fmt.Errorf("oracle: read the log's head: %w", err)
		}
	}
	return d, head.Err()
}

// heads read where the log ends.
var heads = map[model.Database]string{
	model.SQLite:   "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'pando_log'), 0)",
	model.Postgres: "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn",
}

// New returns a state whose tables are known. Their rows are put in the order of
// the key.
func New(s *model.Schema, tables map[string][]Row, head uint64) *Data {
	for _, t := range s.Tables {
		slices.SortFunc(tables[t.Name], func(a, b Row) int { return compareRows(t, a, b, nil) })
	}
	return &Data{Schema: s, Tables: tables, Head: head, groups: map[string]map[string][]Row{}, states: map[string]*State{}}
}

func rows(ctx context.Context, tx Queryer, database model.Database, t *model.Table) ([]Row, error) {
	if database == model.Postgres {
		return postgresRows(ctx, tx, t)
	}
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	query := "SELECT " + strings.Join(names, ", ") + " FROM " + t.Name + " ORDER BY " + strings.Join(t.Key, ", ")
	found, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	into := make([]any, len(names))
	var all []Row
	for found.Next() {
		row := make(Row, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, found.Err()
}

// group returns the rows of a table that have the values in the columns.
func (d *Data) group(t *model.Table, columns []string, values []any) []Row {
	wanted := equal(values)
	if wanted == "" {
		return nil
	}
	name := t.Name + " " + strings.Join(columns, " ")
	by := d.groups[name]
	if by == nil {
		by = map[string][]Row{}
		for _, r := range d.Tables[t.Name] {
			if key := equal(pick(t, r, columns)); key != "" {
				by[key] = append(by[key], r)
			}
		}
		d.groups[name] = by
	}
	return by[wanted]
}

func pick(t *model.Table, r Row, columns []string) []any {
	values := make([]any, len(columns))
	for i, c := range columns {
		values[i] = r[t.Index(c)]
	}
	return values
}

// equal is a text that equal values share, and "" when one of them is NULL.
func equal(values []any) string {
	var b strings.Builder
	for _, v := range values {
		if v == nil {
			return ""
		}
		fmt.Fprintf(&b, "%T %q ", v, fmt.Sprint(v))
	}
	return b.String()
}
