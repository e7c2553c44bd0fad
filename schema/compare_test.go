package schema_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	_ "github.com/pando-sync/pando/internal/seeds"
	"github.com/pando-sync/pando/schema"
)

// comparisons are spec/vectors/compare.json, whose README tells the members'
// meaning.
type comparisons struct {
	Tuples []struct {
		Kind  string
		Parts []json.RawMessage
		Wire  json.RawMessage
	}
	Refuse, Order []vector
	Equal         []struct {
		Kind         string
		Same, Others []any
	}
	Conditions []struct {
		Kind         string
		Value        json.RawMessage
		Holds, Fails []string
	}
}

func readComparisons(t *testing.T) (c comparisons) {
	t.Helper()
	raw, err := os.ReadFile("../spec/vectors/compare.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

// fieldOf is a field of a kind as models name it, "tuple(int,text)".
func fieldOf(t *testing.T, kind string) schema.Field {
	t.Helper()
	parts, found := strings.CutPrefix(strings.TrimSuffix(kind, ")"), "tuple(")
	if !found {
		return schema.Field{Kind: kindNamed(t, kind), AsString: true}
	}
	f := schema.Field{Kind: schema.Tuple}
	for name := range strings.SplitSeq(parts, ",") {
		f.Parts = append(f.Parts, kindNamed(t, name))
	}
	return f
}

func wireValue(t *testing.T, f schema.Field, raw json.RawMessage) schema.Value {
	t.Helper()
	v, err := f.ParseWire(raw)
	if err != nil {
		t.Fatalf("%s from wire %s: %v", f.KindName(), raw, err)
	}
	return v
}

func TestVectorsOfTuples(t *testing.T) {
	for _, v := range readComparisons(t).Tuples {
		f := fieldOf(t, v.Kind)
		if f.KindName() != v.Kind {
			t.Errorf("%s calls itself %s", v.Kind, f.KindName())
		}
		var parts []schema.Value
		for i, raw := range v.Parts {
			parts = append(parts, wireValue(t, schema.Field{Kind: f.Parts[i]}, raw))
		}
		tuple := schema.TupleValue(parts...)
		if got := wireValue(t, f, v.Wire); got != tuple {
			t.Errorf("%s from wire %s: got %s", v.Kind, v.Wire, got)
		}
		var want, got string
		if err := json.Unmarshal(v.Wire, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(f.AppendJSON(nil, tuple), &got); err != nil || got != want {
			t.Errorf("%s on the wire: got %q %v, want %q", v.Kind, got, err, want)
		}
		if again, err := f.ParseText(want); err != nil || again != tuple {
			t.Errorf("%s from the route %q: got %s %v", v.Kind, want, again, err)
		}
		for i, p := range tuple.Parts() {
			if p != parts[i] {
				t.Errorf("%s: part %d is %s, want %s", v.Wire, i, p, parts[i])
			}
		}
	}
}

func TestVectorsOfTupleRefusal(t *testing.T) {
	for _, v := range readComparisons(t).Refuse {
		f := fieldOf(t, v.Kind)
		if got, err := f.ParseWire(v.Wire); err == nil {
			t.Errorf("%s from wire %s: got %s, want an error", v.Kind, v.Wire, got)
		}
	}
}

func TestVectorsOfFurtherOrder(t *testing.T) {
	for _, v := range readComparisons(t).Order {
		f := fieldOf(t, v.Kind)
		for i := range v.Sorted {
			for j := range v.Sorted {
				a, b := wireValue(t, f, v.Sorted[i]), wireValue(t, f, v.Sorted[j])
				if got := a.Compare(b); (got < 0) != (i < j) || (got > 0) != (i > j) || (a == b) != (i == j) {
					t.Errorf("%s: %s compared with %s is %d", v.Kind, v.Sorted[i], v.Sorted[j], got)
				}
			}
		}
	}
}

func TestVectorsOfEquality(t *testing.T) {
	for _, v := range readComparisons(t).Equal {
		k := kindNamed(t, v.Kind)
		from := func(src any) schema.Value {
			got, err := k.FromDriver(src)
			if err != nil {
				t.Fatalf("%s from %v: %v", k, src, err)
			}
			return got
		}
		same := driverValues(t, v.Same)
		for _, src := range same {
			if got := from(src); got != from(same[0]) || got.Compare(from(same[0])) != 0 {
				t.Errorf("%s: %v is %s, and not %s", k, src, got, from(same[0]))
			}
		}
		for _, src := range driverValues(t, v.Others) {
			if got := from(src); got == from(same[0]) || got.Compare(from(same[0])) == 0 {
				t.Errorf("%s: %v and %v are both %s", k, src, same[0], got)
			}
		}
	}
}

var ops = map[string]schema.Op{"=": schema.Eq, "!=": schema.Ne, "<": schema.Lt, "<=": schema.Le, ">": schema.Gt, ">=": schema.Ge, "in": schema.In}

// conditionOf reads "in 4 5".
func conditionOf(t *testing.T, f schema.Field, text string) schema.Condition {
	t.Helper()
	switch text {
	case "is null":
		return schema.Condition{Op: schema.IsNull}
	case "is not null":
		return schema.Condition{Op: schema.NotNull}
	}
	words := strings.Split(text, " ")
	c := schema.Condition{Op: ops[words[0]]}
	if c.Op.String() != words[0] {
		t.Fatalf("no comparison %q", words[0])
	}
	for _, w := range words[1:] {
		c.Operands = append(c.Operands, schema.Operand{Value: wireValue(t, f, json.RawMessage(w)), Env: -1})
	}
	return c
}

func TestVectorsOfConditions(t *testing.T) {
	for _, v := range readComparisons(t).Conditions {
		f := fieldOf(t, v.Kind)
		row := schema.Row{wireValue(t, f, v.Value)}
		check := func(text string, want bool) {
			c := conditionOf(t, f, text)
			bound := schema.Bind([]schema.Condition{c}, nil)
			if c.Holds(row, nil) != want || bound[0].Holds(row) != want || schema.Meets([]schema.Condition{c}, row, nil) != want {
				t.Errorf("%s %s %s: got %t", f.KindName(), v.Value, text, !want)
			}
		}
		for _, text := range v.Holds {
			check(text, true)
		}
		for _, text := range v.Fails {
			check(text, false)
		}
	}
}

// TestKeysInRoutes reads the keys of tables as routes have them.
func TestKeysInRoutes(t *testing.T) {
	r := schema.NewRegistry()
	for _, tree := range []any{Grade{}, Board{}} {
		if _, err := r.Tree(reflect.TypeOf(tree)); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range r.Tables {
		switch table.Name {
		case "school.grades":
			v, err := table.ParseKey("7,Ann%2C B")
			if want := schema.TupleValue(schema.IntValue(7), schema.TextValue("Ann, B")); err != nil || v != want {
				t.Errorf("grade: got %s %v", v, err)
			}
			if _, err := table.ParseKey("7"); err == nil {
				t.Error("half a key was taken")
			}
		case "boards":
			if v, err := table.ParseKey("7"); err != nil || v != schema.IntValue(7) {
				t.Errorf("board: got %s %v", v, err)
			}
		}
	}
}

// TestTuplesAreTheirParts compares tuples of random parts with the parts, and
// reads their texts back.
func TestTuplesAreTheirParts(t *testing.T) {
	f := schema.Field{Kind: schema.Tuple, Parts: []schema.Kind{schema.Text, schema.Int, schema.Float, schema.Bool}}
	rapid.Check(t, func(t *rapid.T) {
		parts := func(label string) []schema.Value {
			text := rapid.StringOfN(rapid.RuneFrom([]rune("\x00\x01,%2aé\uffff🌲")), 0, 4, -1).Draw(t, label+" text")
			return []schema.Value{schema.TextValue(text), schema.IntValue(rapid.Int64().Draw(t, label+" int")),
				schema.FloatValue(rapid.Float64().Draw(t, label+" float")), schema.BoolValue(rapid.Bool().Draw(t, label+" bool"))}
		}
		a, b := parts("a"), parts("b")
		same := rapid.IntRange(0, len(a)).Draw(t, "same")
		copy(b[:same], a)
		x, y := schema.TupleValue(a...), schema.TupleValue(b...)
		if got, want := x.Compare(y), slices.CompareFunc(a, b, schema.Value.Compare); got != want || (x == y) != (want == 0) {
			t.Fatalf("%s compared with %s is %d, its parts %d", x, y, got, want)
		}
		if !slices.Equal(x.Parts(), a) {
			t.Fatalf("the parts of %s are %v", x, x.Parts())
		}
		if again, err := f.ParseText(x.String()); err != nil || again != x {
			t.Fatalf("%q is read as %s %v", x.String(), again, err)
		}
	})
}
