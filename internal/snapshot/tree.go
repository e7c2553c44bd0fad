package snapshot

import (
	"context"
	"fmt"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// Tree is one tree as one read transaction saw it.
type Tree struct {
	Version state.Version
	Store   *state.Store
}

// ReadTree reads a whole tree as a user sees it, who is NULL for one without
// rows of their own. env is the tuple of the values of tree.Env, zero when there
// are none; anchor is zero for a list. A missing anchor is an empty store.
func ReadTree(ctx context.Context, db Opener, tree *schema.Tree, anchor, env, user schema.Value) (*Tree, error) {
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("read tree: %w", err)
	}
	defer snap.Close()
	r := &reader{
		tree: tree, env: env.Parts(), user: user, store: state.NewStore(),
		values: map[*schema.Layer][]schema.Value{}, related: map[column]map[schema.Value][]schema.Row{},
	}
	r.values[tree.Root] = []schema.Value{anchor}
	if tree.Root.Relation == schema.List {
		r.values[tree.Root] = tree.ListValues(r.env)
	}
	for _, l := range tree.Layers {
		if err := r.layer(ctx, snap, l); err != nil {
			return nil, fault(l, err)
		}
	}
	r.aggregate()
	return &Tree{Version: state.Version{Epoch: snap.Epoch(), N: uint64(snap.Position())}, Store: r.store}, nil
}

// Exists tells whether an anchor's row exists and meets its conditions; a list
// always does.
func Exists(ctx context.Context, db Opener, tree *schema.Tree, anchor, env schema.Value) (bool, error) {
	if tree.Root.Relation == schema.List {
		return true, nil
	}
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return false, fmt.Errorf("read anchor: %w", err)
	}
	defer snap.Close()
	found := false
	q := feed.Query{Table: tree.Root.Type.Table, Column: tree.Root.Type.Table.Key, Values: []schema.Value{anchor}}
	err = snap.Rows(ctx, q, func(row schema.Row) error {
		found = schema.Meets(tree.Root.Where, row, env.Parts())
		return nil
	})
	return found, err
}

// reader reads one tree for one user.
type reader struct {
	tree  *schema.Tree
	env   []schema.Value
	user  schema.Value
	store *state.Store
	// values are what each layer is read by.
	values map[*schema.Layer][]schema.Value
	// related are the rows of hidden layers, made are the instances that are made
	// of them.
	related map[column]map[schema.Value][]schema.Row
	made    []state.Instance
}

// column is a column of a table.
type column struct {
	table *schema.Table
	index int
}

// layer reads one layer's rows and notes what the layers below are to read.
func (r *reader) layer(ctx context.Context, snap feed.Snapshot, l *schema.Layer) error {
	values := distinct(r.values[l])
	if len(values) == 0 {
		return nil
	}
	q := feed.Query{Table: l.Type.Table, Column: route.ReadColumn(l), Values: values}
	if l.Hidden {
		return r.relate(ctx, snap, q)
	}
	q.Where = schema.Bind(l.Where, r.env)
	if l.Relation == schema.List {
		q.Limit, q.Order = r.tree.Limit, l.Order
	}
	return snap.Rows(ctx, q, func(row schema.Row) error {
		if l.UserKey >= 0 && (r.user.IsNull() || row[l.UserKey] != r.user) || !schema.Meets(l.Where, row, r.env) {
			return nil
		}
		r.put(l, row)
		descend(r.values, l, row)
		return nil
	})
}

// relate reads related rows, unless another layer has read them.
func (r *reader) relate(ctx context.Context, snap feed.Snapshot, q feed.Query) error {
	c := column{q.Table, q.Column}
	if r.related[c] == nil {
		r.related[c] = map[schema.Value][]schema.Row{}
	}
	by := r.related[c]
	q.Values = slices.DeleteFunc(q.Values, func(v schema.Value) bool {
		_, read := by[v]
		return read
	})
	if len(q.Values) == 0 {
		return nil
	}
	for _, v := range q.Values {
		by[v] = nil
	}
	return snap.Rows(ctx, q, func(row schema.Row) error {
		by[row[q.Column]] = append(by[row[q.Column]], row)
		return nil
	})
}

func (r *reader) put(l *schema.Layer, row schema.Row) {
	in := state.Instance{Ref: state.Ref{Type: l.Type, Key: row[l.Type.Table.Key]}, Row: row}
	r.store.Set(in)
	if slices.ContainsFunc(l.Children, func(c *schema.Layer) bool { return c.Hidden }) {
		r.made = append(r.made, in)
	}
}

// aggregate makes the columns that are made of related rows.
func (r *reader) aggregate() {
	for _, in := range r.made {
		row := slices.Clone(in.Row)
		for i := range in.Type.Table.Columns {
			if a := in.Type.Table.Columns[i].Aggregate; a != nil {
				r.make(row, i, a, in.Key)
			}
		}
		in.Row = row
		r.store.Set(in)
	}
}

// make makes one such column, unless it is another type's, of which the rows
// were not read.
func (r *reader) make(row schema.Row, i int, a *schema.Aggregate, key schema.Value) {
	related := make([][]schema.Row, len(a.Sources))
	for k := range a.Sources {
		s := &a.Sources[k]
		rows, read := r.related[column{s.Table, s.Link}][key]
		if !read {
			return
		}
		for _, o := range rows {
			if schema.Meets(s.Where, o, nil) {
				related[k] = append(related[k], o)
			}
		}
		at := s.Table.Key
		slices.SortFunc(related[k], func(x, y schema.Row) int { return x[at].Compare(y[at]) })
	}
	row[i] = a.Value(row, related)
}
