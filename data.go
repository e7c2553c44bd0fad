package pando

import (
	"fmt"
	"reflect"

	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/schema"
)

// Data is what a client wants to set of a row of T, as permission functions see
// it: see [Save] and [Create]. It is used while such a function runs, by one
// goroutine.
//
// Fields go by their names in Go ("DueAt") or on the wire ("due_at"), relations
// by theirs ("Assignee", "assignee").
type Data[T any] struct{ change *write.Change }

// Has tells whether the client sets a field. What the server has set, by Set or
// since the row is created where it is, does not count. It panics when T has no
// stored field of that name, and none that clients may set: a name that is
// misspelt permits nothing.
func (d Data[T]) Has(field string) bool { return d.change.Has(field) }

// Fields are the names on the wire of what the client sets, in the order of T's
// fields. Relations come last.
func (d Data[T]) Fields() []string { return d.change.Fields() }

// New is the row as it would be: the present one, or of a row that is created
// the zero T, with what the client and the server set. Relations are not set,
// nor what the database sets by itself.
func (d Data[T]) New() T {
	row, err := decodeRow[T](d.change.Type(), d.change.New())
	if err != nil {
		panic(err) // what clients send was tried before
	}
	return row
}

// Set sets a field to a value of the server's own, such as the author, whatever
// the client has set. It may set every stored column that T declares, also those
// that clients may not and that are never sent, and the key of a row that is
// created; a relation is set to the key of what it is to show. The value is one
// of the field's type, or what its column could hold; nil is NULL. No permission
// to link is asked for it.
func (d Data[T]) Set(field string, value any) error { return d.change.Set(field, value) }

// decodeRow makes a row of the type a T: the type's struct, or an interface that
// it implements.
func decodeRow[T any](typ *schema.Type, row schema.Row) (T, error) {
	var zero T
	v := reflect.New(typ.GoType)
	if err := typ.Decode(row, v.Interface()); err != nil {
		return zero, err
	}
	t, ok := reflect.TypeAssert[T](v.Elem())
	if !ok {
		return zero, fmt.Errorf("a %s is no %s", typ.GoType, reflect.TypeFor[T]())
	}
	return t, nil
}
