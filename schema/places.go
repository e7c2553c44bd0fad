package schema

import "slices"

// apart gives places of their own to the layers whose rows a client could not
// tell: it knows a row by its type and key, and places it by its links. Where
// two layers show rows of one type under different conditions, or to different
// users, a row that is there for one of them must not show in the other. Such a
// layer becomes one of places, which carry nothing but their key, link and
// order, through which the row shows.
func (b *builder) apart() error {
	var mixed []*Layer
	for _, l := range b.tree.Layers {
		if b.isMixed(l) {
			mixed = append(mixed, l)
		}
	}
	for _, l := range mixed {
		place, err := b.registry.place(b.placeName(l), l.Type.Table)
		if err != nil {
			return err
		}
		if l.Through != nil {
			b.settle(l, place)
		} else {
			b.displace(l, place)
		}
	}
	for i, l := range b.tree.Layers {
		l.Index = i
	}
	return nil
}

// isMixed tells whether the tree has rows of the layer's type that are not of
// the layer although they are linked as its rows are.
func (b *builder) isMixed(l *Layer) bool {
	if l.Relation == Root || l.Relation == List {
		return false
	}
	return slices.ContainsFunc(b.tree.Layers, func(o *Layer) bool {
		alike := meetsAll(o, l.Where) && (l.UserKey < 0 || l.UserKey == o.UserKey)
		return o != l && o.Type == l.Type && !alike
	})
}

// meetsAll tells whether every row of a layer meets the conditions, because
// they are the layer's own, or those of the places in which it shows.
func meetsAll(l *Layer, where []Condition) bool {
	own := l.Where
	if l.Parent != nil && l.Parent.Through == l && l.Parent.Type.Table == l.Type.Table && l.Link == l.Type.Table.Key {
		own = slices.Concat(own, l.Parent.Where)
	}
	for _, c := range where {
		if !slices.ContainsFunc(own, c.equal) {
			return false
		}
	}
	return true
}

func (c *Condition) equal(o Condition) bool {
	return c.Column == o.Column && c.Op == o.Op && slices.Equal(c.Operands, o.Operands)
}

// placeName is "@Board.open" for the relation open of the struct Board. All its
// layers share the type: they are declared once, with the same conditions.
func (b *builder) placeName(l *Layer) string {
	holder, name := l.Parent, l.Name
	for name == "" { // the target of a many-to-many relation
		holder, name = holder.Parent, holder.Name+".@"
	}
	return "@" + holder.Type.Name + "." + name
}

// settle gives a layer of places a type of its own.
func (b *builder) settle(l *Layer, place *Type) {
	for _, f := range l.Type.Fields {
		f.Name = "@" + l.Type.Table.Columns[f.Column].Name
		place.Fields[b.registry.over(place, f.Column)] = f
	}
	l.Type = place
}

// displace puts a layer of places above a layer.
func (b *builder) displace(l *Layer, place *Type) {
	p := *l
	p.Type, p.Members, p.Children, p.Through = place, nil, []*Layer{l}, l
	if l.Relation != BelongsTo {
		b.copyField(place, l.Type, l.Link)
	}
	for _, o := range l.Order {
		b.copyField(place, l.Type, o.Column)
	}
	b.brand(place, place.Table.Key, l.Type)
	above := l.Parent
	above.Children[slices.Index(above.Children, l)] = &p
	if above.Through == l {
		above.Through = &p
	}
	for i := range above.Members {
		if above.Members[i].Layer == l {
			above.Members[i].Layer = &p
		}
	}
	l.Parent, l.Relation, l.Link, l.Path, l.Name, l.GoName = &p, BelongsTo, l.Type.Table.Key, l.Path+".@", "", ""
	l.Order, l.Where, l.UserKey = nil, nil, -1
	b.tree.Layers = slices.Insert(b.tree.Layers, slices.Index(b.tree.Layers, l), &p)
}

// copyField gives a place the field that a type has over a column.
func (b *builder) copyField(place, from *Type, column int) {
	f := from.Fields[b.registry.over(from, column)]
	f.Name, f.Hidden, f.GoType, f.GoName = "@"+from.Table.Columns[column].Name, true, nil, ""
	place.Fields[b.registry.over(place, column)] = f
}
