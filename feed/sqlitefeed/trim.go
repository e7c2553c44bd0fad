package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/feed"
)

// retention is what of the log is kept: rows that are both younger than age
// and among the newest rows.
type retention struct {
	age  time.Duration
	rows int64
}

const (
	// trimEvery is how often the log is looked at for old rows.
	trimEvery = 10 * time.Second
	// trimBatch bounds the rows of one write transaction, and trimPause lets
	// other writers have their turn between two.
	trimBatch = 1000
	trimPause = 5 * time.Millisecond
)

// trimUntil trims the log now and then until ctx ends. read is the position
// through which this process has read it.
func (s *Source) trimUntil(ctx context.Context, f *file, read *atomic.Uint64) {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := s.trim(ctx, f, feed.Position(read.Load()), time.Now())
		if err != nil && ctx.Err() == nil && !passing(err) {
			s.log.Warn("the change log was not trimmed", "error", err)
		}
	}
}

// trim removes what need not be kept at the time now: claims, and rows of the
// log through read.
func (s *Source) trim(ctx context.Context, f *file, read feed.Position, now time.Time) error {
	c, err := f.open(ctx, false)
	if err != nil {
		return err
	}
	defer c.close()
	return errors.Join(trimClaims(ctx, c, now), s.trimLog(ctx, c, read, now))
}

func (s *Source) trimLog(ctx context.Context, c *conn, read feed.Position, now time.Time) error {
	pause := time.NewTicker(trimPause)
	defer pause.Stop()
	for {
		bound, err := s.trimBound(ctx, c, read, now)
		if err != nil || bound == 0 {
			return err
		}
		err = c.write(ctx, func() error {
			if err := c.exec(ctx, "DELETE FROM pando_log WHERE seq <= ?", bound); err != nil {
				return err
			}
			// The number of a row that a failed statement left may be in the log only.
			if err := c.exec(ctx, "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'pando_log'", bound); err != nil {
				return err
			}
			return c.exec(ctx, "UPDATE pando_meta SET trimmed = max(trimmed, ?)", bound)
		})
		if err != nil {
			return fmt.Errorf("trim the change log: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
	}
}

// trimBound returns the last sequence number of the next batch to remove, 0
// when there is none.
func (s *Source) trimBound(ctx context.Context, c *conn, read feed.Position, now time.Time) (int64, error) {
	m, err := readMeta(c)
	if err != nil {
		return 0, err
	}
	const query = `SELECT coalesce(max(seq), 0) FROM (SELECT seq, at FROM pando_log ORDER BY seq LIMIT ?1)
		WHERE seq <= ?2 AND (at < ?3 OR seq <= ?4)`
	var row [1]driver.Value
	surplus := int64(m.head) - s.keep.rows
	err = c.queryRow(ctx, query, row[:], int64(trimBatch), int64(read), now.Add(-s.keep.age).Unix(), surplus)
	if err != nil {
		return 0, fmt.Errorf("trim the change log: %w", err)
	}
	bound := integerIn(row[0])
	return bound, nil
}
