package gen

import (
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
	for _, t := range a.keyed {
		body.WriteByte('\n')
		a.writeKey(&body, t)
	}
	for _, v := range a.values {
		body.WriteByte('\n')
		a.writeValue(&body, v)
	}
	var file writer
	file.WriteString(header)
	if a.used["Id"] {
		file.WriteByte('\n')
		file.linef("import type { Id } from '@pando-sync/client'")
	}
	file.Write(body.Bytes())
	return file.Bytes()
}

func (a *app) shapeMembers(s *shape) []documented {
	var members []documented
	for i := range s.members {
		m := &s.members[i]
		doc := a.docs.field(s.typ.GoType, m.goName)
		if m.field < 0 {
			members = append(members, documented{noted(doc, m.missing, "Missing where the declared depth ends."), a.relation(s, m)})
			continue
		}
		f := s.typ.Fields[m.field]
		members = append(members, documented{noted(doc, f.ReadOnly, "Read-only."), "readonly " + property(m.name) + ": " + a.field(f)})
	}
	return members
}

// noted adds a note to a doc.
func noted(doc string, applies bool, note string) string {
	switch {
	case !applies:
		return doc
	case doc == "":
		return note
	default:
		return doc + "\n\n" + note
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
	if v.strings == nil {
		w.interfaceOf(v.name, doc, a.valueMembers(v))
		return
	}
	choices := make([]string, len(v.strings))
	for i, s := range v.strings {
		choices[i] = quote(s)
	}
	w.doc("", doc)
	w.linef("export type %s = %s", v.name, strings.Join(choices, " | "))
}

func (a *app) valueMembers(v *value) []documented {
	var members []documented
	for _, m := range membersOf(v.goType) {
		members = append(members, documented{a.docs.field(v.goType, m.goName), a.member(m, v.nilable)})
	}
	return members
}
