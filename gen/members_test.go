package gen

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/pando-sync/pando/gen/testdata/embeds"
	"github.com/pando-sync/pando/gen/testdata/enums"
	"github.com/pando-sync/pando/gen/testdata/kitchen"
	"github.com/pando-sync/pando/gen/testdata/shapes"
)

// TestMembersAreThoseOfEncodingJSON compares the members of types with what
// encoding/json writes of a value of which all is set, and of the zero value.
func TestMembersAreThoseOfEncodingJSON(t *testing.T) {
	for _, v := range append(embeds.Types(),
		shapes.Nothing{}, shapes.Embeds{}, shapes.Part{}, shapes.Many{}, shapes.Tree{}, shapes.Page[shapes.Part]{},
		kitchen.Query{}, kitchen.Hit{}, enums.JobRuntime{}) {
		typ := reflect.TypeOf(v)
		t.Run(typ.Name(), func(t *testing.T) {
			full := reflect.New(typ).Elem()
			fill(full, 3)
			all, zero := jsonMembers(t, full.Interface()), jsonMembers(t, v)
			var names []string
			for _, m := range membersOf(typ) {
				names = append(names, m.name)
				value, there := zero[m.name]
				if !there && !m.optional {
					t.Errorf("%s is left out, and not optional", m.name)
				}
				if null := isNull(m.goType, true) && !m.present; there && string(value) == "null" && !null && opaque(m.goType) != "unknown" {
					t.Errorf("%s is null, and should never be", m.name)
				} else if null && there && string(value) != "null" {
					t.Errorf("%s is %s, and should be null", m.name, value)
				}
				if quoted := all[m.name][0] == '"'; m.quoted && !quoted {
					t.Errorf("%s is %s, and should be a string", m.name, all[m.name])
				}
			}
			slices.Sort(names)
			if want := slices.Sorted(maps.Keys(all)); !slices.Equal(names, want) {
				t.Errorf("members are %q, want %q", names, want)
			}
		})
	}
}

func jsonMembers(t *testing.T, v any) map[string]json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

// fill sets all that can be set to something that is not zero.
func fill(v reflect.Value, depth int) {
	if !v.CanSet() || depth == 0 {
		return
	}
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
		return
	case reflect.TypeFor[json.RawMessage]():
		v.Set(reflect.ValueOf(json.RawMessage("1")))
		return
	case reflect.TypeFor[json.Number]():
		v.SetString("1")
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth)
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field, depth-1)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.Zero(v.Type().Elem()))
	case reflect.Interface:
		v.Set(reflect.ValueOf(1))
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), depth)
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	default:
		switch {
		case v.CanInt():
			v.SetInt(1)
		case v.CanUint():
			v.SetUint(1)
		case v.CanFloat():
			v.SetFloat(1)
		}
	}
}
