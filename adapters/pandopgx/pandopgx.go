// Package pandopgx lends the transactions that Pando opens to programs that write
// by pgx: its batches, COPY, large objects and types.
package pandopgx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Tx calls fn with pgx's own kind of a transaction that Pando opened: the second
// argument of an action, the one of Channel.Tx, or what pando.TxOf returns. What fn
// writes is part of it. The transaction must be of pgx, as those of pgfeed.Open,
// pgfeed.FromPool, and of pgfeed.New over the driver "pgx" are.
//
// Tx returns fn's error as it is. It rolls nothing back: the one who opened the
// transaction does, once it is given the error. In fn, Begin makes a savepoint, and
// Commit and Rollback fail.
//
// Nothing else may use tx while fn runs. The pgx.Tx is fn's until it returns; rows
// that it has opened must be closed by then.
func Tx(ctx context.Context, tx *sql.Tx, fn func(tx pgx.Tx) error) error {
	l := &loan{fn: fn}
	_, err := tx.ExecContext(ctx, "-- lend the connection", l)
	switch {
	case l.called:
		return l.err
	case err != nil:
		return fmt.Errorf("pandopgx: borrow the transaction's connection, which must be of the driver pgx: %w", err)
	default:
		return errors.New("pandopgx: the transaction is not of the driver pgx: open the database by pgfeed.Open, pgfeed.FromPool or sql.Open(\"pgx\", …)")
	}
}

// loan is how pgx hands over the connection of a transaction: to an argument that
// rewrites a query. The query is never sent, and database/sql keeps others from the
// connection meanwhile.
type loan struct {
	fn     func(tx pgx.Tx) error
	called bool
	err    error
}

var _ pgx.QueryRewriter = (*loan)(nil)

// errLent has pgx leave the query.
var errLent = errors.New("lent")

// RewriteQuery implements pgx.QueryRewriter.
func (l *loan) RewriteQuery(ctx context.Context, conn *pgx.Conn, _ string, _ []any) (string, []any, error) {
	l.called = true
	// A comment is a statement even in a transaction that has failed.
	opened, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: "-- lent"})
	if err != nil {
		l.err = fmt.Errorf("pandopgx: borrow the transaction's connection: %w", err)
		return "", nil, errLent
	}
	l.err = l.fn(lent{opened})
	return "", nil, errLent
}

// lent is a transaction that another one ends.
type lent struct{ pgx.Tx }

var errNotYours = errors.New("pandopgx: the transaction is ended by who opened it: return an error to roll it back")

// Commit implements pgx.Tx.
func (lent) Commit(context.Context) error { return errNotYours }

// Rollback implements pgx.Tx.
func (lent) Rollback(context.Context) error { return errNotYours }
