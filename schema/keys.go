package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// KindName is the kind as models and messages show it: that of a tuple tells
// its parts, "tuple(int,text)".
func (f *Field) KindName() string {
	if f.Kind != Tuple {
		return f.Kind.String()
	}
	names := make([]string, len(f.Parts))
	for i, k := range f.Parts {
		names[i] = k.String()
	}
	return Tuple.String() + "(" + strings.Join(names, ",") + ")"
}

// ParseWire is the inverse of AppendJSON: Kind.ParseWire, and for a tuple what
// its parts' kinds tell.
func (f *Field) ParseWire(raw []byte) (Value, error) {
	if f.Kind != Tuple {
		return f.Kind.ParseWire(raw)
	}
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil {
		return Value{}, errTuple
	}
	if text == nil {
		return Value{}, nil
	}
	return parseTuple(*text, f.Parts)
}

// ParseText reads the text of a value of the field as it stands in a route:
// Kind.ParseText, and for a tuple what its parts' kinds tell.
func (f *Field) ParseText(text string) (Value, error) {
	if f.Kind != Tuple {
		return f.Kind.ParseText(text)
	}
	return parseTuple(text, f.Parts)
}

// ParseKey reads the text of a key as it stands in a route: of a key of
// several columns the parts' texts with commas between them, "%" and "," in
// them as %25 and %2C.
func (t *Table) ParseKey(text string) (Value, error) {
	f := hiddenField(t, t.Key)
	return f.ParseText(text)
}

var errTuple = errors.New("want a string of values with commas between them")

func parseTuple(text string, kinds []Kind) (Value, error) {
	texts := strings.Split(text, ",")
	if len(texts) != len(kinds) {
		return Value{}, fmt.Errorf("want %d values with commas between them", len(kinds))
	}
	values := make([]Value, len(kinds))
	for i, k := range kinds {
		part := strings.NewReplacer("%25", "%", "%2C", ",").Replace(texts[i])
		if tupleEscapes.Replace(part) != texts[i] {
			return Value{}, fmt.Errorf("value %d: want %%25 for %%, %%2C for a comma, and no other escape", i+1)
		}
		v, err := k.ParseText(part)
		if err != nil {
			return Value{}, fmt.Errorf("value %d: %w", i+1, err)
		}
		values[i] = v
	}
	return TupleValue(values...), nil
}
