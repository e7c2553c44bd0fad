package bind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/schema"
)

// maxKeys is how many keys a client may give for one relation.
const maxKeys = 10_000

var errKeys = errors.New("is no list of keys")

// parseKeys reads a list of keys, sorted and each once.
func parseKeys(w *schema.Between, raw []byte) ([]schema.Value, error) {
	var texts []json.RawMessage
	if err := json.Unmarshal(raw, &texts); err != nil || texts == nil {
		return nil, errKeys
	}
	if len(texts) > maxKeys {
		return nil, errors.New("has more than " + strconv.Itoa(maxKeys) + " keys")
	}
	keys := make([]schema.Value, 0, len(texts))
	for _, text := range texts {
		if len(text) > maxKey {
			return nil, errKeys
		}
		key, err := w.Key.ParseWire(text)
		if err != nil || key.IsNull() {
			return nil, errKeys
		}
		keys = append(keys, key)
	}
	return sorted(keys), nil
}

// way is the writable relation of a name, -1 for none.
func (m *Model) way(name string) int {
	return slices.IndexFunc(m.ways, func(w *schema.Between) bool { return w.Name == name && w.To != nil })
}

// takeKeys takes the lists of keys out of a request's data.
func (m *Model) takeKeys(r *request) error {
	faults := map[string]string{}
	for name, raw := range r.data {
		i := m.way(name)
		if i < 0 {
			continue
		}
		keys, err := parseKeys(m.ways[i], raw)
		if err != nil {
			faults[name] = err.Error()
			continue
		}
		if r.keys == nil {
			r.keys = make([][]schema.Value, len(m.ways))
		}
		r.keys[i] = keys
		delete(r.data, name)
	}
	if len(faults) > 0 {
		return rpc.InFields("invalid", faults)
	}
	return nil
}

// ties are the rows of the tables between that lead from a key, for each way. They
// are locked.
func (t *turn) ties(ctx context.Context, key schema.Value) ([][]schema.Row, error) {
	if t.ways == nil || key.IsNull() {
		return make([][]schema.Row, len(t.ways)), nil
	}
	all := make([][]schema.Row, len(t.ways))
	for i, w := range t.ways {
		q := feed.Query{Table: w.Table, Column: w.Owner, Values: []schema.Value{key}}
		err := t.tx.Rows(ctx, q, feed.Exclusive, func(row schema.Row) error {
			all[i] = append(all[i], row)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// keysOf are the keys that rows of the tables between lead to.
func (m *Model) keysOf(ties [][]schema.Row) [][]schema.Value {
	lists := make([][]schema.Value, len(m.ways))
	for i, w := range m.ways {
		for _, row := range ties[i] {
			if !row[w.Target].IsNull() {
				lists[i] = append(lists[i], row[w.Target])
			}
		}
		lists[i] = sorted(lists[i])
	}
	return lists
}

// read is the row with a key as the transaction has it, full and locked.
func (t *turn) read(ctx context.Context, key schema.Value) (schema.Row, error) {
	row, err := t.row(ctx, key)
	if err != nil || row == nil || t.ways == nil {
		return row, err
	}
	ties, err := t.ties(ctx, key)
	if err != nil {
		return nil, err
	}
	return t.full(row, t.keysOf(ties)), nil
}

// next is the row as it would be, full.
func (t *turn) next() schema.Row {
	if t.ways == nil {
		return t.change.New()
	}
	keys := t.keysOf(t.tied)
	for i, list := range t.request.keys {
		if list != nil {
			keys[i] = list
		}
	}
	return t.full(t.change.New(), keys)
}

// exist refuses keys of no row. The rows are locked, so that they stay.
func (t *turn) exist(ctx context.Context) error {
	faults := map[string]string{}
	locked := rowsOf(func(ctx context.Context, q feed.Query, fn func(schema.Row) error) error {
		return t.tx.Rows(ctx, q, feed.Shared, fn)
	})
	for i, keys := range t.request.keys {
		if keys == nil {
			continue
		}
		w := t.ways[i]
		found := map[schema.Value]bool{}
		err := locked.by(ctx, w.To, w.To.Key, keys, func(row schema.Row) error {
			found[row[w.To.Key]] = true
			return nil
		})
		if err != nil {
			return err
		}
		for _, key := range keys {
			if !found[key] {
				faults[w.Name] = "has the key of no row: " + string(AppendKey(nil, key))
				break
			}
		}
	}
	if len(faults) > 0 {
		return rpc.InFields("invalid", faults)
	}
	return nil
}

// tie makes the rows of the tables between those of the request: what is missing is
// inserted, and what is too much deleted.
func (t *turn) tie(ctx context.Context, owner schema.Value) error {
	for i, keys := range t.request.keys {
		if keys == nil {
			continue
		}
		w := t.ways[i]
		for _, key := range keys {
			if slices.ContainsFunc(t.tied[i], func(row schema.Row) bool { return row[w.Target] == key }) {
				continue
			}
			set := append(assign(w.Table, w.Owner, owner), assign(w.Table, w.Target, key)...)
			if _, err := t.tx.Insert(ctx, w.Table, set); err != nil {
				return t.refused(w, err)
			}
		}
		for _, row := range t.tied[i] {
			if slices.Contains(keys, row[w.Target]) {
				continue
			}
			if err := t.tx.Delete(ctx, w.Table, row[w.Table.Key]); err != nil {
				return t.refused(w, err)
			}
		}
	}
	return nil
}

// assign sets a column, or the columns of a tuple.
func assign(t *schema.Table, column int, v schema.Value) []feed.Assignment {
	parts := t.Columns[column].Parts
	if parts == nil {
		return []feed.Assignment{{Column: column, Value: v}}
	}
	var set []feed.Assignment
	for i, part := range v.Parts() {
		set = append(set, feed.Assignment{Column: parts[i], Value: part})
	}
	return set
}

// refused is what a table between refuses, in words of the relation: what its
// columns are called says nothing to the client.
func (t *turn) refused(w *schema.Between, err error) error {
	constraint, ok := errors.AsType[*feed.ConstraintError](err)
	switch {
	case !ok:
		return err
	case constraint.Constraint == feed.NotNull:
		return t.fault("relation %s: table %s has another column that must have a value: give it a default, or leave the relation out of Fields: %s",
			w.Name, w.Table.Name, err)
	case constraint.Constraint == feed.Unique:
		return rpc.InFields("conflict", map[string]string{w.Name: "is changed by somebody else"})
	default:
		return rpc.InFields("invalid", map[string]string{w.Name: fmt.Sprintf("is not what table %s takes", w.Table.Name)})
	}
}

// untie deletes what leads from a row that is deleted for good, in the relations
// that clients write.
func (t *turn) untie(ctx context.Context) error {
	if t.Type.SoftDelete() >= 0 {
		return nil
	}
	for i, w := range t.ways {
		if w.To == nil {
			continue
		}
		for _, row := range t.tied[i] {
			if err := t.tx.Delete(ctx, w.Table, row[w.Table.Key]); err != nil {
				return t.refused(w, err)
			}
		}
	}
	return nil
}
