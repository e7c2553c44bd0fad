package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// sampled is how many rows are looked at to learn how a column is stored.
const sampled = 100

// encode adds a value to the arguments of a statement as the column's other
// values are stored: by that of SQLite's forms which the author's own programs,
// foreign keys and comparisons expect.
func (t *tx) encode(ctx context.Context, args *arguments, table *schema.Table, a feed.Assignment) (string, error) {
	column := &table.Columns[a.Column]
	switch {
	case column.Derived():
		return "", fmt.Errorf("column %q is derived and cannot be set", column.Name)
	case a.Value.IsNull():
		return "NULL", nil
	case a.Value.Kind() != column.Kind:
		return "", fmt.Errorf("column %q is of kind %s and cannot be set to a %s", column.Name, column.Kind, a.Value.Kind())
	}
	switch column.Kind {
	case schema.Time:
		return t.encodeTime(ctx, args, table, column, a.Value)
	case schema.UUID:
		return t.encodeUUID(ctx, args, table, column, a.Value)
	default:
		return args.param(a.Value), nil
	}
}

// encodeTime stores a time in the layout that the column has, cut to what that
// can tell, and in the canonical one where the column has none or that cannot
// tell the time at all: a small number of milliseconds counts seconds.
func (t *tx) encodeTime(ctx context.Context, args *arguments, table *schema.Table, column *schema.Column, v schema.Value) (string, error) {
	l, err := t.layoutFor(ctx, table, column)
	if err != nil {
		return "", err
	}
	value, _ := l.floor(v)
	if back, err := schema.Time.FromDriver(value.Driver()); err != nil || !l.writes(back, value.Driver()) {
		value = v
	}
	return args.param(value), nil
}

// layoutFor returns the layout in which to store times of a column.
func (t *tx) layoutFor(ctx context.Context, table *schema.Table, column *schema.Column) (*layout, error) {
	k, use := t.source.forms.recall(&t.meta, table, column, comparisons)
	if use != nothing && k.layout != nil {
		return k.layout, nil
	}
	raw, err := t.sample(ctx, table.Name, column.Name)
	if raw != nil || err != nil {
		return layoutOf(raw), err
	}
	declared, err := t.declared(ctx, table.Name, column.Name)
	if err == nil && strings.Contains(declared, "INT") {
		return seconds, nil
	}
	return nil, err
}

// encodeUUID stores a UUID as the column's others, those of the column that it
// refers to, or the column's type suggest.
func (t *tx) encodeUUID(ctx context.Context, args *arguments, table *schema.Table, column *schema.Column, v schema.Value) (string, error) {
	name, col := table.Name, column.Name
	raw, err := t.sample(ctx, name, col)
	if err == nil && raw == nil {
		if raw, err = t.sampleReferred(ctx, name, col); err == nil && raw == nil {
			raw, err = t.suggested(ctx, name, col)
		}
	}
	if err != nil {
		return "", err
	}
	return args.exactly(alike(v, raw)), nil
}

// alike returns a UUID in the form of another one.
func alike(v schema.Value, raw driver.Value) driver.Value {
	other, err := schema.UUID.FromDriver(raw)
	if err != nil || other.IsNull() {
		return v.Driver()
	}
	texts, _ := uuidForms([]schema.Value{other})
	mine, _ := uuidForms([]schema.Value{v})
	if i := slices.Index(texts, textIn(raw)); i >= 0 {
		return mine[i]
	}
	if b, ok := raw.([]byte); ok && len(b) == 16 {
		return uuidBytes(v)
	}
	return v.Driver()
}

// sample returns one of the first values that a column has, nil when it has
// none there. A time that is 0 may be in any unit.
func (t *tx) sample(ctx context.Context, table, column string) (driver.Value, error) {
	sql := fmt.Sprintf("SELECT +%[1]s FROM (SELECT %[1]s FROM %[2]s LIMIT %[3]d) WHERE %[1]s <> 0 LIMIT 1", quote(column), quote(table), sampled)
	return t.one(ctx, sql)
}

// sampleReferred is sample of the column that a foreign key on a column refers
// to.
func (t *tx) sampleReferred(ctx context.Context, table, column string) (driver.Value, error) {
	const sql = `SELECT f."table", coalesce(f."to", (SELECT name FROM pragma_table_info(f."table") WHERE pk = f.seq + 1))
		FROM pragma_foreign_key_list(?) AS f WHERE f."from" = ? COLLATE NOCASE`
	row := make([]driver.Value, 2)
	err := queryRow(ctx, t, sql, row, table, column)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for what column %q of table %q refers to: %w", column, table, err)
	}
	return t.sample(ctx, textIn(row[0]), textIn(row[1]))
}

// suggested is a value of the form that a column's type suggests for UUIDs.
func (t *tx) suggested(ctx context.Context, table, column string) (driver.Value, error) {
	declared, err := t.declared(ctx, table, column)
	if err != nil || !strings.Contains(declared, "BLOB") && !strings.Contains(declared, "BINARY") {
		return nil, err
	}
	return make([]byte, 16), nil
}

// declared returns the type that a column was declared with, in upper case.
func (t *tx) declared(ctx context.Context, table, column string) (string, error) {
	row := make([]driver.Value, 1)
	err := queryRow(ctx, t, "SELECT upper(type) FROM pragma_table_xinfo(?) WHERE name = ? COLLATE NOCASE", row, table, column)
	if err != nil {
		return "", fmt.Errorf("read the type of column %q of table %q: %w", column, table, err)
	}
	return textIn(row[0]), nil
}

// one returns the only value of a statement, nil when there is none.
func (t *tx) one(ctx context.Context, sql string) (driver.Value, error) {
	row := make([]driver.Value, 1)
	err := queryRow(ctx, t, sql, row)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("look at how values are stored: %w", err)
	}
	return row[0], nil
}

// seconds are the integers of unixepoch().
var seconds = layouts[slices.IndexFunc(layouts, func(l *layout) bool { return l.unit == time.Second })]

func uuidBytes(v schema.Value) []byte {
	_, bytes := uuidForms([]schema.Value{v})
	raw, _ := hex.DecodeString(strings.Trim(bytes[0], `"`)) // the digits of a UUID
	return raw
}
