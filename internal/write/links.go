package write

import (
	"context"
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/schema"
)

// link is a column by which rows of a table lead to others in the tree.
type link struct {
	// column is an index in Table.Columns, of a tuple too; parts are the stored
	// columns that it is made of.
	column int
	parts  []int
	target *schema.Type
}

// linksOf are all links that a write of the type can change, whatever layer
// follows them: what is shown elsewhere by a column is changed with it.
func linksOf(tree *schema.Tree, o *Offer) []link {
	var links []link
	add := func(column int, target *schema.Type) {
		l := link{column, o.Type.Table.Columns[column].Parts, target}
		if l.parts == nil {
			l.parts = []int{column}
		}
		known := slices.ContainsFunc(links, func(k link) bool { return k.column == column && k.target == target })
		if !known {
			links = append(links, l)
		}
	}
	for _, f := range o.Fields {
		if f.Link != nil {
			add(f.Column, f.Link)
		}
	}
	for _, l := range tree.Layers {
		switch l.Relation {
		case schema.Root, schema.List:
		case schema.BelongsTo:
			if l.Parent.Type.Table == o.Type.Table && l.Link != o.Type.Table.Key {
				add(l.Link, l.Shown().Type)
			}
		default:
			if l.Type.Table == o.Type.Table {
				add(l.Link, l.Parent.Type)
			}
		}
	}
	return links
}

// LinksTo tells whether a write of the type can set a link to rows of another.
func (o *Offer) LinksTo(target *schema.Type) bool {
	return slices.ContainsFunc(o.links, func(l link) bool { return l.target == target })
}

// linked checks that links which the client set lead to rows that it may link
// to.
func (t *turn) linked(ctx context.Context) error {
	for i := range t.links {
		l := &t.links[i]
		name, set := t.change.sentIn(l.parts)
		to := t.change.leads(l)
		if !set || to.IsNull() || t.change.old != nil && t.change.old[l.column] == to {
			continue
		}
		if err := t.mayLink(ctx, l.target, to, name); err != nil {
			return err
		}
	}
	return nil
}

// mayLink checks that a row of the type is in the tree, or that the channel
// lets links lead to it.
func (t *turn) mayLink(ctx context.Context, target *schema.Type, key schema.Value, name string) error {
	row, err := t.walk.byKey(ctx, target.Table, key, feed.Shared)
	if err != nil {
		return err
	}
	if row != nil {
		if shown, err := t.walk.shows(ctx, target, row); shown || err != nil {
			return err
		}
		if ask := t.CanLink[target]; ask != nil {
			return guard("CanLink of "+target.Name, func() error { return ask(ctx, t.stream.Channel, row) })
		}
	}
	return &rpc.Error{
		Code: "denied", Message: name + ": may not lead there",
		Fields: map[string]string{name: "may not lead there"},
	}
}
