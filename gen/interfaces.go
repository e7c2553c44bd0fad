package gen

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// interfacesFile writes the interfaces of state and of other Go types.
func (a *app) interfacesFile() []byte {
	a.used = map[string]bool{}
	var body writer
	for _, s := range a.shapes {
		body.WriteByte('\n')
		body.interfaceOf(s.name, a.docs.of(s.typ.GoType).Text, a.shapeMembers(s))
	}
	for _, d := range a.data {
		body.WriteByte('\n')
		body.interfaceOf(d.name, "What may be written of "+article(d.typ.Name)+".", a.dataMembers(d))
	}
	for _, b := range a.bindings {
		a.writeRows(&body, b)
	}
	for _, t := range a.keyed {
		body.WriteByte('\n')
		a.writeKey(&body, t)
	}
	for _, v := range a.values {
		body.WriteByte('\n')
		a.writeValue(&body, v)
	}
	var file writer
	if names := a.clientTypes("Id", "Pk"); len(names) > 0 {
		file.linef("import type { %s } from '@pando-sync/client'", strings.Join(names, ", "))
	}
	file.Write(body.Bytes())
	return bytes.TrimPrefix(file.Bytes(), []byte("\n"))
}

// clientTypes are those of the client's types that the file refers to; they are
// none of the app's own.
func (a *app) clientTypes(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		used := a.used[name]
		delete(a.used, name)
		return !used
	})
}

func (a *app) shapeMembers(s *shape) []documented {
	var members []documented
	for i := range s.members {
		m := &s.members[i]
		doc := a.docs.field(s.typ.GoType, m.goName)
		if m.field < 0 {
			members = append(members, documented{
				doc:  noted(doc, noteIf(m.missing, "Missing where the declared depth ends.")),
				text: a.relation(s, m),
			})
			continue
		}
		f := s.typ.Fields[m.field]
		members = append(members, documented{
			doc:  noted(doc, noteIf(f.ReadOnly, "Read-only."), noteOn(f)),
			text: "readonly " + property(m.name) + ": " + a.field(f),
		})
	}
	return members
}

// noteIf is a note that does not apply everywhere.
func noteIf(applies bool, note string) string {
	if !applies {
		return ""
	}
	return note
}

// noteOn tells of a field's values what their type in TypeScript does not.
func noteOn(f schema.Field) string {
	switch {
	case f.Kind == schema.Time:
		return "RFC 3339, in UTC."
	case f.Kind == schema.Bytes:
		return "Base64."
	case f.GoType != nil:
		return noteOnType(f.GoType)
	default:
		return ""
	}
}

// noted adds notes to a doc, in the line of a short one.
func noted(doc string, notes ...string) string {
	doc = strings.TrimSpace(doc)
	note := strings.Join(slices.DeleteFunc(notes, func(n string) bool { return n == "" }), " ")
	switch {
	case note == "" || doc == "":
		return doc + note
	case strings.Contains(doc, "\n") || len(doc)+len(note) > width-12:
		return doc + "\n\n" + note
	case strings.ContainsAny(doc[len(doc)-1:], ".!?"):
		return doc + " " + note
	default:
		return doc + ". " + note
	}
}

// relation is the property that shows a relation.
func (a *app) relation(s *shape, m *facet) string {
	names := make([]string, len(s.relations[m.name]))
	for i, below := range s.relations[m.name] {
		names[i] = below.name
	}
	expr, mark := strings.Join(names, " | "), ""
	switch {
	case m.many():
		expr = "readonly " + grouped(expr) + "[]"
	case a.nullable(m):
		expr += " | null"
	}
	if m.missing {
		mark = "?"
	}
	return "readonly " + property(m.name) + mark + ": " + expr
}

// writeKey writes the type of a key of several columns, for which instances
// have no property.
func (a *app) writeKey(w *writer, t *schema.Type) {
	table := t.Table
	var parts []string
	for _, p := range table.Columns[table.Key].Parts {
		parts = append(parts, table.Columns[p].Name)
	}
	w.doc("", "The key of "+t.Name+", for which its instances have no property: "+strings.Join(parts, ", ")+
		"\nwith commas between them, and % and commas in them written %25 and %2C.")
	w.linef("export type %s = %s", a.keys[t], a.id(t))
}

func (a *app) writeValue(w *writer, v *value) {
	doc := a.docs.of(v.goType).Text
	switch {
	case v.constants != nil:
		w.doc("", doc)
		writeEnum(w, v)
	case v.goType.Kind() == reflect.Struct:
		w.interfaceOf(v.name, doc, a.valueMembers(v))
	default:
		a.recursive = true
		w.doc("", doc)
		w.linef("export type %s = %s", v.name, a.unnamed(v.goType, v.nilable))
		a.recursive = false
	}
}

// writeEnum writes the values in one line, if they say by themselves what they
// are and fit; else each with its name or its comment.
func writeEnum(w *writer, v *value) {
	choices := make([]string, len(v.constants))
	plain := v.goType.Kind() == reflect.String
	for i, c := range v.constants {
		choices[i] = c.literal()
		plain = plain && c.Text == ""
	}
	head := "export type " + v.name + " ="
	if oneLine := head + " " + strings.Join(choices, " | "); plain && len(oneLine) <= width {
		w.linef("%s", oneLine)
		return
	}
	w.linef("%s", head)
	for i, c := range v.constants {
		w.linef("  | %s%s", choices[i], c.remark(v.goType.Kind() == reflect.String))
	}
}

// literal is the value in TypeScript.
func (c Constant) literal() string {
	var s string
	if json.Unmarshal([]byte(c.Value), &s) != nil {
		return c.Value
	}
	return quote(s)
}

// remark is what stands behind a value: the comment's first line, with the name
// before it where the value is none.
func (c Constant) remark(named bool) string {
	text, _, _ := strings.Cut(c.Text, "\n")
	switch {
	case named && text == "":
		return ""
	case named:
		return " // " + text
	case text == "" || strings.HasPrefix(text, c.Name+" "):
		return " // " + cmp.Or(text, c.Name)
	default:
		return " // " + c.Name + ": " + text
	}
}

func (a *app) valueMembers(v *value) []documented {
	var members []documented
	for _, m := range membersOf(v.goType) {
		doc := noted(a.docs.fieldAt(v.goType, m.index), noteOnType(m.goType))
		members = append(members, documented{doc: doc, text: a.member(m, v.nilable)})
	}
	return members
}

// article puts "a" or "an" before a name.
func article(name string) string {
	if strings.ContainsAny(name[:1], "AEIOUaeiou") {
		return "an " + name
	}
	return "a " + name
}
