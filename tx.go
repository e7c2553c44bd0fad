package pando

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/wire"
)

// claim names a request among those that are applied once; nil for one that has
// no key.
func (s *stream) claim(r *wire.Request) *feed.Claim {
	if r.Key == "" {
		return nil
	}
	text, err := json.Marshal([]any{s.request.Route, r.Type, r.Name, r.Args, r.Of, r.ID, r.In, r.Data, r.Seen})
	if err != nil {
		panic("pando: encode a request that was JSON: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return &feed.Claim{Owner: s.request.User.ID, Key: r.Key, Print: hex.EncodeToString(sum[:])}
}

// errInTx is returned for a transaction inside of another: on a database with
// one writer the second one would wait for the first for ever.
var errInTx = errors.New("a transaction is open already: use it, pando.TxOf(ctx) returns it")

// Tx runs fn in a transaction of Config.Source's database, which must be a
// feed.Writer. It commits when fn returns nil, and rolls back when fn returns an
// error, which it returns, or panics. When the database rolls the transaction
// back for the sake of others it is made again, a few times at most, so that fn
// may be called more than once. It ends with ctx. fn begins no other one: that
// might wait for this one for ever.
//
// Actions whose second parameter is a *sql.Tx have a transaction already, and
// are applied once when a client repeats them; Tx is for hooks, consumers and
// actions of several transactions.
func (c *Channel[S, R]) Tx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	_, err := c.app.transact(ctx, nil, func(_ context.Context, tx feed.Tx) (json.RawMessage, error) {
		return nil, fn(tx.SQL())
	})
	return err
}

// txKey is the key of a context's transaction.
type txKey struct{}

// TxOf is the transaction that a function of Pando's caller runs in, and nil
// when there is none. Functions that permit a write read through it: they see
// what the write sees, and another connection might wait for this one for ever.
// It must be neither committed nor rolled back.
func TxOf(ctx context.Context) *sql.Tx {
	tx, _ := ctx.Value(txKey{}).(*sql.Tx)
	return tx
}

// withTx returns a context of which TxOf knows the transaction.
func withTx(ctx context.Context, tx *sql.Tx) context.Context {
	return context.WithValue(ctx, txKey{}, tx)
}

// Bounds of what is made again after the database rolled it back.
const (
	txAttempts = 8
	txPause    = 2 * time.Millisecond
)

// transact runs fn in a transaction, with TxOf in its context, and commits. With
// a claim it is applied once: the reply is stored with what fn did, and a claim
// that was committed before returns the reply of then without calling fn. After
// an error or a panic of fn nothing of it remains. What the database has
// certainly rolled back is made again, a few times; so is, with a claim, what
// may have been committed.
func (a *App) transact(
	ctx context.Context, claim *feed.Claim, fn func(context.Context, feed.Tx) (json.RawMessage, error),
) (reply json.RawMessage, err error) {
	w, ok := a.cfg.Source.(feed.Writer)
	if !ok {
		return nil, fmt.Errorf("begin transaction: Config.Source is a %T, which does not write: give one that is a feed.Writer", a.cfg.Source)
	}
	if TxOf(ctx) != nil {
		return nil, fmt.Errorf("begin transaction: %w", errInTx)
	}
	for pause := txPause; ; pause *= 2 {
		var again bool
		reply, again, err = attempt(ctx, w, claim, fn)
		if err == nil || !again || pause >= txPause<<(txAttempts-1) {
			return reply, err
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // spreads attempts, no secret
		case <-ctx.Done():
			return nil, err
		}
	}
}

// attempt is one transaction; again tells that it may be made once more after
// an error.
func attempt(
	ctx context.Context, w feed.Writer, claim *feed.Claim, fn func(context.Context, feed.Tx) (json.RawMessage, error),
) (reply json.RawMessage, again bool, err error) {
	tx, err := w.Begin(ctx)
	if err != nil {
		return nil, rolledBack(err), fmt.Errorf("begin transaction: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing, else there is an error to tell
	if claim != nil {
		stored, done, err := tx.Claim(ctx, *claim)
		if err != nil {
			return nil, rolledBack(err), fmt.Errorf("claim request: %w", claimError(err))
		}
		if done {
			return stored, false, nil
		}
	}
	if reply, err = fn(withTx(ctx, tx.SQL()), tx); err != nil {
		return nil, rolledBack(err), err
	}
	if claim != nil {
		if err := tx.Reply(ctx, reply); err != nil {
			return nil, rolledBack(err), fmt.Errorf("store reply: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		// What has a claim finds out by itself what became of it.
		return nil, rolledBack(err) || claim != nil && !refused(err), fmt.Errorf("commit transaction: %w", err)
	}
	return reply, false, nil
}

// rolledBack tells that nothing of a transaction was applied, for a reason that
// may be gone the next time.
func rolledBack(err error) bool {
	return (errors.Is(err, feed.ErrRolledBack) || collided(err)) && !refused(err)
}

// collided tells that a database undid the transaction for the sake of another one,
// as an author's own statement tells it: a serialization failure or a deadlock.
func collided(err error) bool {
	var coded interface{ SQLState() string }
	return errors.As(err, &coded) && (coded.SQLState() == "40001" || coded.SQLState() == "40P01")
}

// refused tells that a constraint is against what was to be committed.
func refused(err error) bool {
	_, ok := errors.AsType[*feed.ConstraintError](err)
	return ok
}

func claimError(err error) error {
	if errors.Is(err, feed.ErrOtherRequest) {
		return Errorf("bad_request", "another request had this key: choose one at random for each")
	}
	return err
}
