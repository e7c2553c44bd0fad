package pgfeed

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// patience is after how long a wait for transactions is told of.
const patience = 3 * time.Second

// temporarySlot makes a slot that lives as long as the connection, and returns
// its name and where it begins: all that is committed from there on will come,
// and all that was committed before is visible to whoever reads from now on.
func (s *Source) temporarySlot(ctx context.Context, conn *pgconn.PgConn) (name string, begins uint64, err error) {
	random := make([]byte, 8)
	rand.Read(random)
	name = s.temporaryPrefix() + hex.EncodeToString(random)
	begins, err = s.createSlot(ctx, conn, name, "TEMPORARY ")
	if err == nil {
		s.following.Store(&name)
	}
	return name, begins, err
}

// createSlot makes a slot. PostgreSQL waits for the transactions that write
// meanwhile; their end is watched, since one that is left open keeps it waiting.
func (s *Source) createSlot(ctx context.Context, conn *pgconn.PgConn, name, life string) (begins uint64, err error) {
	defer s.watchWait(ctx, "a replication slot is made")()
	defer s.flushing(ctx)()
	row, err := command(ctx, conn, fmt.Sprintf("CREATE_REPLICATION_SLOT %s %sLOGICAL pgoutput NOEXPORT_SNAPSHOT", quote(name), life))
	if err != nil {
		return 0, fmt.Errorf("create the replication slot %q: %w", name, err)
	}
	begins, err = parseLSN(row["consistent_point"])
	if err != nil {
		return 0, fmt.Errorf("create the replication slot %q: %w", name, err)
	}
	return begins, s.settle(ctx)
}

// flushing writes messages to the log until the function that it returns is called.
// A slot that is made waits several times for a record that the server has
// written but flushes only with others.
func (s *Source) flushing(ctx context.Context) (end func()) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for wait := 2 * grace; pause(ctx, wait) == nil; wait = min(2*wait, time.Second) {
			if _, err := s.emitMessage(ctx); err != nil {
				return // the server then flushes in its own time
			}
		}
	}()
	return func() {
		stop()
		<-done
	}
}

// settle waits until every transaction that is under way has ended. One that
// began while a slot was made may have written its commit before the place where
// the slot begins and not be visible yet, as while it waits for a standby: it
// would neither be read nor come.
func (s *Source) settle(ctx context.Context) error {
	now, err := s.visibility(ctx)
	if err != nil {
		return err
	}
	return s.untilVisible(ctx, now.running)
}

// untilVisible waits until transactions have ended, and reads see what they
// have committed.
func (s *Source) untilVisible(ctx context.Context, transactions []uint64) error {
	for wait := time.Millisecond; len(transactions) > 0; wait = min(2*wait, 100*time.Millisecond) {
		now, err := s.visibility(ctx)
		if err != nil {
			return err
		}
		transactions = slices.DeleteFunc(transactions, now.saw)
		if len(transactions) == 0 {
			return nil
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}

// watchWait warns when what is under way lasts, naming what it may wait for. The
// function that it returns ends the watch.
func (s *Source) watchWait(ctx context.Context, what string) (end func()) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for wait := patience; pause(ctx, wait) == nil; wait = min(2*wait, time.Minute) {
			open, err := s.openTransactions(ctx)
			if err != nil {
				continue
			}
			s.log.Warn("the feed waits for transactions that are open; end those that nobody will end", "while", what, "open", open)
		}
	}()
	return func() {
		stop()
		<-done
	}
}

// openTransactions names the oldest transactions that write, in any database of
// the server. Of other roles' sessions only their process is told.
func (s *Source) openTransactions(ctx context.Context) (string, error) {
	const query = `SELECT string_agg(t, '; ') FROM (
	(SELECT 'pid ' || l.pid || coalesce(' of ' || a.datname || ' (' || a.state || '), for ' || date_trunc('second', now() - a.xact_start)
			|| ', query began ' || date_trunc('second', a.query_start), '') AS t
		FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND l.pid IS NOT NULL AND l.pid <> pg_backend_pid()
		ORDER BY a.xact_start LIMIT 5)
	UNION ALL
	(SELECT 'prepared transaction ' || quote_literal(gid) || ' of ' || database || ', since ' || date_trunc('second', prepared)
		FROM pg_prepared_xacts ORDER BY prepared LIMIT 5)) x`
	var open *string
	if err := s.db.QueryRowContext(ctx, query).Scan(&open); err != nil || open == nil {
		return "", errors.Join(err, errors.New("none"))
	}
	return *open, nil
}

// parseLSN reads a place in the log as PostgreSQL writes it, 16/B374D848.
func parseLSN(text string) (uint64, error) {
	high, low, ok := strings.Cut(text, "/")
	h, errHigh := strconv.ParseUint(high, 16, 32)
	l, errLow := strconv.ParseUint(low, 16, 32)
	if !ok || errHigh != nil || errLow != nil {
		return 0, fmt.Errorf("%q is no place in the log", text)
	}
	return h<<32 | l, nil
}
