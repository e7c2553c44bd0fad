package pgfeed

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Hints implements feed.Hinter.
func (s *Source) Hints(ctx context.Context) ([]string, error) {
	known, err := s.described()
	if err != nil {
		return nil, err
	}
	var hints []string
	for _, t := range (&installation{catalog: known}).ordered() {
		more, err := s.indexHints(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("look for hints on table %q: %w", t.declared.Name, err)
		}
		hints = append(hints, more...)
		if more, err = s.watchHints(ctx, t); err != nil {
			return nil, fmt.Errorf("look for hints on table %q: %w", t.declared.Name, err)
		}
		hints = append(hints, more...)
	}
	for _, look := range []func(context.Context) ([]string, error){s.poolerHints, s.slotHints} {
		more, err := look(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for hints on the server: %w", err)
		}
		hints = append(hints, more...)
	}
	return hints, nil
}

// indexesQuery has the columns of a table's indexes, in order.
const indexesQuery = `SELECT string_agg(coalesce(a.attname, ''), chr(10) ORDER BY k.place)
	FROM pg_index i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY k (num, place)
	LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num
	WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indpred IS NULL AND k.place <= i.indnkeyatts GROUP BY i.indexrelid`

// indexHints names the links by which rows are not found by an index.
func (s *Source) indexHints(ctx context.Context, t *table) ([]string, error) {
	var indexes [][]string
	err := each(ctx, s.db, func(columns string) {
		indexes = append(indexes, strings.Split(columns, "\n"))
	}, indexesQuery, int64(t.oid))
	if err != nil {
		return nil, err
	}
	var hints []string
	for _, link := range t.declared.Links {
		var names, quoted []string
		for _, i := range stored(t.declared, link) {
			names = append(names, t.columns[i].name)
			quoted = append(quoted, t.columns[i].bare)
		}
		// An index on some of the columns leaves few rows to look at.
		served := slices.ContainsFunc(indexes, func(columns []string) bool { return slices.Contains(names, columns[0]) })
		if len(names) > 0 && !served {
			name := strings.Join(append([]string{t.name}, names...), "_")
			hints = append(hints, fmt.Sprintf("reads of table %q by %s look at every row: CREATE INDEX CONCURRENTLY %s ON %s (%[2]s)",
				t.declared.Name, strings.Join(quoted, ", "), quote(name), t.sqlName()))
		}
	}
	return hints, nil
}

// watchHints names the tables whose changed rows do not tell whom they concern:
// all are asked then.
func (s *Source) watchHints(ctx context.Context, t *table) (hints []string, err error) {
	if s.logs || t.declared.Name == messagesTable { // whose rows are never changed
		return nil, nil
	}
	var names []string
	for _, watched := range t.declared.Watched {
		for _, i := range stored(t.declared, watched) {
			// What is in the key is in the log.
			if c := t.columns[i]; !slices.Contains(t.key(), c.name) {
				names = append(names, c.bare)
			}
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	var mends []string
	err = each(ctx, s.db, func(name string) {
		mends = append(mends, "ALTER TABLE "+name+" REPLICA IDENTITY FULL")
	}, partialQuery, int64(t.oid))
	if err != nil || len(mends) == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("rows of table %q tell by %s whose permission or login to look at again, and the log does not have what a row was, so that each UPDATE and DELETE looks at all: %s; or pgfeed.WithFullIdentity(%[1]q)",
		t.declared.Name, strings.Join(names, ", "), strings.Join(mends, "; "))}, nil
}

// each calls fn with the one text of each row of a query.
func each(ctx context.Context, q asker, fn func(string), query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		fn(text)
	}
	return rows.Err()
}

// slotsQuery has sentences about slots that nobody reads, and about what bounds
// them.
const slotsQuery = `SELECT format('the replication slot %s is read by nobody and has the server keep %s of its log: start the app that reads it, or SELECT pg_drop_replication_slot(%L)',
		slot_name, coalesce(pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)), 'none'), slot_name)
	FROM pg_replication_slots WHERE database = current_database() AND plugin = 'pgoutput' AND NOT active AND NOT temporary
		AND (slot_name = $1::text OR starts_with(slot_name, $2::text))
	UNION ALL SELECT 'the server has max_slot_wal_keep_size = -1, so that a slot which nobody reads fills its disk: ALTER SYSTEM SET max_slot_wal_keep_size = ''16GB'', and SELECT pg_reload_conf()'
	WHERE current_setting('max_slot_wal_keep_size') = '-1'
	UNION ALL SELECT format('%s of the server''s %s replication slots are in use, and each server of the app without a broker needs one: set max_replication_slots and max_wal_senders higher and restart it',
		count(*), current_setting('max_replication_slots')) FROM pg_replication_slots HAVING count(*) >= current_setting('max_replication_slots')::int - 1`

func (s *Source) slotHints(ctx context.Context) (hints []string, err error) {
	if s.logs {
		return nil, nil
	}
	slot, err := s.slotName(ctx)
	if err != nil {
		return nil, err
	}
	err = each(ctx, s.db, func(hint string) { hints = append(hints, hint) }, slotsQuery, slot, s.schema+"_")
	return hints, err
}
