package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Method is a method expression that can be called with JSON arguments.
type Method struct {
	// Name is the name on the wire, GoName the method's.
	Name, GoName string
	// Receiver is the type that the method is of.
	Receiver reflect.Type
	// Args are the types of the arguments after the context; Result is nil when
	// the method returns only an error.
	Args   []reflect.Type
	Result reflect.Type
	fn     reflect.Value
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// Compile checks a method expression like (*Board).Rename: a receiver, a
// context, arguments that JSON can carry; an error, or a result and an error.
func Compile(fn any) (*Method, error) {
	v := reflect.ValueOf(fn)
	if v.Kind() != reflect.Func || v.IsNil() {
		return nil, fmt.Errorf("action: got %T: give a method expression like (*BoardChannel).Rename", fn)
	}
	m := &Method{fn: v}
	var ok bool
	if m.GoName, ok = methodName(v); !ok {
		return nil, fmt.Errorf("action: %s is no method expression: give one like (*BoardChannel).Rename, it names the action",
			runtime.FuncForPC(v.Pointer()).Name())
	}
	m.Name = lowerFirst(m.GoName)
	return m, m.signature(v.Type())
}

func (m *Method) signature(t reflect.Type) error {
	if t.NumIn() < 2 || t.In(1) != contextType {
		return fmt.Errorf("action %s: its first parameter must be a context.Context", m.GoName)
	}
	if t.IsVariadic() {
		return fmt.Errorf("action %s: it is variadic: take a slice", m.GoName)
	}
	m.Receiver = t.In(0)
	for i := 2; i < t.NumIn(); i++ {
		if err := carried(t.In(i)); err != nil {
			return fmt.Errorf("action %s: argument %d: %w", m.GoName, i-1, err)
		}
		m.Args = append(m.Args, t.In(i))
	}
	switch {
	case t.NumOut() == 1 && t.Out(0) == errorType:
		return nil
	case t.NumOut() == 2 && t.Out(1) == errorType:
		m.Result = t.Out(0)
		if err := carried(m.Result); err != nil {
			return fmt.Errorf("action %s: result: %w", m.GoName, err)
		}
		return nil
	}
	return fmt.Errorf("action %s: it must return an error, or a result and an error", m.GoName)
}

// carried tells what JSON cannot carry.
func carried(t reflect.Type) error {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("%s cannot travel as JSON", t)
	case reflect.Interface:
		return fmt.Errorf("%s has no type in TypeScript: use a struct", t)
	default:
		return nil
	}
}

// methodName finds the method's name in the function's symbol, which the
// linker keeps in stripped binaries too. A closure's symbol ends in .funcN.
func methodName(fn reflect.Value) (string, bool) {
	symbol := runtime.FuncForPC(fn.Pointer()).Name()
	symbol = symbol[strings.LastIndexByte(symbol, '/')+1:]
	name := symbol[strings.LastIndexByte(symbol, '.')+1:]
	if fn.Type().NumIn() == 0 || strings.HasSuffix(symbol, "-fm") {
		return "", false
	}
	_, ok := fn.Type().In(0).MethodByName(name)
	return name, ok
}

func lowerFirst(name string) string {
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToLower(first)) + name[size:]
}

// Call decodes the arguments, calls the method on recv and encodes its result.
// Wrong arguments are a coded error; a panic is returned as an error with its
// stack, which is internal.
func (m *Method) Call(ctx context.Context, recv any, args []json.RawMessage) (result json.RawMessage, err error) {
	in := make([]reflect.Value, 0, len(args)+2)
	in = append(in, reflect.ValueOf(recv), reflect.ValueOf(ctx))
	if len(args) != len(m.Args) {
		return nil, Errorf("bad_argument", "action %s: got %d arguments, want %d", m.Name, len(args), len(m.Args))
	}
	for i, raw := range args {
		v := reflect.New(m.Args[i])
		if err := decode(raw, v.Elem()); err != nil {
			return nil, Errorf("bad_argument", "action %s: argument %d: %s", m.Name, i+1, err.Error())
		}
		in = append(in, v.Elem())
	}
	defer func() {
		if p := recover(); p != nil {
			err = Panicked("action "+m.Name, p)
		}
	}()
	out := m.fn.Call(in)
	if e, ok := reflect.TypeAssert[error](out[len(out)-1]); ok && e != nil {
		return nil, fmt.Errorf("action %s: %w", m.Name, e)
	}
	if m.Result == nil {
		return json.RawMessage("null"), nil
	}
	if result, err = json.Marshal(out[0].Interface()); err != nil {
		return nil, fmt.Errorf("action %s: encode result: %w", m.Name, err)
	}
	return result, nil
}

// Panicked makes an error of a panic, with the stack of where it happened.
func Panicked(op string, p any) error {
	buf := make([]byte, 8<<10)
	return fmt.Errorf("%s: panic: %v\n%s", op, p, buf[:runtime.Stack(buf, false)])
}

// decode reads one argument. Integers also come as strings of digits: keys do,
// and JavaScript cannot hold all of 64 bits in a number.
func decode(raw json.RawMessage, into reflect.Value) error {
	t := into.Type()
	kind := t.Kind()
	if kind == reflect.Pointer {
		if string(raw) == "null" {
			return nil
		}
		into.Set(reflect.New(t.Elem()))
		return decode(raw, into.Elem())
	}
	own := reflect.PointerTo(t).Implements(unmarshalerType)
	switch {
	case own:
	case isInteger(kind):
		if len(raw) > 2 && raw[0] == '"' {
			raw = raw[1 : len(raw)-1]
		}
	case kind == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		return decodeSlice(raw, into)
	}
	if string(raw) == "null" && kind != reflect.Map && kind != reflect.Slice {
		return fmt.Errorf("want %s, got null", describe(t))
	}
	if err := json.Unmarshal(raw, into.Addr().Interface()); err != nil {
		return wrongType(err, t)
	}
	return nil
}

// decodeSlice reads element by element: keys in it are strings too.
func decodeSlice(raw json.RawMessage, into reflect.Value) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return wrongType(err, into.Type())
	}
	if parts == nil {
		return nil
	}
	into.Set(reflect.MakeSlice(into.Type(), len(parts), len(parts)))
	for i, part := range parts {
		if err := decode(part, into.Index(i)); err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	return nil
}

func wrongType(err error, t reflect.Type) error {
	wrong := (*json.UnmarshalTypeError)(nil)
	switch {
	case !errors.As(err, &wrong):
		return fmt.Errorf("want %s", describe(t))
	case wrong.Field != "":
		return fmt.Errorf("%s: want %s, got %s", wrong.Field, describe(wrong.Type), wrong.Value)
	default:
		return fmt.Errorf("want %s, got %s", describe(t), wrong.Value)
	}
}

var unmarshalerType = reflect.TypeFor[json.Unmarshaler]()

func isInteger(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Uint64 }

func describe(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "a time like 2006-01-02T15:04:05Z"
	case isInteger(t.Kind()):
		return "an integer"
	case t.Kind() == reflect.String:
		return "a string"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float32, t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Array:
		return "an array"
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		return "an object"
	default:
		return "a " + t.String()
	}
}
