package pgfeed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// snapshot is one read transaction.
type snapshot struct {
	steady

	source *Source
	state  state
	// before is where the log ended before the snapshot was taken, where triggers
	// write the one that is followed.
	before feed.Position
}

// Snapshot implements feed.Source.
func (s *Source) Snapshot(ctx context.Context) (feed.Snapshot, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	opened := &snapshot{source: s}
	var err error
	if s.logs {
		opened.before, err = s.place(ctx)
	}
	if err == nil {
		opened.steady, opened.state, err = s.beginRead(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open a snapshot: %w", err)
	}
	// Who reads waits for the feed to come to where the snapshot stands.
	s.hasten(opened.Position())
	return opened, nil
}

// beginRead begins a transaction that reads one state, and tells which.
func (s *Source) beginRead(ctx context.Context) (steady, state, error) {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return steady{}, state{}, err
	}
	// The state comes first, since it pins what is seen.
	now, err := s.readState(ctx, tx)
	if err == nil {
		_, err = tx.ExecContext(ctx, setTexts)
	}
	if err != nil {
		tx.Rollback()
		return steady{}, state{}, err
	}
	return newSteady(tx), now, nil
}

// setTexts has a transaction write the texts of values as the log does.
var setTexts = func() string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, name := range slices.Sorted(maps.Keys(textSettings)) {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "set_config('%s', '%s', true)", name, textSettings[name])
	}
	return b.String()
}()

// Epoch implements feed.Snapshot.
func (s *snapshot) Epoch() string { return s.state.epoch }

// Position implements feed.Snapshot.
func (s *snapshot) Position() feed.Position { return s.source.bound(s.state) }

// Saw implements feed.Snapshot. Commits become visible in another order than
// that of the log, so positions tell nothing but for a commit of no transaction.
func (s *snapshot) Saw(c *feed.Commit) bool {
	if s.source.logs {
		// Of a poll it is where the log ended after its snapshot was taken.
		return c.Transaction < uint64(s.before)
	}
	if c.Transaction == 0 {
		return c.Position <= s.state.head
	}
	return s.state.seen.saw(c.Transaction)
}

// Rows implements feed.Snapshot.
func (s *snapshot) Rows(ctx context.Context, q feed.Query, fn func(schema.Row) error) error {
	return s.rows(ctx, s.source, q, fn)
}

// Close implements feed.Snapshot.
func (s *snapshot) Close() error {
	if s.tx == nil {
		return nil
	}
	err := s.tx.Rollback()
	s.tx = nil
	if err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("close a snapshot: %w", err)
	}
	return nil
}
