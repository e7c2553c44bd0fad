package rpc

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
)

// decode reads one argument. Integers also come as strings of digits, wherever
// they stand: keys do, and JavaScript cannot hold all of 64 bits in a number.
func decode(raw json.RawMessage, into reflect.Value) error {
	t := into.Type()
	kind := t.Kind()
	if kind == reflect.Pointer {
		if string(raw) == "null" {
			return nil
		}
		into.Set(reflect.New(t.Elem()))
		return decode(raw, into.Elem())
	}
	switch {
	case ownForm(t):
	case isInteger(kind):
		if len(raw) > 2 && raw[0] == '"' {
			raw = raw[1 : len(raw)-1]
		}
	case kind == reflect.Array, kind == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		return decodeElements(raw, into)
	default:
		raw = withNumbers(raw, t, maxDepth)
	}
	if string(raw) == "null" && !nullable(t) {
		return fmt.Errorf("want %s, got null", describe(t))
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into.Addr().Interface()); err != nil {
		return wrongType(err, t)
	}
	return nil
}

// decodeElements reads element by element, to tell which one is wrong.
func decodeElements(raw json.RawMessage, into reflect.Value) error {
	t := into.Type()
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return wrongType(err, t)
	}
	switch {
	case t.Kind() == reflect.Array && len(parts) != t.Len():
		return fmt.Errorf("want %d elements, got %d", t.Len(), len(parts))
	case parts == nil:
		return nil
	case t.Kind() == reflect.Slice:
		into.Set(reflect.MakeSlice(t, len(parts), len(parts)))
	}
	for i, part := range parts {
		if err := decode(part, into.Index(i)); err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	return nil
}

// maxDepth is how deep integers may stand as strings. It bounds the work that a
// client can cause, as each level is read again.
const maxDepth = 32

// withNumbers returns a JSON value with those strings of digits as numbers that
// stand where t has integers. What is no value of t is left for the decoder to
// refuse.
func withNumbers(raw json.RawMessage, t reflect.Type, depth int) json.RawMessage {
	kind := t.Kind()
	switch {
	case depth == 0 || ownForm(t):
		return raw
	case kind == reflect.Pointer:
		return withNumbers(raw, t.Elem(), depth)
	case isInteger(kind):
		return unquoted(raw)
	case kind == reflect.Slice || kind == reflect.Array:
		return eachNumber(raw, func(parts []json.RawMessage) {
			for i, part := range parts {
				parts[i] = withNumbers(part, t.Elem(), depth-1)
			}
		})
	case kind == reflect.Map:
		return eachNumber(raw, func(parts map[string]json.RawMessage) {
			for name, part := range parts {
				parts[name] = withNumbers(part, t.Elem(), depth-1)
			}
		})
	case kind == reflect.Struct:
		return eachNumber(raw, func(parts map[string]json.RawMessage) {
			members := membersOf(t)
			for name, part := range parts {
				if m := members.find(name); m != nil {
					parts[name] = withNumbers(part, m, depth-1)
				}
			}
		})
	default:
		return raw
	}
}

// eachNumber has change made to the parts of a JSON value.
func eachNumber[P []json.RawMessage | map[string]json.RawMessage](raw json.RawMessage, change func(P)) json.RawMessage {
	var parts P
	if json.Unmarshal(raw, &parts) != nil || parts == nil {
		return raw
	}
	change(parts)
	text, err := json.Marshal(parts)
	if err != nil {
		return raw
	}
	return text
}

// unquoted is the number in a string of digits.
func unquoted(raw json.RawMessage) json.RawMessage {
	if len(raw) < 3 || raw[0] != '"' {
		return raw
	}
	inner := raw[1 : len(raw)-1]
	if digits := bytes.TrimPrefix(inner, []byte("-")); len(digits) == 0 || len(bytes.Trim(digits, "0123456789")) > 0 || !json.Valid(inner) {
		return raw
	}
	return inner
}

// members are the types of a struct's members by their names in JSON, but for
// those that have integers in strings by themselves.
type members map[string]reflect.Type

// find returns the type of a member, nil when there is none. As encoding/json
// has it, a name in other letters of case will do.
func (m members) find(name string) reflect.Type {
	if t, ok := m[name]; ok {
		return t
	}
	for other, t := range m {
		if strings.EqualFold(other, name) {
			return t
		}
	}
	return nil
}

var membersByType sync.Map // of members by reflect.Type

func membersOf(t reflect.Type) members {
	if found, ok := membersByType.Load(t); ok {
		return found.(members) //nolint:errcheck,forcetypeassert // nothing else is in it
	}
	m, depths := members{}, map[string]int{}
	var named [][]int // the embedded structs that are members themselves
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		within := false
		for _, index := range named {
			within = within || len(f.Index) > len(index) && reflect.DeepEqual(f.Index[:len(index)], index)
		}
		if f.Anonymous && name != "" {
			named = append(named, f.Index)
		}
		if within || !f.IsExported() || name == "-" && options == "" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if depth, known := depths[name]; known && depth <= len(f.Index) {
			continue
		}
		depths[name] = len(f.Index)
		if m[name] = f.Type; strings.Contains(","+options+",", ",string,") {
			m[name] = reflect.TypeFor[string]()
		}
	}
	membersByType.Store(t, m)
	return m
}

func wrongType(err error, t reflect.Type) error {
	wrong := (*json.UnmarshalTypeError)(nil)
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return fmt.Errorf("there is no member %s", name)
	}
	switch {
	case !errors.As(err, &wrong):
		return fmt.Errorf("want %s", describe(t))
	case wrong.Field != "":
		return fmt.Errorf("%s: want %s, got %s", wrong.Field, describe(wrong.Type), wrong.Value)
	default:
		return fmt.Errorf("want %s, got %s", describe(t), wrong.Value)
	}
}

var (
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	textType        = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// ownForm tells whether a type reads its values by itself.
func ownForm(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(unmarshalerType) || p.Implements(textType)
}

// nullable tells whether null is a value of t.
func nullable(t reflect.Type) bool {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return false
	case reflect.PointerTo(t).Implements(unmarshalerType):
		return true // it says so itself
	default:
		return !ownForm(t) && (t.Kind() == reflect.Map || t.Kind() == reflect.Slice)
	}
}

func isInteger(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Uint64 }

func describe(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "a time like 2006-01-02T15:04:05Z"
	case isInteger(t.Kind()):
		return "an integer"
	case t.Kind() == reflect.String:
		return "a string"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float32, t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Array:
		return "an array"
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		return "an object"
	default:
		return "a " + t.String()
	}
}
