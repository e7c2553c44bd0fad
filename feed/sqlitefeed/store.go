package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// Insert implements feed.Tx.
func (t *tx) Insert(ctx context.Context, table *schema.Table, set []feed.Assignment) (schema.Value, error) {
	key, err := t.insert(ctx, table, set)
	if err != nil {
		return schema.Value{}, fmt.Errorf("insert into table %q: %w", table.Name, asConstraint(table, err))
	}
	return key, nil
}

func (t *tx) insert(ctx context.Context, table *schema.Table, set []feed.Assignment) (schema.Value, error) {
	var s arguments
	var names, values, key []string
	for _, a := range set {
		value, err := t.encode(ctx, &s, table, a)
		if err != nil {
			return schema.Value{}, err
		}
		names = append(names, quote(table.Columns[a.Column].Name))
		values = append(values, value)
	}
	parts := stored(table, table.Key)
	for _, i := range parts {
		key = append(key, "+"+quote(table.Columns[i].Name))
	}
	sql := "INSERT INTO " + quote(table.Name) + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
	if len(set) == 0 {
		sql = "INSERT INTO " + quote(table.Name) + " DEFAULT VALUES"
	}
	row := make([]driver.Value, len(parts))
	inserted := false
	err := t.query(ctx, sql+" RETURNING "+strings.Join(key, ", "), s.args, func(returned []driver.Value) error {
		inserted = true
		copy(row, returned)
		return nil
	})
	switch {
	case err != nil:
		return schema.Value{}, err
	case !inserted:
		return schema.Value{}, errors.New("a trigger on the table ignored the row")
	}
	return insertedKey(table, parts, row)
}

// insertedKey is the key that a row was given.
func insertedKey(table *schema.Table, parts []int, raw []driver.Value) (schema.Value, error) {
	values := make([]schema.Value, len(parts))
	for n, i := range parts {
		column := &table.Columns[i]
		v, err := column.Kind.FromDriver(raw[n])
		if err != nil {
			return schema.Value{}, fmt.Errorf("read the key that the row was given in column %q: %w", column.Name, err)
		}
		if v.IsNull() {
			return schema.Value{}, fmt.Errorf("column %q, which is of the key, was neither set nor filled by the database: give it a default", column.Name)
		}
		values[n] = v
	}
	if table.Columns[table.Key].Parts == nil {
		return values[0], nil
	}
	return schema.TupleValue(values...), nil
}

// Update implements feed.Tx.
func (t *tx) Update(ctx context.Context, table *schema.Table, key schema.Value, set []feed.Assignment) error {
	if len(set) == 0 {
		return nil
	}
	err := t.change(ctx, table, key, func(s *arguments) (string, error) {
		var all []string
		for _, a := range set {
			value, err := t.encode(ctx, s, table, a)
			if err != nil {
				return "", err
			}
			all = append(all, quote(table.Columns[a.Column].Name)+" = "+value)
		}
		return "UPDATE " + quote(table.Name) + " SET " + strings.Join(all, ", "), nil
	})
	if err != nil {
		return fmt.Errorf("update table %q: %w", table.Name, asConstraint(table, err))
	}
	return nil
}

// Delete implements feed.Tx.
func (t *tx) Delete(ctx context.Context, table *schema.Table, key schema.Value) error {
	err := t.change(ctx, table, key, func(*arguments) (string, error) { return "DELETE FROM " + quote(table.Name), nil })
	if err != nil {
		return fmt.Errorf("delete from table %q: %w", table.Name, asConstraint(table, err))
	}
	return nil
}

// change runs a statement on the row with a key.
func (t *tx) change(ctx context.Context, table *schema.Table, key schema.Value, statement func(*arguments) (string, error)) error {
	if key.IsNull() {
		return nil
	}
	q := &feed.Query{Table: table, Column: table.Key, Values: []schema.Value{key}}
	found, err := newSelection(q, t.formsOf(ctx, table))
	if err != nil {
		return err
	}
	if !found.whole {
		if found, err = t.locate(ctx, found); err != nil || found == nil {
			return err
		}
	}
	sql, err := statement(&found.arguments)
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, sql+" WHERE "+strings.Join(found.where, " AND "), found.args)
	return err
}

// locate finds the row of a selection that is left to Go, and selects it by what
// is stored in it. It returns nil when there is none.
func (t *tx) locate(ctx context.Context, among *selection) (*selection, error) {
	table, key := among.query.Table, among.query.Values[0]
	found := &selection{query: among.query}
	err := t.query(ctx, among.sql(), among.args, func(raw []driver.Value) error {
		row := t.source.canonicalRow(table, raw, nil)
		if row == nil || row[table.Key] != key {
			return nil
		}
		for _, i := range stored(table, table.Key) {
			found.where = append(found.where, quote(table.Columns[i].Name)+" IS "+found.exactly(raw[place(table, i)]))
		}
		return io.EOF
	})
	switch {
	case errors.Is(err, io.EOF):
		return found, nil
	case err != nil:
		return nil, err
	}
	return nil, nil
}

// place is where a read row has a stored column.
func place(table *schema.Table, column int) int {
	n := 0
	for i := range column {
		if !table.Columns[i].Derived() {
			n++
		}
	}
	return n
}

// exactly adds a value as it was read.
func (a *arguments) exactly(raw driver.Value) string {
	if b, ok := raw.([]byte); ok {
		return a.blob(string(b))
	}
	return a.bind(raw)
}

// exec runs a statement without rows.
func (t *tx) exec(ctx context.Context, sql string, args []driver.NamedValue) (int64, error) {
	return statements{t.sql}.exec(ctx, sql, args)
}
