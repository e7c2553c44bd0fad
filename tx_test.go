package pando

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pando-sync/pando/feed"
)

// unlucky is a database whose transactions end as a test says.
type unlucky struct {
	feed.Source

	begin, commit []error // of the first transactions; nil afterwards
	stored        map[feed.Claim]string
	// lost tells that a commit that failed has been applied all the same.
	lost                     bool
	begun, rolledBack, calls int
}

func (u *unlucky) Begin(context.Context) (feed.Tx, error) {
	u.begun++
	if len(u.begin) >= u.begun && u.begin[u.begun-1] != nil {
		return nil, u.begin[u.begun-1]
	}
	return &unluckyTx{unlucky: u}, nil
}

type unluckyTx struct {
	feed.Tx

	*unlucky
	claim feed.Claim
	reply string
	ended bool
}

func (t *unluckyTx) SQL() *sql.Tx { return &sql.Tx{} }

func (t *unluckyTx) Claim(_ context.Context, c feed.Claim) ([]byte, bool, error) {
	if c.Key == "another's" {
		return nil, false, fmt.Errorf("claim: %w", feed.ErrOtherRequest)
	}
	t.claim = c
	reply, done := t.stored[c]
	return []byte(reply), done, nil
}

func (t *unluckyTx) Reply(_ context.Context, reply []byte) error {
	t.reply = string(reply)
	return nil
}

func (t *unluckyTx) Commit() error {
	t.ended = true
	var err error
	if len(t.commit) >= t.begun {
		err = t.commit[t.begun-1]
	}
	if err == nil || t.lost {
		t.stored[t.claim] = t.reply
	}
	return err
}

func (t *unluckyTx) Rollback() error {
	if !t.ended {
		t.ended = true
		t.rolledBack++
	}
	return nil
}

func TestTransactMakesAgainWhatWasRolledBack(t *testing.T) {
	rolled := fmt.Errorf("busy: %w", feed.ErrRolledBack)
	refused := fmt.Errorf("%w: %w", feed.ErrRolledBack, &feed.ConstraintError{Constraint: feed.ForeignKey, Column: -1, Err: errors.New("a row refers to it")})
	gone := errors.New("the connection is gone")
	many := make([]error, 100)
	for i := range many {
		many[i] = rolled
	}
	claim := &feed.Claim{Owner: "ada", Key: "k", Print: "p"}
	for _, c := range []struct {
		name         string
		db           unlucky
		claim        *feed.Claim
		fn           []error // of its first calls
		begun, calls int
		want         string // the reply, or what the error says
	}{
		{name: "luck", begun: 1, calls: 1, want: "1"},
		{name: "rolled back at the end", db: unlucky{commit: many[:2]}, begun: 3, calls: 3, want: "3"},
		{name: "rolled back at the beginning", db: unlucky{begin: many[:2]}, begun: 3, calls: 1, want: "1"},
		{name: "rolled back between", fn: many[:2], begun: 3, calls: 3, want: "3"},
		{name: "rolled back again and again", db: unlucky{commit: many}, claim: claim, begun: txAttempts, calls: txAttempts, want: "busy"},
		{name: "refused by a constraint", db: unlucky{commit: []error{refused}}, claim: claim, begun: 1, calls: 1, want: "a row refers to it"},
		{name: "a deadlock of a statement", fn: []error{fmt.Errorf("move it: %w", deadlock{})}, begun: 2, calls: 2, want: "2"},
		{name: "an error", fn: []error{errors.New("no")}, begun: 1, calls: 1, want: "no"},
		{name: "gone without a claim", db: unlucky{commit: []error{gone}}, begun: 1, calls: 1, want: "the connection is gone"},
		{name: "gone, and not applied", db: unlucky{commit: []error{gone}}, claim: claim, begun: 2, calls: 2, want: "2"},
		{name: "gone, and applied", db: unlucky{commit: []error{gone}, lost: true}, claim: claim, begun: 2, calls: 1, want: "1"},
		{name: "another's key", claim: &feed.Claim{Key: "another's"}, begun: 1, want: "bad_request"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c.db.stored = map[feed.Claim]string{}
			app := &App{cfg: Config{Source: &c.db}}
			reply, err := app.transact(t.Context(), c.claim, func(ctx context.Context, _ feed.Tx) (json.RawMessage, error) {
				c.db.calls++
				if TxOf(ctx) == nil {
					t.Error("its context has no transaction")
				}
				if len(c.fn) >= c.db.calls && c.fn[c.db.calls-1] != nil {
					return nil, c.fn[c.db.calls-1]
				}
				return json.RawMessage(strconv.Itoa(c.db.calls)), nil
			})
			got := string(reply)
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, c.want) || c.db.begun != c.begun || c.db.calls != c.calls {
				t.Errorf("%s: got %q of %d transactions and %d calls, want %q of %d and %d",
					c.name, got, c.db.begun, c.db.calls, c.want, c.begun, c.calls)
			}
		})
	}
}

// deadlock is a driver's error.
type deadlock struct{}

func (deadlock) Error() string    { return "deadlock detected" }
func (deadlock) SQLState() string { return "40P01" }

func TestTransactRollsBack(t *testing.T) {
	db := &unlucky{stored: map[feed.Claim]string{}}
	app := &App{cfg: Config{Source: db}}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a panic was kept")
			}
		}()
		_, err := app.transact(t.Context(), nil, func(context.Context, feed.Tx) (json.RawMessage, error) { panic("at the bank") })
		t.Errorf("it returned %v", err)
	}()
	if db.rolledBack != 1 || len(db.stored) != 0 {
		t.Errorf("%d transactions were rolled back, %d committed", db.rolledBack, len(db.stored))
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		_, err := app.transact(ctx, nil, func(context.Context, feed.Tx) (json.RawMessage, error) {
			calls++
			cancel()
			return nil, feed.ErrRolledBack
		})
		if err == nil || calls != 1 {
			t.Errorf("got %v after %d calls: its context had ended", err, calls)
		}
	})
	_, err := (&App{cfg: Config{Source: db.Source}}).transact(t.Context(), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "which does not write: give one that is a feed.Writer") {
		t.Errorf("got %v", err)
	}
}

func TestTransactionsDoNotNest(t *testing.T) {
	db := &unlucky{stored: map[feed.Claim]string{}}
	app := &App{cfg: Config{Source: db}}
	_, err := app.transact(t.Context(), nil, func(ctx context.Context, _ feed.Tx) (json.RawMessage, error) {
		return app.transact(ctx, nil, func(context.Context, feed.Tx) (json.RawMessage, error) { return nil, nil })
	})
	if !errors.Is(err, errInTx) || db.begun != 1 || db.rolledBack != 1 {
		t.Errorf("got %v of %d transactions, %d of them rolled back", err, db.begun, db.rolledBack)
	}
}
