package schema

import (
	"slices"
	"strconv"
)

// Model is a tree as clients know it, "The state model" of spec/protocol.md:
// what turns flat rows into nested state. Its JSON is that section's.
type Model struct {
	// Types are the tree's instance types in the order of the layers.
	Types []ModelType
	// Layers are the tree's layers but the hidden ones, which have the highest
	// indexes; the first is the root.
	Layers []ModelLayer
}

// ModelType is an instance type with the fields that the tree uses: those
// that are sent, and the hidden ones by which it links and sorts.
type ModelType struct {
	Type *Type
	// Fields are indexes in Type.Fields, ascending.
	Fields []int
}

// ModelLayer is a layer with wire names for columns.
type ModelLayer struct {
	Layer *Layer
	// Link is a field of the parent's type for BelongsTo, of this layer's for
	// HasMany and HasOne; empty for the root.
	Link string
	// Order names fields of this layer's type, "-" before a descending one.
	Order []string
}

// Model derives the state model from the tree. It is complete once all trees
// of the registry are in.
func (t *Tree) Model() Model {
	var m Model
	layers := slices.DeleteFunc(slices.Clone(t.Layers), func(l *Layer) bool { return l.Hidden })
	for _, l := range layers {
		useField(&m, l.Type, l.Type.Table.Key)
	}
	for _, l := range layers {
		layer := ModelLayer{Layer: l}
		if holder := l.LinkType(); holder != nil {
			layer.Link = useField(&m, holder, l.Link)
		}
		for _, o := range l.Order {
			name := useField(&m, l.Type, o.Column)
			if o.Desc {
				name = "-" + name
			}
			layer.Order = append(layer.Order, name)
		}
		m.Layers = append(m.Layers, layer)
	}
	return m
}

// LinkType is the type that holds the layer's link: the parent's for
// BelongsTo, else the layer's own; nil for the root and for a list.
func (l *Layer) LinkType() *Type {
	switch l.Relation {
	case Root, List:
		return nil
	case BelongsTo:
		return l.Parent.Type
	default:
		return l.Type
	}
}

// useField adds the type when it is new, and its field over the column (-1: none),
// whose name it returns.
func useField(m *Model, t *Type, column int) string {
	i := slices.IndexFunc(m.Types, func(u ModelType) bool { return u.Type == t })
	if i < 0 {
		i = len(m.Types)
		u := ModelType{Type: t}
		for n := range t.Fields {
			if !t.Fields[n].Hidden {
				u.Fields = append(u.Fields, n)
			}
		}
		m.Types = append(m.Types, u)
	}
	if column < 0 {
		return ""
	}
	u := &m.Types[i]
	n := t.FieldOf(column)
	if at, found := slices.BinarySearch(u.Fields, n); !found {
		u.Fields = slices.Insert(u.Fields, at, n)
	}
	return t.Fields[n].Name
}

// MarshalJSON writes the model with its members in a fixed order.
func (m Model) MarshalJSON() ([]byte, error) {
	dst := []byte(`{"root":0,"types":{`)
	for i, u := range m.Types {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = u.append(dst)
	}
	dst = append(dst, `},"layers":[`...)
	for i, l := range m.Layers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = l.append(dst)
	}
	return append(dst, "]}"...), nil
}

func (u ModelType) append(dst []byte) []byte {
	dst = append(appendString(dst, u.Type.Name), `:{"key":`...)
	dst = append(appendString(dst, u.Type.Fields[u.Type.Key].Name), `,"fields":{`...)
	for i, n := range u.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		f := &u.Type.Fields[n]
		dst = append(appendString(dst, f.Name), ':')
		dst = appendString(dst, f.KindName())
	}
	return append(dst, "}}"...)
}

func (m ModelLayer) append(dst []byte) []byte {
	dst = appendString(append(dst, `{"type":`...), m.Layer.Type.Name)
	if m.Layer.Relation != Root {
		dst = appendString(append(dst, `,"relation":`...), m.Layer.Relation.String())
	}
	if m.Link != "" {
		dst = appendString(append(dst, `,"link":`...), m.Link)
	}
	if through := m.Layer.Through; through != nil {
		dst = strconv.AppendInt(append(dst, `,"through":`...), int64(through.Index), 10)
	}
	if len(m.Order) > 0 {
		dst = append(dst, `,"order":[`...)
		for i, name := range m.Order {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, name)
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `,"members":[`...)
	for i, member := range m.Layer.Members {
		if i > 0 {
			dst = append(dst, ',')
		}
		if member.Layer == nil {
			dst = appendString(dst, m.Layer.Type.Fields[member.Field].Name)
			continue
		}
		dst = appendString(append(dst, `{"name":`...), member.Layer.Name)
		dst = strconv.AppendInt(append(dst, `,"layer":`...), int64(member.Layer.Index), 10)
		dst = append(dst, '}')
	}
	return append(dst, "]}"...)
}
