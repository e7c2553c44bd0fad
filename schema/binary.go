package schema

import (
	"encoding/binary"
	"errors"
	"math"
)

// AppendBinary appends the value in a form that CutBinary reads back: a byte for
// the kind, then nothing for NULL, one byte for a Bool, eight for an Int or a
// Float, most significant first, and for every other kind the length as a varint
// and the bytes of Str. A tuple's bytes are those of its parts, in a form of its
// own that does not change either.
func (v Value) AppendBinary(b []byte) []byte {
	b = append(b, byte(v.kind))
	switch v.kind {
	case Null:
		return b
	case Bool:
		return append(b, byte(v.num))
	case Int, Float:
		return binary.BigEndian.AppendUint64(b, v.num)
	default:
		b = binary.AppendUvarint(b, uint64(len(v.str)))
		return append(b, v.str...)
	}
}

var errBinary = errors.New("decode value: the bytes are not those of a value")

// CutBinary reads a value that AppendBinary has written, and returns what
// follows it. Bytes that are no value are an error. That a text is canonical is
// not looked at: bytes are taken from where they have been written.
func CutBinary(b []byte) (v Value, rest []byte, err error) {
	if len(b) == 0 {
		return Value{}, nil, errBinary
	}
	kind, b := Kind(b[0]), b[1:]
	switch kind {
	case Null:
		return Value{}, b, nil
	case Bool:
		if len(b) < 1 || b[0] > 1 {
			return Value{}, nil, errBinary
		}
		return BoolValue(b[0] == 1), b[1:], nil
	case Int, Float:
		if len(b) < 8 {
			return Value{}, nil, errBinary
		}
		v = Value{kind: kind, num: binary.BigEndian.Uint64(b)}
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return Value{}, nil, errBinary
		}
		return v, b[8:], nil
	case Text, UUID, Time, Bytes, JSON:
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return Value{}, nil, errBinary
		}
		b = b[size:]
		return Value{kind: kind, str: string(b[:n])}, b[n:], nil
	case Tuple:
		return cutTuple(b)
	default:
		return Value{}, nil, errBinary
	}
}

// cutTuple reads a tuple whose bytes may be anything.
func cutTuple(b []byte) (v Value, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return Value{}, nil, errBinary
	}
	b = b[size:]
	v = Value{kind: Tuple, str: string(b[:n])}
	defer func() {
		if recover() != nil { // its parts end too early
			v, rest, err = Value{}, nil, errBinary
		}
	}()
	v.Parts()
	return v, b[n:], nil
}
