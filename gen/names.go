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
var reservedTypes = []string{"Channel", "ChannelSpec", "Id", "Int", "Promise", "Readonly", "Record"}

// reservedWords cannot name a parameter in a module, which is strict code.
var reservedWords = strings.Fields(`arguments await break case catch class const continue debugger default delete do
	else enum eval export extends false finally for function if implements import in instanceof interface let new null
	package private protected public return static super switch this throw true try typeof var void while with yield`)

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
// BillingEuItem, "Page[app.Task]" PageAppTask.
func typeName(name string) string {
	if identifier.MatchString(name) {
		return name
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		words[i] = upperFirst(w)
	}
	return strings.Join(words, "")
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
// and TypeScript allows, else arg1, arg2.
func paramNames(a schema.Action, doc MethodDoc) []string {
	names := make([]string, len(a.Args))
	for i := range names {
		if len(doc.Params) == len(names) {
			names[i] = doc.Params[i]
		}
		if slices.Contains(reservedWords, names[i]) {
			names[i] += "_"
		}
		if names[i] == "" || names[i] == "_" || slices.Contains(names[:i], names[i]) {
			names[i] = "arg" + strconv.Itoa(i+1)
		}
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
