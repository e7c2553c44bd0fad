package oracle

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pando-sync/pando/test/internal/model"
)

// postgresRows reads all values as texts, as the log has them too.
func postgresRows(ctx context.Context, tx Queryer, t *model.Table) ([]Row, error) {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name + "::text"
	}
	found, err := tx.QueryContext(ctx, "SELECT "+strings.Join(names, ", ")+" FROM "+t.Name)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	texts, into := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range texts {
		into[i] = &texts[i]
	}
	var all []Row
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		row := make(Row, len(names))
		for i, c := range t.Columns {
			if texts[i].Valid {
				if row[i], err = Value(c.Kind, texts[i].String); err != nil {
					return nil, fmt.Errorf("column %s: %w", c.Name, err)
				}
			}
		}
		all = append(all, row)
	}
	return all, found.Err()
}

// Value is the value that PostgreSQL writes as a text, in a session whose times
// are in UTC, as a Row has it.
func Value(kind model.Kind, text string) (any, error) {
	switch kind {
	case model.Int, model.BigInt:
		return strconv.ParseInt(text, 10, 64)
	case model.Bool:
		if text == "t" || text == "true" {
			return int64(1), nil
		}
		return int64(0), nil
	case model.Float:
		f, err := strconv.ParseFloat(text, 64)
		return f, err
	case model.Time:
		layout := "2006-01-02 15:04:05.999999-07"
		if text[len(text)-3] == ':' {
			layout += ":00"
		}
		at, err := time.Parse(layout, text)
		return at.UTC().Format("2006-01-02T15:04:05.000000Z"), err
	case model.Bytes:
		return hex.DecodeString(strings.TrimPrefix(text, `\x`))
	default:
		return text, nil
	}
}
