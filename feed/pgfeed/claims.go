package pgfeed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pando-sync/pando/feed"
)

// Claim implements feed.Tx. The unique index has a claim wait for another of the
// same request until that ends.
func (t *tx) Claim(ctx context.Context, r feed.Claim) (reply []byte, done bool, err error) {
	reply, done, err = t.claimed(ctx, r)
	if err != nil && !errors.Is(err, feed.ErrOtherRequest) {
		err = fmt.Errorf("claim a request: %w", fail(nil, err))
	}
	return reply, done, err
}

// keyText is a text of a claim as the database can hold it. Two that differ only
// in what it cannot hold differ in their prints.
func keyText(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\ufffd"), "\ufffd")
}

func (t *tx) claimed(ctx context.Context, r feed.Claim) (reply []byte, done bool, err error) {
	r.Owner, r.Key, r.Print = keyText(r.Owner), keyText(r.Key), keyText(r.Print)
	if err := t.trimClaims(ctx); err != nil {
		return nil, false, err
	}
	insert := t.source.statement("INSERT INTO pando.claims (owner, key, print) VALUES ($1::text, $2::text, $3::text) ON CONFLICT DO NOTHING")
	result, err := t.sql.ExecContext(ctx, insert, r.Owner, r.Key, r.Print)
	if err != nil {
		return nil, false, err
	}
	if n, err := result.RowsAffected(); n > 0 || err != nil {
		t.claim, t.claimedOne = r, err == nil
		return nil, false, err
	}
	var other string
	find := t.source.statement("SELECT print, reply FROM pando.claims WHERE owner = $1::text AND key = $2::text")
	err = t.sql.QueryRowContext(ctx, find, r.Owner, r.Key).Scan(&other, &reply)
	switch {
	case errors.Is(err, sql.ErrNoRows): // it was forgotten meanwhile
		return nil, false, fmt.Errorf("%w: the claim of the same request has just been forgotten", feed.ErrRolledBack)
	case err != nil:
		return nil, false, err
	case other != r.Print:
		return nil, false, feed.ErrOtherRequest
	}
	return reply, true, nil
}

// Reply implements feed.Tx.
func (t *tx) Reply(ctx context.Context, reply []byte) error {
	if !t.claimedOne {
		return errors.New("store a reply: the transaction has claimed no request")
	}
	if reply == nil {
		reply = []byte{}
	}
	store := t.source.statement("UPDATE pando.claims SET reply = $1::bytea WHERE owner = $2::text AND key = $3::text")
	_, err := t.sql.ExecContext(ctx, store, reply, t.claim.Owner, t.claim.Key)
	if err != nil {
		return fmt.Errorf("store a reply: %w", fail(nil, err))
	}
	return nil
}

const (
	// trimClaimsEvery is how often claims that need not be remembered are looked for.
	trimClaimsEvery = time.Second
	// trimClaimsBatch bounds how many are forgotten at once.
	trimClaimsBatch = 1000
)

// trimmer tells when claims are to be trimmed.
type trimmer struct {
	mu   sync.Mutex // guards last
	last time.Time
}

// due tells whether it is time to trim, to one who asks then.
func (t *trimmer) due(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.last) < trimClaimsEvery {
		return false
	}
	t.last = now
	return true
}

// trimClaims forgets claims that need not be remembered, once in a while with the
// transaction of another one. It waits for nobody.
func (t *tx) trimClaims(ctx context.Context) error {
	if !t.source.claims.due(time.Now()) {
		return nil
	}
	trim := t.source.statement(`DELETE FROM pando.claims WHERE (owner, key) IN (
		SELECT owner, key FROM pando.claims WHERE at < now() - make_interval(secs => $1::int) LIMIT $2::int FOR UPDATE SKIP LOCKED)`)
	_, err := t.sql.ExecContext(ctx, trim, feed.ClaimsKept, trimClaimsBatch)
	return err
}
