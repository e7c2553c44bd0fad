package schema_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/schema"
)

func TestFromDriver(t *testing.T) {
	at := time.Date(2024, 2, 29, 23, 59, 58, 123456789, time.FixedZone("", 3600))
	const atText = "2024-02-29T22:59:58.123456Z"
	const id = "0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b"
	tests := []struct {
		kind schema.Kind
		src  any
		want schema.Value
	}{
		{schema.Bool, true, schema.BoolValue(true)},
		{schema.Bool, int64(1), schema.BoolValue(true)},
		{schema.Bool, int64(0), schema.BoolValue(false)},
		{schema.Bool, 1.0, schema.BoolValue(true)},
		{schema.Bool, "t", schema.BoolValue(true)},
		{schema.Bool, []byte("false"), schema.BoolValue(false)},
		{schema.Int, int64(-1 << 63), schema.IntValue(-1 << 63)},
		{schema.Int, uint32(7), schema.IntValue(7)},
		{schema.Int, 3.0, schema.IntValue(3)},
		{schema.Int, true, schema.IntValue(1)},
		{schema.Int, []byte("9223372036854775807"), schema.IntValue(1<<63 - 1)},
		{schema.Float, int64(2), schema.FloatValue(2)},
		{schema.Float, "0.1", schema.FloatValue(0.1)},
		{schema.Float, "NaN", schema.Value{}},
		{schema.Float, float32(0.5), schema.FloatValue(0.5)},
		{schema.Text, "a\x00b", schema.TextValue("a\x00b")},
		{schema.Text, []byte("a\xff\xfeb"), schema.TextValue("a\ufffd\ufffdb")},
		{schema.Text, int64(12), schema.TextValue("12")},
		{schema.Text, 1.5, schema.TextValue("1.5")},
		{schema.UUID, strings.ToUpper(id), uuid(t, id)},
		{schema.UUID, strings.ReplaceAll(id, "-", ""), uuid(t, id)},
		{schema.UUID, []byte("\x01\x90\xa1\xb2\xc3\xd4\x7e\x5f\x8a\x6b\x0c\x1d\x2e\x3f\x4a\x5b"), uuid(t, id)},
		{schema.Bytes, "\xff\x00", schema.BytesValue([]byte("\xff\x00"))},
		{schema.JSON, ` {"b": [1.0, null, true], "a": "é", "b": 2} `, document(t, `{"a":"é","b":2}`)},
		{schema.JSON, int64(5), document(t, "5")},
		{schema.JSON, 0.5, document(t, "0.5")},
		{schema.Time, at, schema.TimeValue(at)},
		{schema.Time, at.String(), schema.TimeValue(at)},
		{schema.Time, "2024-02-29 22:59:58.123456789 +0000 UTC m=+0.000012", schema.TimeValue(at)},
		{schema.Time, "2024-02-29 23:59:58.123456789+01:00", schema.TimeValue(at)},
		{schema.Time, "2024-02-29 23:59:58.123456+01", schema.TimeValue(at)},
		{schema.Time, atText, schema.TimeValue(at)},
		{schema.Time, []byte("2024-02-29 22:59:58.123456"), schema.TimeValue(at)},
		{schema.Time, "2024-02-29", schema.TimeValue(time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC))},
		{schema.Time, "2024-02-29T22:59", schema.TimeValue(time.Date(2024, 2, 29, 22, 59, 0, 0, time.UTC))},
		{schema.Time, int64(1709247598), schema.TimeValue(time.Unix(1709247598, 0))},
		{schema.Time, int64(1709247598123), schema.TimeValue(time.UnixMilli(1709247598123))},
	}
	for _, tt := range tests {
		got, err := tt.kind.FromDriver(tt.src)
		if err != nil || got != tt.want {
			t.Errorf("%s from %T %v: got %s %v, want %s", tt.kind, tt.src, tt.src, got, err, tt.want)
		}
		if null, err := tt.kind.FromDriver(nil); err != nil || !null.IsNull() {
			t.Errorf("%s from nil: got %s %v", tt.kind, null, err)
		}
	}
}

func TestTimesBeyondTheYears(t *testing.T) {
	year := func(y int) schema.Value { return schema.TimeValue(time.Date(y, 6, 1, 0, 0, 0, 0, time.UTC)) }
	for i, y := range []int{-1, 0, 2026, 9999} {
		earlier, later := year(y), year([]int{0, 2026, 9999, 10000}[i])
		if earlier.Compare(later) >= 0 {
			t.Errorf("year %d is %s, not before %s", y, earlier, later)
		}
		if len(later.Str()) != len(schema.TimeFormat) {
			t.Errorf("%s has another form", later)
		}
	}
}

func TestFromDriverRefuses(t *testing.T) {
	tests := []struct {
		kind schema.Kind
		src  any
	}{
		{schema.Bool, int64(2)}, {schema.Bool, "yes"}, {schema.Bool, 0.5},
		{schema.Int, 1.5}, {schema.Int, 9.3e18}, {schema.Int, "1 "}, {schema.Int, uint64(1 << 63)}, {schema.Int, time.Now()},
		{schema.Float, "many"}, {schema.Float, true},
		{schema.Text, time.Now()},
		{schema.UUID, "0190a1b2"}, {schema.UUID, "0190a1b2xc3d4-7e5f-8a6b-0c1d2e3f4a5b"}, {schema.UUID, int64(1)},
		{schema.Time, "yesterday"}, {schema.Time, "2023-02-29"}, {schema.Time, "2024-01-01 25:00"}, {schema.Time, "2024-01-01 10:00x"},
		{schema.Time, "2024-01-01 10:00:00."}, {schema.Time, ""}, {schema.Time, "2024-01-01 "}, {schema.Time, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		{schema.Bytes, int64(1)},
		{schema.JSON, "{"}, {schema.JSON, "1 2"}, {schema.JSON, ""},
		{schema.Null, "x"},
	}
	for _, tt := range tests {
		if got, err := tt.kind.FromDriver(tt.src); err == nil {
			t.Errorf("%s from %T %v: got %s, want an error", tt.kind, tt.src, tt.src, got)
		}
	}
}

func uuid(t *testing.T, s string) schema.Value     { return parsed(t, schema.UUID, `"`+s+`"`) }
func document(t *testing.T, s string) schema.Value { return parsed(t, schema.JSON, s) }

func parsed(t *testing.T, k schema.Kind, raw string) schema.Value {
	t.Helper()
	v, err := k.ParseWire([]byte(raw))
	if err != nil {
		t.Fatalf("parse %s %s: %v", k, raw, err)
	}
	return v
}
