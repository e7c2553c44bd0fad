package gen

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pando-sync/pando/schema"
)

// reservedTypes are names that the generated files use themselves.
var reservedTypes = strings.Fields(`Binding Channel ChannelSpec Id Int Partial Pk Promise Readonly Record Streams actions once places streams streamsOf writes
	any bigint boolean never number object string symbol undefined unknown void`)

// reservedWords cannot name a type or a parameter in a module, which is strict
// code.
var reservedWords = strings.Fields(`arguments await break case catch class const continue debugger default delete do
	else enum eval export extends false finally for function if implements import in instanceof interface let new null
	package private protected public return static super switch this throw true try typeof undefined var void while with yield`)

var identifier = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

// claim takes the first free name of: name, second, second with a number.
func (a *app) claim(name, second string) string {
	name, second = typeName(name), typeName(second)
	for n := 2; a.taken[name]; n++ {
		name = second
		if n > 2 {
			name += strconv.Itoa(n - 1)
		}
	}
	a.taken[name] = true
	return name
}

// typeName makes an identifier of a type's name: "billing_eu.Item" is
// BillingEuItem, "Page[example.com/app.Task]" PageOfTask.
func typeName(name string) string {
	if generic, rest, found := strings.Cut(name, "["); found {
		var args []string
		for _, arg := range splitArgs(strings.TrimSuffix(rest, "]")) {
			args = append(args, argName(arg))
		}
		return typeName(generic) + "Of" + strings.Join(args, "And")
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '$' })
	if identifier.MatchString(name) {
		words = []string{name}
	}
	for i, w := range words {
		words[i] = upperFirst(w)
	}
	return strings.Join(words, "")
}

// splitArgs splits a list of type arguments at its commas, not at those in
// brackets.
func splitArgs(list string) []string {
	var args []string
	depth, start := 0, 0
	for i, r := range list {
		switch {
		case strings.ContainsRune("[({", r):
			depth++
		case strings.ContainsRune("])}", r):
			depth--
		case r == ',' && depth == 0:
			args, start = append(args, list[start:i]), i+1
		}
	}
	return append(args, list[start:])
}

// argName is the name of a type argument as reflection writes it, with the
// path of its package.
func argName(arg string) string {
	arg = strings.TrimLeft(strings.TrimSpace(arg), "*")
	kind, rest, _ := strings.Cut(arg, "]")
	switch {
	case strings.HasPrefix(arg, "map["):
		return argName(rest) + "Map"
	case strings.HasPrefix(arg, "["):
		return argName(rest) + "List"
	case strings.HasPrefix(arg, "struct {"):
		return "Struct"
	case strings.HasPrefix(arg, "interface {"), arg == "any":
		return "Any"
	}
	plain, _, _ := strings.Cut(kind, "[")
	name := arg[strings.LastIndexByte(plain, '/')+1:]
	if _, unqualified, found := strings.Cut(name, "."); found {
		name = unqualified
	}
	name, _, _ = strings.Cut(name, "\u00b7") // the mark of a type that a function declares
	return typeName(name)
}

// camel turns a route parameter into an argument's name: board_id is boardId.
func camel(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' || r == '.' })
	for i, w := range words {
		if i > 0 {
			words[i] = upperFirst(w)
		}
	}
	return strings.Join(words, "")
}

func upperFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

// property quotes the name of a property where it needs it.
func property(name string) string {
	if identifier.MatchString(name) {
		return name
	}
	return quote(name)
}

// quote writes a string literal in single quotes.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == '\u2028' || r == '\u2029':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// paramNames names an action's parameters: as in the source where it is known
// and TypeScript allows, else arg1, arg2. The transaction of one that is
// applied once is none of them.
func paramNames(a schema.Action, doc MethodDoc) []string {
	known := doc.Params
	if a.Once && len(known) > 0 {
		known = known[1:]
	}
	names := make([]string, len(a.Args))
	if len(known) == len(names) {
		copy(names, known)
	}
	for i, name := range names {
		if slices.Contains(reservedWords, name) {
			name += "_"
		}
		for n := i + 1; name == "" || name == "_" || slices.Contains(names[:i], name); n++ {
			name = "arg" + strconv.Itoa(n)
		}
		names[i] = name
	}
	return names
}

// checkParams refuses route parameters that would be one argument.
func checkParams(c *schema.Channel) error {
	seen := map[string]string{}
	for _, p := range c.Params {
		name := camel(p.Name)
		if other, ok := seen[name]; ok {
			return fmt.Errorf("generate: channel %s: route %s: parameters %s and %s are both %s in TypeScript: rename one", c.Name, c.Route, other, p.Name, name)
		}
		seen[name] = p.Name
	}
	return nil
}
