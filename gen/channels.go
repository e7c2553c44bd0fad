package gen

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// channelsFile writes a class per channel with its types.
func (a *app) channelsFile() []byte {
	a.used = map[string]bool{}
	var body writer
	for _, c := range a.channels {
		a.writeChannel(&body, c)
	}
	var file writer
	file.WriteString(header)
	file.WriteByte('\n')
	names := []string{"Channel", "type ChannelSpec"}
	for _, name := range []string{"Id", "Int"} {
		if a.used[name] {
			names = append(names, "type "+name)
			delete(a.used, name)
		}
	}
	file.linef("import { %s } from '@pando-sync/client'", strings.Join(names, ", "))
	writeImport(&file, slices.Sorted(maps.Keys(a.used)), "./"+a.name+".interfaces.js")
	file.Write(body.Bytes())
	return file.Bytes()
}

func writeImport(w *writer, names []string, from string) {
	oneLine := "import type { " + strings.Join(names, ", ") + " } from " + quote(from)
	if len(oneLine) <= width {
		w.linef("%s", oneLine)
		return
	}
	w.linef("import type {")
	for _, name := range names {
		w.linef("  %s,", name)
	}
	w.linef("} from %s", quote(from))
}

func (a *app) writeChannel(w *writer, c *schema.Channel) {
	doc := a.docs.Types[c.Package+"."+c.Name]
	w.WriteByte('\n')
	w.interfaceOf(c.Name+"Types", "The instance types of "+c.Name+".", a.instanceTypes(c))
	w.WriteByte('\n')
	w.interfaceOf(c.Name+"Runtime", a.runtimeDoc(c), a.runtimeMembers(c))
	w.WriteByte('\n')
	w.interfaceOf(c.Name+"Actions", "The actions of "+c.Name+".", a.actionMembers(c, doc))
	w.WriteByte('\n')
	w.doc("", doc.Text)
	a.writeClass(w, c)
}

// instanceTypes maps each type's name to its interface, or to all of them
// where the channel shows it in several ways.
func (a *app) instanceTypes(c *schema.Channel) []documented {
	var order []string
	shapes := map[string][]string{}
	for _, l := range c.Tree.Layers {
		name := a.shapeOf(l, "").name
		a.used[name] = true
		if shapes[l.Type.Name] == nil {
			order = append(order, l.Type.Name)
		}
		if !slices.Contains(shapes[l.Type.Name], name) {
			shapes[l.Type.Name] = append(shapes[l.Type.Name], name)
		}
	}
	members := make([]documented, len(order))
	for i, name := range order {
		members[i].text = property(name) + ": " + strings.Join(shapes[name], " | ")
	}
	return members
}

func (a *app) runtimeDoc(c *schema.Channel) string {
	if doc := a.docs.of(c.Runtime).Text; doc != "" && c.Runtime.Name() != "" {
		return doc
	}
	return "The runtime state of " + c.Name + "."
}

func (a *app) runtimeMembers(c *schema.Channel) []documented {
	var members []documented
	for _, m := range membersOf(c.Runtime) {
		members = append(members, documented{a.docs.field(c.Runtime, m.goName), a.member(m, true)})
	}
	return members
}

func (a *app) actionMembers(c *schema.Channel, doc TypeDoc) []documented {
	var members []documented
	for _, action := range c.Actions {
		method := doc.Methods[action.Method]
		params := paramNames(action, method)
		for i, t := range action.Args {
			params[i] += ": " + a.argument(t)
		}
		result := "void"
		if action.Result != nil {
			result = a.expr(action.Result, true)
		}
		members = append(members, documented{method.Text, signature(property(action.Name), params, result)})
	}
	return members
}

// signature writes a method, a parameter a line where it is too long for one.
func signature(name string, params []string, result string) string {
	oneLine := name + "(" + strings.Join(params, ", ") + "): Promise<" + result + ">"
	if len(oneLine)+2 <= width || len(params) == 0 {
		return oneLine
	}
	return name + "(\n    " + strings.Join(params, ",\n    ") + ",\n  ): Promise<" + result + ">"
}

func (a *app) writeClass(w *writer, c *schema.Channel) {
	state := a.shapeOf(c.Tree.Root, "").name
	a.used[state] = true
	params := []string{state + " | null", c.Name + "Types", c.Name + "Actions", c.Name + "Runtime"}
	head := "export class " + c.Name + " extends Channel<" + strings.Join(params, ", ") + "> {"
	if len(head) > width {
		head = "export class " + c.Name + " extends Channel<\n  " + strings.Join(params, ",\n  ") + "\n> {"
	}
	w.linef("%s", head)
	const spec = "  static readonly spec: ChannelSpec = "
	w.WriteString(spec)
	w.literal(specOf(c), "  ", len(spec))
	w.linef("\n")
	w.linef("  /** The channel of one %s. */", c.Tree.Root.Type.Name)
	w.linef("  static with(args: %s): %s {", a.withArgs(c), c.Name)
	w.linef("    return new %s(%s.spec, args)", c.Name, c.Name)
	w.linef("  }")
	w.linef("}")
}

// withArgs is the type of the argument of with.
func (a *app) withArgs(c *schema.Channel) string {
	parts := make([]string, len(c.Params))
	for i, p := range c.Params {
		parts[i] = property(camel(p.Name)) + ": " + a.param(p)
	}
	return "{ " + strings.Join(parts, "; ") + " }"
}

func (a *app) param(p schema.Param) string {
	expr := ""
	if p.Link != nil {
		expr = a.id(p.Link) + " | "
	}
	switch p.Kind {
	case schema.Int:
		return expr + "string | number | bigint"
	case schema.Bool:
		return expr + "'true' | 'false'"
	case schema.Float:
		return expr + "number"
	default:
		return expr + "string"
	}
}

// specOf is what the class tells the client.
func specOf(c *schema.Channel) literal {
	params, actions := object(), make([]string, len(c.Actions))
	for _, p := range c.Params {
		params.entries = append(params.entries, entry{camel(p.Name), text(quote(p.Name))})
	}
	for i, action := range c.Actions {
		actions[i] = action.Name
	}
	spec := object(
		entry{"name", text(quote(c.Name))},
		entry{"hash", text(quote(c.Hash))},
		entry{"route", text(quote(c.Route))},
		entry{"params", params},
	)
	if c.Anchor != len(c.Params)-1 {
		spec.entries = append(spec.entries, entry{"anchor", text(quote(c.Params[c.Anchor].Name))})
	}
	spec.entries = append(spec.entries, entry{"actions", quoted(actions)}, entry{"model", modelOf(c.Tree.Model())})
	return spec
}

func modelOf(m schema.Model) literal {
	types := object()
	for _, u := range m.Types {
		fields := object()
		for _, n := range u.Fields {
			f := u.Type.Fields[n]
			fields.entries = append(fields.entries, entry{f.Name, text(quote(f.Kind.String()))})
		}
		key := u.Type.Fields[u.Type.Key].Name
		types.entries = append(types.entries, entry{u.Type.Name, object(entry{"key", text(quote(key))}, entry{"fields", fields})})
	}
	var layers []literal
	for _, l := range m.Layers {
		layers = append(layers, layerOf(l))
	}
	return object(entry{"root", text("0")}, entry{"types", types}, entry{"layers", array(layers...)})
}

func layerOf(m schema.ModelLayer) literal {
	l := object(entry{"type", text(quote(m.Layer.Type.Name))})
	if m.Link != "" {
		l.entries = append(l.entries,
			entry{"relation", text(quote(m.Layer.Relation.String()))}, entry{"link", text(quote(m.Link))})
	}
	if len(m.Order) > 0 {
		l.entries = append(l.entries, entry{"order", quoted(m.Order)})
	}
	var members []literal
	for _, member := range m.Layer.Members {
		if member.Layer == nil {
			members = append(members, text(quote(m.Layer.Type.Fields[member.Field].Name)))
			continue
		}
		members = append(members, object(
			entry{"name", text(quote(member.Layer.Name))},
			entry{"layer", text(strconv.Itoa(member.Layer.Index))}))
	}
	l.entries = append(l.entries, entry{"members", array(members...)})
	return l
}
