package gen

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// shape is the interface of the nested state of layers that look alike.
type shape struct {
	name  string
	layer *schema.Layer
	// children are the shapes of the layer's Children, in their order.
	children []*shape
	alike    string
}

// shapeOf returns the shape of a layer. The first shape of a type has the
// type's name; another one, with other relations, has its place's.
func (a *app) shapeOf(l *schema.Layer, place string) *shape {
	alike := looks(l)
	for _, s := range a.shapes {
		if s.alike == alike {
			return s
		}
	}
	if place == "" {
		place = l.Type.Name + "State"
	}
	s := &shape{name: a.claim(l.Type.Name, place), layer: l, alike: alike}
	a.shapes = append(a.shapes, s)
	for _, child := range l.Children {
		s.children = append(s.children, a.shapeOf(child, s.name+upperFirst(child.GoName)))
	}
	return s
}

// looks describes a layer's members, so that layers with the same description
// have the same interface.
func looks(l *schema.Layer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s{", l.Type.Name)
	for _, child := range l.Children {
		fmt.Fprintf(&b, "%s %s %t %s;", child.Name, child.Relation, nullableLayer(child), looks(child))
	}
	b.WriteByte('}')
	return b.String()
}

// nullableLayer tells whether the relation's row may be missing.
func nullableLayer(l *schema.Layer) bool {
	switch l.Relation {
	case schema.HasOne:
		return true
	case schema.BelongsTo:
		parent := l.Parent.Type
		f, _ := parent.GoType.FieldByName(l.GoName)
		link := parent.FieldOf(l.Link)
		return f.Type.Kind() == reflect.Pointer || parent.Fields[link].Nullable
	default:
		return false
	}
}

// relation is the type of the property that shows a layer.
func (s *shape) relation(l *schema.Layer) string {
	switch {
	case l.Relation == schema.HasMany:
		return "readonly " + s.name + "[]"
	case nullableLayer(l):
		return s.name + " | null"
	default:
		return s.name
	}
}

// stateType is the Go type that says more of a field than its kind does: that
// of a JSON column, or a string type that may be an enum.
func stateType(f schema.Field) (reflect.Type, bool) {
	if f.Link != nil || f.Kind != schema.JSON && f.Kind != schema.Text {
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
	if f.Kind == schema.Text {
		return t, t.Kind() == reflect.String
	}
	bytes := t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
	return t, t.Kind() != reflect.String && !bytes
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
