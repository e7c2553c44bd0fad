package pgfeed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// poolerRounds is how often is looked whether a pooler shares connections, as
	// others may have them in the moment of a look.
	poolerRounds = 3
	// poolerPatience bounds a wait for another connection, of the handle's pool or
	// the pooler's, which may have no more than one.
	poolerPatience = time.Second
)

// The codes of a statement that was prepared on another connection than the one on
// which it is run, or on one where another client has prepared its like.
const (
	codeNoStatement   = "26000"
	codeSameStatement = "42P05"
)

// errLogPooler tells of something between the replication connection and the server.
var errLogPooler = &mismatch{"the replication URL leads to a connection pooler, as PgBouncer, by which a log cannot be read: give the address of the server itself in PANDO_REPLICATION, or as pgfeed.New's URL; the handle, PANDO_DB, may go by the pooler"}

// errStatementPooler and errPreparedPooler tell of poolers by which the handle
// cannot go.
var (
	errStatementPooler = &mismatch{"the handle, PANDO_DB, goes by a connection pooler that gives each statement another connection, on which there are no transactions: set its pool_mode to transaction or session, or give the address of the server itself"}
	errPreparedPooler  = &mismatch{"the handle, PANDO_DB, goes by a connection pooler that gives each transaction another connection, on which statements that the driver has prepared are missing: " + preparedMend}
)

// preparedMend is what to do about statements that a pooler loses.
const preparedMend = "add default_query_exec_mode=exec to the URL of PANDO_DB (of another driver than pgx: turn off its prepared statements), or set PgBouncer's max_prepared_statements (from 1.21 on) or its pool_mode = session, or give the address of the server itself"

// poolerProbe asks for the server's process, with a parameter, so that drivers run
// it as the statements of the feed.
const poolerProbe = "SELECT pg_backend_pid() WHERE $1::int = 1"

// checkHandle refuses a pooler before the handle by which the feed's statements
// fail. What goes by one pooler may go by the next one, too, so that it is done
// once.
func (s *Source) checkHandle(ctx context.Context) error {
	if s.ready() == nil {
		return nil
	}
	one, err := s.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer one.Close() //nolint:errcheck // it tells only that the connection is closed already
	// Other sources may look at once by the same few connections.
	patient, cancel := context.WithTimeout(ctx, poolerPatience)
	defer cancel()
	other, err := s.db.Conn(patient)
	if err != nil {
		if ctx.Err() == nil && patient.Err() != nil {
			return nil // Hints tells of a handle of one connection
		}
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer other.Close() //nolint:errcheck // the same
	for range poolerRounds {
		if shares, err := sharesConnections(ctx, one, other); shares || err != nil {
			return pooled(err) // one whose statements did not fail may stay
		}
	}
	return nil
}

// sharesConnections looks whether two connections of the handle have each one of
// the server's for itself.
func sharesConnections(ctx context.Context, one, other *sql.Conn) (bool, error) {
	first, err := process(ctx, one)
	if err != nil {
		return false, err
	}
	// A pooler that takes its connections in turn has given this one to nobody else.
	second, err := process(ctx, one)
	if err != nil || second != first {
		return true, err
	}
	tx, err := other.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	taken, err := process(ctx, tx)
	if err != nil {
		return false, err
	}
	// While the transaction has it, a pooler gives another one, with none of the
	// statements that were prepared before.
	patient, cancel := context.WithTimeout(ctx, poolerPatience)
	defer cancel()
	next, err := process(patient, one)
	if err != nil && ctx.Err() == nil && patient.Err() != nil {
		return true, nil
	}
	return taken == first || next != first, err
}

// process is the number of the server's process that a statement runs in.
func process(ctx context.Context, q asker) (pid int64, err error) {
	err = q.QueryRowContext(ctx, poolerProbe, 1).Scan(&pid)
	return pid, err
}

// pooled says what an error means that a pooler may have brought about.
func pooled(err error) error {
	refused, _ := errors.AsType[*pgconn.PgError](err)
	switch state := code(err); {
	case state == codeNoStatement, state == codeSameStatement:
		return fmt.Errorf("%w: %w", errPreparedPooler, err)
	case refused != nil && strings.Contains(refused.Message, "statement pooling"):
		return fmt.Errorf("%w: %w", errStatementPooler, err)
	case err != nil:
		return fmt.Errorf("look for a pooler: %w", err)
	}
	return nil
}

// poolerHints tells of a pooler before a handle of one connection, of which Setup
// could not find out more: the number that the other end has for the connection is
// not that of the server's process then. Only pgx lets it be asked for.
func (s *Source) poolerHints(ctx context.Context) (hints []string, err error) {
	if s.db.Stats().MaxOpenConnections != 1 {
		return nil, nil
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // it tells only that the connection is closed already
	told := uint32(0)
	err = conn.Raw(func(driver any) error {
		if c, ok := driver.(*stdlib.Conn); ok {
			told = c.Conn().PgConn().PID()
		}
		return nil
	})
	if told == 0 || err != nil {
		return nil, err
	}
	pid, err := process(ctx, conn)
	if err == nil && pid != int64(told) {
		hints = append(hints, "the handle goes by a connection pooler: where that gives each transaction another connection, as PgBouncer's pool_mode = transaction, set its max_prepared_statements, or default_query_exec_mode=exec in the URL of PANDO_DB")
	}
	return hints, err
}
