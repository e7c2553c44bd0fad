package sqlitefeed

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

var _ feed.Writer = (*Source)(nil)

// tx is one write transaction on a connection of the author's, so that all that
// they set on their connections holds in it.
//
//	open ──Commit, Rollback, end of the context──► ended
type tx struct {
	view // meta is as it was when the transaction began

	conn *sql.Conn
	sql  *sql.Tx
	// claim is the request that was claimed.
	claim feed.Claim

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

// Begin implements feed.Writer. The transaction has the write lock from its
// beginning, whatever the author's handle begins with: no other writes until
// its end, so that it never fails for having read before another wrote.
// Transactions of one Source take turns without trying; for other writers it
// waits as Setup does.
func (s *Source) Begin(ctx context.Context) (feed.Tx, error) {
	if _, _, err := s.ready(); err != nil {
		return nil, err
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the transaction before this one: %w", context.Cause(ctx))
	}
	t, err := s.begin(ctx)
	if err != nil {
		<-s.turn
		return nil, fmt.Errorf("begin a transaction: %w", err)
	}
	t.stop = context.AfterFunc(ctx, func() { t.abandon(context.Cause(ctx)) })
	return t, nil
}

// begin opens the transaction on a connection of the author's.
func (s *Source) begin(ctx context.Context) (*tx, error) {
	conn, err := s.author.Conn(ctx)
	if err != nil {
		return nil, err
	}
	t := &tx{view: view{source: s}, conn: conn, ended: make(chan struct{})}
	if err := t.lock(ctx); err != nil {
		return nil, errors.Join(err, t.giveUp())
	}
	t.querier = statements{t.sql}
	if t.meta, err = readMeta(t); err != nil {
		return nil, errors.Join(err, t.giveUp())
	}
	return t, nil
}

// maxTimeout is how long, in milliseconds, SQLite itself waits for a lock: it
// does not look at contexts then.
const maxTimeout = 100

// lock begins with the write lock, and waits for that until ctx ends.
func (t *tx) lock(ctx context.Context) error {
	var timeout int64
	if err := t.conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&timeout); err != nil {
		return fmt.Errorf("read how long the connection waits for locks: %w", err)
	}
	if timeout <= maxTimeout {
		return t.take(ctx)
	}
	if err := t.setTimeout(ctx, maxTimeout); err != nil {
		return err
	}
	err := t.take(ctx)
	return errors.Join(err, t.setTimeout(context.WithoutCancel(ctx), timeout))
}

func (t *tx) setTimeout(ctx context.Context, milliseconds int64) error {
	if _, err := t.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout=%d", milliseconds)); err != nil {
		return fmt.Errorf("set how long the connection waits for locks: %w", err)
	}
	return nil
}

// take begins the transaction and has it write to a table of ours: a handle may
// begin without the lock, and one that reads before it writes could not write
// once another had.
func (t *tx) take(ctx context.Context) error {
	return patiently(ctx, func() (err error) {
		if t.sql == nil {
			// The end of the context is abandon's to see.
			if t.sql, err = t.conn.BeginTx(context.WithoutCancel(ctx), nil); err != nil {
				t.sql = nil
				return err
			}
		}
		_, err = t.sql.ExecContext(ctx, "UPDATE pando_meta SET trimmed = trimmed WHERE 0")
		return err
	})
}

// giveUp ends what began without coming to anything.
func (t *tx) giveUp() error {
	var err error
	if t.sql != nil {
		err = t.sql.Rollback()
	}
	return errors.Join(err, t.conn.Close())
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
	case err != nil:
		err = t.undo(err)
	default:
		t.source.Wake()
	}
	t.finish(sql.ErrTxDone)
	return err
}

// undo makes sure that a transaction which could not be committed is not left
// open, and says whether it has certainly not been applied.
func (t *tx) undo(err error) error {
	certain := refused(err)
	// A driver may leave it open or not; where it was, it was not applied.
	if _, e := t.conn.ExecContext(context.Background(), "ROLLBACK"); e == nil {
		certain = true
	} else if !certain {
		t.discard()
	}
	err = fmt.Errorf("commit: %w", asConstraint(nil, err))
	if certain {
		err = fmt.Errorf("%w: %w", feed.ErrRolledBack, err)
	}
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

// abandon is Rollback at the end of the context.
func (t *tx) abandon(cause error) {
	outcome := fmt.Errorf("%w: %w", feed.ErrRolledBack, cause)
	if err := t.rollback(); err != nil {
		outcome = err
	}
	t.finish(outcome)
}

// rollback undoes what SQLite may have undone by itself: it does when a
// statement that writes is interrupted.
func (t *tx) rollback() error {
	err := t.sql.Rollback()
	switch {
	case err != nil && strings.Contains(err.Error(), "no transaction is active"):
		return nil
	case errors.Is(err, sql.ErrTxDone):
		return errEnded
	case err != nil:
		t.discard()
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// discard keeps a connection in an unknown state from being used again.
func (t *tx) discard() {
	t.conn.Raw(func(any) error { return driver.ErrBadConn }) //nolint:errcheck // it returns what it is given
}

// finish gives the connection back and the turn to the next transaction.
func (t *tx) finish(outcome error) {
	t.outcome = outcome
	t.conn.Close() //nolint:errcheck // it tells only that the connection is closed already
	<-t.source.turn
	close(t.ended)
}

// Rows implements feed.Tx. The transaction is the only one that writes, so
// that all it reads is locked, whatever lock says.
func (t *tx) Rows(ctx context.Context, q feed.Query, _ feed.Lock, fn func(schema.Row) error) error {
	if len(q.Values) == 0 {
		return nil
	}
	err := t.read(ctx, &q, t.formsOf(ctx, q.Table), fn)
	if err != nil {
		return fmt.Errorf("read table %q by column %q: %w", q.Table.Name, q.Table.Columns[q.Column].Name, err)
	}
	return nil
}

// formsOf tells how the transaction finds the columns of a table stored. What it
// wrote itself is looked at each time and not remembered, as it may yet be
// undone.
func (t *tx) formsOf(ctx context.Context, table *schema.Table) formOf {
	known := &t.source.forms
	readNow := sync.OnceValues(func() (meta, error) { return readMeta(t) })
	return func(column int, ask aspect) (storage, error) {
		col := &table.Columns[column]
		if col.Derived() {
			return storage{}, nil
		}
		now, err := readNow()
		if err != nil {
			return storage{}, err
		}
		if now == t.meta { // nothing is written yet
			return known.of(ctx, &t.view, table, column, ask)
		}
		k, use := known.recall(&t.meta, table, col, ask)
		if use == nothing {
			if err := t.learnCommitted(ctx, table, column, ask); err != nil {
				return storage{}, err
			}
			k, use = known.recall(&t.meta, table, col, ask)
		}
		look := examination{from: t, table: table.Name, column: col, aspect: ask}
		switch {
		case k.form == odd || k.always:
			return k.storage, nil
		case use == nothing: // the log was trimmed meanwhile
			err = look.whole(ctx, &k)
		default:
			err = look.since(ctx, &k)
		}
		if err != nil {
			return storage{}, look.fail(err)
		}
		return k.storage, nil
	}
}

// learnCommitted looks at a column as it is without the transaction.
func (t *tx) learnCommitted(ctx context.Context, table *schema.Table, column int, ask aspect) error {
	committed, err := t.source.snapshot(ctx)
	if err != nil {
		return err
	}
	_, err = t.source.forms.of(ctx, &committed.view, table, column, ask)
	return errors.Join(err, committed.Close())
}

// statements runs statements of ours in an author's transaction.
type statements struct{ tx *sql.Tx }

func (s statements) query(ctx context.Context, sql string, args []driver.NamedValue, fn func([]driver.Value) error) error {
	rows, err := s.tx.QueryContext(ctx, sql, plain(args)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	scanned, dest := make([]any, len(columns)), make([]any, len(columns))
	for i := range scanned {
		dest[i] = &scanned[i]
	}
	row := make([]driver.Value, len(columns))
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		for i, v := range scanned {
			row[i] = v
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// exec runs a statement that returns no rows, and tells how many it changed.
func (s statements) exec(ctx context.Context, sql string, args []driver.NamedValue) (int64, error) {
	result, err := s.tx.ExecContext(ctx, sql, plain(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func plain(args []driver.NamedValue) []any {
	values := make([]any, len(args))
	for i := range args {
		values[i] = args[i].Value
	}
	return values
}
