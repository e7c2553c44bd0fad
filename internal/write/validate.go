package write

import (
	"context"
	"fmt"
	"reflect"

	"github.com/pando-sync/pando/schema"
)

// The methods by which a struct validates its rows.
type (
	validates        interface{ Validate() error }
	validatesContext interface {
		Validate(ctx context.Context) error
	}
)

// Validator is what asks the struct's method Validate, nil when it has none. The
// error says that the method has another signature.
func Validator(typ *schema.Type) (func(context.Context, schema.Row) error, error) {
	p := reflect.PointerTo(typ.GoType)
	_, named := p.MethodByName("Validate")
	switch {
	case !named:
		return nil, nil
	case !p.Implements(reflect.TypeFor[validates]()) && !p.Implements(reflect.TypeFor[validatesContext]()):
		return nil, fmt.Errorf("method Validate of %s has another signature than the hook: want Validate(ctx context.Context) error, or Validate() error", typ.Name)
	}
	return func(ctx context.Context, row schema.Row) error {
		v := reflect.New(typ.GoType)
		if err := typ.Decode(row, v.Interface()); err != nil {
			return err
		}
		if in, ok := reflect.TypeAssert[validatesContext](v); ok {
			return in.Validate(ctx)
		}
		in, _ := reflect.TypeAssert[validates](v)
		return in.Validate()
	}, nil
}
