package pgfeed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// temporaryPrefix begins the names of temporary slots, alike in all processes of
// an app: those of other schemas have others.
func (s *Source) temporaryPrefix() string {
	sum := sha256.Sum256([]byte(s.schema))
	return "pando_tmp_" + hex.EncodeToString(sum[:4]) + "_"
}

// Sharers implements feed.Sharer by the temporary slots of the app's processes: each
// has one while it runs, which ends with its connection. Processes that the server
// does not let this role see count as older. By WithTriggerLog none are known.
func (s *Source) Sharers(ctx context.Context) (older int, err error) {
	own := s.following.Load()
	if own == nil {
		return 0, nil
	}
	const query = `WITH followers AS (
		SELECT slot_name, (backend_start, pid) AS since FROM pg_replication_slots LEFT JOIN pg_stat_activity ON pid = active_pid
		WHERE temporary AND active AND database = current_database() AND starts_with(slot_name::text, $1::text))
	SELECT count(*) FROM followers WHERE slot_name <> $2::text
		AND coalesce(since < (SELECT since FROM followers WHERE slot_name = $2::text), true)`
	if err := s.db.QueryRowContext(ctx, query, s.temporaryPrefix(), *own).Scan(&older); err != nil {
		return 0, fmt.Errorf("look for other followers of the database: %w", err)
	}
	return older, nil
}
