package schema

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"reflect"
	"time"
)

var (
	timeType    = reflect.TypeFor[time.Time]()
	rawType     = reflect.TypeFor[json.RawMessage]()
	scannerType = reflect.TypeFor[sql.Scanner]()
	valuerType  = reflect.TypeFor[driver.Valuer]()
)

var (
	errOwnScan  = errors.New("has its own Scan or Value method: name what its column holds with the tag pando:\"kind:…\"")
	errNoColumn = errors.New("is no type of a column: give it a concrete type, or leave it out with pando:\"-\"")
)

// kindOf is the kind of column that a Go type stands for.
func kindOf(t reflect.Type) (kind Kind, nullable bool, err error) {
	if t.Kind() == reflect.Pointer {
		kind, inner, err := kindOf(t.Elem())
		if err == nil && inner {
			err = errors.New("can be null in two ways: leave out the pointer")
		}
		return kind, true, err
	}
	if inner, ok := nullOf(t); ok {
		kind, _, err := kindOf(inner)
		return kind, true, err
	}
	switch {
	case t == timeType:
		return Time, false, nil
	case t == rawType:
		return JSON, false, nil
	case t.Kind() == reflect.Array && t.Len() == 16 && t.Elem().Kind() == reflect.Uint8:
		return UUID, false, nil
	case scansItself(t):
		return Null, false, errOwnScan
	}
	kind = kindOfPlain(t)
	if kind == Null {
		return Null, false, errNoColumn
	}
	return kind, false, nil
}

// kindOfPlain is the kind of a type without methods of its own, Null if none.
func kindOfPlain(t reflect.Type) Kind {
	switch t.Kind() {
	case reflect.Bool:
		return Bool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return Int
	case reflect.Float32, reflect.Float64:
		return Float
	case reflect.String:
		return Text
	case reflect.Map:
		return JSON
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return Bytes
		}
		return JSON
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return Null
		}
		return JSON
	default:
		return Null
	}
}

// nullOf recognises sql.Null[T], the sql.Null types and those built alike: a
// value and a bool Valid. It returns the value's type.
func nullOf(t reflect.Type) (reflect.Type, bool) {
	if t.Kind() != reflect.Struct || t.NumField() != 2 || !scansItself(t) {
		return nil, false
	}
	valid := t.Field(1)
	return t.Field(0).Type, valid.Name == "Valid" && valid.Type.Kind() == reflect.Bool
}

func scansItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t != timeType && (p.Implements(scannerType) || p.Implements(valuerType))
}

// relationOf recognises the field types that are relations: T, *T, []T and
// []*T of a struct that is no column's type by itself.
func relationOf(t reflect.Type) (target reflect.Type, many, ok bool) {
	if t.Kind() == reflect.Slice {
		t, many = t.Elem(), true
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == timeType || scansItself(t) {
		return nil, false, false
	}
	return t, many, true
}
