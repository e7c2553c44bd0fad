package world

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/test/internal/model"
)

// DrawWritable draws what clients may write, and who.
func DrawWritable(rng *rand.Rand, s *model.Schema, users []string) {
	some := func() []string {
		if rng.IntN(5) == 0 {
			return nil
		}
		return slices.DeleteFunc(slices.Clone(users), func(string) bool { return rng.IntN(4) == 0 })
	}
	for _, c := range s.Channels {
		var ways []string
		c.WalkWays(func(way string, l *model.Layer) {
			if l.Depth == 0 {
				ways = append(ways, way)
			}
		})
		for _, i := range rng.Perm(len(ways))[:min(len(ways), rng.IntN(4))] {
			c.Writable = append(c.Writable, &model.Writable{
				Layer: ways[i], Save: some(), Create: some(), Delete: some(), CanLink: some(), MayLeave: rng.IntN(4) == 0,
			})
		}
		c.Writable = slices.DeleteFunc(c.Writable, func(w *model.Writable) bool {
			return !slices.ContainsFunc(Offers(s, c), func(o *Offer) bool { return o.Writable == w })
		})
		for _, o := range Offers(s, c) {
			*o.Writable = *o.rest()
		}
	}
}

// Offer is what clients may write of one struct of a channel.
type Offer struct {
	*model.Writable

	Table *model.Table
	// Struct is the layer that stands for the struct, Type the struct itself.
	Struct *model.Layer
	Type   reflect.Type
	// Places are where rows are created.
	Places []Place
	// Nodes are the structs of nodes that links of the rows lead to.
	Nodes []string
}

// Place is a relation in which rows are created. Parent stands for the struct of
// the row above, which is Type; it is nil for a list's own rows.
type Place struct {
	Parent, Layer *model.Layer
	Type          reflect.Type
}

// Structs has for each layer of a channel the one that stands for its struct.
func Structs(s *model.Schema, c *model.Channel) map[*model.Layer]*model.Layer {
	structs, first := map[*model.Layer]*model.Layer{}, map[reflect.Type]*model.Layer{}
	c.Root.Walk(func(l *model.Layer) {
		if l.Depth > 0 {
			return
		}
		t := structOf(s, l)
		if first[t] == nil {
			first[t] = l
		}
		structs[l] = first[t]
	})
	return structs
}

// Offers are what clients may write of a channel, as far as its layers are still
// there. No struct has two.
func Offers(s *model.Schema, c *model.Channel) []*Offer {
	var all []*Offer
	structs := Structs(s, c)
	for _, w := range c.Writable {
		l := c.At(w.Layer)
		if l == nil || l.Depth > 0 {
			continue
		}
		o := &Offer{Writable: w, Table: s.Table(l.Table), Struct: structs[l], Type: structOf(s, l)}
		if slices.ContainsFunc(all, func(other *Offer) bool { return other.Type == o.Type }) {
			continue
		}
		o.look(s, c, structs)
		if o.Writable = o.rest(); len(o.Save)+len(o.Create)+len(o.Delete) > 0 {
			o.Writable = w
			all = append(all, o)
		}
	}
	return all
}

// look finds where the struct stands.
func (o *Offer) look(s *model.Schema, c *model.Channel, structs map[*model.Layer]*model.Layer) {
	var walk func(parent, l *model.Layer)
	walk = func(parent, l *model.Layer) {
		shown := model.Spine(parent, l)
		same := structs[shown] == o.Struct
		switch {
		case same && l.Relation == model.Root && c.List:
			o.Places = append(o.Places, Place{Layer: l})
		case same && (l.Relation == model.HasMany || l.Relation == model.HasOne):
			o.Places = append(o.Places, Place{structs[parent], l, structOf(s, parent)})
		}
		leads := l.Relation == model.BelongsTo && parent.Table == o.Table.Name || same && l.Depth > 0
		if leads && shown.Struct != "" && !slices.Contains(o.Nodes, shown.Struct) {
			o.Nodes = append(o.Nodes, shown.Struct)
		}
		for _, child := range l.Layers {
			walk(shown, child)
		}
	}
	walk(nil, c.Root)
}

// rest is what of the declaration has a place in the tree.
func (o *Offer) rest() *model.Writable {
	w := *o.Writable
	if len(o.Places) == 0 {
		w.Create = nil
	}
	if len(o.Nodes) == 0 {
		w.CanLink = nil
	}
	w.MayLeave = w.MayLeave && len(w.Save) > 0
	return &w
}

// Setter sets a field of a row that is written, by its name in Go.
type Setter func(field string, value any) error

// Hooks are what the channels ask.
type Hooks interface {
	// Opened and Closed tell of streams.
	Opened()
	Closed()
	// Permit decides about a write in its transaction, MayLink about a link.
	Permit(ctx context.Context, w *model.Writable, op, user string, set Setter) error
	MayLink(ctx context.Context, w *model.Writable, user string) error
	Actions
}

// options are what a channel offers to be written.
func options[P member](s *model.Schema, c *model.Channel) []pando.Option {
	var all []pando.Option
	for _, o := range Offers(s, c) {
		w, ops := o.rest(), []pando.WriteOption{pando.RowType(o.Type)}
		ask := func(ctx context.Context, c P, op string, set Setter) error {
			return c.at().hooks.Permit(ctx, o.Writable, op, c.user(), set)
		}
		if len(w.Save) > 0 {
			ops = append(ops, pando.Save(func(c P, ctx context.Context, _ any, data pando.Data[any]) error {
				return ask(ctx, c, "save", data.Set)
			}))
		}
		if len(w.Create) > 0 {
			ops = append(ops, pando.Create(func(c P, ctx context.Context, data pando.Data[any]) error {
				return ask(ctx, c, "create", data.Set)
			}))
		}
		if len(w.Delete) > 0 {
			ops = append(ops, pando.Delete(func(c P, ctx context.Context, _ any) error { return ask(ctx, c, "delete", nil) }))
		}
		if w.MayLeave {
			ops = append(ops, pando.MayLeave[any]())
		}
		if len(w.CanLink) > 0 {
			for _, node := range o.Nodes {
				ops = append(ops, canLink[P](node, o.Writable))
			}
		}
		all = append(all, pando.Writable[any](ops...))
	}
	return all
}

// canLink asks about links to nodes of a struct.
func canLink[P member](node string, w *model.Writable) pando.WriteOption {
	switch node {
	case "NodeDown":
		return linksTo[P, NodeDown](w)
	case "NodeDeep":
		return linksTo[P, NodeDeep](w)
	case "NodeUp":
		return linksTo[P, NodeUp](w)
	case "NodeBoth":
		return linksTo[P, NodeBoth](w)
	default:
		panic("world: no struct " + node)
	}
}

func linksTo[P member, T any](w *model.Writable) pando.WriteOption {
	return pando.CanLink(func(c P, ctx context.Context, _ T) error { return c.at().hooks.MayLink(ctx, w, c.user()) })
}
