package gen

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// data is the interface of what may be written of a type.
type data struct {
	name   string
	typ    *schema.Type
	fields []schema.WriteField
}

// gatherData names the interfaces of what may be written. Channels that let
// write the same of a type share one.
func (a *app) gatherData(c *schema.Channel) error {
	for _, w := range c.Writable {
		for _, f := range w.Fields {
			if t, ok := stateType(writtenField(f)); ok {
				if err := a.visit(t, false); err != nil {
					return fmt.Errorf("generate: channel %s: writable %s.%s: %w", c.Name, w.Type.Name, f.GoName, err)
				}
			}
		}
		if !w.Save && !w.Create {
			continue
		}
		i := slices.IndexFunc(a.data, func(d *data) bool {
			return d.typ == w.Type && slices.EqualFunc(d.fields, w.Fields, sameField)
		})
		if i < 0 {
			i = len(a.data)
			a.data = append(a.data, &data{a.claim(w.Type.Name+"Data", c.Name+upperFirst(w.Type.Name)+"Data"), w.Type, w.Fields})
		}
		a.dataOf[w] = a.data[i]
	}
	return nil
}

func sameField(f, g schema.WriteField) bool {
	return f.Name == g.Name && f.Link == g.Link && f.GoType == g.GoType && f.Kind == g.Kind &&
		f.Nullable == g.Nullable && f.AsString == g.AsString
}

// writtenField is the field of an instance that has the same values.
func writtenField(f schema.WriteField) schema.Field {
	return schema.Field{Name: f.Name, Kind: f.Kind, Nullable: f.Nullable, AsString: f.AsString, Link: f.Link, GoType: f.GoType, GoName: f.GoName}
}

// dataMembers are the members of an interface of what may be written. All are
// optional: a save sets what it names, and what a create leaves out is set by
// the server or the database.
func (a *app) dataMembers(d *data) []documented {
	members := make([]documented, len(d.fields))
	for i, f := range d.fields {
		notes := []string{noteOn(writtenField(f))}
		if f.Shown == "" {
			notes = append(notes, "Write-only.")
		}
		members[i] = documented{
			doc:  noted(a.docs.field(d.typ.GoType, f.GoName), notes...),
			text: "readonly " + property(f.Name) + "?: " + a.field(writtenField(f)),
		}
	}
	return members
}

// writeWrites writes the interface of what a channel lets a client write.
func (a *app) writeWrites(w *writer, c *schema.Channel) {
	w.doc("", "What clients of "+c.Name+" may write.")
	w.linef("export interface %sWrites {", c.Name)
	for _, writable := range c.Writable {
		w.linef("  %s: {", property(writable.Type.Name))
		w.linef("    save: %s", a.dataName(writable, writable.Save))
		w.linef("    create: %s", a.dataName(writable, writable.Create))
		w.linef("    in: %s", placesType(writable))
		w.linef("    delete: %t", writable.Delete)
		w.linef("  }")
	}
	w.linef("}")
}

// dataName is the type of the data of an operation.
func (a *app) dataName(w *schema.Writable, offered bool) string {
	if !offered {
		return "never"
	}
	name := a.dataOf[w].name
	a.used[name] = true
	return name
}

// place is a relation in which rows can be created: the name of the type above
// and its own, both empty for the rows of a list.
type place struct{ parent, relation string }

// placesOf are the places of the layers in which rows are created. A struct
// below itself has one for all depths.
func placesOf(w *schema.Writable) []place {
	var places []place
	for _, l := range w.In {
		p := place{} // of a list
		if l.Name != "" {
			p = place{l.Parent.Type.Name, l.Name}
		}
		if !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	return places
}

// placesType maps the types above to the relations below them.
func placesType(w *schema.Writable) string {
	var parents []string
	relations := map[string][]string{}
	for _, p := range placesOf(w) {
		if relations[p.parent] == nil {
			parents = append(parents, p.parent)
		}
		relations[p.parent] = append(relations[p.parent], quote(p.relation))
	}
	if parents == nil {
		return "object"
	}
	for i, parent := range parents {
		parents[i] = property(parent) + ": " + strings.Join(relations[parent], " | ")
	}
	return "{ " + strings.Join(parents, "; ") + " }"
}

// writableOf is what the class tells the client of its writable types.
func writableOf(c *schema.Channel, docs Docs) literal {
	types := object()
	for _, w := range c.Writable {
		var creates []string
		for _, p := range placesOf(w) {
			creates = append(creates, strings.TrimPrefix(p.parent+"."+p.relation, "."))
		}
		fields := object()
		for _, f := range w.Fields {
			if !w.Save && !w.Create {
				break
			}
			shown := text("null")
			if f.Shown != "" {
				shown = text(quote(f.Shown))
			}
			fields.entries = append(fields.entries, entry{f.Name, shown})
		}
		writable := object(
			entry{"save", text(strconv.FormatBool(w.Save))},
			entry{"create", quoted(creates)},
			entry{"delete", text(strconv.FormatBool(w.Delete))},
			entry{"optimistic", text(strconv.FormatInt(w.Optimistic.Milliseconds(), 10))},
			entry{"fields", fields},
		)
		if initial := initialOf(w.Type, docs); w.Create && w.Optimistic > 0 && initial.entries != nil {
			writable.entries = append(writable.entries, entry{"initial", initial})
		}
		types.entries = append(types.entries, entry{w.Type.Name, writable})
	}
	return types
}

// initialOf is what a row shows that is not confirmed yet, in the fields that
// its data does not give and whose types have no null.
func initialOf(t *schema.Type, docs Docs) literal {
	initial := object()
	for i, f := range t.Fields {
		if i == t.Key || f.Hidden || f.Nullable {
			continue
		}
		if zero := zeroOf(f, docs); zero != "" {
			initial.entries = append(initial.entries, entry{f.Name, text(zero)})
		}
	}
	return initial
}

// zeroOf is the zero value of a field, or an enum's first where that is none of
// its; "" for documents of which only the database knows what they are.
func zeroOf(f schema.Field, docs Docs) string {
	zero := map[schema.Kind]string{schema.Bool: "false", schema.Int: "0", schema.Float: "0"}[f.Kind]
	t, detailed := stateType(f)
	switch {
	case f.Kind == schema.JSON && (!detailed || opaque(t) != ""):
		return ""
	case f.Kind == schema.JSON:
		return map[reflect.Kind]string{reflect.Slice: "[]", reflect.Map: "{}"}[t.Kind()]
	case f.Kind == schema.Int && (f.AsString || f.Link != nil):
		return "'0'"
	case zero == "":
		zero = "''"
	}
	if !detailed {
		return zero
	}
	constants := docs.of(t).Constants
	if len(constants) > 0 && !slices.ContainsFunc(constants, func(c Constant) bool { return c.literal() == zero }) {
		return constants[0].literal()
	}
	return zero
}
