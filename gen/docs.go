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
	// Strings are the values of the package's constants of a string type, in
	// the order of the source.
	Strings []string
}

// MethodDoc is the documentation of one method.
type MethodDoc struct {
	Text string
	// Params are the names of the parameters after the context, "" or "_" for
	// one without a name.
	Params []string
}

// of finds the docs of a named type.
func (d Docs) of(t reflect.Type) TypeDoc { return d.Types[t.PkgPath()+"."+t.Name()] }

// field finds the comment of a struct's field, which may be promoted from an
// embedded struct; else that of the method that makes its value.
func (d Docs) field(t reflect.Type, goName string) string {
	f, ok := t.FieldByName(goName)
	if !ok {
		return ""
	}
	for _, i := range f.Index[:len(f.Index)-1] {
		t = t.Field(i).Type
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	if text := d.of(t).Fields[goName]; text != "" {
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
