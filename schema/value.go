package schema

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"
)

// Kind is the canonical type of a column: what its values mean, whatever the
// database calls its type.
type Kind uint8

// The kinds of column.
const (
	// Null is the kind of the zero Value only; no column has it.
	Null Kind = iota
	// Bool is false or true, in this order.
	Bool
	// Int is a signed 64-bit integer.
	Int
	// Float is a finite IEEE 754 double; -0 is 0.
	Float
	// Text is UTF-8, compared by its bytes.
	Text
	// UUID is written in lower case with dashes.
	UUID
	// Time is an instant in UTC with microseconds, years 0000 to 9999.
	Time
	// Bytes is any byte string; JSON shows it in standard base64.
	Bytes
	// JSON is a document with sorted object keys and no spaces.
	JSON
	// Tuple is several values together: a key of several columns. It travels as
	// a string of its parts' texts with commas between them.
	Tuple
)

var kindNames = [...]string{"null", "bool", "int", "float", "text", "uuid", "time", "bytes", "json", "tuple"}

// String is the name that the protocol and the TypeScript models use.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// Value is the one canonical form of a column's value. The zero Value is
// NULL. Values are immutable, comparable with == and good as map keys; two
// values of a column are equal in the database exactly when they are ==.
type Value struct {
	kind Kind
	num  uint64
	str  string
}

// TimeFormat is the canonical text of a Time value: UTC, fixed width, so that
// the order of its bytes is the order of time.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

const (
	firstTime = "0000-01-01T00:00:00.000000Z"
	lastTime  = "9999-12-31T23:59:59.999999Z"
)

// BoolValue returns the canonical value of b.
func BoolValue(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

// IntValue returns the canonical value of i.
func IntValue(i int64) Value { return Value{kind: Int, num: uint64(i)} }

// FloatValue returns the canonical value of f. NaN, which SQL orders and
// compares in its own ways, becomes NULL as in SQLite; -0 becomes 0, and an
// infinity, which JSON cannot carry, the largest finite number.
func FloatValue(f float64) Value {
	switch {
	case math.IsNaN(f):
		return Value{}
	case f == 0:
		f = 0 // drops the sign
	case math.IsInf(f, 0):
		f = math.Copysign(math.MaxFloat64, f)
	}
	return Value{kind: Float, num: math.Float64bits(f)}
}

// TextValue returns the canonical value of s.
func TextValue(s string) Value { return Value{kind: Text, str: s} }

// BytesValue returns the canonical value of b, which is copied.
func BytesValue(b []byte) Value { return Value{kind: Bytes, str: string(b)} }

// TimeValue returns the canonical value of t, cut to microseconds. A time before
// the year 0 or after 9999, which TimeFormat has no place for, becomes the first
// or the last one that it has.
func TimeValue(t time.Time) Value {
	t = t.UTC()
	switch year := t.Year(); {
	case year < 0:
		return Value{kind: Time, str: firstTime}
	case year > 9999:
		return Value{kind: Time, str: lastTime}
	}
	return Value{kind: Time, str: t.Truncate(time.Microsecond).Format(TimeFormat)}
}

// Kind is the value's kind, Null for NULL.
func (v Value) Kind() Kind { return v.kind }

// IsNull tells whether the value is NULL.
func (v Value) IsNull() bool { return v.kind == Null }

// Bool is the value of a Bool, and false for every other kind.
func (v Value) Bool() bool { return v.kind == Bool && v.num != 0 }

// Int is the value of an Int, and 0 for every other kind.
func (v Value) Int() int64 {
	if v.kind != Int {
		return 0
	}
	return int64(v.num)
}

// Float is the value of a Float, and 0 for every other kind.
func (v Value) Float() float64 {
	if v.kind != Float {
		return 0
	}
	return math.Float64frombits(v.num)
}

// Str is the text of a Text, UUID, Time (TimeFormat), Bytes (raw) or JSON
// value, and empty for every other kind.
func (v Value) Str() string { return v.str }

// Compare orders two values of one column: NULL first, then numbers by size
// and all else by bytes. It is the order in which lists are sent, and the one
// that the TypeScript client keeps.
func (v Value) Compare(o Value) int {
	if v.kind != o.kind {
		return cmp.Compare(v.kind, o.kind)
	}
	switch v.kind {
	case Null:
		return 0
	case Bool:
		return cmp.Compare(v.num, o.num)
	case Int:
		return cmp.Compare(int64(v.num), int64(o.num))
	case Float:
		return cmp.Compare(v.Float(), o.Float())
	default:
		return strings.Compare(v.str, o.str)
	}
}

// String shows the value in messages and as a key in routes: text as it is,
// NULL as "null".
func (v Value) String() string {
	switch v.kind {
	case Null:
		return "null"
	case Bool:
		return strconv.FormatBool(v.num != 0)
	case Int:
		return strconv.FormatInt(int64(v.num), 10)
	case Float:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case Tuple:
		return v.tupleText()
	default:
		return v.str
	}
}

// Row is the values of one table's columns, in the order of Table.Columns.
// Rows are immutable once made: they are shared between the router, patches
// and readers.
type Row []Value
