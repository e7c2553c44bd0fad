package pgfeed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pando-sync/pando/feed"
)

var _ feed.LogSource = (*Source)(nil)

// ownAfter is how long Own waits between looks at whether the slot is free, at
// first, and ownLast at last.
const (
	ownAfter = 20 * time.Millisecond
	ownLast  = 400 * time.Millisecond
)

// The codes of PostgreSQL's refusals to give a slot.
const (
	codeInUse     = "55006"
	codeDuplicate = "42710"
	codeUndefined = "42704"
)

// Own implements feed.LogSource: who has the durable replication slot owns the
// log, and PostgreSQL gives it to one connection at a time. A server whose
// connection is gone lets go of it at once, or, when it could not be told, after
// some seconds.
func (s *Source) Own(ctx context.Context, fn func(ctx context.Context, log feed.Log) error) error {
	if err := s.ready(); err != nil {
		return fmt.Errorf("own the log: %w", err)
	}
	if s.logs {
		return errors.New("own the log: the one that triggers write is read by each process for itself: have every node follow alone, or leave out pgfeed.WithTriggerLog")
	}
	told := ""
	for wait := ownAfter; ; wait = min(2*wait, ownLast) {
		log, err := s.acquire(ctx)
		switch {
		case err == nil:
			return s.owned(ctx, log, fn)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errSlotBusy):
		case permanent(err):
			return fmt.Errorf("own the log: %w", mended(err))
		default:
			if err.Error() != told {
				told = err.Error()
				s.log.Warn("the replication slot cannot be had for now; trying again", "error", err)
			}
			wait = max(wait, ownLast)
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// owned calls fn with the log, and ends its context when the log is lost.
func (s *Source) owned(ctx context.Context, log *slotLog, fn func(context.Context, feed.Log) error) error {
	defer log.stream.close()
	guard, err := s.ownGuard(ctx, log)
	if err != nil {
		return fmt.Errorf("own the log: %w: %w", feed.ErrLogLost, err)
	}
	defer guard.leave(ctx)
	watched, end := guard.watch(ctx)
	defer end()
	owned, stop := context.WithCancelCause(watched)
	defer stop(nil)
	log.lost = stop
	log.stream.whenGone(stop)
	err = fn(owned, log)
	cause := context.Cause(owned)
	switch {
	case ctx.Err() != nil || cause == nil:
		return err
	case permanent(cause):
		return fmt.Errorf("own the log: %w", mended(cause))
	case errors.Is(err, feed.ErrLogLost):
		return err
	default:
		return fmt.Errorf("%w: %w", feed.ErrLogLost, cause)
	}
}

// errSlotBusy tells that somebody else has the slot, or is making it.
var errSlotBusy = errors.New("another process owns the log")

// slotState is what the server says about the durable slot.
type slotState struct {
	name                          string
	exists, active, lost, foreign bool
	confirmed                     uint64
}

// slotName is the durable slot's: the schema's and the database's names, as far as
// a slot may have them.
func (s *Source) slotName(ctx context.Context) (string, error) {
	if s.slot != "" {
		return s.slot, nil
	}
	var database string
	if err := s.db.QueryRowContext(ctx, "SELECT current_database()").Scan(&database); err != nil {
		return "", fmt.Errorf("ask for the database's name: %w", err)
	}
	const longest = 63
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(s.schema+"_"+database))
	return name[:min(len(name), longest)], nil
}

// readSlot looks at the durable slot.
func (s *Source) readSlot(ctx context.Context) (state slotState, err error) {
	if state.name, err = s.slotName(ctx); err != nil {
		return slotState{}, err
	}
	const query = `SELECT active, coalesce(wal_status = 'lost', false), coalesce(plugin <> 'pgoutput' OR database <> current_database(), true),
	coalesce((confirmed_flush_lsn - '0/0')::bigint, 0) FROM pg_replication_slots WHERE slot_name = $1::text`
	var confirmed int64
	err = s.db.QueryRowContext(ctx, query, state.name).Scan(&state.active, &state.lost, &state.foreign, &confirmed)
	if errors.Is(err, sql.ErrNoRows) {
		return state, nil
	}
	if err != nil {
		return slotState{}, fmt.Errorf("look at the replication slot %q: %w", state.name, err)
	}
	state.exists, state.confirmed = true, uint64(confirmed)
	return state, nil
}

// acquire tries once to get the slot, which it makes where there is none.
func (s *Source) acquire(ctx context.Context) (*slotLog, error) {
	state, err := s.readSlot(ctx)
	switch {
	case err != nil:
		return nil, err
	case state.exists && state.foreign:
		return nil, &brokenError{fmt.Errorf("the replication slot %q belongs to another database or plugin: choose another name by pgfeed.WithSlot", state.name)}
	case state.active:
		return nil, errSlotBusy
	}
	conn, err := connectReplication(ctx, s.url)
	if err != nil {
		return nil, err
	}
	reset, err := s.prepareDurable(ctx, conn, state)
	if err != nil {
		conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the connection is given up
		return nil, busy(err)
	}
	stream, err := startStream(ctx, conn, state.name, s.publication(), 0)
	if err != nil {
		return nil, busy(err)
	}
	log, err := s.begin(ctx, stream, reset)
	if err != nil {
		stream.close()
		return nil, err
	}
	return log, nil
}

// busy makes of a refusal, as somebody else was quicker, errSlotBusy.
func busy(err error) error {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if ok && (refused.Code == codeInUse || refused.Code == codeDuplicate || refused.Code == codeUndefined && refused.Routine != "get_publication_oid") {
		return errSlotBusy
	}
	return err
}

// prepareDurable makes the slot where there is none, or none that the server can
// read from any more, and tells why all has to be read again.
func (s *Source) prepareDurable(ctx context.Context, conn *pgconn.PgConn, state slotState) (reset string, err error) {
	if err := s.identify(ctx, conn); err != nil {
		return "", err
	}
	if state.exists && !state.lost {
		return "", nil
	}
	reset = "the replication slot was made"
	if state.lost {
		reset = "the replication slot was lost, since the server keeps no more of its log (max_slot_wal_keep_size), and was made anew"
		s.log.Warn(reset, "slot", state.name)
		if _, err := conn.Exec(ctx, "DROP_REPLICATION_SLOT "+quote(state.name)).ReadAll(); err != nil {
			return "", fmt.Errorf("drop the replication slot %q, which is lost: %w", state.name, err)
		}
	}
	_, err = s.createSlot(ctx, conn, state.name, "")
	return reset, err
}

// begin makes a log of the stream of the slot, under a term of its own.
func (s *Source) begin(ctx context.Context, stream *stream, reset string) (*slotLog, error) {
	state, err := s.readSlot(ctx)
	if err != nil {
		return nil, err
	}
	stream.confirm(state.confirmed)
	log := newSlotLog(stream, feed.Position(state.confirmed-1))
	if err := s.db.QueryRowContext(ctx, s.statement("UPDATE pando.meta SET term = term + 1 RETURNING term")).Scan(&log.term); err != nil {
		return nil, fmt.Errorf("begin to own the log: %w", err)
	}
	if reset != "" {
		log.startAnew(reset)
	}
	return log, nil
}

// ownGuard goes by what the owner before noted of the published tables, so that
// it is told what was changed while there was none.
func (s *Source) ownGuard(ctx context.Context, log *slotLog) (*guard, error) {
	g, err := s.newGuard(ctx, &log.restarts)
	if err != nil {
		return nil, err
	}
	log.resetting = g.catchUp
	g.keep = log.term
	var kept string
	if err := s.db.QueryRowContext(ctx, s.statement("SELECT facts FROM pando.meta")).Scan(&kept); err != nil {
		return nil, fmt.Errorf("look at the published tables: %w", err)
	}
	if kept != "" {
		g.known = parseFacts(kept)
		g.kept = g.known
		return g, g.look(ctx)
	}
	g.kept = g.known
	return g, s.keepFacts(ctx, g.known, g.keep)
}

// keepFacts notes what is known of the published tables for the next owner, unless
// there is one already.
func (s *Source) keepFacts(ctx context.Context, known facts, term uint64) error {
	if _, err := s.db.ExecContext(ctx, s.statement("UPDATE pando.meta SET facts = $1::text WHERE term = $2::bigint"), known.String(), int64(term)); err != nil {
		return fmt.Errorf("note the published tables: %w", err)
	}
	return nil
}
