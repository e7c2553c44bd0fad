// Package snapshot reads trees: the layers below what is wanted, one query per
// layer, all in one read transaction.
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

// Opener opens read transactions; a feed.Source is one.
type Opener interface {
	Snapshot(ctx context.Context) (feed.Snapshot, error)
}

// Read reads what the router wants and everything below it. Rows that several
// layers share come once per layer.
func Read(ctx context.Context, db Opener, wants []route.Want) (*route.Read, error) {
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("read layers: %w", err)
	}
	defer snap.Close()
	read := &route.Read{Position: uint64(snap.Position()), Saw: snap.Saw, Wants: wants}
	for _, r := range plan(wants) {
		if err := r.run(ctx, snap, &read.Answers); err != nil {
			return nil, err
		}
	}
	return read, nil
}

// Tree is one tree as one read transaction saw it.
type Tree struct {
	Version state.Version
	Store   *state.Store
}

// ReadTree reads the whole tree of an anchor as a user sees it. A missing
// anchor is an empty store; env is the tuple of the values of tree.Env, zero
// when there are none.
func ReadTree(ctx context.Context, db Opener, tree *schema.Tree, anchor, _, _ schema.Value) (*Tree, error) {
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("read tree: %w", err)
	}
	defer snap.Close()
	r := newReader([]*schema.Layer{tree.Root})
	r.values[tree.Root] = []schema.Value{anchor}
	t := &Tree{Version: state.Version{Epoch: snap.Epoch(), N: uint64(snap.Position())}, Store: state.NewStore()}
	r.each = func(l *schema.Layer, row schema.Row) {
		t.Store.Set(state.Instance{Ref: state.Ref{Type: l.Type, Key: row[l.Type.Table.Key]}, Row: row})
	}
	return t, r.run(ctx, snap, nil)
}

// Exists tells whether an anchor's row exists and meets its conditions; a list
// always does.
func Exists(ctx context.Context, db Opener, tree *schema.Tree, anchor, _ schema.Value) (bool, error) {
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return false, fmt.Errorf("read anchor: %w", err)
	}
	defer snap.Close()
	found := false
	q := feed.Query{Table: tree.Root.Type.Table, Column: tree.Root.Type.Table.Key, Values: []schema.Value{anchor}}
	err = snap.Rows(ctx, q, func(schema.Row) error {
		found = true
		return nil
	})
	return found, err
}

// reader reads some layers of one tree and all below them.
type reader struct {
	layers []*schema.Layer
	values map[*schema.Layer][]schema.Value
	each   func(*schema.Layer, schema.Row)
}

// plan groups wants by the tree that their layers are of.
func plan(wants []route.Want) []*reader {
	byRoot := map[*schema.Layer]*reader{}
	var plan []*reader
	for _, w := range wants {
		root := w.Layer
		for root.Parent != nil {
			root = root.Parent
		}
		r := byRoot[root]
		if r == nil {
			r = newReader(nil)
			byRoot[root] = r
			plan = append(plan, r)
		}
		r.layers = append(r.layers, w.Layer)
		r.values[w.Layer] = append(r.values[w.Layer], w.Values...)
	}
	for _, r := range plan {
		r.layers = below(r.layers)
	}
	return plan
}

func newReader(roots []*schema.Layer) *reader {
	return &reader{layers: below(roots), values: map[*schema.Layer][]schema.Value{}}
}

// below lists layers with all that stand under them, parents first.
func below(roots []*schema.Layer) []*schema.Layer {
	var all []*schema.Layer
	var add func(*schema.Layer)
	add = func(l *schema.Layer) {
		if slices.Contains(all, l) {
			return
		}
		all = append(all, l)
		for _, c := range l.Children {
			add(c)
		}
	}
	for _, l := range roots {
		add(l)
	}
	slices.SortFunc(all, func(a, b *schema.Layer) int { return a.Index - b.Index })
	return all
}

func (r *reader) run(ctx context.Context, snap feed.Snapshot, answers *[]route.Answer) error {
	for _, l := range r.layers {
		values := distinct(r.values[l])
		if len(values) == 0 {
			continue
		}
		rows, err := r.layer(ctx, snap, l, values)
		if err != nil {
			return fmt.Errorf("read layer %s of %s: %w", l.Path, l.Type.Name, err)
		}
		if answers != nil {
			*answers = append(*answers, route.Answer{Table: l.Type.Table, Column: route.ReadColumn(l), Values: values, Rows: rows})
		}
	}
	return nil
}

// layer reads one layer's rows and notes what the layers below are to read.
func (r *reader) layer(ctx context.Context, snap feed.Snapshot, l *schema.Layer, values []schema.Value) ([]schema.Row, error) {
	var rows []schema.Row
	q := feed.Query{Table: l.Type.Table, Column: route.ReadColumn(l), Values: values}
	err := snap.Rows(ctx, q, func(row schema.Row) error {
		if r.each != nil {
			r.each(l, row)
		} else {
			rows = append(rows, row)
		}
		for _, c := range l.Children {
			v := row[l.Type.Table.Key]
			if c.Relation.Forward() {
				v = row[c.Link]
			}
			if !v.IsNull() {
				r.values[c] = append(r.values[c], v)
			}
		}
		return nil
	})
	return rows, err
}

func distinct(values []schema.Value) []schema.Value {
	if len(values) < 2 {
		return values
	}
	seen := make(map[schema.Value]struct{}, len(values))
	out := values[:0]
	for _, v := range values {
		if _, ok := seen[v]; !ok {
			seen[v] = struct{}{}
			out = append(out, v)
		}
	}
	return out
}
