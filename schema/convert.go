package schema

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// FromDriver returns the canonical value of what a database/sql driver gave
// for a column of kind k: nil, int64, float64, bool, string, []byte or
// time.Time, whichever the driver chose. Bytes are copied. An error says what
// the column held instead of a k.
//
//   - Int takes integers, integral floats (SQLite's REAL affinity), booleans
//     and decimal digits.
//   - Bool takes booleans, 0 and 1 as numbers, and what strconv.ParseBool does.
//   - Float takes numbers and their texts; NaN is NULL, an infinity the
//     largest finite number.
//   - Text replaces every byte that is not UTF-8 by U+FFFD, as JSON does, and
//     keeps U+0000; numbers and booleans become their texts.
//   - UUID takes 16 raw bytes and any case of the text.
//   - Time takes time.Time, the texts that databases and SQLite's drivers
//     write, and integers: Unix seconds, or milliseconds beyond ±1e12. A text
//     without a zone is UTC.
//   - JSON takes a document, and the numbers that SQLite makes of one.
func (k Kind) FromDriver(src any) (Value, error) {
	if src == nil {
		return Value{}, nil
	}
	switch k {
	case Bool:
		return boolFrom(src)
	case Int:
		return intFrom(src)
	case Float:
		return floatFrom(src)
	case Text:
		return textFrom(src)
	case UUID:
		return uuidFrom(src)
	case Time:
		return timeFrom(src)
	case Bytes:
		return bytesFrom(src)
	case JSON:
		return jsonFrom(src)
	default:
		return Value{}, fmt.Errorf("no column is of kind %s", k)
	}
}

// Driver is the value as a database/sql argument: nil, bool, int64, float64,
// string or []byte. A time is bound as its canonical text, a UUID as text in
// lower case.
func (v Value) Driver() driver.Value {
	switch v.kind {
	case Null:
		return nil
	case Bool:
		return v.Bool()
	case Int:
		return v.Int()
	case Float:
		return v.Float()
	case Bytes:
		return []byte(v.str)
	default:
		return v.str
	}
}

// maxShown bounds how much of a value an error shows.
const maxShown = 40

func mismatch(k Kind, src any) error {
	shown := fmt.Sprint(src)
	if b, ok := src.([]byte); ok {
		shown = string(b)
	}
	if len(shown) > maxShown {
		shown = shown[:maxShown] + "…"
	}
	return fmt.Errorf("%T %q is no %s: declare the field as what the column holds", src, shown, k)
}

// textOf gives the text of a string or []byte.
func textOf(src any) (string, bool) {
	switch s := src.(type) {
	case string:
		return s, true
	case []byte:
		return string(s), true
	default:
		return "", false
	}
}

// integerOf gives the value of an integer of any Go type.
func integerOf(src any) (int64, bool) {
	if i, ok := src.(int64); ok {
		return i, true
	}
	switch v := reflect.ValueOf(src); {
	case v.CanInt():
		return v.Int(), true
	case v.CanUint() && v.Uint() <= math.MaxInt64:
		return int64(v.Uint()), true
	default:
		return 0, false
	}
}

func boolFrom(src any) (Value, error) {
	if b, ok := src.(bool); ok {
		return BoolValue(b), nil
	}
	if s, ok := textOf(src); ok {
		if b, err := strconv.ParseBool(s); err == nil {
			return BoolValue(b), nil
		}
		return Value{}, mismatch(Bool, src)
	}
	if f, ok := src.(float64); ok && f == math.Trunc(f) && math.Abs(f) <= 1 {
		src = int64(f)
	}
	if i, ok := integerOf(src); ok && (i == 0 || i == 1) {
		return BoolValue(i == 1), nil
	}
	return Value{}, mismatch(Bool, src)
}

func intFrom(src any) (Value, error) {
	if i, ok := integerOf(src); ok {
		return IntValue(i), nil
	}
	switch s := src.(type) {
	case bool:
		return IntValue(int64(BoolValue(s).num)), nil
	case float64:
		if s == math.Trunc(s) && s >= math.MinInt64 && s < math.MaxInt64 {
			return IntValue(int64(s)), nil
		}
	default:
		if text, ok := textOf(src); ok {
			if i, err := strconv.ParseInt(text, 10, 64); err == nil {
				return IntValue(i), nil
			}
		}
	}
	return Value{}, mismatch(Int, src)
}

func floatFrom(src any) (Value, error) {
	switch s := src.(type) {
	case float64:
		return FloatValue(s), nil
	case float32:
		return FloatValue(float64(s)), nil
	}
	if i, ok := integerOf(src); ok {
		return FloatValue(float64(i)), nil
	}
	if text, ok := textOf(src); ok {
		f, err := strconv.ParseFloat(text, 64)
		if err == nil || math.IsInf(f, 0) {
			return FloatValue(f), nil
		}
	}
	return Value{}, mismatch(Float, src)
}

func textFrom(src any) (Value, error) {
	if text, ok := textOf(src); ok {
		return TextValue(validUTF8(text)), nil
	}
	if i, ok := integerOf(src); ok {
		return TextValue(strconv.FormatInt(i, 10)), nil
	}
	switch s := src.(type) {
	case float64:
		return TextValue(strconv.FormatFloat(s, 'g', -1, 64)), nil
	case bool:
		return TextValue(strconv.FormatBool(s)), nil
	default:
		return Value{}, mismatch(Text, src)
	}
}

// validUTF8 replaces every byte that is not UTF-8, one by one as encoding/json
// and browsers do; strings.ToValidUTF8 would replace a run by one.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}

func uuidFrom(src any) (Value, error) {
	switch s := src.(type) {
	case [16]byte:
		return uuidValue(s[:]), nil
	case []byte:
		if len(s) == 16 {
			return uuidValue(s), nil
		}
	}
	if text, ok := textOf(src); ok {
		if v, ok := parseUUID(text); ok {
			return v, nil
		}
	}
	return Value{}, mismatch(UUID, src)
}

// dashes are the places of a UUID's dashes in its canonical text.
var dashes = [...]int{8, 13, 18, 23}

func uuidValue(raw []byte) Value {
	digits := hex.EncodeToString(raw)
	return Value{kind: UUID, str: digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]}
}

func parseUUID(s string) (Value, bool) {
	if len(s) == 36 {
		for _, i := range dashes {
			if s[i] != '-' {
				return Value{}, false
			}
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != 16 {
		return Value{}, false
	}
	return uuidValue(raw), true
}

func timeFrom(src any) (Value, error) {
	t, ok := src.(time.Time)
	if text, isText := textOf(src); isText {
		t, ok = parseTime(text)
	} else if i, isInt := integerOf(src); isInt {
		t, ok = unixTime(i), true
	}
	if !ok || t.UTC().Year() < 0 || t.UTC().Year() > 9999 {
		return Value{}, mismatch(Time, src)
	}
	return TimeValue(t), nil
}

func unixTime(i int64) time.Time {
	const millis = 1e12 // in seconds, some thirty thousand years away
	if i > millis || i < -millis {
		return time.UnixMilli(i)
	}
	return time.Unix(i, 0)
}

func bytesFrom(src any) (Value, error) {
	if text, ok := textOf(src); ok {
		return Value{kind: Bytes, str: text}, nil
	}
	return Value{}, mismatch(Bytes, src)
}
