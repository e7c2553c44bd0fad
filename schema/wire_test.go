package schema_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/schema"
)

var kinds = []schema.Kind{schema.Bool, schema.Int, schema.Float, schema.Text, schema.UUID, schema.Time, schema.Bytes, schema.JSON}

func TestAppendJSON(t *testing.T) {
	plain, digits := &schema.Field{}, &schema.Field{AsString: true}
	tests := []struct {
		field *schema.Field
		value schema.Value
		want  string
	}{
		{plain, schema.Value{}, `null`},
		{digits, schema.Value{}, `null`},
		{plain, schema.BoolValue(true), `true`},
		{plain, schema.IntValue(-7), `-7`},
		{digits, schema.IntValue(math.MinInt64), `"-9223372036854775808"`},
		{plain, schema.FloatValue(math.Copysign(0, -1)), `0`},
		{plain, schema.FloatValue(1e20), `100000000000000000000`},
		{plain, schema.FloatValue(1e21), `1e+21`},
		{plain, schema.FloatValue(1e-7), `1e-7`},
		{plain, schema.FloatValue(-2.5e-10), `-2.5e-10`},
		{plain, schema.FloatValue(math.Inf(1)), `1.7976931348623157e+308`},
		{plain, schema.FloatValue(math.NaN()), `null`},
		{plain, schema.TextValue("<a> \"b\" \\ \n\r\t\b\x00 é 🌲 \u2028\u2029"), `"<a> \"b\" \\ \n\r\t\u0008\u0000 é 🌲 \u2028\u2029"`},
		{plain, schema.TextValue("\xffa\xed\xa0\x80"), "\"\ufffda\ufffd\ufffd\ufffd\""},
		{plain, schema.BytesValue([]byte(strings.Repeat("\xff", 50))), `"` + strings.Repeat("/", 64) + `//8="`},
		{plain, schema.BytesValue(nil), `""`},
		{plain, schema.TimeValue(time.Unix(0, 1999)), `"1970-01-01T00:00:00.000001Z"`},
		{plain, document(t, `{"b":"\u2028<","a":[ ]}`), `{"a":[],"b":"\u2028<"}`},
	}
	for _, tt := range tests {
		got := string(tt.field.AppendJSON(nil, tt.value))
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.value, got, tt.want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%s: %s is no JSON", tt.value, got)
		}
	}
}

func TestAppendJSONDoesNotAllocate(t *testing.T) {
	fields := []*schema.Field{{}, {AsString: true}}
	values := []schema.Value{
		{}, schema.BoolValue(true), schema.IntValue(math.MinInt64), schema.FloatValue(1.25e-9),
		schema.TextValue("Ärger \"quoted\" \xff"), schema.BytesValue(bytes.Repeat([]byte{1}, 100)),
		schema.TimeValue(time.Unix(1e9, 0)), document(t, `{"a":[1,2]}`),
		uuid(t, "0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b"),
	}
	dst := make([]byte, 0, 1024)
	allocs := testing.AllocsPerRun(100, func() {
		for _, f := range fields {
			for _, v := range values {
				dst = f.AppendJSON(dst[:0], v)
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		field schema.Field
		value schema.Value
		want  string
	}{
		{schema.Field{Name: "n"}, schema.IntValue(1<<53 - 1), ""},
		{schema.Field{Name: "n"}, schema.IntValue(1 << 53), `pando:"string"`},
		{schema.Field{Name: "n"}, schema.IntValue(-1 << 53), `pando:"string"`},
		{schema.Field{Name: "n", AsString: true}, schema.IntValue(1 << 53), ""},
		{schema.Field{Name: "n"}, schema.Value{}, "NULL"},
		{schema.Field{Name: "n", Nullable: true}, schema.Value{}, ""},
	}
	for _, tt := range tests {
		err := tt.field.Check(tt.value)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v with %s: got %v, want %q", tt.field, tt.value, err, tt.want)
		}
	}
}

func TestParseWireRefuses(t *testing.T) {
	tests := map[schema.Kind][]string{
		schema.Bool:  {`1`, `"true"`, ``},
		schema.Int:   {`1.0`, `1e3`, `"01"`, `"+1"`, `"-0"`, `-0`, `9223372036854775808`, `""`, `true`},
		schema.Float: {`"1"`, `NaN`, `Infinity`, `0x1p3`, `1e999`, `.5`},
		schema.Text:  {`1`, `"`, `{}`},
		schema.UUID:  {`"0190a1b2c3d47e5f8a6b0c1d2e3f4a5b"`, `""`, `1`},
		schema.Time:  {`"2024-01-01"`, `"2024-01-01 00:00:00Z"`, `0`},
		schema.Bytes: {`"a"`, `"_w=="`, `"AB=="`},
		schema.JSON:  {`{`, `1 2`},
		schema.Null:  {`1`},
	}
	for k, inputs := range tests {
		for _, raw := range inputs {
			if v, err := k.ParseWire([]byte(raw)); err == nil {
				t.Errorf("%s from %s: got %s, want an error", k, raw, v)
			}
		}
	}
}

func TestParseText(t *testing.T) {
	tests := []struct {
		kind schema.Kind
		text string
		want string // "" for an error
	}{
		{schema.Int, "-12", "-12"},
		{schema.Int, "01", ""},
		{schema.Int, "", ""},
		{schema.Int, "1 ", ""},
		{schema.Bool, "true", "true"},
		{schema.Bool, "1", ""},
		{schema.Float, "1.5", "1.5"},
		{schema.Float, "1.50", ""},
		{schema.Float, "Inf", ""},
		{schema.Text, "a/b", "a/b"},
		{schema.Text, "\xff", ""},
		{schema.UUID, "0190A1B2-C3D4-7E5F-8A6B-0C1D2E3F4A5B", "0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b"},
		{schema.UUID, "0190a1b2", ""},
		{schema.Time, "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00.000000Z"},
		{schema.Time, "2024", ""},
		{schema.Bytes, "AA==", ""},
		{schema.JSON, "1", ""},
	}
	for _, tt := range tests {
		got, err := tt.kind.ParseText(tt.text)
		if (err != nil) != (tt.want == "") || err == nil && got.String() != tt.want {
			t.Errorf("%s %q: got %s %v, want %q", tt.kind, tt.text, got, err, tt.want)
		}
	}
}

func TestDriverComesBack(t *testing.T) {
	for k, raw := range map[schema.Kind]string{
		schema.Bool: `true`, schema.Int: `-5`, schema.Float: `1.5`, schema.Text: `"é"`, schema.Bytes: `"/wA="`, schema.JSON: `{"a":1}`,
		schema.UUID: `"0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b"`, schema.Time: `"2024-01-01T00:00:00.5Z"`,
	} {
		v := parsed(t, k, raw)
		if back, err := k.FromDriver(v.Driver()); err != nil || back != v {
			t.Errorf("%s: got %s %v, want %s", k, back, err, v)
		}
	}
	if got := (schema.Value{}).Driver(); got != nil {
		t.Errorf("NULL: got %v", got)
	}
}

// FuzzFromDriver feeds any text to every kind: what is accepted must be
// canonical, which is to survive the wire and the driver unchanged.
func FuzzFromDriver(f *testing.F) {
	for _, seed := range []string{"1", "-0", "1e400", "t", "\xff", `{"b":1,"a":[null]}`, "2024-01-01 10:00:00.1 +0100 CET", "0190A1B2-C3D4-7E5F-8A6B-0C1D2E3F4A5B", "0000-01-01", "9999-12-31 23:59:59-23:59"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range kinds {
			v, err := k.FromDriver(text)
			if err != nil {
				continue
			}
			again, err := k.FromDriver(v.Driver())
			if err != nil || again != v {
				t.Errorf("%s %q: %s comes back as %s, %v", k, text, v, again, err)
			}
			for _, field := range []schema.Field{{}, {AsString: true}} {
				raw := field.AppendJSON(nil, v)
				if !json.Valid(raw) {
					t.Fatalf("%s %q: %s is no JSON", k, text, raw)
				}
				wire, err := k.ParseWire(raw)
				jsonNull := k == schema.JSON && string(raw) == "null"
				if err != nil || wire != v && !jsonNull {
					t.Errorf("%s %q: %s comes back from the wire %s as %s, %v", k, text, v, raw, wire, err)
				}
			}
		}
	})
}

// FuzzParseWire feeds any JSON to every kind, and compares strings with
// encoding/json.
func FuzzParseWire(f *testing.F) {
	for _, seed := range []string{`1`, `"1"`, `null`, `"\ud800"`, `"\u2028"`, `{"a":{"a":1,"a":2}}`, `-0.0`, "0 \v", `1E5`, `"2024-01-01T00:00:00+23:59"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, k := range kinds {
			v, err := k.ParseWire(raw)
			if err != nil {
				continue
			}
			if !json.Valid(raw) {
				t.Fatalf("%s accepts %q, which is no JSON", k, raw)
			}
			wire := (&schema.Field{}).AppendJSON(nil, v)
			again, err := k.ParseWire(wire)
			if err != nil || again != v {
				t.Errorf("%s %q: %s comes back from %s as %s, %v", k, raw, v, wire, again, err)
			}
			if k != schema.Text || v.IsNull() {
				continue
			}
			var s string
			if err := json.Unmarshal(wire, &s); err != nil || s != v.Str() {
				t.Errorf("text %q: encoding/json reads %q, %v", v.Str(), s, err)
			}
		}
	})
}
