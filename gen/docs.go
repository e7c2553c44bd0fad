package gen

import (
	"reflect"
	"strings"
)

// Docs is what source tells and reflection does not. The zero Docs is fine:
// files then have no comments, and parameters are called arg1, arg2.
type Docs struct {
	// Main is the app's name for channels of package main, "main" if empty.
	Main string
	// Types are the docs of named types by import path, a dot and the name.
	// The path of a program's own package is "main", as in reflection.
	Types map[string]TypeDoc
}

// TypeDoc is the documentation of one named type.
type TypeDoc struct {
	// Text is the doc comment.
	Text string
	// Fields are the comments of a struct's fields by Go name: the one above
	// the field, else the one behind it.
	Fields map[string]string
	// Methods are those of a channel, or those that make a struct's computed
	// fields, by Go name.
	Methods map[string]MethodDoc
	// Constants are the package's constants of a type of strings or integers,
	// in the order of the source, a value once. A type of flags, whose constants
	// are shifted bits, has none: its values are more than they.
	Constants []Constant
}

// Constant is one of the values that a type has.
type Constant struct {
	// Name is the Go name, Text the comment above it or behind it.
	Name, Text string
	// Value is the value as JSON.
	Value string
}

// MethodDoc is the documentation of one method.
type MethodDoc struct {
	Text string
	// Params are the names of the parameters after the context, "" or "_" for
	// one without a name.
	Params []string
}

// of finds the docs of a named type; those of a generic one are for all that
// are made of it.
func (d Docs) of(t reflect.Type) TypeDoc {
	name, _, _ := strings.Cut(t.Name(), "[")
	return d.Types[t.PkgPath()+"."+name]
}

// field finds the comment of a struct's field, which may be promoted from an
// embedded struct; else that of the method that makes its value.
func (d Docs) field(t reflect.Type, goName string) string {
	f, ok := t.FieldByName(goName)
	if !ok {
		return ""
	}
	return d.fieldAt(t, f.Index)
}

// fieldAt is field for the field at an index.
func (d Docs) fieldAt(t reflect.Type, index []int) string {
	f := t.FieldByIndex(index)
	for _, i := range index[:len(index)-1] {
		t = t.Field(i).Type
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	if text := d.of(t).Fields[f.Name]; text != "" {
		return text
	}
	return d.of(t).Methods[madeBy(f)].Text
}

// madeBy is the method that makes a field's value, "" for all others.
func madeBy(f reflect.StructField) string {
	for item := range strings.SplitSeq(f.Tag.Get("pando"), ",") {
		for _, tag := range []string{"computed:", "represent:"} {
			if method, found := strings.CutPrefix(item, tag); found {
				return method
			}
		}
	}
	return ""
}
