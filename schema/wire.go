package schema

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// maxSafe is the largest integer up to which JavaScript's numbers are exact.
const maxSafe = 1<<53 - 1

// Check returns an error when the wire cannot carry v as the field is
// declared: an integer beyond ±(2^53-1) that travels as a number, or NULL
// where the Go field cannot be null. It names the field and the mend.
func (f *Field) Check(v Value) error {
	switch {
	case v.kind == Null && !f.Nullable:
		return fmt.Errorf("field %s: the column holds NULL: make the field a pointer or sql.Null, or the column NOT NULL", f.Name)
	case v.kind == Int && !f.AsString && (v.Int() > maxSafe || v.Int() < -maxSafe):
		return fmt.Errorf("field %s: JavaScript's numbers cannot hold %d exactly: tag the field pando:\"string\"", f.Name, v.Int())
	default:
		return nil
	}
}

// AppendJSON appends the wire form of a value of the field. It does not
// allocate when dst has room, and never fails: what Check refuses is written
// all the same.
func (f *Field) AppendJSON(dst []byte, v Value) []byte {
	switch v.kind {
	case Null:
		return append(dst, "null"...)
	case Bool:
		return strconv.AppendBool(dst, v.num != 0)
	case Int:
		if !f.AsString {
			return strconv.AppendInt(dst, v.Int(), 10)
		}
		dst = strconv.AppendInt(append(dst, '"'), v.Int(), 10)
		return append(dst, '"')
	case Float:
		return appendFloat(dst, v.Float())
	case Text:
		return appendString(dst, v.str)
	case Bytes:
		return appendBase64(dst, v.str)
	case JSON:
		return append(dst, v.str...)
	case Tuple:
		return appendString(dst, v.tupleText())
	default: // UUID and Time, which need no escapes
		dst = append(append(dst, '"'), v.str...)
		return append(dst, '"')
	}
}

// appendFloat writes a number as JavaScript does: plain digits between 1e-6
// and 1e21, else an exponent without leading zeros.
func appendFloat(dst []byte, f float64) []byte {
	abs := math.Abs(f)
	if abs == 0 || 1e-6 <= abs && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// appendBase64 encodes in steps of whole groups, so that no copy of s as bytes
// is made.
func appendBase64(dst []byte, s string) []byte {
	var step [48]byte
	dst = append(dst, '"')
	for len(s) > 0 {
		n := copy(step[:], s)
		dst = base64.StdEncoding.AppendEncode(dst, step[:n])
		s = s[n:]
	}
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string. U+2028 and U+2029 are escaped, because
// older JavaScript ends a line there; bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		size, escape := 1, ""
		switch c := s[i]; {
		case c == '"':
			escape = `\"`
		case c == '\\':
			escape = `\\`
		case c == '\n':
			escape = `\n`
		case c == '\r':
			escape = `\r`
		case c == '\t':
			escape = `\t`
		case c < ' ':
			dst = append(dst, s[start:i]...)
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			i++
			start = i
			continue
		case c >= utf8.RuneSelf:
			size, escape = escapeRune(s[i:])
		}
		if escape != "" {
			dst = append(append(dst, s[start:i]...), escape...)
			start = i + size
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

// escapeRune returns the size of the first rune of s, and what stands for it
// when it cannot be written as it is.
func escapeRune(s string) (size int, escape string) {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size == 1:
		return size, "\ufffd"
	case r == '\u2028':
		return size, `\u2028`
	case r == '\u2029':
		return size, `\u2029`
	default:
		return size, ""
	}
}

// ParseWire is the inverse of AppendJSON: it reads one JSON value as a k. An
// Int may be a number or a string of digits; times may have any zone, UUIDs
// any case. null is NULL.
func (k Kind) ParseWire(raw []byte) (Value, error) {
	raw = bytes.Trim(raw, " \t\r\n") // JSON's spaces only
	if string(raw) == "null" {
		return Value{}, nil
	}
	switch k {
	case Bool:
		switch string(raw) {
		case "true":
			return BoolValue(true), nil
		case "false":
			return BoolValue(false), nil
		}
		return Value{}, wrong(k)
	case Float:
		f, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || !json.Valid(raw) {
			return Value{}, wrong(k)
		}
		return FloatValue(f), nil
	case JSON:
		doc, err := canonicalJSON(raw)
		if err != nil {
			return Value{}, wrong(k)
		}
		return Value{kind: JSON, str: string(doc)}, nil
	case Int:
		if len(raw) > 0 && raw[0] != '"' {
			return parseInt(string(raw))
		}
	default: // strings, all of them
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return Value{}, wrong(k)
	}
	return k.parseString(s)
}

// ParseText reads the canonical text of a k, as it stands in a route: exactly
// one text leads to each value, but for the case of a UUID and the zone of a
// time. Bytes and JSON have none.
func (k Kind) ParseText(s string) (Value, error) {
	switch k {
	case Bool:
		if s == "true" || s == "false" {
			return BoolValue(s == "true"), nil
		}
		return Value{}, wrong(k)
	case Float:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsInf(f, 0) || FloatValue(f).String() != s {
			return Value{}, wrong(k)
		}
		return FloatValue(f), nil
	case Bytes, JSON:
		return Value{}, fmt.Errorf("%s has no text", k)
	default:
		return k.parseString(s)
	}
}

// parseString reads the kinds that a JSON string carries.
func (k Kind) parseString(s string) (Value, error) {
	switch k {
	case Int:
		return parseInt(s)
	case Text:
		if utf8.ValidString(s) {
			return TextValue(s), nil
		}
	case UUID:
		if v, ok := parseUUID(s); ok && len(s) == 36 {
			return v, nil
		}
	case Time:
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil && t.UTC().Year() >= 0 && t.UTC().Year() <= 9999 {
			return TimeValue(t), nil
		}
	case Bytes:
		if raw, err := base64.StdEncoding.Strict().DecodeString(s); err == nil {
			return Value{kind: Bytes, str: string(raw)}, nil
		}
	default: // no strings
	}
	return Value{}, wrong(k)
}

// parseInt reads the one decimal text of an integer: no sign but '-', no
// leading zeros.
func parseInt(s string) (Value, error) {
	i, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(i, 10) != s {
		return Value{}, wrong(Int)
	}
	return IntValue(i), nil
}

var wanted = [...]string{
	Bool: "true or false", Int: "an integer in decimal digits", Float: "a finite number", Text: "a string of UTF-8",
	UUID: "a UUID with dashes", Time: "a time as in " + TimeFormat, Bytes: "a string in standard base64", JSON: "one JSON document",
}

func wrong(k Kind) error {
	if int(k) >= len(wanted) || k == Null {
		return fmt.Errorf("no column is of kind %s", k)
	}
	return fmt.Errorf("want %s", wanted[k])
}
