package write

import (
	"context"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/schema"
)

const (
	// maxWalk bounds the rows that are looked at to tell whether one row is in the
	// tree: what a row of a belongs-to relation stands below may be many.
	maxWalk = 10_000
	// atOnce is how many of them are read together.
	atOnce = 500
	// maxKey bounds the text of a key.
	maxKey = 1 << 10
)

// walk tells which rows are in the tree, as one transaction sees them: from a
// row upwards, layer by layer, to the anchor or the list. It locks the rows on
// its way against being written.
type walk struct {
	tx     feed.Tx
	tree   *schema.Tree
	stream *Stream
	// looked is the number of rows that were looked at for the present row.
	looked int
}

// find reads the row with the key that a client names, nil for none.
func (w *walk) find(ctx context.Context, t *schema.Table, key string, lock feed.Lock) (schema.Row, error) {
	if len(key) > maxKey {
		return nil, nil
	}
	k, err := t.ParseKey(key)
	if err != nil {
		return nil, nil //nolint:nilerr // what is no key is the key of no row
	}
	return w.byKey(ctx, t, k, lock)
}

// byKey reads the row with a key, nil for none.
func (w *walk) byKey(ctx context.Context, t *schema.Table, key schema.Value, lock feed.Lock) (schema.Row, error) {
	var found schema.Row
	q := feed.Query{Table: t, Column: t.Key, Values: []schema.Value{key}}
	err := w.tx.Rows(ctx, q, lock, func(row schema.Row) error {
		found = row
		return nil
	})
	return found, err
}

// shows tells whether the tree shows a row as the type does, in any layer.
func (w *walk) shows(ctx context.Context, typ *schema.Type, row schema.Row) (bool, error) {
	w.looked = 0
	for _, l := range w.tree.Layers {
		if l.Type != typ {
			continue
		}
		if shown, err := w.stands(ctx, l, []schema.Row{row}); shown || err != nil {
			return shown, err
		}
	}
	return false, nil
}

// stands tells whether one of the rows is of the layer.
func (w *walk) stands(ctx context.Context, l *schema.Layer, rows []schema.Row) (bool, error) {
	if l.Relation == schema.List {
		return w.listed(ctx, l, rows)
	}
	if rows = w.meeting(l, rows); len(rows) == 0 {
		return false, nil
	}
	table := l.Type.Table
	switch {
	case l.Relation == schema.Root:
		for _, row := range rows {
			if row[table.Key] == w.stream.Anchor {
				return true, nil
			}
		}
		return false, nil
	case l.Relation != schema.BelongsTo:
		return w.below(ctx, l.Parent, l.Parent.Type.Table.Key, distinct(rows, l.Link))
	case l.Parent.Type.Table == table && l.Link == table.Key:
		return w.stands(ctx, l.Parent, rows) // the place of a row is the row itself
	default:
		return w.below(ctx, l.Parent, l.Link, distinct(rows, table.Key))
	}
}

// meeting are the rows that meet the conditions of the layer and that its
// stream may see.
func (w *walk) meeting(l *schema.Layer, rows []schema.Row) []schema.Row {
	var meet []schema.Row
	for _, row := range rows {
		own := l.UserKey < 0 || !w.stream.User.IsNull() && row[l.UserKey] == w.stream.User
		if own && schema.Meets(l.Where, row, w.stream.Env) {
			meet = append(meet, row)
		}
	}
	return meet
}

// listed tells whether one of the rows stands in the list. A limit is not
// looked at: what it leaves out may be shown the next moment.
func (w *walk) listed(ctx context.Context, l *schema.Layer, rows []schema.Row) (bool, error) {
	for _, row := range rows {
		meets := schema.Meets(l.Where, row, w.stream.Env)
		if w.stream.Listed != nil {
			var err error
			if meets, err = w.stream.Listed(ctx, row, meets); err != nil {
				return false, err
			}
		}
		if meets {
			return true, nil
		}
	}
	return false, nil
}

// below tells whether a row of the layer above has one of the values in the
// column, and is of that layer. It reads them in pages.
func (w *walk) below(ctx context.Context, above *schema.Layer, column int, values []schema.Value) (bool, error) {
	if len(values) == 0 {
		return false, nil
	}
	q := feed.Query{
		Table: above.Type.Table, Column: column, Values: values, Limit: atOnce,
		Where: schema.Bind(above.Where, w.stream.Env),
	}
	for {
		var page []schema.Row
		err := w.tx.Rows(ctx, q, feed.Shared, func(row schema.Row) error {
			page = append(page, row)
			return nil
		})
		if err != nil {
			return false, err
		}
		if shown, err := w.stands(ctx, above, page); shown || err != nil {
			return shown, err
		}
		if len(page) < atOnce {
			return false, nil
		}
		if w.looked += len(page); w.looked >= maxWalk {
			return false, rpc.Errorf("too_large", "the row is referred to by too many others to tell whether it is in the stream's tree")
		}
		q.After = page[len(page)-1]
	}
}

// distinct are the values of a column of the rows, without NULL.
func distinct(rows []schema.Row, column int) []schema.Value {
	seen := map[schema.Value]bool{}
	var values []schema.Value
	for _, row := range rows {
		if v := row[column]; !v.IsNull() && !seen[v] {
			seen[v] = true
			values = append(values, v)
		}
	}
	return values
}
