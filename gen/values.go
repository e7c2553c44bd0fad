package gen

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// value is a named Go type with a declaration of its own: a struct as
// encoding/json shows it, or a string type with constants.
type value struct {
	name   string
	goType reflect.Type
	// nilable tells that Go writes the value, in which nil slices and maps are
	// null. What only the browser writes has none.
	nilable bool
	strings []string
}

// member is a property of a struct as encoding/json shows it.
type member struct {
	name, goName     string
	goType           reflect.Type
	optional, quoted bool
}

var errNotJSON = errors.New("has no form in JSON: use another type, or leave it out with json:\"-\"")

// opaque is the TypeScript of a type that marshals itself, "" if it does not.
func opaque(t reflect.Type) string {
	p := reflect.PointerTo(t)
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "string"
	case t.Kind() == reflect.Interface, p.Implements(reflect.TypeFor[json.Marshaler]()):
		return "unknown"
	case p.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return "string"
	default:
		return ""
	}
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
		return a.visit(t.Elem(), nilable)
	case reflect.String:
		if values := a.docs.of(t).Strings; len(values) > 0 && a.byType[t] == nil {
			a.declare(t).strings = values
		}
		return nil
	case reflect.Struct:
		return a.visitStruct(t, nilable)
	default:
		return nil
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
	for _, m := range membersOf(t) {
		if err := a.visit(m.goType, nilable); err != nil {
			return fmt.Errorf("%s.%s: %w", t, m.goName, err)
		}
	}
	return nil
}

func (a *app) declare(t reflect.Type) *value {
	v := &value{goType: t, name: a.claim(t.Name(), t.Name()+"Data")}
	a.byType[t] = v
	a.values = append(a.values, v)
	return v
}

// expr is the TypeScript of a Go type as encoding/json shows it.
func (a *app) expr(t reflect.Type, nilable bool) string {
	if expr := opaque(t); expr != "" {
		return expr
	}
	if v := a.byType[t]; v != nil {
		a.used[v.name] = true
		return v.name
	}
	switch t.Kind() {
	case reflect.Pointer:
		return orNull(a.expr(t.Elem(), nilable), true)
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Slice, reflect.Array:
		nilable = nilable && t.Kind() == reflect.Slice
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return orNull("string", nilable)
		}
		return orNull("readonly "+grouped(a.expr(t.Elem(), nilable))+"[]", nilable)
	case reflect.Map:
		return orNull("Readonly<Record<string, "+a.expr(t.Elem(), nilable)+">>", nilable)
	case reflect.Struct:
		return a.inline(t, nilable)
	default:
		return "number"
	}
}

// argument is the TypeScript of an action's argument. Integers of 64 bits may
// come as text, because not every one is a number in JavaScript.
func (a *app) argument(t reflect.Type) string {
	if opaque(t) == "" {
		switch t.Kind() {
		case reflect.Pointer:
			return orNull(a.argument(t.Elem()), true)
		case reflect.Int, reflect.Int64, reflect.Uint, reflect.Uint64:
			a.used["Int"] = true
			return "Int"
		case reflect.Slice:
			if t.Elem().Kind() != reflect.Uint8 {
				return "readonly " + grouped(a.argument(t.Elem())) + "[]"
			}
		default: // as everywhere
		}
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
	expr := a.expr(m.goType, nilable)
	if m.quoted {
		expr = "string"
	}
	mark := ""
	if m.optional {
		mark = "?"
	}
	return "readonly " + property(m.name) + mark + ": " + expr
}

func orNull(expr string, nilable bool) string {
	if !nilable || expr == "unknown" || strings.HasSuffix(expr, " | null") {
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

// membersOf lists the properties of a struct in its order, those of embedded
// structs in their place.
func membersOf(t reflect.Type) []member {
	var members []member
	var named []int // path of an embedded struct with a json name of its own
	for _, f := range reflect.VisibleFields(t) {
		if named != nil && len(f.Index) > len(named) && reflect.DeepEqual(f.Index[:len(named)], named) {
			continue
		}
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if f.Anonymous {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if name == "" && inner.Kind() == reflect.Struct && opaque(inner) == "" {
				continue
			}
			named = f.Index
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		members = append(members, member{name: name, goName: f.Name, goType: f.Type,
			optional: strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero"),
			quoted:   strings.Contains(options, "string")})
	}
	return members
}
