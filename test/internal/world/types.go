package world

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pando-sync/pando/test/internal/model"
)

// structOf makes the Go struct of a layer with all below it.
func structOf(s *model.Schema, l *model.Layer) reflect.Type {
	if l.Struct != "" {
		return families[l.Struct]
	}
	t := s.Table(l.Table)
	fields := []reflect.StructField{{
		Name: "_", PkgPath: "world", Type: reflect.TypeFor[struct{}](), Tag: reflect.StructTag(fmt.Sprintf(`pando:"table:%s"`, l.Table)),
	}}
	for _, name := range l.Fields {
		fields = append(fields, column(t, t.Column(name), name))
	}
	for _, name := range unsent(s, l) {
		fields = append(fields, column(t, t.Column(name), "-"))
	}
	for _, c := range l.Computed {
		fields = append(fields, computed(s, c)...)
	}
	for _, child := range l.Layers {
		fields = append(fields, relation(s, child))
	}
	return reflect.StructOf(fields)
}

// unsent are the columns that a layer's struct declares and does not send: its
// order, its conditions, its user's key.
func unsent(s *model.Schema, l *model.Layer) []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(l.Fields, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, o := range l.Order {
		add(o.Column)
	}
	for _, c := range l.Where {
		add(c.Column)
	}
	add(l.UserKey)
	if t := s.Table(l.Table); slices.ContainsFunc(t.Columns, func(c *model.Column) bool { return c.Name == tenantColumn }) {
		add(tenantColumn)
	}
	return names
}

// tenantColumn is the name that a tenant's column has in every table.
const tenantColumn = "tenant"

var goTypes = map[model.Kind]reflect.Type{
	model.Int: reflect.TypeFor[int64](), model.BigInt: reflect.TypeFor[int64](), model.Bool: reflect.TypeFor[bool](),
	model.Float: reflect.TypeFor[float64](), model.Text: reflect.TypeFor[string](), model.UUID: reflect.TypeFor[[16]byte](),
	model.Time: reflect.TypeFor[time.Time](), model.Bytes: reflect.TypeFor[[]byte](), model.JSON: reflect.TypeFor[json.RawMessage](),
}

// goName is a column's or a relation's name as a Go field's.
func goName(name string) string { return "F_" + name }

func column(t *model.Table, c *model.Column, wire string) reflect.StructField {
	items := []string{"column:" + c.Name}
	if slices.Contains(t.Key, c.Name) {
		items = append(items, "key")
	} else if c.Kind == model.BigInt || c.References != "" && c.Kind == model.Int {
		items = append(items, "string")
	}
	of := goTypes[c.Kind]
	if c.Nullable {
		of = reflect.PointerTo(of)
	}
	return field(goName(c.Name), wire, items, of)
}

func field(name, wire string, items []string, of reflect.Type) reflect.StructField {
	tag := fmt.Sprintf(`json:"%s" pando:"%s"`, wire, strings.Join(items, ","))
	return reflect.StructField{Name: name, Type: of, Tag: reflect.StructTag(tag)}
}

func relation(s *model.Schema, l *model.Layer) reflect.StructField {
	items := []string{"link:" + strings.Join(l.Link, "|")}
	of := reflect.PointerTo(structOf(s, l))
	switch l.Relation {
	case model.HasOne:
		items = append(items, "hasone")
	case model.HasMany, model.ManyToMany:
		of = reflect.SliceOf(of.Elem())
	default: // belongs-to is what a pointer means
	}
	if l.Through != nil {
		items = append(items, "through:"+l.Through.Table, "target:"+strings.Join(l.Through.Target, "|"))
		items = append(items, orders(l.Through.Order, l.Through.Table+".")...)
		items = append(items, filters(l.Through.Where, l.Through.Table+".")...)
	}
	items = append(items, orders(l.Order, "")...)
	items = append(items, filters(l.Where, "")...)
	if l.UserKey != "" {
		items = append(items, "user_key:"+l.UserKey)
	}
	if l.Shared {
		items = append(items, "shared")
	}
	return field(goName(l.Name), l.Name, items, of)
}

func orders(order []model.Order, prefix string) []string {
	var items []string
	for _, o := range order {
		item := "order:"
		if o.Desc {
			item += "-"
		}
		items = append(items, item+prefix+o.Column)
	}
	return items
}

func filters(where []model.Condition, prefix string) []string {
	var items []string
	for _, c := range where {
		operands := make([]string, len(c.Operands))
		for i, o := range c.Operands {
			operands[i] = o.Env + o.Text
		}
		op, value := c.Op, strings.Join(operands, "|")
		switch c.Op {
		case "in":
			op = "="
		case "null":
			op, value = "=", "null"
		case "not null":
			op, value = "!=", "null"
		}
		items = append(items, "filter:"+prefix+c.Column+op+value)
	}
	return items
}

// computed are the fields of a computed one: the related rows, which are not
// sent, and what is made of them.
func computed(s *model.Schema, c model.Computed) []reflect.StructField {
	from := s.Table(c.Table)
	l := &model.Layer{Name: c.Name + "_rows", Table: c.Table, Relation: model.HasMany, Link: []string{c.Link}, Fields: slices.Clone(from.Key)}
	of, item := goTypes[model.Int], c.Func+":"+goName(l.Name)
	if c.Column != "" {
		l.Fields = append(l.Fields, c.Column)
		of, item = goTypes[from.Column(c.Column).Kind], item+"."+goName(c.Column)
	}
	if c.Func == "min" || c.Func == "max" {
		of = reflect.PointerTo(of)
	}
	for _, cond := range c.Where {
		if !slices.Contains(l.Fields, cond.Column) {
			l.Fields = append(l.Fields, cond.Column)
		}
	}
	rows := relation(s, l)
	rows.Tag = reflect.StructTag(strings.Replace(string(rows.Tag), fmt.Sprintf(`json:"%s"`, l.Name), `json:"-"`, 1))
	items := append([]string{item}, filters(c.Where, "")...)
	return []reflect.StructField{rows, field(goName(c.Name), c.Name, items, of)}
}
