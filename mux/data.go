package mux

import "github.com/pando-sync/pando/internal/write"

// Data is what a client asks to be set of a row of T, as a binding's own Create and
// Update see it. It is used while such a function runs, by one goroutine.
//
// Fields go by their names in Go ("DueAt") or on the wire ("due_at").
type Data[T any] struct{ change *write.Change }

// Has tells whether the client gives a field. It panics when T has no stored field
// of that name, and the binding none that clients may write: a name that is misspelt
// must not be taken for a field that was left out.
func (d Data[T]) Has(field string) bool { return d.change.Has(field) }

// Fields are the names on the wire of the fields that the client gives, in the order
// of T's. Relations come last.
func (d Data[T]) Fields() []string { return d.change.Fields() }

// New is the row as it would be: the present one, or of a row that is created the
// zero T, with what the client gives and Set has set. Relations are not set, nor what
// the database sets by itself.
func (d Data[T]) New() T {
	var row T
	if err := d.change.Type().Decode(d.change.New(), &row); err != nil {
		panic(err) // what clients send was tried before
	}
	return row
}

// Set sets a field of what New returns to a value of the server's own, whatever the
// client gives: any stored column that T declares. The value is one of the field's
// type, or what its column could hold; nil is NULL.
func (d Data[T]) Set(field string, value any) error { return d.change.Set(field, value) }
