package gen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// row is the pair of interfaces of a binding: what is told of a row, and what may
// be written of it. Either is "" where there is none.
type row struct{ told, input string }

// gatherBinding names the interfaces of a binding. Bindings of the same fields of
// a type share them.
func (a *app) gatherBinding(b *schema.Binding) error {
	for _, f := range b.Fields {
		if t, ok := stateType(toldField(b, f)); ok && f.Element == schema.Null {
			if err := a.visit(t, false); err != nil {
				return fmt.Errorf("generate: binding %s: %s.%s: %w", b.Stream, b.Type.Name, f.GoName, err)
			}
		}
	}
	stream := typeName(b.Stream)
	var r row
	if !b.Serialized {
		r.told = a.claim(b.Type.Name, stream+"Data")
	}
	if b.Writable {
		r.input = a.claim(b.Type.Name+"Input", stream+"Input")
	}
	a.rows[b] = r
	return nil
}

// toldField is the field of an instance that has the same values.
func toldField(b *schema.Binding, f schema.WriteField) schema.Field {
	field := writtenField(f)
	field.Link = nil
	// An integer that is a key is a number, as long as that is exact.
	if slices.Contains(b.Keys, f.Name) && f.Kind == schema.Int {
		field.AsString = true
	}
	return field
}

// rowMembers are the members of a row's data, or of what may be written of it. All
// of these are optional: an update sets what it names, and what a create leaves out
// is set by the server or the database.
func (a *app) rowMembers(b *schema.Binding, input bool) []documented {
	var members []documented
	for _, f := range b.Fields {
		readOnly := slices.Contains(b.ReadOnly, f.Name)
		if input && readOnly || !input && f.Shown == "" {
			continue
		}
		mark, note := "", noteIf(readOnly && b.Writable, "Read-only.")
		if input {
			mark, note = "?", noteIf(f.Shown == "", "Write-only.")
		}
		expr := a.field(toldField(b, f))
		if f.Element != schema.Null {
			expr = "readonly " + a.key(f.Element) + "[]"
		} else if slices.Contains(b.Keys, f.Name) {
			expr = orNull(a.key(f.Kind), f.Nullable)
		}
		members = append(members, documented{
			doc:  noted(a.docs.field(b.Type.GoType, f.GoName), note, noteOn(toldField(b, f))),
			text: "readonly " + property(f.Name) + mark + ": " + expr,
		})
	}
	return members
}

// key is the type of keys of a kind in what streams are told.
func (a *app) key(kind schema.Kind) string {
	if kind != schema.Int {
		return "string"
	}
	a.used["Pk"] = true
	return "Pk"
}

// writeRows writes the interfaces of a binding.
func (a *app) writeRows(w *writer, b *schema.Binding) {
	r := a.rows[b]
	if r.told != "" {
		w.WriteByte('\n')
		w.interfaceOf(r.told, cmp.Or(a.docs.of(b.Type.GoType).Text, "The data of "+article(b.Type.Name)+"."), a.rowMembers(b, false))
	}
	if r.input != "" {
		w.WriteByte('\n')
		w.interfaceOf(r.input, "What may be written of "+article(b.Type.Name)+" by "+b.Stream+".", a.rowMembers(b, true))
	}
}

// writeStreams writes what the client is given of the app's bindings, and their
// types.
func (a *app) writeStreams(w *writer) {
	specs := object()
	for _, b := range a.bindings {
		specs.entries = append(specs.entries, entry{b.Stream, streamSpec(b)})
	}
	w.doc("", "The streams of the app's bindings: `createClient({ url, streams })`.")
	const head = "export const streams = streamsOf("
	w.WriteString(head)
	w.literal(specs, "", len(head))
	w.linef(")\n")
	w.linef("declare module '@pando-sync/client' {")
	w.linef("  interface Streams {")
	for _, b := range a.bindings {
		w.doc("    ", a.docs.of(b.Type.GoType).Text)
		w.linef("    %s: %s", property(b.Stream), a.binding(b))
	}
	w.linef("  }")
	w.linef("}")
}

// binding is the type of a binding's stream.
func (a *app) binding(b *schema.Binding) string {
	r := a.rows[b]
	types := []string{"unknown", "never", a.key(b.Key.Kind)}
	for i, name := range []string{r.told, r.input} {
		if name != "" {
			types[i], a.used[name] = name, true
		}
	}
	return "Binding<" + strings.Join(types, ", ") + ">"
}

// streamSpec is what the client needs to know of a binding: how its rows are kept.
func streamSpec(b *schema.Binding) literal {
	spec, order, kinds := object(), make([]string, len(b.OrderBy)), object()
	for i, term := range b.OrderBy {
		name := strings.TrimPrefix(term, "-")
		kind := b.Key.Kind
		if at := slices.IndexFunc(b.Fields, func(f schema.WriteField) bool { return f.Name == name }); at >= 0 {
			kind = b.Fields[at].Kind
		} else {
			name = "pk"
		}
		order[i] = strings.Repeat("-", len(term)-len(strings.TrimPrefix(term, "-"))) + name
		kinds.entries = append(kinds.entries, entry{name, text(quote(kind.String()))})
	}
	if b.Key.Kind == schema.Int && !slices.ContainsFunc(kinds.entries, func(e entry) bool { return e.key == "pk" }) {
		kinds.entries = append(kinds.entries, entry{"pk", text(quote(schema.Int.String()))})
	}
	if len(order) > 0 {
		spec.entries = append(spec.entries, entry{"orderBy", quoted(order)})
	}
	if len(kinds.entries) > 0 {
		spec.entries = append(spec.entries, entry{"kinds", kinds})
	}
	return spec
}
