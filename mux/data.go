package mux

import "github.com/pando-sync/pando/internal/write"

// Data is what a client asks to be set of a row of T.
type Data[T any] struct{ change *write.Change }

// Has tells whether the client gives a field, by its name on the wire.
func (d Data[T]) Has(field string) bool { return d.change.Has(field) }

// Fields are the names of the fields that the client gives.
func (d Data[T]) Fields() []string { return d.change.Fields() }
