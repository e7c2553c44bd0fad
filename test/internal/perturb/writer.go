package perturb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pando-sync/pando/feed"
)

// Witness sees the transactions that the library makes.
type Witness interface {
	// Begun sees a transaction that has just begun: nobody else writes. What it
	// returns goes with the transaction.
	Begun(ctx context.Context, tx *sql.Tx) any
	// Ending sees what it has done right before it is committed or rolled back,
	// unless its context ended it, or the claim of a request that was carried out
	// before, which Claimed tells.
	Ending(of any, tx *sql.Tx)
	Claimed(of any, reply []byte)
	// Ended tells how it has ended, before the library learns it. It is not told
	// of one that its context ended and that nobody tried to commit.
	Ended(of any, committed bool)
}

// crash is a way in which a transaction fails.
type crash int

// The ways.
const (
	noCrash       crash = iota
	claimFails          // the claim fails
	claimUndone         // the claim fails since the transaction was rolled back for the sake of others
	commitUndone        // it is rolled back at the commit, and that is known
	commitLost          // it is rolled back at the commit, and nothing is known of it
	commitNotTold       // it is committed, and nothing is known of it
	crashesInTotal
)

var errCrash = errors.New("perturb: the database is away")

// Begin implements feed.Writer.
func (s *Source) Begin(ctx context.Context) (feed.Tx, error) {
	w, ok := s.Source.(feed.Writer)
	if !ok {
		return nil, errors.New("perturb: the source does not write")
	}
	s.pause(s.plan.SlowRead)
	inner, err := w.Begin(ctx)
	if err != nil {
		return nil, err
	}
	t := &tx{Tx: inner, source: s}
	if s.plan.Crashes && s.draw(5) == 0 {
		t.crash = crash(1 + s.draw(int(crashesInTotal)-1))
	}
	if s.plan.Witness != nil {
		t.of = s.plan.Witness.Begun(ctx, inner.SQL())
	}
	return t, nil
}

// tx is a transaction that is perturbed.
type tx struct {
	feed.Tx

	source *Source
	crash  crash
	of     any
	ended  bool
	// refuses tells that what is stored is a refusal, and nothing else is done.
	refuses bool
}

// Reply implements feed.Tx. A refusal is told to nobody: what it refuses was.
func (t *tx) Reply(ctx context.Context, reply []byte) error {
	t.refuses = !json.Valid(reply)
	return t.Tx.Reply(ctx, reply)
}

// Claim implements feed.Tx.
func (t *tx) Claim(ctx context.Context, r feed.Claim) (reply []byte, done bool, err error) {
	switch t.crash {
	case claimFails:
		return nil, false, errCrash
	case claimUndone:
		return nil, false, fmt.Errorf("%w: %w", feed.ErrRolledBack, errCrash)
	default:
	}
	reply, done, err = t.Tx.Claim(ctx, r)
	if done && t.source.plan.Witness != nil {
		t.source.plan.Witness.Claimed(t.of, reply)
	}
	return reply, done, err
}

// Commit implements feed.Tx.
func (t *tx) Commit() error {
	t.ending()
	switch t.crash {
	case commitUndone:
		return t.end(false, errors.Join(fmt.Errorf("%w: %w", feed.ErrRolledBack, errCrash), t.Tx.Rollback()))
	case commitLost:
		return t.end(false, errors.Join(errCrash, t.Tx.Rollback()))
	default:
	}
	t.source.pause(t.source.plan.SlowFeed)
	err := t.Tx.Commit()
	if err == nil && t.crash == commitNotTold {
		return t.end(true, errCrash)
	}
	return t.end(err == nil, err)
}

// Rollback implements feed.Tx.
func (t *tx) Rollback() error {
	if t.ended {
		return t.Tx.Rollback()
	}
	t.ending()
	return t.end(false, t.Tx.Rollback())
}

func (t *tx) ending() {
	if t.source.plan.Witness != nil && !t.refuses {
		t.source.plan.Witness.Ending(t.of, t.SQL())
	}
}

func (t *tx) end(committed bool, err error) error {
	t.ended = true
	if t.source.plan.Witness != nil && !t.refuses {
		t.source.plan.Witness.Ended(t.of, committed)
	}
	return err
}
