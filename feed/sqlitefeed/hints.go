package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

var _ feed.Hinter = (*Source)(nil)

// Hints implements feed.Hinter.
func (s *Source) Hints(ctx context.Context) (hints []string, err error) {
	_, tables, err := s.ready()
	if err != nil {
		return nil, err
	}
	within, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := within.Close(); err == nil {
			err = e
		}
	}()
	for _, table := range tables {
		for _, link := range table.Links {
			more, err := within.hintsOf(ctx, table, link)
			if err != nil {
				return nil, fmt.Errorf("look for hints on table %q: %w", table.Name, err)
			}
			hints = append(hints, more...)
		}
	}
	return hints, nil
}

// hintsOf tells what slows the reads by a link.
func (s *snapshot) hintsOf(ctx context.Context, table *schema.Table, link int) (hints []string, err error) {
	parts := stored(table, link)
	if len(parts) == 0 {
		return nil, nil
	}
	var names []string
	for _, i := range parts {
		column := &table.Columns[i]
		names = append(names, quote(column.Name))
		f, err := s.source.forms.of(ctx, &s.view, table, i, comparisons)
		if err != nil {
			return nil, err
		}
		if f.form == odd {
			hints = append(hints, fmt.Sprintf("column %q of table %q has values that SQL cannot compare as %s, so that reads by it look at every row: store %s",
				column.Name, table.Name, column.Kind, storedForm(column.Kind)))
		}
	}
	indexed, err := s.indexed(ctx, table, parts)
	if err == nil && !indexed {
		hints = append(hints, fmt.Sprintf("reads of table %q by %s look at every row: CREATE INDEX %s ON %s (%[2]s)",
			table.Name, strings.Join(names, ", "), quote(indexName(table, parts)), quote(table.Name)))
	}
	return hints, err
}

// indexName names an index as the database's own tools do: cards_list_id.
func indexName(table *schema.Table, columns []int) string {
	names := []string{table.Name}
	for _, i := range columns {
		names = append(names, table.Columns[i].Name)
	}
	return strings.Join(names, "_")
}

// indexed tells whether SQLite finds rows by the columns without looking at
// all.
func (s *snapshot) indexed(ctx context.Context, table *schema.Table, columns []int) (bool, error) {
	var same []string
	for _, i := range columns {
		same = append(same, quote(table.Columns[i].Name)+" = ?")
	}
	sql := "EXPLAIN QUERY PLAN SELECT 1 FROM " + quote(table.Name) + " WHERE " + strings.Join(same, " AND ")
	defer s.conn.forget(sql)
	scans := false
	err := s.conn.query(ctx, sql, bind(make([]driver.Value, len(columns))...), func(row []driver.Value) error {
		scans = scans || strings.HasPrefix(textIn(row[3]), "SCAN")
		return nil
	})
	return !scans, err
}
