package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// snapshot is one read transaction on a connection of its own.
type snapshot struct {
	source *Source
	file   *file
	conn   *conn
	meta   meta
	// failure is the first error of a read; its connection is not used again.
	failure error
}

// Snapshot implements feed.Source.
func (s *Source) Snapshot(ctx context.Context) (feed.Snapshot, error) {
	f, _, err := s.ready()
	if err != nil {
		return nil, err
	}
	c, err := f.acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("open a snapshot: %w", err)
	}
	if err = c.begin(); err == nil {
		var m meta
		if m, err = readMeta(c); err == nil {
			return &snapshot{source: s, file: f, conn: c, meta: m}, nil
		}
	}
	f.release(c, err)
	return nil, fmt.Errorf("open a snapshot: %w", err)
}

func (s *snapshot) Epoch() string           { return s.meta.epoch }
func (s *snapshot) Position() feed.Position { return s.meta.head }

// Saw implements feed.Snapshot: a commit's position is its last row in the
// log, which the snapshot sees together with all that the commit changed. Of a
// commit that merges transactions a snapshot may hold the first ones only; it
// did not see that commit, and its changes, being whole rows, apply to them
// as well.
func (s *snapshot) Saw(c *feed.Commit) bool { return c.Position <= s.meta.head }

// Rows implements feed.Snapshot.
func (s *snapshot) Rows(ctx context.Context, q feed.Query, fn func(schema.Row) error) error {
	if len(q.Values) == 0 {
		return nil
	}
	values, args := valueSet(q.Table.Columns[q.Column].Kind, q.Values)
	err := s.conn.query(ctx, selectRows(q, values), args, func(raw []driver.Value) error {
		row := s.source.canonicalRow(q.Table, raw, nil)
		if row == nil {
			return nil
		}
		return fn(row)
	})
	if err == nil {
		return nil
	}
	s.failure = err
	return fmt.Errorf("read table %q by column %q: %w", q.Table.Name, q.Table.Columns[q.Column].Name, err)
}

// selectRows is the statement that reads the rows of q. The plus takes a
// column's declared type from the result, by which the driver would guess at
// times; the values come as they are stored, like those in the log.
func selectRows(q feed.Query, values string) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, column := range q.Table.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("+" + quote(column.Name))
	}
	b.WriteString(" FROM " + quote(q.Table.Name))
	b.WriteString(" WHERE " + quote(q.Table.Columns[q.Column].Name) + " IN (" + values + ")")
	return b.String()
}

// Close implements feed.Snapshot.
func (s *snapshot) Close() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.end()
	if s.failure == nil {
		s.failure = err
	}
	s.file.release(s.conn, s.failure)
	s.conn = nil
	if err != nil {
		return fmt.Errorf("close a snapshot: %w", err)
	}
	return nil
}
