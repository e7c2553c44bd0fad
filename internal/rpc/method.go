package rpc

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
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
	// Once tells that the method takes a transaction between its context and its
	// arguments, in which it is applied once.
	Once bool
	fn   reflect.Value
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
	txType      = reflect.TypeFor[*sql.Tx]()
)

// Compile checks a method expression like (*Board).Rename: a receiver, a
// context, perhaps a transaction, arguments that JSON can carry; an error, or a
// result and an error.
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
	first := 2
	if m.Once = t.NumIn() > first && t.In(first) == txType; m.Once {
		first++
	}
	for i := first; i < t.NumIn(); i++ {
		if err := carried(t.In(i)); err != nil {
			return fmt.Errorf("action %s: argument %d: %w", m.GoName, i-first+1, err)
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
	if t == txType || t == txType.Elem() {
		return errors.New("a *sql.Tx comes right after the context")
	}
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
// tx is for a method that takes one. Wrong arguments are a coded error; a panic
// is returned as an error with its stack, which is internal.
func (m *Method) Call(ctx context.Context, recv any, tx *sql.Tx, args []json.RawMessage) (result json.RawMessage, err error) {
	in := make([]reflect.Value, 0, len(args)+3)
	in = append(in, reflect.ValueOf(recv), reflect.ValueOf(ctx))
	if m.Once {
		in = append(in, reflect.ValueOf(tx))
	}
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
