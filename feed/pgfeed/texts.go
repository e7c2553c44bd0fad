package pgfeed

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// texts is how an author's session writes values, as far as it differs from the
// log. The author's statements in the same transaction go by the session's own
// settings, so that ours hold for single statements of ours only.
type texts struct {
	known bool
	// align and restore are the statements before and after one that reads; empty
	// where the session writes as the log does.
	align, restore string
}

const textsQuery = `SELECT current_setting('DateStyle'), current_setting('IntervalStyle'), current_setting('TimeZone'),
	current_setting('extra_float_digits')::int, current_setting('bytea_output')`

// universal are names of the time zone that the log's times are in.
var universal = []string{"UTC", "Etc/UTC", "UCT", "Etc/UCT", "GMT", "Etc/GMT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"}

// alignTexts has the next statement write values as the log does.
func (t *tx) alignTexts(ctx context.Context) error {
	if !t.texts.known {
		if err := t.learnTexts(ctx); err != nil {
			return fmt.Errorf("read how the session writes values: %w", fail(nil, err))
		}
	}
	return t.setTexts(ctx, t.texts.align)
}

// restoreTexts gives the author's settings back, unless the transaction has failed.
func (t *tx) restoreTexts(ctx context.Context, failed error) error {
	if failed != nil && code(failed) != "" {
		return nil // only a rollback works now
	}
	return t.setTexts(ctx, t.texts.restore)
}

func (t *tx) setTexts(ctx context.Context, statement string) error {
	if statement == "" {
		return nil
	}
	if _, err := t.sql.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("set how the session writes values: %w", fail(nil, err))
	}
	return nil
}

// learnTexts asks once how the session writes values.
func (t *tx) learnTexts(ctx context.Context) error {
	var dates, intervals, zone, bytes string
	var digits int
	if err := t.sql.QueryRowContext(ctx, textsQuery).Scan(&dates, &intervals, &zone, &digits, &bytes); err != nil {
		return err
	}
	t.texts.known = true
	if strings.HasPrefix(dates, "ISO") && intervals == "postgres" && slices.Contains(universal, zone) && digits > 0 && bytes == "hex" {
		return nil
	}
	t.texts.align = setTexts
	t.texts.restore = fmt.Sprintf(`SELECT set_config('DateStyle', %s, true), set_config('IntervalStyle', %s, true), set_config('TimeZone', %s, true),
	set_config('extra_float_digits', '%d', true), set_config('bytea_output', %s, true)`, literal(dates), literal(intervals), literal(zone), digits, literal(bytes))
	return nil
}
