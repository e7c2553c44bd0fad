package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pando-sync/pando/feed"
)

// Claim implements feed.Tx. No other transaction that claims is under way, for
// each has the write lock.
func (t *tx) Claim(ctx context.Context, r feed.Claim) (reply []byte, done bool, err error) {
	reply, done, err = t.claimed(ctx, r)
	if err != nil && !errors.Is(err, feed.ErrOtherRequest) {
		err = fmt.Errorf("claim a request: %w", err)
	}
	return reply, done, err
}

func (t *tx) claimed(ctx context.Context, r feed.Claim) (reply []byte, done bool, err error) {
	result, err := t.sql.ExecContext(ctx, "INSERT INTO pando_claims (owner, key, print) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", r.Owner, r.Key, r.Print)
	if err != nil {
		return nil, false, err
	}
	if n, err := result.RowsAffected(); n > 0 || err != nil {
		t.claim = r
		return nil, false, err
	}
	var other string
	err = t.sql.QueryRowContext(ctx, "SELECT print, reply FROM pando_claims WHERE owner = ? AND key = ?", r.Owner, r.Key).Scan(&other, &reply)
	if err == nil && other != r.Print {
		return nil, false, feed.ErrOtherRequest
	}
	return reply, err == nil, err
}

// Reply implements feed.Tx.
func (t *tx) Reply(ctx context.Context, reply []byte) error {
	result, err := t.sql.ExecContext(ctx, "UPDATE pando_claims SET reply = ? WHERE owner = ? AND key = ? AND print = ?", reply, t.claim.Owner, t.claim.Key, t.claim.Print)
	if err != nil {
		return fmt.Errorf("store a reply: %w", err)
	}
	if n, err := result.RowsAffected(); n == 0 || err != nil {
		return errors.Join(errors.New("store a reply: the transaction has claimed no request"), err)
	}
	return nil
}

// trimClaims forgets claims that need not be remembered at the time now.
func trimClaims(ctx context.Context, c *conn, now time.Time) error {
	before := now.Unix() - feed.ClaimsKept
	for {
		err := c.queryRow(ctx, "SELECT 1 FROM pando_claims WHERE at < ?", make([]driver.Value, 1), before)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = c.write(ctx, func() error {
				return c.exec(ctx, "DELETE FROM pando_claims WHERE rowid IN (SELECT rowid FROM pando_claims WHERE at < ? LIMIT ?)", before, int64(trimBatch))
			})
		}
		if err != nil {
			return fmt.Errorf("trim the claims of requests: %w", err)
		}
		pause(ctx, trimPause)
	}
}
