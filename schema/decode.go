package schema

import (
	"database/sql"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Decode sets the struct that into points to, one of the type's, from a row of
// its table: every column that the struct declares and the table has, and the
// computed fields. Relations and columns that are not read stay as they are.
// An error names the field that cannot hold what its column has.
func (t *Type) Decode(row Row, into any) error {
	v := reflect.ValueOf(into)
	if t.decl == nil || v.Kind() != reflect.Pointer || v.IsNil() || v.Type().Elem() != t.GoType {
		return fmt.Errorf("decode %s: a %T cannot hold its rows: give a pointer to %s", t.Name, into, t.GoType)
	}
	for _, s := range t.decl.slots(t.Table) {
		if err := s.fill(v.Elem(), row); err != nil {
			return fmt.Errorf("decode %s: %w", t.Name, err)
		}
	}
	for i := range t.Fields {
		f := &t.Fields[i]
		if f.computed == nil {
			continue
		}
		if err := f.computed.fill(v.Elem(), row); err != nil {
			return fmt.Errorf("decode %s: %w", t.Name, err)
		}
	}
	return nil
}

// slot is where the value of a column goes in a struct.
type slot struct {
	name   string
	column int
	index  []int
	set    setter
}

// fill sets the field. A row that is shorter than the table leaves it.
func (s *slot) fill(v reflect.Value, row Row) error {
	if s.column >= len(row) {
		return nil
	}
	if err := s.set(fieldAt(v, s.index), row[s.column]); err != nil {
		return fmt.Errorf("field %s: %w", s.name, err)
	}
	return nil
}

// fieldAt is the field at an index, with the embedded structs that it stands
// in.
func fieldAt(v reflect.Value, index []int) reflect.Value {
	for i, n := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(n)
	}
	return v
}

// slots are the places of the struct's stored columns. They are found once,
// when all trees are in.
func (d *decl) slots(t *Table) []slot {
	if found := d.found.Load(); found != nil {
		return *found
	}
	var all []slot
	for _, f := range d.fields {
		if column := t.index(f.column); f.stored() && column >= 0 {
			all = append(all, slot{f.goName, column, f.index, setterOf(f.kind, f.goType)})
		}
	}
	d.found.Store(&all)
	return all
}

// setter sets a field of one type to a value of one kind, as database/sql
// would.
type setter func(reflect.Value, Value) error

func setterOf(k Kind, t reflect.Type) setter {
	switch {
	case reflect.PointerTo(t).Implements(scannerType):
		return scan
	case t.Kind() == reflect.Pointer:
		inner := setterOf(k, t.Elem())
		return orZero(func(v reflect.Value, val Value) error {
			v.Set(reflect.New(t.Elem()))
			return inner(v.Elem(), val)
		})
	case k == Int:
		return orZero(setInt)
	case k == Bool && t.Kind() == reflect.Bool:
		return orZero(func(v reflect.Value, val Value) error {
			v.SetBool(val.Bool())
			return nil
		})
	case k == Float && (t.Kind() == reflect.Float64 || t.Kind() == reflect.Float32):
		return orZero(func(v reflect.Value, val Value) error {
			v.SetFloat(val.Float())
			return nil
		})
	case k == JSON && !isText(t):
		return orZero(func(v reflect.Value, val Value) error {
			v.SetZero() // a map or slice of the row before is not added to
			return json.Unmarshal([]byte(val.Str()), v.Addr().Interface())
		})
	case k == Time && t == timeType:
		return orZero(func(v reflect.Value, val Value) error {
			at, err := time.Parse(TimeFormat, val.Str())
			v.Set(reflect.ValueOf(at))
			return err
		})
	case reflect.PointerTo(t).Implements(textType):
		return orZero(func(v reflect.Value, val Value) error {
			text, _ := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
			return text.UnmarshalText([]byte(val.Str()))
		})
	default:
		return orZero(setText)
	}
}

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

// orZero sets NULL as the zero value.
func orZero(set setter) setter {
	return func(v reflect.Value, val Value) error {
		if val.IsNull() {
			v.SetZero()
			return nil
		}
		return set(v, val)
	}
}

// isText tells whether the type holds bytes as they are.
func isText(t reflect.Type) bool {
	return t.Kind() == reflect.String || t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

func scan(v reflect.Value, val Value) error {
	scanner, _ := reflect.TypeAssert[sql.Scanner](v.Addr())
	if val.Kind() == Time {
		at, err := time.Parse(TimeFormat, val.Str())
		if err != nil {
			return err
		}
		return scanner.Scan(at)
	}
	return scanner.Scan(val.Driver())
}

func setInt(v reflect.Value, val Value) error {
	switch i := val.Int(); {
	case v.CanInt() && !v.OverflowInt(i):
		v.SetInt(i)
	case v.CanUint() && i >= 0 && !v.OverflowUint(uint64(i)):
		v.SetUint(uint64(i))
	default:
		return fmt.Errorf("a %s cannot hold %d", v.Type(), i)
	}
	return nil
}

// setText sets what holds the text or the bytes of a value: strings, byte
// slices, and UUIDs as 16 bytes.
func setText(v reflect.Value, val Value) error {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(val.String())
	case val.Kind() == UUID && v.Kind() == reflect.Array && v.Len() == 16:
		raw, err := hex.DecodeString(strings.ReplaceAll(val.Str(), "-", ""))
		reflect.Copy(v, reflect.ValueOf(raw))
		return err
	case isText(v.Type()):
		v.SetBytes([]byte(val.Str()))
	default:
		return fmt.Errorf("a %s cannot hold %q", v.Type(), val.String())
	}
	return nil
}
