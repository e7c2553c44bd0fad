package mux

import (
	"context"

	"github.com/pando-sync/pando/token"
)

// Op is what is done to a row.
type Op string

// The operations, as messages name them.
const (
	Create Op = "create"
	Update Op = "update"
	Delete Op = "delete"
)

// AllFields names all of a model's fields for Binding.Fields.
const AllFields = "__all__"

// Binding exposes a model on a stream: rows that change, whoever changes them, are
// told to the groups that GroupNames gives, and clients create, update and delete
// them. T is the model, a struct over a table as in a channel's state. A *Binding
// is a Consumer. It must not be changed once it is given to an app.
type Binding[T any] struct {
	// Stream is the name in the messages that go out, which is also that in
	// Demultiplexer.Consumers.
	Stream string
	// Fields are the fields that are told and may be written, by their names on the
	// wire, without the key; AllFields for all. Required.
	Fields []string
	// GroupNames are the groups that a row belongs to. It must depend on the row
	// alone: no clock, user or I/O. Required.
	GroupNames func(row *T) []string
	// HasPermission tells whether a user may do something. old is the row as it is in
	// the database, nil for a creation; new is the row as it would be, nil for a
	// deletion. It runs in the write's transaction, with the row locked. Without it
	// nothing may be written.
	HasPermission func(ctx context.Context, user token.Identity, op Op, old, new *T) (bool, error)
	// Create, Update and Delete, where they are set, do in the transaction of ctx
	// (pando.TxOf) what otherwise the insert, update or delete of the row does.
	// Permission and fields are checked before. Create returns the key of the row.
	Create func(ctx context.Context, user token.Identity, data Data[T]) (key any, err error)
	Update func(ctx context.Context, user token.Identity, key any, data Data[T]) error
	Delete func(ctx context.Context, user token.Identity, key any) error
	// Serialize, where it is set, makes the data of what is told of a row.
	Serialize func(row *T) (any, error)
	// Model is the name in what is told, "app.message" unless set: the Go package
	// (of a program: its folder) and the struct, in small letters.
	Model string
	// OrderBy and Limit are of the rows that a subscription begins with: columns, "-"
	// before one for descending, then the key. 0 is all rows of the connection's
	// groups, 10,000 at most.
	OrderBy []string
	Limit   int
}
