package gen

import (
	"cmp"
	"database/sql/driver"
	"reflect"
	"slices"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// shape is the interface of the nested state of layers that look alike.
type shape struct {
	name  string
	typ   *schema.Type
	alike string
	// members are the properties in the struct's order.
	members []facet
	// relations are the shapes of each relation's rows, by its name.
	relations map[string][]*shape
}

// facet is a property of a family: a field, or a relation with the layers that
// show it.
type facet struct {
	name, goName string
	field        int // an index in the type's Fields, -1 for a relation
	layers       []*schema.Layer
	// missing tells that not all layers of the family have it.
	missing bool
}

// shapeOf returns the shape of what a layer shows. The first shape of a type
// has the type's name; another one, with other relations, has its place's.
func (a *app) shapeOf(l *schema.Layer, place string) *shape {
	l = headOf(l)
	if s := a.byLayer[l]; s != nil {
		return s
	}
	alike := a.looks(l, nil)
	for _, s := range a.shapes {
		if s.alike == alike {
			a.byLayer[l] = s
			return s
		}
	}
	if place == "" {
		place = l.Type.Name + "State"
	}
	s := &shape{name: a.claim(l.Type.Name, place), typ: l.Type, alike: alike, members: facetsOf(l), relations: map[string][]*shape{}}
	a.shapes, a.byLayer[l] = append(a.shapes, s), s
	for _, m := range s.members {
		for _, child := range m.heads() {
			below := a.shapeOf(child, s.name+upperFirst(m.goName))
			if !slices.Contains(s.relations[m.name], below) {
				s.relations[m.name] = append(s.relations[m.name], below)
			}
		}
	}
	return s
}

// headOf is the first layer of the family of what a layer shows. A struct that
// stands below itself is a family: it has one interface, whatever the depth.
func headOf(l *schema.Layer) *schema.Layer {
	l = l.Shown()
	head := l
	for up := l.Parent; up != nil; up = up.Parent {
		if up.Type == l.Type {
			head = up
		}
	}
	return head
}

// familyOf is a head with all layers below it over the same struct.
func familyOf(head *schema.Layer) []*schema.Layer {
	var family []*schema.Layer
	var walk func(l *schema.Layer)
	walk = func(l *schema.Layer) {
		l = l.Shown()
		if l.Type == head.Type {
			family = append(family, l)
		}
		for _, m := range l.Members {
			if m.Layer != nil {
				walk(m.Layer)
			}
		}
	}
	walk(head)
	return family
}

// facetsOf are the properties that the layers of a family have together.
func facetsOf(head *schema.Layer) []facet {
	family := familyOf(head)
	var all []facet
	for _, l := range family {
		for _, m := range l.Members {
			f := facet{field: m.Field}
			if m.Layer != nil {
				f.name, f.goName = m.Layer.Name, m.Layer.GoName
			} else {
				f.name, f.goName = l.Type.Fields[m.Field].Name, l.Type.Fields[m.Field].GoName
			}
			i := slices.IndexFunc(all, func(o facet) bool { return o.name == f.name })
			if i < 0 {
				i, all = len(all), append(all, f)
			}
			if m.Layer != nil {
				all[i].layers = append(all[i].layers, m.Layer)
			}
		}
	}
	for i := range all {
		all[i].missing = all[i].field < 0 && len(all[i].layers) < len(family)
	}
	slices.SortStableFunc(all, func(f, g facet) int {
		return slices.CompareFunc(placeOf(head.Type, f), placeOf(head.Type, g), cmp.Compare[int])
	})
	return all
}

// placeOf is a property's place in the struct.
func placeOf(t *schema.Type, f facet) []int {
	field, _ := t.GoType.FieldByName(f.goName)
	return field.Index
}

// heads are the first layers of the families that a relation shows.
func (f *facet) heads() []*schema.Layer {
	var heads []*schema.Layer
	for _, l := range f.layers {
		if head := headOf(l); !slices.Contains(heads, head) {
			heads = append(heads, head)
		}
	}
	return heads
}

// many tells whether the relation is an array.
func (f *facet) many() bool { return f.layers[0].Relation == schema.HasMany }

// nullable tells whether the relation's row may be missing.
func (a *app) nullable(f *facet) bool {
	return slices.ContainsFunc(f.layers, func(l *schema.Layer) bool { return a.absent[l] })
}

// looks describes the properties of a head's family, so that layers with the
// same description have the same interface. A type above is described already.
func (a *app) looks(head *schema.Layer, above []*schema.Type) string {
	if slices.Contains(above, head.Type) {
		return "^" + head.Type.Name
	}
	above = append(slices.Clip(above), head.Type)
	var b strings.Builder
	b.WriteString(head.Type.Name + "{")
	for _, f := range facetsOf(head) {
		if f.field >= 0 {
			continue
		}
		b.WriteString(f.name)
		if f.missing {
			b.WriteString("?")
		}
		if f.many() {
			b.WriteString("[]")
		} else if a.nullable(&f) {
			b.WriteString("|null")
		}
		var kinds []string
		for _, child := range f.heads() {
			if kind := a.looks(child, above); !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
		b.WriteString(" " + strings.Join(kinds, "|") + ";")
	}
	b.WriteByte('}')
	return b.String()
}

// mayBeAbsent tells whether a relation to one row may have none. That rows are
// of another tenant makes nothing absent, as no link leads to them.
func mayBeAbsent(tree *schema.Tree, l *schema.Layer) bool {
	switch {
	case l.Relation == schema.HasOne:
		return true
	case l.Relation != schema.BelongsTo || l.Parent.Through == l:
		return false
	}
	parent := l.Parent.Type
	f, _ := parent.GoType.FieldByName(l.GoName)
	link := parent.FieldOf(l.Link)
	return f.Type.Kind() == reflect.Pointer || parent.Fields[link].Nullable || l.UserKey >= 0 ||
		slices.ContainsFunc(l.Where, func(c schema.Condition) bool { return !ofTenant(tree, c) })
}

func ofTenant(tree *schema.Tree, c schema.Condition) bool {
	return c.Op == schema.Eq && c.Operands[0].Env >= 0 && tree.Env[c.Operands[0].Env].Name == "tenant"
}

// stateType is the Go type that says more of a field than its kind does: that
// of a JSON column, or a type of strings or integers that may be an enum.
func stateType(f schema.Field) (reflect.Type, bool) {
	if f.Link != nil || f.AsString {
		return nil, false
	}
	t := f.GoType
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	valuer := reflect.TypeFor[driver.Valuer]()
	if t.Kind() == reflect.Struct && t.NumField() == 2 && t.Field(1).Name == "Valid" && t.Implements(valuer) {
		t = t.Field(0).Type
	}
	switch f.Kind {
	case schema.Text:
		return t, t.Kind() == reflect.String && opaque(t) == "" // a column travels as it is stored
	case schema.Int:
		return t, t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 && opaque(t) == ""
	case schema.JSON:
		bytes := t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
		return t, t.Kind() != reflect.String && !bytes
	default:
		return nil, false
	}
}

// field is the TypeScript type of a field of an instance.
func (a *app) field(f schema.Field) string {
	expr := a.fieldExpr(f)
	if f.Nullable && expr != "unknown" {
		expr += " | null"
	}
	return expr
}

func (a *app) fieldExpr(f schema.Field) string {
	if f.Link != nil {
		return a.id(f.Link)
	}
	if t, ok := stateType(f); ok {
		return a.expr(t, false)
	}
	switch f.Kind {
	case schema.Bool:
		return "boolean"
	case schema.Int:
		if f.AsString {
			return "string"
		}
		return "number"
	case schema.Float:
		return "number"
	case schema.JSON:
		return "unknown"
	default:
		return "string"
	}
}

// id is the type of a key of t.
func (a *app) id(t *schema.Type) string {
	a.used["Id"] = true
	return "Id<" + quote(t.Name) + ">"
}
