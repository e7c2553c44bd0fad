package pgfeed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// tx is one write transaction on a connection of the author's, so that all that
// they set on their connections holds in it.
//
//	open ──Commit, Rollback, end of the context──► ended
//
// It is READ COMMITTED, whatever the handle's default: each statement sees what was
// committed before it, and rows that it locks as they are then, so that it never
// fails for having read before another wrote.
type tx struct {
	source *Source
	sql    *sql.Tx
	// release frees the transaction's context.
	release context.CancelFunc
	// claim is the request that was claimed.
	claim      feed.Claim
	claimedOne bool
	// texts tells how the session writes values.
	texts texts

	// stop keeps the end of the context from ending the transaction; it returns
	// true to the one who ends it instead.
	stop func() bool
	// ended is closed once the transaction is over, and outcome what a Commit
	// after that returns.
	ended   chan struct{}
	outcome error
}

// errEnded is the outcome of a transaction that was ended by other means.
var errEnded = errors.New("the transaction was ended by Commit or Rollback of what SQL returned: leave that to the caller of Begin")

// Begin implements feed.Writer. Any number of transactions may write at once. What
// one of them asks for and another holds, it waits for; two that wait for each other
// end by one of them failing, with an error that wraps feed.ErrRolledBack.
func (s *Source) Begin(ctx context.Context) (feed.Tx, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("begin a transaction: %w", context.Cause(ctx))
	}
	opened, release, err := s.beginTx(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin a transaction: %w", err)
	}
	t := &tx{source: s, sql: opened, release: release, ended: make(chan struct{})}
	t.stop = context.AfterFunc(ctx, func() { t.abandon(context.Cause(ctx)) })
	return t, nil
}

// beginTx opens a transaction that does not end with the context, but does not
// outlast it while it is opened.
func (s *Source) beginTx(ctx context.Context) (*sql.Tx, context.CancelFunc, error) {
	lasting, release := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, release)
	opened, err := s.db.BeginTx(lasting, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if !stop() {
		if err == nil {
			opened.Rollback()
		}
		return nil, nil, context.Cause(ctx)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return opened, release, nil
}

// SQL implements feed.Tx.
func (t *tx) SQL() *sql.Tx { return t.sql }

// Commit implements feed.Tx.
func (t *tx) Commit() error {
	if !t.stop() {
		<-t.ended
		return t.outcome
	}
	err := t.sql.Commit()
	switch {
	case errors.Is(err, sql.ErrTxDone):
		err = errEnded
	case err != nil && (refused(err) || errors.Is(err, pgx.ErrTxCommitRollback)):
		err = fmt.Errorf("%w: commit: %w", feed.ErrRolledBack, asConstraint(nil, err))
	case err != nil:
		err = fmt.Errorf("commit: %w", err)
	}
	t.finish(sql.ErrTxDone)
	return err
}

// Rollback implements feed.Tx.
func (t *tx) Rollback() error {
	if !t.stop() {
		<-t.ended
		return nil
	}
	err := t.rollback()
	t.finish(fmt.Errorf("%w: it was rolled back before", feed.ErrRolledBack))
	return err
}

// abandon is Rollback at the end of the context. That the connection is lost
// comes to the same.
func (t *tx) abandon(cause error) {
	t.rollback() //nolint:errcheck // without a COMMIT nothing is applied
	t.finish(fmt.Errorf("%w: %w", feed.ErrRolledBack, cause))
}

func (t *tx) rollback() error {
	err := t.sql.Rollback()
	switch {
	case errors.Is(err, sql.ErrTxDone):
		return errEnded
	case err != nil:
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

func (t *tx) finish(outcome error) {
	t.outcome = outcome
	t.release()
	close(t.ended)
}

// fail tells what an error of a statement on a table means.
func fail(t *table, err error) error {
	if state := code(err); strings.HasPrefix(state, rolledBack) && state != completionUnknown {
		return fmt.Errorf("%w: %w", feed.ErrRolledBack, err)
	}
	return asConstraint(t, err)
}

// The clauses that lock rows. The exclusive one lets foreign keys refer to the row
// meanwhile, as an UPDATE does.
const (
	lockShared    = " FOR SHARE OF t"
	lockExclusive = " FOR NO KEY UPDATE OF t"
)

// Rows implements feed.Tx. Rows are read, and looked at again, as they are once
// they are locked.
func (t *tx) Rows(ctx context.Context, q feed.Query, lock feed.Lock, fn func(schema.Row) error) error {
	if err := t.alignTexts(ctx); err != nil {
		return err
	}
	clause := lockShared
	if lock == feed.Exclusive {
		clause = lockExclusive
	}
	found := map[schema.Value]bool{}
	err := t.source.lockedRows(ctx, t.sql, q, clause, func(row schema.Row) error {
		found[row[q.Column]] = true
		return fn(row)
	})
	// A statement that has waited for a transaction which deletes a row and inserts
	// it anew sees neither: the first is gone, the second younger than the statement.
	missing := slices.DeleteFunc(slices.Clone(q.Values), func(v schema.Value) bool { return found[v] })
	if err == nil && q.Limit == 0 && len(missing) > 0 {
		q.Values = missing
		err = t.source.lockedRows(ctx, t.sql, q, clause, fn)
	}
	return errors.Join(fail(nil, err), t.restoreTexts(ctx, err))
}

// Insert implements feed.Tx.
func (t *tx) Insert(ctx context.Context, declared *schema.Table, set []feed.Assignment) (schema.Value, error) {
	key, err := t.insert(ctx, declared, set)
	if err != nil {
		return schema.Value{}, fmt.Errorf("insert into table %q: %w", declared.Name, err)
	}
	return key, nil
}

func (t *tx) insert(ctx context.Context, declared *schema.Table, set []feed.Assignment) (schema.Value, error) {
	into, err := t.source.tableOf(declared)
	if err != nil {
		return schema.Value{}, err
	}
	var columns, values, keys []string
	var args []any
	for _, a := range set {
		value, err := into.assigned(a, &args)
		if err != nil {
			return schema.Value{}, err
		}
		columns, values = append(columns, into.columns[a.Column].bare), append(values, value)
	}
	statement := "INSERT INTO " + into.sqlName() + " AS t DEFAULT VALUES"
	if len(set) > 0 {
		statement = "INSERT INTO " + into.sqlName() + " AS t (" + strings.Join(columns, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
	}
	parts := stored(declared, declared.Key)
	row := make(schema.Row, len(declared.Columns))
	texts, dest := make([]text, len(parts)), make([]any, len(parts))
	for i, p := range parts {
		keys = append(keys, into.columns[p].output())
		dest[i] = &texts[i]
	}
	if err := t.alignTexts(ctx); err != nil {
		return schema.Value{}, err
	}
	err = queryOne(ctx, t.sql, statement+" RETURNING "+strings.Join(keys, ", "), args, dest, func() {
		for i, p := range parts {
			row[p] = t.source.valueOf(into.columns[p], texts[i])
		}
	})
	if err := errors.Join(fail(into, err), t.restoreTexts(ctx, err)); err != nil {
		return schema.Value{}, err
	}
	return declared.Complete(row)[declared.Key], nil
}

// queryOne scans one row and calls fn while what it scanned is there.
func queryOne(ctx context.Context, tx *sql.Tx, statement string, args, dest []any, fn func()) error {
	rows, err := tx.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		fn()
	}
	// The end of the statement is where its constraints are told.
	return errors.Join(rows.Close(), rows.Err())
}

// assigned is SQL for a value that a column is set to.
func (t *table) assigned(a feed.Assignment, args *[]any) (string, error) {
	c := t.columns[a.Column]
	if c == nil {
		return "", fmt.Errorf("set column %q, which is derived", t.declared.Columns[a.Column].Name)
	}
	value, err := c.argument(a.Value)
	if err != nil {
		return "", &feed.ConstraintError{Constraint: feed.Check, Column: a.Column, Err: err}
	}
	*args = append(*args, value)
	return fmt.Sprintf("$%d::%s", len(*args), c.sqlType), nil
}

// tableOf is a declared table as the database has it.
func (s *Source) tableOf(declared *schema.Table) (*table, error) {
	known, err := s.described()
	if err != nil {
		return nil, err
	}
	t := known.tables[declared]
	if t == nil {
		return nil, errors.New("it is not one of the tables that Setup was called for")
	}
	return t, nil
}

// Update implements feed.Tx.
func (t *tx) Update(ctx context.Context, declared *schema.Table, key schema.Value, set []feed.Assignment) error {
	if len(set) == 0 {
		return nil
	}
	err := t.change(ctx, declared, key, func(of *table, args *[]any) (string, error) {
		var sets []string
		for _, a := range set {
			value, err := of.assigned(a, args)
			if err != nil {
				return "", err
			}
			sets = append(sets, of.columns[a.Column].bare+" = "+value)
		}
		return "UPDATE " + of.sqlName() + " AS t SET " + strings.Join(sets, ", "), nil
	})
	if err != nil {
		return fmt.Errorf("update table %q: %w", declared.Name, err)
	}
	return nil
}

// Delete implements feed.Tx.
func (t *tx) Delete(ctx context.Context, declared *schema.Table, key schema.Value) error {
	err := t.change(ctx, declared, key, func(of *table, _ *[]any) (string, error) {
		return "DELETE FROM " + of.sqlName() + " AS t", nil
	})
	if err != nil {
		return fmt.Errorf("delete from table %q: %w", declared.Name, err)
	}
	return nil
}

// change runs a statement on the row with a key.
func (t *tx) change(ctx context.Context, declared *schema.Table, key schema.Value, statement func(of *table, args *[]any) (string, error)) error {
	of, err := t.source.tableOf(declared)
	if err != nil {
		return err
	}
	q := feed.Query{Table: declared, Column: declared.Key, Values: []schema.Value{key}}
	find := newSelection(&q, of, false)
	if !find.whole || len(find.where) == 0 {
		return fmt.Errorf("a row cannot be found by the key %s", key)
	}
	text, err := statement(of, &find.args)
	if err != nil {
		return err
	}
	_, err = t.sql.ExecContext(ctx, text+" WHERE "+strings.Join(find.where, " AND "), find.args...)
	return fail(of, err)
}
