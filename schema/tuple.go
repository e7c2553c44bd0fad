package schema

import (
	"encoding/binary"
	"math"
	"strings"
)

// TupleValue returns the canonical value of several columns together: a key of
// several columns, or what a list's rows are found by. Tuples are ordered by
// their first part, then by the next.
func TupleValue(parts ...Value) Value {
	var b []byte
	for _, p := range parts {
		b = p.appendPart(b)
	}
	return Value{kind: Tuple, str: string(b)}
}

// appendPart appends a form whose bytes are ordered as the values are, and of
// which none is the beginning of another.
func (v Value) appendPart(b []byte) []byte {
	b = append(b, byte(v.kind))
	switch v.kind {
	case Null:
		return b
	case Bool:
		return append(b, byte(v.num))
	case Int:
		return binary.BigEndian.AppendUint64(b, v.num^1<<63)
	case Float:
		bits := v.num
		if bits>>63 == 1 {
			bits = ^bits
		} else {
			bits |= 1 << 63
		}
		return binary.BigEndian.AppendUint64(b, bits)
	default:
		// A zero byte is written as 0 255; 0 0 ends the text.
		for i := range len(v.str) {
			b = append(b, v.str[i])
			if v.str[i] == 0 {
				b = append(b, 0xff)
			}
		}
		return append(b, 0, 0)
	}
}

// Parts returns the values that a tuple is made of, and nil for every other
// kind.
func (v Value) Parts() []Value {
	if v.kind != Tuple {
		return nil
	}
	var parts []Value
	for s := v.str; s != ""; {
		var p Value
		p, s = cutPart(s)
		parts = append(parts, p)
	}
	return parts
}

func cutPart(s string) (part Value, rest string) {
	kind, s := Kind(s[0]), s[1:]
	switch kind {
	case Null:
		return Value{}, s
	case Bool:
		return Value{kind: Bool, num: uint64(s[0])}, s[1:]
	case Int, Float:
		num := binary.BigEndian.Uint64([]byte(s[:8]))
		switch {
		case kind == Int:
			num ^= 1 << 63
		case num>>63 == 1:
			num &= math.MaxInt64
		default:
			num = ^num
		}
		return Value{kind: kind, num: num}, s[8:]
	default:
		var text strings.Builder
		for i := 0; ; i++ {
			if s[i] != 0 {
				text.WriteByte(s[i])
				continue
			}
			if s[i+1] == 0 {
				return Value{kind: kind, str: text.String()}, s[i+2:]
			}
			text.WriteByte(0)
			i++
		}
	}
}

// tupleEscapes keeps the commas between parts apart from those in them.
var tupleEscapes = strings.NewReplacer("%", "%25", ",", "%2C")

// tupleText is the text of a tuple on the wire and in routes: its parts' texts
// with commas between them, "%" and "," in them as %25 and %2C.
func (v Value) tupleText() string {
	var b strings.Builder
	for i, p := range v.Parts() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(tupleEscapes.Replace(p.String()))
	}
	return b.String()
}
