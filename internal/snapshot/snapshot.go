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
)

// Opener opens read transactions; a feed.Source is one.
type Opener interface {
	Snapshot(ctx context.Context) (feed.Snapshot, error)
}

// Coverer is a feed.Snapshot that does not know all rows.
type Coverer interface {
	// Covered returns those of the values of which it knows all rows of a layer that
	// have them in a column.
	Covered(l *schema.Layer, column int, values []schema.Value) []schema.Value
}

// Read reads what the router wants and everything below it. Rows that several
// layers share come once per layer. Of a Coverer it reads what that covers.
func Read(ctx context.Context, db Opener, wants []route.Want) (*route.Read, error) {
	snap, err := db.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("read layers: %w", err)
	}
	defer snap.Close()
	read := &route.Read{Position: uint64(snap.Position()), Saw: snap.Saw, Wants: wants}
	for _, w := range plan(wants) {
		answers, err := w.run(ctx, snap)
		if err != nil {
			return nil, err
		}
		read.Answers = append(read.Answers, answers...)
	}
	return read, nil
}

// wanted is what the router wants of one tree.
type wanted struct {
	layers []*schema.Layer
	// windows and keys are wants of lists, which have queries of their own.
	windows []*route.Want
	keys    map[*schema.Layer][]schema.Value
	// values are what the layers are read by.
	values  map[*schema.Layer][]schema.Value
	answers []route.Answer
}

// plan groups wants by the tree that their layers are of.
func plan(wants []route.Want) []*wanted {
	byRoot := map[*schema.Layer]*wanted{}
	var plan []*wanted
	for i := range wants {
		w := &wants[i]
		root := w.Layer
		for root.Parent != nil {
			root = root.Parent
		}
		p := byRoot[root]
		if p == nil {
			p = &wanted{keys: map[*schema.Layer][]schema.Value{}, values: map[*schema.Layer][]schema.Value{}}
			byRoot[root] = p
			plan = append(plan, p)
		}
		p.layers = append(p.layers, w.Layer)
		switch {
		case w.Window != nil:
			p.windows = append(p.windows, w)
		case w.Column != route.ReadColumn(w.Layer):
			p.keys[w.Layer] = append(p.keys[w.Layer], w.Values...)
		default:
			p.values[w.Layer] = append(p.values[w.Layer], w.Values...)
		}
	}
	for _, p := range plan {
		p.layers = below(p.layers)
	}
	return plan
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

func (w *wanted) run(ctx context.Context, snap feed.Snapshot) ([]route.Answer, error) {
	for _, want := range w.windows {
		if err := w.window(ctx, snap, want); err != nil {
			return nil, fault(want.Layer, err)
		}
	}
	for _, l := range w.layers {
		// A row that was added to a list is shown whatever its conditions say.
		if err := w.layer(ctx, snap, l, l.Type.Table.Key, w.keys[l], nil); err != nil {
			return nil, fault(l, err)
		}
		if err := w.layer(ctx, snap, l, route.ReadColumn(l), w.values[l], constant(l)); err != nil {
			return nil, fault(l, err)
		}
	}
	return w.answers, nil
}

func fault(l *schema.Layer, err error) error {
	return fmt.Errorf("read layer %q of %s: %w", l.Path, l.Type.Name, err)
}

// window reads the rows that a list with a limit has next.
func (w *wanted) window(ctx context.Context, snap feed.Snapshot, want *route.Want) error {
	a := route.Answer{Table: want.Layer.Type.Table, Column: want.Column, Values: want.Values, Window: want.Window}
	q := feed.Query{
		Table: a.Table, Column: a.Column, Values: a.Values,
		Where: want.Where, Order: want.Order, After: want.After, Limit: want.Limit,
	}
	err := snap.Rows(ctx, q, func(row schema.Row) error {
		if len(a.Rows) < want.Below {
			descend(w.values, want.Layer, row)
		}
		a.Rows = append(a.Rows, row)
		return nil
	})
	w.answers = append(w.answers, a)
	return err
}

// layer reads rows of one layer by a column, all of them, and notes what the
// layers below those that meet the conditions are to read.
func (w *wanted) layer(ctx context.Context, snap feed.Snapshot, l *schema.Layer, column int, values []schema.Value, where []schema.Condition) error {
	values = distinct(values)
	if c, ok := snap.(Coverer); ok && len(values) > 0 {
		values = c.Covered(l, column, values)
	}
	if len(values) == 0 {
		return nil
	}
	a := route.Answer{Table: l.Type.Table, Column: column, Values: values}
	q := feed.Query{Table: a.Table, Column: column, Values: values}
	err := snap.Rows(ctx, q, func(row schema.Row) error {
		a.Rows = append(a.Rows, row)
		if schema.Meets(where, row, nil) {
			descend(w.values, l, row)
		}
		return nil
	})
	w.answers = append(w.answers, a)
	return err
}

// constant are the conditions of a layer that need no value of a stream: below
// rows that do not meet them nothing is ever shown.
func constant(l *schema.Layer) []schema.Condition {
	var where []schema.Condition
	for _, c := range l.Where {
		if c.Constant() {
			where = append(where, c)
		}
	}
	return where
}

// descend notes what the layers below a row are to read.
func descend(values map[*schema.Layer][]schema.Value, l *schema.Layer, row schema.Row) {
	for _, c := range l.Children {
		v := row[l.Type.Table.Key]
		if c.Relation.Forward() {
			v = row[c.Link]
		}
		if !v.IsNull() {
			values[c] = append(values[c], v)
		}
	}
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
