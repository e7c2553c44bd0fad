package pando

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/schema"
)

// Args are the parameters of a stream's route.
type Args struct{ *arguments }

type arguments struct {
	params []schema.Param
	values []schema.Value
}

func (a Args) value(name string) schema.Value {
	for i, p := range a.params {
		if p.Name == name {
			return a.values[i]
		}
	}
	panic(fmt.Sprintf("pando: the route has no parameter {%s}", name))
}

// String is a parameter's text. It panics when the route has no such
// parameter.
func (a Args) String(name string) string { return a.value(name).String() }

// Int is an integer parameter: the anchor's key, or one that a condition
// compares with integers. It is 0 for others, and panics when the route has no
// such parameter.
func (a Args) Int(name string) int64 { return a.value(name).Int() }

// ArgsOf returns the parameters of a channel's route as a struct of strings,
// integers and booleans: field BoardID, or one tagged `arg:"board_id"`, takes
// {board_id}. It panics when a field has no parameter or another type, which
// is a mistake in the program; text that does not fit the field's type is a
// bad_argument error for the client.
func ArgsOf[T any](c interface{ Args() Args }) (T, error) {
	var t T
	v := reflect.ValueOf(&t).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := c.Args().named(f)
		if err := setArg(v.Field(i), c.Args().String(name)); err != nil {
			return t, rpc.Errorf("bad_argument", "parameter %s: %s", name, err.Error())
		}
	}
	return t, nil
}

// named finds the parameter of a struct's field: BoardID is board_id.
func (a Args) named(f reflect.StructField) string {
	if name := f.Tag.Get("arg"); name != "" {
		return name
	}
	for _, p := range a.params {
		if strings.EqualFold(strings.ReplaceAll(p.Name, "_", ""), f.Name) {
			return p.Name
		}
	}
	panic("pando: the route has no parameter for field " + f.Name)
}

func setArg(v reflect.Value, text string) error {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("want an integer")
		}
		v.SetInt(n)
	case v.CanUint():
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("want a positive integer")
		}
		v.SetUint(n)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("want true or false")
		}
		v.SetBool(b)
	default:
		panic(fmt.Sprintf("pando: arguments cannot be of type %s", v.Type()))
	}
	return nil
}
