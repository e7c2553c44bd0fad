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
		body.interfaceOf(s.name, a.docs.of(s.layer.Type.GoType).Text, a.shapeMembers(s))
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
	typ := s.layer.Type
	for _, m := range s.layer.Members {
		var name, goName, expr string
		if m.Layer == nil {
			f := typ.Fields[m.Field]
			name, goName, expr = f.Name, f.GoName, a.field(f)
		} else {
			name, goName, expr = m.Layer.Name, m.Layer.GoName, s.child(m.Layer).relation(m.Layer)
		}
		members = append(members, documented{a.docs.field(typ.GoType, goName), "readonly " + property(name) + ": " + expr})
	}
	return members
}

// child is the shape of one of the shape's relations.
func (s *shape) child(l *schema.Layer) *shape {
	for i, c := range s.layer.Children {
		if c == l {
			return s.children[i]
		}
	}
	return nil
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
