package pgfeed

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// pollEvery is how often the log that triggers write is looked at: a NOTIFY by those
// would have all who commit wait for each other. trimEvery is how often it is trimmed.
const (
	pollEvery = 10 * time.Millisecond
	trimEvery = time.Minute
)

// A poller is one Run over the log that triggers write, of the keys of rows that
// changed. Neither the order of its rows nor that of the transactions' numbers is
// that in which commits become visible, so each poll is a commit of all that its
// snapshot sees and the one before did not: whole transactions, whose rows are read
// as that snapshot sees them.
//
// A position is a place in the write-ahead log, asked for before a snapshot is
// taken: whoever asked for one before, and in a snapshot of their own, saw no more
// than a poll at a later place.
type poller struct {
	source  *Source
	sink    feed.Sink
	started bool
	last    feed.Position
	// seen is what the last poll saw.
	seen visibility
	// restart is why all is to be read again.
	restart restarts
	held    *feed.Commit
}

// Merges implements feed.Merger: a poll may have several transactions.
func (s *Source) Merges() bool { return s.logs }

// poll is one look at the log.
type poll struct {
	steady

	place feed.Position
	state state
}

// runTriggers is Run where triggers write the log.
func (s *Source) runTriggers(ctx context.Context, sink feed.Sink) error {
	p := &poller{source: s, sink: sink}
	p.restart.startAnew("following begins")
	var next time.Time // when the log is trimmed
	for wait := retryAfter; ; wait = min(2*wait, retryLast) {
		err := p.session(ctx, &next)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // an end that was asked for is no error
		case permanent(err):
			return fmt.Errorf("follow the database: %w", mended(err))
		case p.started:
			p.sink.Stall(err.Error())
		default:
			s.log.Warn("the database cannot be followed for now; trying again", "error", err)
		}
		// A server that has crashed may have forgotten what was visible.
		p.restart.startAnew("continuity was lost: " + err.Error())
		if pause(ctx, wait) != nil {
			return nil //nolint:nilerr // an end that was asked for is no error
		}
	}
}

// session polls until an error.
func (p *poller) session(ctx context.Context, trim *time.Time) error {
	guard, err := p.source.newGuard(ctx, &p.restart)
	if err != nil {
		return err
	}
	if p.started {
		if err := guard.restore(ctx); err != nil {
			return err
		}
	}
	ctx, end := guard.watch(ctx)
	defer end()
	for {
		if err := p.look(ctx); err != nil {
			return causeOf(ctx, err)
		}
		if now := time.Now(); now.After(*trim) {
			*trim = now.Add(trimEvery)
			if err := p.source.trimLog(ctx); err != nil {
				return causeOf(ctx, err)
			}
		}
		if err := pause(ctx, pollEvery); err != nil {
			return causeOf(ctx, err)
		}
	}
}

// look polls once.
func (p *poller) look(ctx context.Context) error {
	place, err := p.source.place(ctx)
	if err != nil {
		return err
	}
	read, now, err := p.source.beginRead(ctx)
	if err != nil {
		return err
	}
	defer read.tx.Rollback()
	look := &poll{read, place, now}
	if place < p.last {
		p.source.hasten(p.last + 1) // the server has forgotten the end of its log
		return nil
	}
	if reason := p.restart.takeReset(place); reason != "" {
		p.begin(look, reason)
		return nil
	}
	if place == p.last {
		return p.source.hastenChanges(ctx, look.tx, &p.seen)
	}
	reason, err := p.read(ctx, look)
	if err != nil {
		return err
	}
	if reason != "" {
		p.begin(look, reason)
		return nil
	}
	p.tell(look)
	return nil
}

func (p *poller) begin(look *poll, reason string) {
	p.held, p.started = nil, true
	p.last, p.seen = look.place, look.state.seen
	p.sink.Start(look.state.epoch, p.last, reason)
	p.source.wake.passed(p.last)
}

// tell ends the commit of a poll.
func (p *poller) tell(look *poll) {
	if p.held == nil {
		p.sink.Advance(look.place)
	} else {
		p.sink.Commit(p.held)
		p.held = nil
	}
	p.last, p.seen = look.place, look.state.seen
	p.source.wake.passed(p.last)
}

// loggedRow is one row of the log.
type loggedRow struct {
	seq   int64
	table uint32
	op    string
	key   []*string
}

// unread is the condition of the rows of the log that a snapshot did not see.
const unread = "xid >= $1::text::xid8 AND NOT pg_visible_in_snapshot(xid, $2::text::pg_snapshot)"

// read reads, part by part, what the poll sees and the one before did not, or why
// all has to be read again.
func (p *poller) read(ctx context.Context, look *poll) (reason string, err error) {
	var trimmed string
	if err := look.tx.QueryRowContext(ctx, p.source.statement("SELECT coalesce(max(trimmed), '0')::text FROM pando.log_state")).Scan(&trimmed); err != nil {
		return "", fmt.Errorf("read the log: %w", err)
	}
	if through, err := strconv.ParseUint(trimmed, 10, 64); err != nil || through >= p.seen.min {
		return "the log was trimmed past what was read", err
	}
	after := int64(-1)
	for {
		rows, err := p.source.readLogged(ctx, look.tx, &p.seen, after)
		if err != nil || len(rows) == 0 {
			return "", err
		}
		after = rows[len(rows)-1].seq
		if slices.ContainsFunc(rows, func(r loggedRow) bool { return r.op == opTruncate }) {
			return "a table was emptied by TRUNCATE", nil
		}
		if err := p.part(ctx, look, rows); err != nil {
			return "", err
		}
	}
}

// part reads the rows that a stretch of the log names.
func (p *poller) part(ctx context.Context, look *poll, rows []loggedRow) error {
	known, err := p.source.described()
	if err != nil {
		return err
	}
	keys := make(map[*table][]schema.Value)
	for _, r := range rows {
		t := known.byOID[r.table]
		if t == nil {
			continue // another release declares it
		}
		key, err := p.source.keyOf(t, r.key)
		if err != nil {
			return &undecodableError{err}
		}
		keys[t] = append(keys[t], key)
	}
	commit := &feed.Commit{Position: look.place, Transaction: uint64(look.state.head) + 1}
	for t, named := range keys {
		if commit.Changes, err = p.source.readChanges(ctx, look.steady, t, named, commit.Changes); err != nil {
			return err
		}
	}
	if len(commit.Changes) == 0 {
		return nil
	}
	if p.held != nil {
		p.held.More = true
		p.sink.Commit(p.held)
	}
	p.held = commit
	return nil
}

// readChanges appends what has become of rows.
func (s *Source) readChanges(ctx context.Context, from steady, t *table, keys []schema.Value, changes []feed.Change) ([]feed.Change, error) {
	there := make(map[schema.Value]schema.Row, len(keys))
	slices.SortFunc(keys, schema.Value.Compare)
	keys = slices.Compact(keys)
	err := from.rows(ctx, s, feed.Query{Table: t.declared, Column: t.declared.Key, Values: keys}, func(row schema.Row) error {
		there[row[t.declared.Key]] = row
		return nil
	})
	for _, key := range keys {
		changes = append(changes, feed.Change{Table: t.declared, Key: key, New: there[key], Blind: true})
	}
	return changes, err
}

// keyOf is the key of a row whose columns of it the log has as texts, by name.
func (s *Source) keyOf(t *table, texts []*string) (schema.Value, error) {
	names := t.key()
	if len(texts) != len(names) {
		return schema.Value{}, fmt.Errorf("the log names a row of table %q by %d columns, its key has %d", t.declared.Name, len(texts), len(names))
	}
	parts := stored(t.declared, t.declared.Key)
	values := make([]schema.Value, len(parts))
	for i, part := range parts {
		text := texts[slices.Index(names, t.columns[part].name)]
		if text == nil {
			return schema.Value{}, fmt.Errorf("the log names a row of table %q by NULL", t.declared.Name)
		}
		values[i] = s.valueOf(t.columns[part], []byte(*text))
	}
	if t.declared.Columns[t.declared.Key].Parts != nil {
		return schema.TupleValue(values...), nil
	}
	return values[0], nil
}

// readLogged reads the next rows of the log that a snapshot did not see.
func (s *Source) readLogged(ctx context.Context, tx *sql.Tx, seen *visibility, after int64) (all []loggedRow, err error) {
	query := s.statement(fmt.Sprintf("SELECT seq, tab, op, coalesce(array_to_json(key)::text, '[]') FROM pando.log WHERE %s AND seq > $3::bigint ORDER BY seq LIMIT %d", unread, partRows))
	rows, err := tx.QueryContext(ctx, query, strconv.FormatUint(seen.min, 10), seen.String(), after)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r loggedRow
		var key []byte
		if err := rows.Scan(&r.seq, &r.table, &r.op, &key); err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		if err := json.Unmarshal(key, &r.key); err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// hastenChanges has the write-ahead log move on where there is something to tell
// for which it has no new place: a transaction may become visible long after its
// end was written.
func (s *Source) hastenChanges(ctx context.Context, tx *sql.Tx, seen *visibility) error {
	var some bool
	query := s.statement("SELECT EXISTS (SELECT FROM pando.log WHERE " + unread + ")")
	if err := tx.QueryRowContext(ctx, query, strconv.FormatUint(seen.min, 10), seen.String()).Scan(&some); err != nil {
		return fmt.Errorf("look at the log: %w", err)
	}
	if some {
		s.hasten(s.wake.next())
	}
	return nil
}

// place is where the write-ahead log ends.
func (s *Source) place(ctx context.Context) (feed.Position, error) {
	var place int64
	if err := s.db.QueryRowContext(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&place); err != nil {
		return 0, fmt.Errorf("ask where the log ends: %w", err)
	}
	return feed.Position(place), nil
}

// trimLog deletes what nobody needs any more: what every snapshot sees and is old,
// or beyond the number of rows that are kept.
func (s *Source) trimLog(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, s.statement(`WITH gone AS (
		DELETE FROM pando.log WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
			AND (at < now() - make_interval(secs => $1::double precision) OR seq <= (SELECT max(seq) FROM pando.log) - $2::bigint) RETURNING xid)
	UPDATE pando.log_state SET trimmed = greatest(trimmed, (SELECT max(xid::text::numeric) FROM gone)) WHERE EXISTS (SELECT FROM gone)`),
		s.keep.age.Seconds(), s.keep.rows)
	if err != nil {
		return fmt.Errorf("trim the log: %w", err)
	}
	return nil
}
