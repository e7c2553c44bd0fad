package schema_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/pando-sync/pando/schema"
)

// vector is one value of spec/vectors/values.json, whose README tells the
// members' meaning.
type vector struct {
	Kind   string            `json:"kind"`
	String bool              `json:"string"`
	From   []any             `json:"from"`
	Hex    string            `json:"hex"`
	Parse  []json.RawMessage `json:"parse"`
	Wire   json.RawMessage   `json:"wire"`
	Sorted []json.RawMessage `json:"sorted"`
}

func (v vector) kind(t *testing.T) schema.Kind { return kindNamed(t, v.Kind) }

func kindNamed(t *testing.T, name string) schema.Kind {
	t.Helper()
	for _, k := range kinds {
		if k.String() == name {
			return k
		}
	}
	t.Fatalf("no kind %q", name)
	return schema.Null
}

// sources are the driver's values that the vector's from and hex stand for.
func (v vector) sources(t *testing.T) []any {
	t.Helper()
	all := driverValues(t, v.From)
	if v.Hex != "" {
		raw, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw)
	}
	return all
}

// driverValues reads numbers with digits only as integers.
func driverValues(t *testing.T, from []any) []any {
	t.Helper()
	var all []any
	for _, src := range from {
		number, ok := src.(json.Number)
		if !ok {
			all = append(all, src)
			continue
		}
		if i, err := number.Int64(); err == nil {
			all = append(all, i)
			continue
		}
		f, err := number.Float64()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

func readVectors(t *testing.T) (vectors struct{ Values, Refuse, Order []vector }) {
	t.Helper()
	raw, err := os.ReadFile("../spec/vectors/values.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

func TestVectorsOfValues(t *testing.T) {
	for _, v := range readVectors(t).Values {
		k, field := v.kind(t), schema.Field{AsString: v.String}
		for _, src := range v.sources(t) {
			got, err := k.FromDriver(src)
			if wire := field.AppendJSON(nil, got); err != nil || string(wire) != string(v.Wire) {
				t.Errorf("%s from %T %v: got %s %v, want %s", k, src, src, wire, err, v.Wire)
			}
		}
		for _, raw := range append(v.Parse, v.Wire) {
			got, err := k.ParseWire(raw)
			if wire := field.AppendJSON(nil, got); err != nil || string(wire) != string(v.Wire) {
				t.Errorf("%s from wire %s: got %s %v, want %s", k, raw, wire, err, v.Wire)
			}
		}
	}
}

func TestVectorsOfRefusal(t *testing.T) {
	for _, v := range readVectors(t).Refuse {
		if got, err := v.kind(t).ParseWire(v.Wire); err == nil {
			t.Errorf("%s from wire %s: got %s, want an error", v.Kind, v.Wire, got)
		}
	}
}

func TestVectorsOfOrder(t *testing.T) {
	for _, v := range readVectors(t).Order {
		var sorted []schema.Value
		for _, raw := range v.Sorted {
			sorted = append(sorted, parsed(t, v.kind(t), string(raw)))
		}
		for i := 1; i < len(sorted); i++ {
			if sorted[i-1].Compare(sorted[i]) >= 0 || sorted[i].Compare(sorted[i-1]) <= 0 {
				t.Errorf("%s: %s is not before %s", v.Kind, v.Sorted[i-1], v.Sorted[i])
			}
		}
		if !slices.IsSortedFunc(sorted, schema.Value.Compare) {
			t.Errorf("%s: not sorted", v.Kind)
		}
	}
}
