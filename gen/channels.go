package gen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pando-sync/pando/schema"
)

// channelsFile writes a class per channel with its types, and the streams of
// bindings.
func (a *app) channelsFile() []byte {
	a.used = map[string]bool{}
	var body writer
	for _, c := range a.channels {
		a.writeChannel(&body, c)
	}
	if len(a.bindings) > 0 {
		body.WriteByte('\n')
		a.writeStreams(&body)
		a.used["Binding"] = true
	}
	var file writer
	file.linef("import %s from '@pando-sync/client'", a.clientImport())
	for _, entry := range clientEntries {
		if parts := a.partsOf(entry.parts); len(parts) > 0 {
			file.linef("import { %s } from '@pando-sync/client/%s'", strings.Join(parts, ", "), entry.name)
		}
	}
	if len(a.bindings) > 0 {
		file.linef("import { streamsOf } from '@pando-sync/client/streams'")
	}
	writeImport(&file, slices.Sorted(maps.Keys(a.used)), "./"+a.name+".interfaces.js")
	file.Write(body.Bytes())
	return file.Bytes()
}

// clientImport is what the file of classes takes of the client's own entry.
func (a *app) clientImport() string {
	types := a.clientTypes("Binding", "Id", "Int", "Pk")
	if len(a.channels) == 0 {
		return "type { " + strings.Join(types, ", ") + " }"
	}
	names := []string{"Channel", "type ChannelSpec"}
	for _, name := range types {
		names = append(names, "type "+name)
	}
	return "{ " + strings.Join(names, ", ") + " }"
}

// clientEntries are the entries of the client with the parts of it that not
// every class needs.
var clientEntries = []struct {
	name  string
	parts []string
}{
	{"actions", []string{"actions", "once"}},
	{"places", []string{"places"}},
	{"writes", []string{"writes"}},
}

// partsOf are those of the parts that a class of the app needs.
func (a *app) partsOf(parts []string) []string {
	var needed []string
	for _, part := range parts {
		if slices.ContainsFunc(a.channels, func(c *schema.Channel) bool { return requestsOf(c) == part || part == "places" && hasPlaces(c) }) {
			needed = append(needed, part)
		}
	}
	return needed
}

// requestsOf names the client's part that makes the channel's requests, "" if
// there are none.
func requestsOf(c *schema.Channel) string {
	switch {
	case len(c.Writable) > 0:
		return "writes"
	case slices.ContainsFunc(c.Actions, func(a schema.Action) bool { return a.Once }):
		return "once"
	case len(c.Actions) > 0:
		return "actions"
	default:
		return ""
	}
}

// hasPlaces tells whether the client needs its part for rows that stand in the
// places of others, and for keys of several columns.
func hasPlaces(c *schema.Channel) bool {
	m := c.Tree.Model()
	return slices.ContainsFunc(m.Layers, func(l schema.ModelLayer) bool { return l.Layer.Through != nil }) ||
		slices.ContainsFunc(m.Types, func(u schema.ModelType) bool {
			return slices.ContainsFunc(u.Fields, func(n int) bool { return u.Type.Fields[n].Kind == schema.Tuple })
		})
}

func writeImport(w *writer, names []string, from string) {
	if len(names) == 0 {
		return
	}
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
	if len(c.Writable) > 0 {
		a.writeWrites(w, c)
		w.WriteByte('\n')
	}
	w.doc("", doc.Text)
	a.writeClass(w, c)
}

// instanceTypes maps each type's name to its interface, or to all of them
// where the channel shows it in several ways.
func (a *app) instanceTypes(c *schema.Channel) []documented {
	var order []string
	shapes := map[string][]string{}
	for _, l := range shownLayers(c.Tree) {
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
		doc := noted(a.docs.fieldAt(c.Runtime, m.index), noteOnType(m.goType))
		members = append(members, documented{doc: doc, text: a.member(m, true)})
	}
	return members
}

func (a *app) actionMembers(c *schema.Channel, doc TypeDoc) []documented {
	var members []documented
	for _, action := range c.Actions {
		method := doc.Methods[action.Method]
		params := paramNames(action, method)
		tags := actionTags(action, params)
		for i, t := range action.Args {
			params[i] += ": " + a.argument(t)
		}
		result := "void"
		if action.Result != nil {
			result = a.expr(action.Result, true)
		}
		members = append(members, documented{method.Text, signature(property(action.Name), params, result), tags})
	}
	return members
}

// actionTags tell what the types of an action's parameters and of its result do
// not.
func actionTags(action schema.Action, params []string) []string {
	var tags []string
	for i, t := range action.Args {
		if note := noteOnType(t); note != "" {
			tags = append(tags, "@param "+params[i]+" "+note)
		}
	}
	if action.Result != nil && noteOnType(action.Result) != "" {
		tags = append(tags, "@returns "+noteOnType(action.Result))
	}
	return tags
}

// signature writes an action as a property, whose function may be passed on, a
// parameter a line where it is too long for one.
func signature(name string, params []string, result string) string {
	name = "readonly " + name + ": ("
	oneLine := name + strings.Join(params, ", ") + ") => Promise<" + result + ">"
	if len(oneLine)+2 <= width || len(params) == 0 {
		return oneLine
	}
	return name + "\n    " + strings.Join(params, ",\n    ") + ",\n  ) => Promise<" + result + ">"
}

func (a *app) writeClass(w *writer, c *schema.Channel) {
	params := []string{a.stateOf(c), c.Name + "Types", c.Name + "Actions", c.Name + "Runtime"}
	if len(c.Writable) > 0 {
		params = append(params, c.Name+"Writes")
	}
	head := "export class " + c.Name + " extends Channel<" + strings.Join(params, ", ") + "> {"
	if len(head) > width {
		head = "export class " + c.Name + " extends Channel<\n  " + strings.Join(params, ",\n  ") + "\n> {"
	}
	w.linef("%s", head)
	const spec = "  static readonly spec: ChannelSpec = "
	w.WriteString(spec)
	w.literal(specOf(c, a.docs), "  ", len(spec))
	w.linef("\n")
	one := "one " + c.Tree.Root.Type.Name
	if through := c.Tree.Root.Through; through != nil {
		one = "a list of " + through.Type.Name
	}
	w.doc("  ", "The channel of "+one+".")
	args, given := "args: "+a.withArgs(c), "args"
	if len(c.Params) == 0 {
		args, given = "", "{}"
	}
	w.linef("  static with(%s): %s {", args, c.Name)
	w.linef("    return new %s(%s.spec, %s)", c.Name, c.Name, given)
	w.linef("  }")
	w.linef("}")
}

// stateOf is the type of a channel's state: the anchor's, which may not exist,
// or a list's.
func (a *app) stateOf(c *schema.Channel) string {
	state := a.shapeOf(c.Tree.Root, "").name
	a.used[state] = true
	if c.Tree.Root.Relation == schema.List {
		return "readonly " + state + "[]"
	}
	return state + " | null"
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
func specOf(c *schema.Channel, docs Docs) literal {
	params, actions := object(), make([]string, len(c.Actions))
	var once []string
	for _, p := range c.Params {
		params.entries = append(params.entries, entry{camel(p.Name), text(quote(p.Name))})
	}
	for i, action := range c.Actions {
		actions[i] = action.Name
		if action.Once {
			once = append(once, action.Name)
		}
	}
	spec := object(
		entry{"name", text(quote(c.Name))},
		entry{"hash", text(quote(c.Hash))},
		entry{"route", text(quote(c.Route))},
		entry{"params", params},
	)
	if c.Tree.Root.Relation == schema.Root && c.Anchor != len(c.Params)-1 {
		spec.entries = append(spec.entries, entry{"anchor", text(quote(c.Params[c.Anchor].Name))})
	}
	spec.entries = append(spec.entries, entry{"actions", quoted(actions)})
	if once != nil {
		spec.entries = append(spec.entries, entry{"once", quoted(once)})
	}
	if requests := requestsOf(c); requests != "" {
		spec.entries = append(spec.entries, entry{"requests", text(requests)})
	}
	if len(c.Writable) > 0 {
		spec.entries = append(spec.entries, entry{"writable", writableOf(c, docs)})
	}
	if hasPlaces(c) {
		spec.entries = append(spec.entries, entry{literal: text("places")})
	}
	spec.entries = append(spec.entries, entry{"model", modelOf(c.Tree)})
	return spec
}

// modelOf is the JSON of the tree's model as a literal.
func modelOf(t *schema.Tree) literal {
	model, err := t.Model().MarshalJSON()
	if err != nil {
		panic("gen: a model has no JSON: " + err.Error())
	}
	d := json.NewDecoder(bytes.NewReader(model))
	d.UseNumber()
	return readLiteral(d)
}

// readLiteral reads one value of the JSON of a model.
func readLiteral(d *json.Decoder) literal {
	switch token := nextToken(d).(type) {
	case string:
		return text(quote(token))
	case json.Delim:
		l := literal{open: token.String()}
		for d.More() {
			var e entry
			if token == '{' {
				e.key = fmt.Sprint(nextToken(d))
			}
			e.literal = readLiteral(d)
			if e.open == "" && slices.Contains(objectMembers, e.key) {
				e.text += " as const"
			}
			l.entries = append(l.entries, e)
		}
		nextToken(d) // the end of it
		return l
	default:
		return text(fmt.Sprint(token))
	}
}

// objectMembers are what every object has in TypeScript, of another type than
// the members of a model, so that a text by such a name has to tell its own.
var objectMembers = strings.Fields("constructor hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf")

// nextToken panics where the package schema has written no JSON.
func nextToken(d *json.Decoder) json.Token {
	token, err := d.Token()
	if err != nil {
		panic("gen: a model is no JSON: " + err.Error())
	}
	return token
}
