package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

type point struct {
	X, Y int
}

type board struct{ said []any }

func (b *board) say(args ...any) error {
	b.said = args
	return nil
}

func (b *board) Rename(_ context.Context, name string) error { return b.say(name) }
func (b *board) Move(_ context.Context, id int64, to uint8, at float64) error {
	return b.say(id, to, at)
}
func (b *board) Assign(_ context.Context, user *int64) error          { return b.say(user) }
func (b *board) Draw(_ context.Context, p point, tags []string) error { return b.say(p, tags) }
func (b *board) Due(_ context.Context, at time.Time, done bool) error { return b.say(at, done) }
func (b *board) Count(context.Context) (int, error)                   { return 7, nil }
func (b *board) Points(context.Context) ([]point, error)              { return []point{{1, 2}}, nil }
func (b *board) Sort(_ context.Context, cards []int64) error          { b.said = []any{cards}; return nil }
func (b *board) URL(context.Context) error                            { return nil }
func (b *board) Break(context.Context) error                          { panic("at the disco") }
func (b *board) Fail(context.Context) (int, error)                    { return 0, Errorf("invalid", "no %s", "way") }
func (b *board) Unable(context.Context) (float64, error)              { return 0, io.ErrUnexpectedEOF }
func (b *board) NoContext(string) error                               { return nil }
func (b *board) Nothing(context.Context)                              {}
func (b *board) Three(context.Context) (int, int, error)              { return 0, 0, nil }
func (b *board) Late(context.Context) (error, int)                    { return nil, 0 } //nolint:revive,staticcheck // what is refused
func (b *board) Many(context.Context, ...string) error                { return nil }
func (b *board) Any(context.Context, any) error                       { return nil }
func (b *board) Chan(context.Context) (chan int, error)               { return nil, nil }

func function(context.Context) error { return nil }

func TestCompile(t *testing.T) {
	m, err := Compile((*board).Move)
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "move" || m.GoName != "Move" || m.Receiver != reflect.TypeFor[*board]() || m.Result != nil {
		t.Errorf("got %+v", m)
	}
	if want := []reflect.Type{reflect.TypeFor[int64](), reflect.TypeFor[uint8](), reflect.TypeFor[float64]()}; !slices.Equal(m.Args, want) {
		t.Errorf("arguments %v, want %v", m.Args, want)
	}
	if m, err = Compile((*board).Points); err != nil || m.Result != reflect.TypeFor[[]point]() {
		t.Errorf("result %v, %v", m.Result, err)
	}
	if m, err = Compile((*board).URL); err != nil || m.Name != "uRL" {
		t.Errorf("name %q, %v: only the first letter is lowered", m.Name, err)
	}
}

func TestCompileRefuses(t *testing.T) {
	b := &board{}
	var none func(*board, context.Context) error
	for name, tt := range map[string]struct {
		fn   any
		want string
	}{
		"no function":   {7, "got int: give a method expression"},
		"nothing":       {none, "give a method expression"},
		"a closure":     {func(*board, context.Context) error { return nil }, "is no method expression"},
		"a value":       {b.Rename, "is no method expression"},
		"a function":    {function, "is no method expression"},
		"no context":    {(*board).NoContext, "action NoContext: its first parameter must be a context.Context"},
		"variadic":      {(*board).Many, "action Many: it is variadic: take a slice"},
		"no error":      {(*board).Nothing, "action Nothing: it must return an error"},
		"error first":   {(*board).Late, "action Late: it must return an error"},
		"two results":   {(*board).Three, "action Three: it must return an error"},
		"any":           {(*board).Any, "action Any: argument 1: interface {} has no type in TypeScript"},
		"result a chan": {(*board).Chan, "action Chan: result: chan int cannot travel as JSON"},
	} {
		if _, err := Compile(tt.fn); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

func call(t *testing.T, b *board, fn any, args string) (json.RawMessage, error) {
	t.Helper()
	m, err := Compile(fn)
	if err != nil {
		t.Fatal(err)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(args), &raw); err != nil {
		t.Fatal(err)
	}
	return m.Call(t.Context(), b, nil, raw)
}

func TestCall(t *testing.T) {
	seven := int64(7)
	for _, tt := range []struct {
		fn   any
		args string
		want []any
	}{
		{(*board).Rename, `["a \"b\""]`, []any{`a "b"`}},
		{(*board).Move, `["9223372036854775807",255,-1.5]`, []any{int64(1<<63 - 1), uint8(255), -1.5}},
		{(*board).Move, `[-3,"0",1e3]`, []any{int64(-3), uint8(0), 1000.0}},
		{(*board).Assign, `["7"]`, []any{&seven}},
		{(*board).Assign, `[null]`, []any{(*int64)(nil)}},
		{(*board).Draw, `[{"X":1,"Y":2},["a"]]`, []any{point{1, 2}, []string{"a"}}},
		{(*board).Sort, `[["9223372036854775807",2]]`, []any{[]int64{1<<63 - 1, 2}}},
		{(*board).Draw, `[{},null]`, []any{point{}, []string(nil)}},
		{(*board).Due, `["2024-01-01T00:00:00Z",true]`, []any{time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), true}},
	} {
		b := &board{}
		result, err := call(t, b, tt.fn, tt.args)
		if err != nil || string(result) != "null" || !reflect.DeepEqual(b.said, tt.want) {
			t.Errorf("%s: got %v, %s, %v; want %v", tt.args, b.said, result, err, tt.want)
		}
	}
	if result, err := call(t, &board{}, (*board).Count, `[]`); err != nil || string(result) != "7" {
		t.Errorf("count: %s, %v", result, err)
	}
	if result, err := call(t, &board{}, (*board).Points, `[]`); err != nil || string(result) != `[{"X":1,"Y":2}]` {
		t.Errorf("points: %s, %v", result, err)
	}
}

func TestWrongArguments(t *testing.T) {
	for _, tt := range []struct {
		fn   any
		args string
		want string
	}{
		{(*board).Rename, `[]`, "action rename: got 0 arguments, want 1"},
		{(*board).Rename, `["a","b"]`, "action rename: got 2 arguments, want 1"},
		{(*board).Rename, `[1]`, "action rename: argument 1: want a string, got number"},
		{(*board).Rename, `[null]`, "action rename: argument 1: want a string, got null"},
		{(*board).Sort, `[["1","one"]]`, "action sort: argument 1: element 2: want an integer"},
		{(*board).Sort, `[{}]`, "action sort: argument 1: want an array, got object"},
		{(*board).Move, `["one",0,0]`, "action move: argument 1: want an integer"},
		{(*board).Move, `[1.5,0,0]`, "action move: argument 1: want an integer, got number 1.5"},
		{(*board).Move, `["",0,0]`, "action move: argument 1: want an integer, got string"},
		{(*board).Move, `[1,256,0]`, "action move: argument 2: want an integer, got number 256"},
		{(*board).Move, `[1,0,"2"]`, "action move: argument 3: want a number, got string"},
		{(*board).Assign, `[true]`, "action assign: argument 1: want an integer, got bool"},
		{(*board).Draw, `[[],[]]`, "action draw: argument 1: want an object, got array"},
		{(*board).Draw, `[{"X":"a"},[]]`, "action draw: argument 1: X: want an integer, got string"},
		{(*board).Draw, `[{},{}]`, "action draw: argument 2: want an array, got object"},
		{(*board).Due, `["today",true]`, "action due: argument 1: want a time like 2006-01-02T15:04:05Z"},
		{(*board).Due, `["2024-01-01T00:00:00Z",1]`, "action due: argument 2: want true or false, got number"},
	} {
		_, err := call(t, &board{}, tt.fn, tt.args)
		e, whole := Public(err)
		if err == nil || !whole || e.Code != "bad_argument" || e.Message != tt.want {
			t.Errorf("%s: got %v, want %q", tt.args, err, tt.want)
		}
	}
}

func TestErrorsOfActions(t *testing.T) {
	_, err := call(t, &board{}, (*board).Fail, `[]`)
	if e, whole := Public(err); !whole || e.Code != "invalid" || e.Message != "no way" || e.Fields != nil {
		t.Errorf("a coded error became %+v, whole %v", e, whole)
	}
	_, err = call(t, &board{}, (*board).Unable, `[]`)
	if e, whole := Public(err); whole || e.Code != "internal" || strings.Contains(e.Message, "EOF") || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an unknown error became %+v, whole %v", e, whole)
	}
	_, err = call(t, &board{}, (*board).Break, `[]`)
	if e, whole := Public(err); whole || e.Code != "internal" || strings.Contains(e.Message, "disco") {
		t.Errorf("a panic became %+v, whole %v", e, whole)
	}
	if text := fmt.Sprint(err); !strings.Contains(text, "action break: panic: at the disco") || !strings.Contains(text, "method_test.go") {
		t.Errorf("what is logged of a panic has no place: %s", text)
	}
}

func TestPublic(t *testing.T) {
	for _, tt := range []struct {
		err   error
		code  string
		whole bool
		retry bool
	}{
		{fmt.Errorf("open: %w", Errorf("denied", "no")), "denied", true, false},
		{Unavailable(), "unavailable", true, true},
		{fmt.Errorf("read: %w", context.DeadlineExceeded), "unavailable", true, true},
		{context.Canceled, "unavailable", true, true},
		{errors.New("password is hunter2"), "internal", false, false},
	} {
		e, whole := Public(tt.err)
		if e.Code != tt.code || whole != tt.whole || e.Retry != tt.retry || strings.Contains(e.Message, "hunter2") {
			t.Errorf("%v: got %+v, whole %v", tt.err, e, whole)
		}
	}
	if got := Errorf("invalid", "at %d", 3).Error(); got != "invalid: at 3" {
		t.Errorf("got %q", got)
	}
}
