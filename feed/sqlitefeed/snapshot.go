package sqlitefeed

import (
	"context"
	"fmt"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// view is one state of the database, which can be queried.
type view struct {
	querier

	source *Source
	meta   meta
}

// read reads the rows of a query.
func (v *view) read(ctx context.Context, q *feed.Query, formOf formOf, fn func(schema.Row) error) error {
	selection, err := newSelection(q, formOf)
	if err != nil {
		return err
	}
	return selection.run(ctx, v, v.source, fn)
}

// snapshot is one read transaction on a connection of its own.
type snapshot struct {
	view

	file *file
	conn *conn
	// failure is the first error of a read; its connection is not used again.
	failure error
}

// Snapshot implements feed.Source.
func (s *Source) Snapshot(ctx context.Context) (feed.Snapshot, error) {
	opened, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return opened, nil
}

func (s *Source) snapshot(ctx context.Context) (*snapshot, error) {
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
			return &snapshot{view: view{c, s, m}, file: f, conn: c}, nil
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
	err := s.read(ctx, &q, func(column int, ask aspect) (storage, error) {
		return s.source.forms.of(ctx, &s.view, q.Table, column, ask)
	}, fn)
	if err == nil {
		return nil
	}
	s.failure = err
	return fmt.Errorf("read table %q by column %q: %w", q.Table.Name, q.Table.Columns[q.Column].Name, err)
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
