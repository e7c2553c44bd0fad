package pgfeed

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// rows reads the rows of a query in a transaction whose texts of values are as
// the log's.
func (s *Source) rows(ctx context.Context, tx *sql.Tx, q feed.Query, fn func(schema.Row) error) error {
	return s.lockedRows(ctx, tx, q, "", fn)
}

// lockedRows is rows with a clause that locks them.
func (s *Source) lockedRows(ctx context.Context, tx *sql.Tx, q feed.Query, lock string, fn func(schema.Row) error) error {
	if len(q.Values) == 0 {
		return nil
	}
	err := s.read(ctx, tx, &q, lock, fn)
	if err != nil {
		return fmt.Errorf("read table %q by column %q: %w", q.Table.Name, q.Table.Columns[q.Column].Name, err)
	}
	return nil
}

func (s *Source) read(ctx context.Context, tx *sql.Tx, q *feed.Query, lock string, fn func(schema.Row) error) error {
	known, err := s.described()
	if err != nil {
		return err
	}
	t := known.tables[q.Table]
	if t == nil {
		return fmt.Errorf("the table is not one that Setup was called for")
	}
	selection := newSelection(q, t, false)
	if !selection.ordered() || !selection.timed() {
		return selection.run(ctx, tx, s, lock, fn)
	}
	// Where there are no times beyond those of schema.Time, the database's own
	// order is the right one.
	var page []schema.Row
	err = selection.run(ctx, tx, s, lock, func(row schema.Row) error {
		page = append(page, row)
		return nil
	})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(page, selection.atEnds) {
		return newSelection(q, t, true).run(ctx, tx, s, lock, fn)
	}
	for _, row := range page {
		if err := fn(row); err != nil {
			return err
		}
	}
	return nil
}

// timed tells whether times are in the order.
func (s *selection) timed() bool {
	return slices.ContainsFunc(s.order(), func(o schema.Order) bool { return s.table.columns[o.Column].compare == asTimes })
}

// atEnds tells whether a row has, in the order, a time that others count as.
func (s *selection) atEnds(row schema.Row) bool {
	return slices.ContainsFunc(s.order(), func(o schema.Order) bool {
		return s.table.columns[o.Column].atEnd(row[o.Column])
	})
}

// run reads the rows and has Go select of them what SQL could not.
func (s *selection) run(ctx context.Context, tx *sql.Tx, source *Source, lock string, fn func(schema.Row) error) error {
	if s.whole && (s.query.Limit == 0 || s.ordered()) {
		return s.scan(ctx, tx, source, lock, fn)
	}
	q := s.query
	var first *feed.First
	if q.Limit > 0 {
		first = q.First()
	}
	wanted := make(map[schema.Value]bool, len(q.Values))
	for _, v := range q.Values {
		wanted[v] = true
	}
	err := s.scan(ctx, tx, source, lock, func(row schema.Row) error {
		switch {
		case !wanted[row[q.Column]] || !q.Meets(row):
			return nil
		case first != nil:
			first.Add(row)
			return nil
		default:
			return fn(row)
		}
	})
	if err != nil || first == nil {
		return err
	}
	for _, row := range first.Rows() {
		if err := fn(row); err != nil {
			return err
		}
	}
	return nil
}

// scan reads the rows that SQL selects.
func (s *selection) scan(ctx context.Context, tx *sql.Tx, source *Source, lock string, fn func(schema.Row) error) error {
	rows, err := tx.QueryContext(ctx, s.sql(lock), s.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns := s.table.columns
	texts := make([]text, len(columns))
	var dest []any
	for i, c := range columns {
		if c != nil {
			dest = append(dest, &texts[i])
		}
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		row := make(schema.Row, len(columns))
		for i, c := range columns {
			if c != nil {
				row[i] = source.valueOf(c, texts[i])
			}
		}
		if err := fn(s.table.declared.Complete(row)); err != nil {
			return err
		}
	}
	return rows.Err()
}

// text is a column of a result, nil for NULL. It is good until the next row.
type text []byte

// Scan implements sql.Scanner. Unlike sql.RawBytes it tells an empty text from
// NULL.
func (t *text) Scan(src any) error {
	switch src := src.(type) {
	case nil:
		*t = nil
	case string:
		if *t == nil {
			*t = make(text, 0, len(src))
		}
		*t = append((*t)[:0], src...)
	case []byte:
		if *t == nil {
			*t = make(text, 0, len(src))
		}
		*t = append((*t)[:0], src...)
	default:
		return fmt.Errorf("the driver gives a %T for a text: use one of PostgreSQL's drivers as it is", src)
	}
	return nil
}
