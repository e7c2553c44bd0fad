package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// conn is one connection of ours with its prepared statements. It speaks to
// the driver directly: a poll every few milliseconds and reads of ten
// thousands of rows pay for every layer in between. Used by one goroutine at
// a time.
type conn struct {
	raw   connection
	stmts map[string]statement
	// turn is that of the file when it was opened.
	turn int
	// printed, unless nil, is told of what exec executes.
	printed func(sql string, args []driver.Value)
}

// connection and statement are what a driver must have: calls with contexts.
type (
	connection interface {
		driver.Conn
		driver.ConnPrepareContext
		driver.ExecerContext
	}
	statement interface {
		driver.Stmt
		driver.StmtQueryContext
		driver.StmtExecContext
	}
)

// retryAfter is the pause after an error that passes.
const retryAfter = 20 * time.Millisecond

// settings hold on every connection of ours. A statement waits for a lock
// only so long before the caller looks at its context and tries again.
var settings = []string{"PRAGMA busy_timeout=100", "PRAGMA recursive_triggers=1", "PRAGMA synchronous=NORMAL"}

// newConn makes a conn of a driver's connection, which it closes if that
// fails.
func newConn(ctx context.Context, raw driver.Conn, readOnly bool) (*conn, error) {
	able, ok := raw.(connection)
	if !ok {
		raw.Close()
		return nil, fmt.Errorf("the driver's %T takes no contexts: use a newer driver", raw)
	}
	c := &conn{raw: able, stmts: make(map[string]statement)}
	all := settings
	if readOnly {
		all = append(slices.Clip(all), "PRAGMA query_only=1")
	}
	for _, setting := range all {
		if err := c.exec(ctx, setting); err != nil {
			raw.Close()
			return nil, err
		}
	}
	return c, nil
}

// query runs a statement that it keeps prepared, so sql must come from a
// bounded set, and calls fn with every row. fn must not keep the slice.
func (c *conn) query(ctx context.Context, sql string, args []driver.NamedValue, fn func([]driver.Value) error) (err error) {
	stmt, err := c.prepare(ctx, sql)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args)
	if err != nil {
		return err
	}
	defer func() {
		// Close repeats the error of the row that failed.
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	row := make([]driver.Value, len(rows.Columns()))
	for n := 1; ; n++ {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := fn(row); err != nil {
			return err
		}
		// The driver watches the context for the first row only.
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (c *conn) queryRow(ctx context.Context, sql string, dest []driver.Value, args ...driver.Value) error {
	return queryRow(ctx, c, sql, dest, args...)
}

// querier runs statements that return rows: a connection of ours, or an
// author's transaction.
type querier interface {
	query(ctx context.Context, sql string, args []driver.NamedValue, fn func([]driver.Value) error) error
}

// queryRow is query for a statement that returns one row; it returns io.EOF
// when there is none.
func queryRow(ctx context.Context, q querier, sql string, dest []driver.Value, args ...driver.Value) error {
	found := false
	err := q.query(ctx, sql, bind(args...), func(row []driver.Value) error {
		found = true
		copy(dest, row)
		return nil
	})
	if err == nil && !found {
		return io.EOF
	}
	return err
}

// exec runs a statement once, without keeping it prepared.
func (c *conn) exec(ctx context.Context, sql string, args ...driver.Value) error {
	if c.printed != nil {
		c.printed(sql, args)
	}
	_, err := c.raw.ExecContext(ctx, sql, bind(args...))
	return err
}

// begin and end bracket the read transaction of a poll or a snapshot. Like
// number, they are too short to be cancelled: the driver would start a
// goroutine to watch the context.
func (c *conn) begin() error { return c.run("BEGIN") }
func (c *conn) end() error   { return c.run("ROLLBACK") }

// run executes a statement without rows that it keeps prepared.
func (c *conn) run(sql string) error {
	stmt, err := c.prepare(context.Background(), sql)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(context.Background(), nil)
	return err
}

// number reads one integer.
func (c *conn) number(sql string) (int64, error) {
	var row [1]driver.Value
	if err := c.queryRow(context.Background(), sql, row[:]); err != nil {
		return 0, err
	}
	return integerIn(row[0]), nil
}

func (c *conn) prepare(ctx context.Context, sql string) (statement, error) {
	if stmt, ok := c.stmts[sql]; ok {
		return stmt, nil
	}
	raw, err := c.raw.PrepareContext(ctx, sql)
	if err != nil {
		return nil, err
	}
	stmt, ok := raw.(statement)
	if !ok {
		raw.Close()
		return nil, fmt.Errorf("the driver's %T takes no contexts: use a newer driver", raw)
	}
	c.stmts[sql] = stmt
	return stmt, nil
}

// forget closes a statement that is not needed any more.
func (c *conn) forget(sql string) {
	if stmt, ok := c.stmts[sql]; ok {
		stmt.Close()
		delete(c.stmts, sql)
	}
}

// write runs fn in one write transaction. It waits for the lock until ctx
// ends.
func (c *conn) write(ctx context.Context, fn func() error) error {
	if err := patiently(ctx, func() error { return c.exec(ctx, "BEGIN IMMEDIATE") }); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return errors.Join(err, c.exec(context.Background(), "ROLLBACK"))
	}
	if err := c.exec(ctx, "COMMIT"); err != nil {
		return errors.Join(err, c.exec(context.Background(), "ROLLBACK"))
	}
	return nil
}

// patiently calls lock, which takes the write lock, until it does not find it
// taken, or ctx ends.
func patiently(ctx context.Context, lock func() error) error {
	for {
		err := lock()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("wait for the write lock, which another connection holds: %w", ctx.Err())
		case !passing(err):
			return err
		}
		pause(ctx, retryAfter)
	}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (c *conn) close() error {
	var errs []error
	for _, stmt := range c.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

func bind(args ...driver.Value) []driver.NamedValue {
	if len(args) == 0 {
		return nil
	}
	named := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
	}
	return named
}

// Primary result codes of SQLite.
const (
	codeBusy      = 5
	codeLocked    = 6
	codeInterrupt = 9
	codeProtocol  = 15
	codeSchema    = 17
)

// passing tells whether an error goes away by itself.
func passing(err error) bool {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		// Other drivers have errors of their own and SQLite's words for it.
		return err != nil && strings.Contains(err.Error(), "database is locked")
	}
	switch failure.Code() & 0xff {
	case codeBusy, codeLocked, codeInterrupt, codeProtocol, codeSchema:
		return true
	}
	return false
}

// integerIn and textIn read values whose type SQLite guarantees.
func integerIn(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func textIn(v driver.Value) string {
	switch s := v.(type) {
	case string:
		return s
	case []byte: // some drivers' text
		return string(s)
	default:
		return ""
	}
}
