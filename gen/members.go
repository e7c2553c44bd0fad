package gen

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// member is a property of a struct as encoding/json shows it.
type member struct {
	name   string
	index  []int
	goType reflect.Type
	// optional tells that it may be left out, present that it is left out in the
	// place of null.
	optional, present bool
	// quoted tells that numbers and booleans are written as strings.
	quoted bool
	tagged bool
}

// embedded is a struct whose fields are shown in the place of its own.
type embedded struct {
	typ   reflect.Type
	index []int
	// optional tells that a pointer leads to it, which may be nil.
	optional bool
}

// membersOf lists the properties of a struct by the rules of encoding/json, in
// the order of its fields: those of embedded structs stand in their place, the
// less deep one goes before others of its name, and of several at one depth the
// one with a name in its tag, or none.
func membersOf(t reflect.Type) []member {
	var all []member
	seen := map[reflect.Type]bool{}
	for level := []embedded{{typ: t}}; len(level) > 0; {
		var next []embedded
		for _, e := range level {
			for i := range e.typ.NumField() {
				all, next = e.read(i, all, next)
			}
		}
		for _, e := range level {
			seen[e.typ] = true
		}
		level = slices.DeleteFunc(next, func(e embedded) bool { return seen[e.typ] })
	}
	var shown []member
	for i := range all {
		if all[i].dominates(all) {
			shown = append(shown, all[i])
		}
	}
	slices.SortFunc(shown, func(m, o member) int { return slices.Compare(m.index, o.index) })
	return shown
}

// dominates tells whether the member is the one of its name.
func (m *member) dominates(all []member) bool {
	for _, o := range all {
		if o.name != m.name || slices.Equal(o.index, m.index) {
			continue
		}
		if len(o.index) < len(m.index) || len(o.index) == len(m.index) && (o.tagged || !m.tagged) {
			return false
		}
	}
	return true
}

// read adds the i-th field to the members, or to what is embedded.
func (e embedded) read(i int, all []member, next []embedded) ([]member, []embedded) {
	f := e.typ.Field(i)
	tag := f.Tag.Get("json")
	inner := f.Type
	if inner.Name() == "" && inner.Kind() == reflect.Pointer {
		inner = inner.Elem()
	}
	flat := f.Anonymous && inner.Kind() == reflect.Struct
	if tag == "-" || !f.IsExported() && !flat {
		return all, next
	}
	name, options, _ := strings.Cut(tag, ",")
	if !validName(name) {
		name = ""
	}
	index := append(slices.Clip(e.index), i)
	if flat && name == "" {
		return all, append(next, embedded{inner, index, e.optional || f.Type.Kind() == reflect.Pointer})
	}
	m := member{name: cmp.Or(name, f.Name), index: index, goType: f.Type, optional: e.optional, tagged: name != ""}
	m.readOptions(strings.Split(options, ","), inner)
	return append(all, m), next
}

// readOptions reads what follows the name in a json tag; inner is the member's
// type without a pointer.
func (m *member) readOptions(options []string, inner reflect.Type) {
	kind := m.goType.Kind()
	nils := kind == reflect.Pointer || kind == reflect.Slice || kind == reflect.Map
	if slices.Contains(options, "omitempty") && mayBeEmpty(m.goType) {
		m.optional, m.present = true, nils
	}
	if slices.Contains(options, "omitzero") {
		_, judges := m.goType.MethodByName("IsZero")
		m.optional, m.present = true, m.present || nils && (!judges || kind == reflect.Pointer)
	}
	m.quoted = slices.Contains(options, "string") && isBasic(inner.Kind())
}

// mayBeEmpty tells whether the type has values that omitempty leaves out.
func mayBeEmpty(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return true
	case reflect.Array:
		return t.Len() == 0
	default:
		return isBasic(t.Kind())
	}
}

func isBasic(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Float64 || k == reflect.String
}

// validName tells whether encoding/json takes a name from a tag.
func validName(name string) bool {
	for _, r := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return name != ""
}
