package bind

import (
	"context"
	"errors"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// A row of a model with many-to-many relations is full when the keys that it is
// related to stand behind its columns: one value for each of the model's ways, a
// JSON array as text. GroupNames is not shown them, so groups are known without.

// Ways are the many-to-many relations that are told and may be written.
func (m *Model) Ways() []*schema.Between { return m.ways }

// errNotFull tells of a row whose keys nobody has read.
var errNotFull = errors.New("the keys of its many-to-many relations were not read")

// full is a row with keys, a list for each way. They are sorted, each once.
func (m *Model) full(row schema.Row, keys [][]schema.Value) schema.Row {
	if row == nil || m.ways == nil {
		return row
	}
	n := len(m.Table.Columns)
	whole := make(schema.Row, n, n+len(m.ways))
	copy(whole, row)
	for _, list := range keys {
		text := []byte{'['}
		for i, key := range list {
			if i > 0 {
				text = append(text, ',')
			}
			text = AppendKey(text, key)
		}
		whole = append(whole, schema.TextValue(string(append(text, ']'))))
	}
	return whole
}

// sorted puts keys in order, each once.
func sorted(keys []schema.Value) []schema.Value {
	slices.SortFunc(keys, schema.Value.Compare)
	return slices.Compact(keys)
}

// appendKeys appends the members of the ways.
func (m *Model) appendKeys(dst []byte, row schema.Row) ([]byte, error) {
	n := len(m.Table.Columns)
	if len(m.ways) > 0 && len(row) < n+len(m.ways) {
		return nil, m.fault("row %s: %w", row[m.Table.Key], errNotFull)
	}
	for i, w := range m.ways {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, quoted(w.Name)...), ':'), row[n+i].Str()...)
	}
	return dst, nil
}

// decodeFull is a full row as a *T, whose relations have rows of keys.
func (m *Model) decodeFull(row schema.Row) (any, error) {
	into, err := m.decode(row)
	if err != nil {
		return nil, err
	}
	n := len(m.Table.Columns)
	if len(m.ways) > 0 && len(row) < n+len(m.ways) {
		return nil, m.fault("row %s: %w", row[m.Table.Key], errNotFull)
	}
	for i, w := range m.ways {
		keys, err := parseKeys(w, []byte(row[n+i].Str()))
		if err == nil {
			err = w.Fill(into, keys)
		}
		if err != nil {
			return nil, m.fault("%w", err)
		}
	}
	return into, nil
}

// follows tells whether what a model tells is made of rows of a table.
func (m *Model) follows(t *schema.Table) bool {
	return t == m.Table || slices.ContainsFunc(m.ways, func(w *schema.Between) bool { return w.Table == t })
}

// chunk is how many keys a query asks for.
const chunk = 1000

// rowsOf is part of a Snapshot, and of a Tx without its lock.
type rowsOf func(ctx context.Context, q feed.Query, fn func(schema.Row) error) error

// by reads the rows of which a column has one of some values.
func (read rowsOf) by(ctx context.Context, t *schema.Table, column int, values []schema.Value, fn func(schema.Row) error) error {
	for part := range slices.Chunk(values, chunk) {
		if err := read(ctx, feed.Query{Table: t, Column: column, Values: part}, fn); err != nil {
			return err
		}
	}
	return nil
}

// among are the changes of tables that a model follows. The others stay where they
// are: a commit has many readers.
func (m *Model) among(changes []feed.Change) []feed.Change {
	var of []feed.Change
	for i := range changes {
		if m.follows(changes[i].Table) {
			of = append(of, changes[i])
		}
	}
	return of
}

// complete reads the keys of the rows, as they are at the place of those.
func (r *rows) complete(ctx context.Context) error {
	if len(r.all) == 0 {
		return nil
	}
	keys := make([]schema.Value, len(r.all))
	for i := range r.all {
		keys[i] = r.all[i].row[r.model.Table.Key]
	}
	lists := make([][][]schema.Value, len(r.all))
	for _, w := range r.model.ways {
		of := map[schema.Value][]schema.Value{}
		tie := func(row schema.Row) { of[row[w.Owner]] = append(of[row[w.Owner]], row[w.Target]) }
		unseen := r.ties[w.Table]
		err := rowsOf(r.snap.Rows).by(ctx, w.Table, w.Owner, keys, func(row schema.Row) error {
			if _, known := unseen[row[w.Table.Key]]; !known {
				tie(row)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, row := range unseen {
			if row != nil {
				tie(row)
			}
		}
		for i, key := range keys {
			lists[i] = append(lists[i], sorted(of[key]))
		}
	}
	for i := range r.all {
		r.all[i].row = r.model.full(r.all[i].row, lists[i])
	}
	return nil
}
