package pgfeed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pando-sync/pando/feed"
)

// retryAfter is how long Run waits after it has lost the connection, and longer
// each time that it fails, up to retryLast.
const (
	retryAfter = 50 * time.Millisecond
	retryLast  = 2 * time.Second
)

// follower is one Run: it reads a temporary slot and feeds the sink.
type follower struct {
	source *Source
	sink   feed.Sink
	// started tells that the sink has had its first Start, and reason why the next
	// one comes.
	started bool
	reason  string
	// held is the part of a commit that came last, kept back until it is known
	// whether another one with changes follows.
	held *feed.Commit
	// unseen are the transactions that were delivered and, when last looked at,
	// not visible to reads.
	unseen []uint64
}

// unseenLooked is how many transactions are delivered between looks at which of
// them are visible.
const unseenLooked = 1024

// Run implements feed.Source. It needs a free replication slot and WAL sender of
// the server.
func (s *Source) Run(ctx context.Context, sink feed.Sink) error {
	if err := s.ready(); err != nil {
		return fmt.Errorf("follow the database: %w", err)
	}
	if s.logs {
		return s.runTriggers(ctx, sink)
	}
	f := &follower{source: s, sink: sink, reason: "following begins"}
	for wait := retryAfter; ; wait = min(2*wait, retryLast) {
		begun := f.started
		began := time.Now()
		err := f.session(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // an end that was asked for is no error
		case permanent(err):
			return fmt.Errorf("follow the database: %w", mended(err))
		case f.started != begun || time.Since(began) > retryLast:
			wait = retryAfter
		}
		f.lost(err)
		if pause(ctx, wait) != nil {
			return nil //nolint:nilerr // an end that was asked for is no error
		}
	}
}

// lost tells that the feed stands still until the next session.
func (f *follower) lost(err error) {
	f.reason = "continuity was lost: " + err.Error()
	restart, ok := errors.AsType[*restartError](err)
	if ok {
		f.reason = restart.reason
	}
	switch {
	case f.started && ok:
		f.sink.Stall(restart.reason) // the next slot may have to wait for transactions
	case f.started:
		f.sink.Stall(err.Error())
	case !ok:
		f.source.log.Warn("the database cannot be followed for now; trying again", "error", err)
	}
}

// restartError ends a session that another one has to follow, though nothing has
// failed.
type restartError struct{ reason string }

func (e *restartError) Error() string { return e.reason }

// session follows one slot until the connection or the context ends.
func (f *follower) session(ctx context.Context) error {
	s := f.source
	conn, err := connectReplication(ctx, s.url)
	if err != nil {
		return err
	}
	slot, begins, err := s.prepareSlot(ctx, conn)
	if err != nil {
		conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the connection is given up
		return err
	}
	stream, err := startStream(ctx, conn, slot, s.publication(), begins)
	if err != nil {
		return err
	}
	defer stream.close()
	log := newSlotLog(stream, feed.Position(begins-1))
	log.silent = func(quiet bool) { f.silent(log, quiet) }

	guard, err := s.newGuard(ctx, &log.restarts)
	if err != nil {
		return err
	}
	log.resetting = guard.catchUp
	if f.started {
		if err := guard.restore(ctx); err != nil {
			return err
		}
	}
	ctx, end := guard.watch(ctx)
	defer end()
	f.held, f.unseen = nil, nil
	f.start(guard.began, log.start, f.reason)
	for {
		part, err := log.Next(ctx)
		if err == nil {
			err = f.deliver(ctx, guard, part)
		}
		if err != nil {
			return causeOf(ctx, err)
		}
		log.Ack(part.Position) //nolint:errcheck // it never fails
	}
}

// causeOf is why a context has ended where it was not just cancelled, else err.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

func (f *follower) start(epoch string, head feed.Position, reason string) {
	f.started = true
	f.sink.Start(epoch, head, reason)
	f.source.wake.passed(head)
}

// silent is told when the server says nothing for a while, and when it does again.
func (f *follower) silent(log *slotLog, quiet bool) {
	switch {
	case quiet:
		f.sink.Stall(errSilent.Error())
	case !log.tx.open: // else the commit goes on
		f.sink.Advance(log.last)
	}
}

// deliver feeds the sink.
func (f *follower) deliver(ctx context.Context, guard *guard, part feed.Part) error {
	switch {
	case part.Reset != "":
		return f.reset(ctx, guard, part)
	case part.Data == nil:
		f.advance(part.Position)
		return nil
	}
	commit, err := f.source.Decode(part)
	if err != nil {
		return err
	}
	if len(commit.Changes) > 0 {
		if f.held != nil {
			f.held.More = true
			f.sink.Commit(f.held)
		}
		f.held = commit
	}
	if part.More {
		return nil
	}
	if f.held == nil { // of tables that this process does not declare
		f.advance(part.Position)
		return nil
	}
	f.held.More = false
	f.sink.Commit(f.held)
	f.held = nil
	f.source.wake.passed(part.Position)
	return f.note(ctx, part.Transaction)
}

func (f *follower) advance(p feed.Position) {
	f.sink.Advance(p)
	f.source.wake.passed(p)
}

// note notes that a transaction was delivered, and forgets those that are
// visible.
func (f *follower) note(ctx context.Context, transaction uint64) error {
	f.unseen = append(f.unseen, transaction)
	if len(f.unseen)%unseenLooked != 0 {
		return nil
	}
	now, err := f.source.visibility(ctx)
	if err != nil {
		return err
	}
	f.unseen = now.unseen(f.unseen)
	return nil
}

// reset starts anew where all that came before is visible to reads: what is void
// is to be read again.
func (f *follower) reset(ctx context.Context, guard *guard, part feed.Part) error {
	f.held = nil
	if part.Transaction != 0 {
		f.unseen = append(f.unseen, part.Transaction)
	}
	now, err := f.source.visibility(ctx)
	if err != nil {
		return err
	}
	if f.unseen = now.unseen(f.unseen); len(f.unseen) > 0 {
		f.sink.Stall(part.Reset + ", by a transaction that is not visible yet")
		if err := f.source.untilVisible(ctx, f.unseen); err != nil {
			return err
		}
		f.unseen = nil
	}
	f.start(guard.began, part.Position, part.Reset)
	return nil
}

// prepareSlot makes a temporary slot on a connection to the right server.
func (s *Source) prepareSlot(ctx context.Context, conn *pgconn.PgConn) (slot string, begins uint64, err error) {
	if err := s.identify(ctx, conn); err != nil {
		return "", 0, err
	}
	return s.temporarySlot(ctx, conn)
}

// identify makes sure that the replication URL leads to the database that is
// read.
func (s *Source) identify(ctx context.Context, conn *pgconn.PgConn) error {
	row, err := command(ctx, conn, "IDENTIFY_SYSTEM")
	if err != nil {
		return fmt.Errorf("identify the server: %w", err)
	}
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	var name string
	if err := s.db.QueryRowContext(ctx, "SELECT current_database()").Scan(&name); err != nil {
		return fmt.Errorf("identify the database: %w", err)
	}
	if !strings.HasPrefix(now.epoch, row["systemid"]+".") || name != row["dbname"] {
		return &wrongServerError{fmt.Sprintf("the replication URL leads to the database %q of the server %s, the handle to %q of %s: give pgfeed.New both of one database",
			row["dbname"], row["systemid"], name, strings.SplitN(now.epoch, ".", 2)[0])}
	}
	return nil
}
