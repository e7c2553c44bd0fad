package pgfeed

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/feed"
)

// state is where a database stands, as one of its snapshots tells.
type state struct {
	epoch string
	// head is the position of the newest commit that there can be.
	head feed.Position
	seen visibility
}

// selectState reads the state; as the first statement of a transaction it pins
// what that sees. All that the snapshot sees was written to the log before the
// place that is asked for after it.
func (s *Source) selectState() string {
	return `SELECT pg_current_snapshot()::text, (pg_current_wal_insert_lsn() - '0/0')::text,
	(SELECT system_identifier FROM pg_control_system()) || '.' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)
	|| '.' || (SELECT oid FROM pg_database WHERE datname = current_database()) || '.' || (SELECT generation FROM ` + s.own("meta") + `)`
}

func (s *Source) readState(ctx context.Context, q asker) (state, error) {
	var seen, head, epoch string
	if err := q.QueryRowContext(ctx, s.selectState()).Scan(&seen, &head, &epoch); err != nil {
		return state{}, fmt.Errorf("read where the database stands: %w", err)
	}
	v, err := parseVisibility(seen)
	if err != nil {
		return state{}, err
	}
	place, err := strconv.ParseUint(head, 10, 64)
	if err != nil {
		return state{}, fmt.Errorf("read where the database stands: %w", err)
	}
	return state{epoch, feed.Position(place - 1), v}, nil
}

// Epoch implements feed.LogSource. It is made of the cluster's identifier, the
// timeline, the database and the generation that migrate --new-epoch raises.
func (s *Source) Epoch(ctx context.Context) (string, error) {
	now, err := s.now(ctx)
	return now.epoch, err
}

// now is where the database stands.
func (s *Source) now(ctx context.Context) (state, error) {
	if err := s.ready(); err != nil {
		return state{}, err
	}
	return s.readState(ctx, s.db)
}

// Visible implements feed.LogSource.
func (s *Source) Visible(ctx context.Context, transactions []uint64) (seen int, err error) {
	if err := s.ready(); err != nil {
		return 0, err
	}
	now, err := s.visibility(ctx)
	if err != nil {
		return 0, err
	}
	for seen < len(transactions) && now.saw(transactions[seen]) {
		seen++
	}
	return seen, nil
}

func (s *Source) visibility(ctx context.Context) (visibility, error) {
	var text string
	if err := s.db.QueryRowContext(ctx, "SELECT pg_current_snapshot()::text").Scan(&text); err != nil {
		return visibility{}, fmt.Errorf("read what is visible: %w", err)
	}
	return parseVisibility(text)
}

// visibility is which transactions a snapshot sees: those below min, and those
// below max that were not running.
type visibility struct {
	min, max uint64
	running  []uint64
}

// parseVisibility reads the text of a pg_snapshot, min:max:running,….
func parseVisibility(text string) (v visibility, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return visibility{}, fmt.Errorf("%q is no snapshot", text)
	}
	if v.min, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return visibility{}, fmt.Errorf("%q is no snapshot: %w", text, err)
	}
	if v.max, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return visibility{}, fmt.Errorf("%q is no snapshot: %w", text, err)
	}
	if parts[2] == "" {
		return v, nil
	}
	for part := range strings.SplitSeq(parts[2], ",") {
		xid, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			return visibility{}, fmt.Errorf("%q is no snapshot: %w", text, err)
		}
		v.running = append(v.running, xid)
	}
	return v, nil
}

// String is the inverse of parseVisibility.
func (v *visibility) String() string {
	running := make([]string, len(v.running))
	for i, xid := range v.running {
		running[i] = strconv.FormatUint(xid, 10)
	}
	return fmt.Sprintf("%d:%d:%s", v.min, v.max, strings.Join(running, ","))
}

// saw tells whether a transaction that has committed is seen. Of its number only
// the lower half is looked at, as the log tells no more: it is the transaction
// nearest to the snapshot that has them.
func (v *visibility) saw(transaction uint64) bool {
	xid := v.max + uint64(int64(int32(uint32(transaction)-uint32(v.max))))
	return xid < v.min || xid < v.max && !slices.Contains(v.running, xid)
}

// unseen returns those of the transactions that are not seen, in their place.
func (v *visibility) unseen(transactions []uint64) []uint64 {
	return slices.DeleteFunc(transactions, v.saw)
}
