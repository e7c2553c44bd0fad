package memdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

var _ feed.Writer = (*DB)(nil)

// request is a claimed one; mark is its print.
type request struct {
	mark  string
	reply []byte
}

// tx is the only write transaction that is under way, on a copy of all tables.
type tx struct {
	view

	changes  []feed.Change
	requests map[feed.Claim]request
	// claim names the request that was claimed, without its print.
	claim *feed.Claim

	// stop keeps the end of the context from ending the transaction; it returns
	// true to the one who ends it instead. ended is closed after that.
	stop  func() bool
	ended chan struct{}
	cause error
}

// Begin implements feed.Writer. Transactions take turns. Constraints are those
// that the schema tells: keys are unique, and columns that are not nullable have
// a value. There is no SQL.
func (d *DB) Begin(ctx context.Context) (feed.Tx, error) {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	d.mu.Lock()
	t := &tx{view: d.view(), requests: maps.Clone(d.requests), ended: make(chan struct{})}
	refused := d.refuse
	d.mu.Unlock()
	if err := errors.Join(ctx.Err(), refused); err != nil {
		<-d.turn
		return nil, err
	}
	t.stop = context.AfterFunc(ctx, func() { t.finish(context.Cause(ctx)) })
	return t, nil
}

// SQL implements feed.Tx.
func (*tx) SQL() *sql.Tx { return nil }

// Claim implements feed.Tx.
func (t *tx) Claim(_ context.Context, r feed.Claim) (reply []byte, done bool, err error) {
	if err := t.alive(); err != nil {
		return nil, false, err
	}
	name := feed.Claim{Owner: r.Owner, Key: r.Key}
	known, done := t.requests[name]
	switch {
	case done && known.mark != r.Print:
		return nil, false, feed.ErrOtherRequest
	case !done:
		t.requests[name] = request{mark: r.Print}
		t.claim = &name
	}
	return known.reply, done, nil
}

// Reply implements feed.Tx.
func (t *tx) Reply(_ context.Context, reply []byte) error {
	if t.claim == nil {
		return errors.New("store a reply: the transaction has claimed no request")
	}
	t.requests[*t.claim] = request{t.requests[*t.claim].mark, slices.Clone(reply)}
	return t.alive()
}

// Rows implements feed.Tx.
func (t *tx) Rows(ctx context.Context, q feed.Query, _ feed.Lock, fn func(schema.Row) error) error {
	if err := t.alive(); err != nil {
		return err
	}
	return t.read(ctx, q, fn)
}

// Insert implements feed.Tx. An integer key that is not set is one more than the
// highest.
func (t *tx) Insert(_ context.Context, table *schema.Table, set []feed.Assignment) (schema.Value, error) {
	row := make(schema.Row, len(table.Columns))
	if table.Columns[table.Key].Kind == schema.Int {
		highest := int64(0)
		for key := range t.rows[table.ID] {
			highest = max(highest, key.Int())
		}
		row[table.Key] = schema.IntValue(highest + 1)
	}
	return t.put(table, row, schema.Value{}, set)
}

// Update implements feed.Tx.
func (t *tx) Update(_ context.Context, table *schema.Table, key schema.Value, set []feed.Assignment) error {
	row := t.rows[table.ID][key]
	if row == nil || len(set) == 0 {
		return t.alive()
	}
	_, err := t.put(table, slices.Clone(row), key, set)
	return err
}

// put writes a row under its new key, which was another one, or NULL for none.
func (t *tx) put(table *schema.Table, row schema.Row, old schema.Value, set []feed.Assignment) (schema.Value, error) {
	if err := t.alive(); err != nil {
		return schema.Value{}, err
	}
	for _, a := range set {
		column := &table.Columns[a.Column]
		if column.Derived() || !a.Value.IsNull() && a.Value.Kind() != column.Kind {
			return schema.Value{}, fmt.Errorf("column %q of kind %s cannot be set to a %s", column.Name, column.Kind, a.Value.Kind())
		}
		row[a.Column] = a.Value
	}
	table.Complete(row)
	for i := range table.Columns {
		if column := &table.Columns[i]; !column.Derived() && !column.Nullable && row[i].IsNull() {
			return schema.Value{}, &feed.ConstraintError{Constraint: feed.NotNull, Column: i, Err: fmt.Errorf("column %q has no value", column.Name)}
		}
	}
	key := row[table.Key]
	if key != old && t.rows[table.ID][key] != nil {
		return schema.Value{}, &feed.ConstraintError{Constraint: feed.Unique, Column: table.Key, Err: fmt.Errorf("there is a row %s in table %q", key, table.Name)}
	}
	if key != old && !old.IsNull() {
		t.apply(Remove(table, old))
	}
	t.apply(Put(table, row))
	return key, nil
}

// Delete implements feed.Tx.
func (t *tx) Delete(_ context.Context, table *schema.Table, key schema.Value) error {
	if err := t.alive(); err != nil {
		return err
	}
	if t.rows[table.ID][key] != nil {
		t.apply(Remove(table, key))
	}
	return nil
}

func (t *tx) apply(c feed.Change) {
	t.changes = append(t.changes, c)
	if c.New == nil {
		delete(t.rows[c.Table.ID], c.Key)
	} else {
		t.rows[c.Table.ID][c.Key] = c.New
	}
}

// Commit implements feed.Tx. The feed delivers what was changed by Deliver.
func (t *tx) Commit() error {
	if !t.stop() {
		<-t.ended
		return fmt.Errorf("%w: %w", feed.ErrRolledBack, t.cause)
	}
	if len(t.changes) > 0 {
		t.db.Commit(t.changes...)
	}
	t.db.mu.Lock()
	t.db.requests = t.requests
	t.db.mu.Unlock()
	t.finish(sql.ErrTxDone)
	return nil
}

// Rollback implements feed.Tx.
func (t *tx) Rollback() error {
	if t.stop() {
		t.finish(sql.ErrTxDone)
	}
	return nil
}

// finish lets the next transaction begin.
func (t *tx) finish(cause error) {
	t.cause = cause
	close(t.ended)
	<-t.db.turn
}

// alive returns an error once the transaction is over.
func (t *tx) alive() error {
	select {
	case <-t.ended:
		return t.cause
	default:
		return nil
	}
}
