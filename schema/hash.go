package schema

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// ComputeHash returns what Channel.Hash is to hold: the first 16 hex digits of
// the SHA-256 of all that the generated class depends on, as reflection tells
// it. It is final once all trees of the registry are in.
func (c *Channel) ComputeHash() string {
	var b strings.Builder
	fmt.Fprintf(&b, "channel %s %s anchor %d\n", c.Name, c.Route, c.Anchor)
	for _, p := range c.Params {
		fmt.Fprintf(&b, "param %s %s\n", p.Name, p.Kind)
	}
	m := c.Tree.Model()
	model, _ := m.MarshalJSON() // has no error
	fmt.Fprintf(&b, "model %s\n", model)
	for _, u := range m.Types {
		describeFields(&b, u)
	}
	describeRows(&b, c.Tree)
	d := describer{b: &b, seen: map[reflect.Type]bool{}}
	b.WriteString("runtime ")
	d.write(c.Runtime)
	for _, a := range c.Actions {
		fmt.Fprintf(&b, "\naction %s", a.Name)
		for _, arg := range a.Args {
			b.WriteByte(' ')
			d.write(arg)
		}
		b.WriteString(" -> ")
		d.write(a.Result)
		if a.Once {
			b.WriteString(" once")
		}
	}
	for _, w := range c.Writable {
		describeWritable(&b, w)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}

func describeFields(b *strings.Builder, u ModelType) {
	for _, n := range u.Fields {
		f := u.Type.Fields[n]
		link := ""
		if f.Link != nil {
			link = f.Link.Name
		}
		fmt.Fprintf(b, "field %s.%s null=%t string=%t link=%s%s\n", u.Type.Name, f.Name, f.Nullable, f.AsString, link, origin(f))
	}
	for _, f := range u.Type.WriteOnly {
		fmt.Fprintf(b, "written %s.%s %s null=%t\n", u.Type.Name, f.Name, f.KindName(), f.Nullable)
	}
}

func describeWritable(b *strings.Builder, w *Writable) {
	fmt.Fprintf(b, "\nwritable %s save=%t create=%t delete=%t optimistic=%s", w.Type.Name, w.Save, w.Create, w.Delete, w.Optimistic)
	for _, f := range w.Fields {
		fmt.Fprintf(b, " %s:%s", f.Name, f.Shown)
	}
	for _, l := range w.In {
		fmt.Fprintf(b, " in %s", l.Path)
	}
}

// origin tells how a field differs from a column that is sent as it is.
func origin(f Field) string {
	switch {
	case f.made != "":
		return " made=" + f.made
	case f.ReadOnly:
		return " readonly"
	default:
		return ""
	}
}

// describeRows tells which rows a scope has beside those that links lead to.
// They are no part of the class, but a cookie of other rows is of no use.
func describeRows(b *strings.Builder, t *Tree) {
	for _, v := range t.Env {
		fmt.Fprintf(b, "env %s %s\n", v.Name, v.Kind)
	}
	if t.Limit > 0 {
		fmt.Fprintf(b, "limit %d\n", t.Limit)
	}
	for _, l := range t.Layers {
		columns := l.Type.Table.Columns
		if l.Hidden {
			fmt.Fprintf(b, "hidden %d %s by %s of %d\n", l.Index, l.Type.Table.Name, columns[l.Link].Name, l.Parent.Index)
		}
		if l.UserKey >= 0 {
			fmt.Fprintf(b, "user %d %s\n", l.Index, columns[l.UserKey].Name)
		}
		for _, c := range l.Where {
			fmt.Fprintf(b, "where %d %s %s", l.Index, columns[c.Column].Name, c.Op)
			for _, o := range c.Operands {
				fmt.Fprintf(b, " %d:%q", o.Env, o.Value)
			}
			b.WriteByte('\n')
		}
	}
}

// describer writes Go types as encoding/json shows them, each named struct's
// members once, and a list or map that is made of itself by its name.
type describer struct {
	b    *strings.Builder
	seen map[reflect.Type]bool
}

var (
	marshalerType     = reflect.TypeFor[json.Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
)

func (d describer) write(t reflect.Type) {
	switch {
	case t == nil:
		d.b.WriteString("none")
	case t.Implements(marshalerType) || t.Implements(textMarshalerType):
		d.b.WriteString(t.String())
	case t.Name() != "" && t.Kind() != reflect.Struct && d.seen[t]:
		d.b.WriteString(t.Name()) // it is made of itself
	case t.Kind() == reflect.Pointer:
		d.b.WriteByte('*')
		d.element(t)
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Array:
		d.b.WriteString("[]")
		d.element(t)
	case t.Kind() == reflect.Map:
		d.b.WriteString("map ")
		d.write(t.Key())
		d.b.WriteByte(' ')
		d.element(t)
	case t.Kind() == reflect.Struct:
		d.members(t)
	default:
		d.b.WriteString(t.Kind().String())
	}
}

// element writes what a pointer, a list or a map is made of, in which its own name stands
// for it.
func (d describer) element(t reflect.Type) {
	d.seen[t] = true
	d.write(t.Elem())
	delete(d.seen, t)
}

func (d describer) members(t reflect.Type) {
	d.b.WriteString(t.Name())
	if d.seen[t] {
		return
	}
	d.seen[t] = true
	d.b.WriteByte('{')
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		fmt.Fprintf(d.b, "%s %q ", f.Name, f.Tag.Get("json"))
		d.write(f.Type)
		d.b.WriteByte(';')
	}
	d.b.WriteByte('}')
}
