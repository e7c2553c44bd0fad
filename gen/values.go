package gen

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// value is a named Go type with a declaration of its own: a struct as
// encoding/json shows it, a type with constants, or one that is made of itself.
type value struct {
	name   string
	goType reflect.Type
	// nilable tells that Go writes the value, in which nil slices and maps are
	// null. What only the browser writes has none.
	nilable   bool
	constants []Constant
}

// maxTuple is the length up to which an array has a type for each element.
const maxTuple = 4

var errNotJSON = errors.New("has no form in JSON: use another type, or leave it out with json:\"-\"")

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// opaque is the TypeScript of a type that marshals itself, or that is better
// known than its kind; "" of all others.
func opaque(t reflect.Type) string {
	p := reflect.PointerTo(t)
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "string"
	case t == reflect.TypeFor[time.Duration](), t == reflect.TypeFor[json.Number]():
		return "number"
	case t.Kind() == reflect.Interface, p.Implements(jsonMarshaler):
		return "unknown"
	case p.Implements(textMarshaler):
		return "string"
	default:
		return ""
	}
}

// isBase64 tells whether values are strings of their bytes.
func isBase64(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && opaque(t.Elem()) == ""
}

// visit declares the named types that t is made of. It must precede expr.
func (a *app) visit(t reflect.Type, nilable bool) error {
	if opaque(t) != "" {
		return nil
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("%s %w", t, errNotJSON)
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return a.visitElements(t, nilable)
	case reflect.Struct:
		return a.visitStruct(t, nilable)
	default:
		if constants := a.docs.of(t).Constants; len(constants) > 0 && a.byType[t] == nil {
			a.declare(t).constants = constants
		}
		return nil
	}
}

// visitElements visits what a list or a map is made of. One that is made of
// itself is declared, so that it can be named within.
func (a *app) visitElements(t reflect.Type, nilable bool) error {
	if slices.Contains(a.within, t) {
		if t.Kind() == reflect.Pointer {
			return fmt.Errorf("%s %w", t, errNotJSON)
		}
		if a.byType[t] == nil {
			a.declare(t)
		}
		a.byType[t].nilable = a.byType[t].nilable || nilable
		return nil
	}
	if isBase64(t) {
		return nil
	}
	if t.Kind() == reflect.Map {
		if err := a.visitKey(t.Key()); err != nil {
			return fmt.Errorf("%s %w", t, err)
		}
	}
	if t.Name() != "" {
		outside := a.within
		a.within = append(slices.Clip(outside), t)
		defer func() { a.within = outside }()
	}
	return a.visit(t.Elem(), nilable)
}

// visitKey refuses keys of maps that encoding/json cannot write.
func (a *app) visitKey(t reflect.Type) error {
	switch {
	case t.Kind() == reflect.String && opaque(t) == "":
		return a.visit(t, false)
	case t.Kind() == reflect.String, t.Kind() >= reflect.Int && t.Kind() <= reflect.Uintptr, t.Implements(textMarshaler):
		return nil
	default:
		return errNotJSON
	}
}

func (a *app) visitStruct(t reflect.Type, nilable bool) error {
	v := a.byType[t]
	switch {
	case t.Name() == "":
	case v == nil:
		v = a.declare(t)
		v.nilable = nilable
	case v.nilable || !nilable:
		return nil
	default:
		v.nilable = true
	}
	if t.Name() != "" {
		outside := a.within
		a.within = nil // its name ends what is made of itself
		defer func() { a.within = outside }()
	}
	for _, m := range membersOf(t) {
		if err := a.visit(m.goType, nilable); err != nil {
			return fmt.Errorf("%s.%s: %w", t, t.FieldByIndex(m.index).Name, err)
		}
	}
	return nil
}

// declare names a type. Another type of its name has its package before it, and
// a struct that is shown as rows too, which have other properties, is a value.
func (a *app) declare(t reflect.Type) *value {
	pkg, _, _ := strings.Cut(t.String(), ".")
	name, second := t.Name(), upperFirst(pkg)+upperFirst(t.Name())
	if i := slices.IndexFunc(a.shapes, func(s *shape) bool { return s.typ.GoType == t }); i >= 0 {
		name = a.shapes[i].name + "Value"
		second = name
	}
	v := &value{goType: t, name: a.claim(name, second)}
	a.byType[t] = v
	a.values = append(a.values, v)
	return v
}

// expr is the TypeScript of a Go type as encoding/json shows it.
func (a *app) expr(t reflect.Type, nilable bool) string {
	return orNull(a.nonNull(t, nilable), isNull(t, nilable))
}

// isNull tells whether a value may be null itself.
func isNull(t reflect.Type, nilable bool) bool {
	switch t.Kind() {
	case reflect.Pointer:
		return true
	case reflect.Slice, reflect.Map:
		return nilable && opaque(t) == ""
	default:
		return false
	}
}

// nonNull is expr of all values but null itself.
func (a *app) nonNull(t reflect.Type, nilable bool) string {
	if expr := opaque(t); expr != "" {
		return expr
	}
	if v := a.byType[t]; v != nil {
		a.used[v.name] = true
		return v.name
	}
	return a.unnamed(t, nilable)
}

// mapOf is a map of strings, or of those that an enum has. A type that is made
// of itself may be so in a mapped type, not in the arguments of Record.
func (a *app) mapOf(t reflect.Type, nilable bool) string {
	element := a.expr(t.Elem(), nilable)
	v := a.byType[t.Key()]
	enum := v != nil && t.Key().Kind() == reflect.String
	if enum {
		a.used[v.name] = true
	}
	switch {
	case enum && a.recursive:
		return "{ readonly [key in " + v.name + "]?: " + element + " }"
	case enum:
		return "Readonly<Partial<Record<" + v.name + ", " + element + ">>>"
	case a.recursive:
		return "{ readonly [key: string]: " + element + " }"
	default:
		return "Readonly<Record<string, " + element + ">>"
	}
}

// unnamed is the TypeScript of what a type is made of.
func (a *app) unnamed(t reflect.Type, nilable bool) string {
	switch t.Kind() {
	case reflect.Pointer:
		return a.nonNull(t.Elem(), nilable)
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Slice:
		if isBase64(t) {
			return "string"
		}
		return "readonly " + grouped(a.expr(t.Elem(), nilable)) + "[]"
	case reflect.Array:
		element := a.expr(t.Elem(), nilable)
		if t.Len() > maxTuple {
			return "readonly " + grouped(element) + "[]"
		}
		return "readonly [" + strings.Join(slices.Repeat([]string{element}, t.Len()), ", ") + "]"
	case reflect.Map:
		return a.mapOf(t, nilable)
	case reflect.Struct:
		return a.inline(t, nilable)
	default:
		return "number"
	}
}

// argument is the TypeScript of an action's argument. Integers of 64 bits may
// come as text, because not every one is a number in JavaScript.
func (a *app) argument(t reflect.Type) string {
	if opaque(t) != "" || a.byType[t] != nil {
		return a.expr(t, false)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return orNull(a.argument(t.Elem()), true)
	case reflect.Int, reflect.Int64, reflect.Uint, reflect.Uint64:
		a.used["Int"] = true
		return "Int"
	case reflect.Slice:
		if !isBase64(t) {
			return "readonly " + grouped(a.argument(t.Elem())) + "[]"
		}
	default: // as everywhere
	}
	return a.expr(t, false)
}

// inline is a struct without a name.
func (a *app) inline(t reflect.Type, nilable bool) string {
	members := membersOf(t)
	if len(members) == 0 {
		return "Record<string, never>"
	}
	parts := make([]string, len(members))
	for i, m := range members {
		parts[i] = a.member(m, nilable)
	}
	return "{ " + strings.Join(parts, "; ") + " }"
}

func (a *app) member(m member, nilable bool) string {
	expr := a.nonNull(m.goType, nilable)
	if m.quoted {
		expr = "string"
	}
	mark := ""
	if m.optional {
		mark = "?"
	}
	return "readonly " + property(m.name) + mark + ": " + orNull(expr, !m.present && isNull(m.goType, nilable))
}

func orNull(expr string, nullable bool) string {
	if !nullable || expr == "unknown" || strings.HasSuffix(expr, " | null") {
		return expr
	}
	return expr + " | null"
}

// grouped puts an element's type in parentheses where [] would bind tighter.
func grouped(expr string) string {
	if strings.Contains(expr, " | ") || strings.HasPrefix(expr, "readonly ") {
		return "(" + expr + ")"
	}
	return expr
}

// noteOnType tells of values what their type in TypeScript does not.
func noteOnType(t reflect.Type) string {
	for t.Name() == "" && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && !isBase64(t)) {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "RFC 3339."
	case t == reflect.TypeFor[time.Duration]():
		return "In nanoseconds."
	case opaque(t) == "" && isBase64(t):
		return "Base64."
	default:
		return ""
	}
}
