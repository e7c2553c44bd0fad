package peer

import (
	"cmp"
	"database/sql"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// builder makes an app's own structs of a view's rows.
type builder struct {
	*state.View
	err error // the first
}

// fill sets a struct to a row of a layer, with all below it.
func (b *builder) fill(v reflect.Value, l *schema.Layer, row schema.Row) {
	for _, m := range l.Members {
		if m.Layer != nil {
			b.put(v.FieldByName(m.Layer.GoName), m.Layer, b.Related(m.Layer, row))
			continue
		}
		f := &l.Type.Fields[m.Field]
		field := v.FieldByName(f.GoName)
		if field.Type() != f.GoType {
			continue // what a method made of the field: the struct cannot hold it
		}
		if err := assign(field, row[f.Column]); err != nil {
			field.SetZero()
			b.err = cmp.Or(b.err, fmt.Errorf("field %s.%s: %w", l.Type.Name, f.GoName, err))
		}
	}
}

// put sets a slice, a struct or a pointer to the rows that a layer shows.
func (b *builder) put(v reflect.Value, l *schema.Layer, rows []schema.Row) {
	shown := l.Shown()
	if v.Kind() == reflect.Slice {
		v.Set(reflect.MakeSlice(v.Type(), len(rows), len(rows)))
		for i, row := range rows {
			b.fill(target(v.Index(i)), shown, row)
		}
		return
	}
	if len(rows) > 0 {
		b.fill(target(v), shown, rows[0])
	}
}

// target follows a pointer, which it makes.
func target(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return v.Elem()
	}
	return v
}

// assign sets a field to a value, as database/sql would.
func assign(v reflect.Value, val schema.Value) error {
	if scanner, ok := reflect.TypeAssert[sql.Scanner](v.Addr()); ok {
		if t, err := time.Parse(schema.TimeFormat, val.Str()); err == nil && val.Kind() == schema.Time {
			return scanner.Scan(t)
		}
		return scanner.Scan(val.Driver())
	}
	if val.IsNull() {
		v.SetZero()
		return nil
	}
	if v.Kind() == reflect.Pointer {
		return assign(target(v), val)
	}
	switch val.Kind() {
	case schema.Bool:
		v.SetBool(val.Bool())
	case schema.Float:
		v.SetFloat(val.Float())
	case schema.Int:
		if v.CanUint() {
			v.SetUint(uint64(val.Int()))
			return inRange(v.OverflowUint(uint64(val.Int())), val)
		}
		v.SetInt(val.Int())
		return inRange(v.OverflowInt(val.Int()), val)
	case schema.Bytes:
		v.SetBytes([]byte(val.Str()))
	case schema.JSON:
		return json.Unmarshal([]byte(val.Str()), v.Addr().Interface())
	default:
		return assignText(v, val.Str())
	}
	return nil
}

func inRange(overflows bool, val schema.Value) error {
	if overflows {
		return fmt.Errorf("cannot hold %d", val.Int())
	}
	return nil
}

func assignText(v reflect.Value, text string) error {
	if v.Kind() == reflect.String {
		v.SetString(text)
		return nil
	}
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		return u.UnmarshalText([]byte(text))
	}
	return fmt.Errorf("cannot hold %q", text)
}
