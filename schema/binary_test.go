package schema_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/pando-sync/pando/schema"
)

// TestBinary writes values of every kind one after the other, and reads them
// back.
func TestBinary(t *testing.T) {
	uuid, err := schema.UUID.ParseText("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := schema.JSON.FromDriver(`{"b":[1,2],"a":null}`)
	if err != nil {
		t.Fatal(err)
	}
	values := []schema.Value{
		{}, schema.BoolValue(false), schema.BoolValue(true),
		schema.IntValue(0), schema.IntValue(math.MinInt64), schema.IntValue(math.MaxInt64),
		schema.FloatValue(-1.5), schema.FloatValue(math.MaxFloat64), schema.FloatValue(math.SmallestNonzeroFloat64),
		schema.TextValue(""), schema.TextValue("ä\x00ö"), schema.BytesValue([]byte{0, 255, 0}),
		schema.TimeValue(time.Unix(1, 2000)), uuid, doc, schema.TextValue(string(make([]byte, 300))),
		schema.TupleValue(), schema.TupleValue(schema.IntValue(-1), schema.TextValue("\x00a"), schema.Value{}),
	}
	var all []byte
	for _, v := range values {
		all = v.AppendBinary(all)
	}
	for i, want := range values {
		var got schema.Value
		if got, all, err = schema.CutBinary(all); err != nil || got != want {
			t.Fatalf("value %d is %v, %v, want %v", i, got, err, want)
		}
	}
	if len(all) != 0 {
		t.Errorf("%d bytes are left", len(all))
	}
}

// FuzzCutBinary reads any bytes: an error, or a value that is written as it was
// read.
func FuzzCutBinary(f *testing.F) {
	for _, v := range []schema.Value{{}, schema.IntValue(7), schema.TextValue("x"), schema.TupleValue(schema.TextValue("a"), schema.IntValue(1))} {
		f.Add(v.AppendBinary(nil))
	}
	f.Add([]byte{byte(schema.Tuple), 2, byte(schema.Int), 1})
	f.Add([]byte{byte(schema.Text), 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, err := schema.CutBinary(b)
		if err != nil {
			return
		}
		again, none, err := schema.CutBinary(v.AppendBinary(nil))
		if err != nil || again != v || len(none) != 0 {
			t.Errorf("%v is read again as %v, %v", v, again, err)
		}
		if !bytes.HasSuffix(b, rest) {
			t.Error("the rest is not the end of what was read")
		}
	})
}
