package mux

import (
	"context"
	"encoding/json"
	"reflect"
	"sync"

	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/write"
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
const AllFields = bind.AllFields

// Binding exposes a model on a stream: rows that change, whoever changes them, are
// told to the groups that GroupNames gives, and clients create, update and delete
// them. T is the model, a struct over a table as in a channel's state; its tags mean
// the same. A *Binding is a [Consumer]; one may serve several demultiplexers, and
// several apps. It must not be changed once it is given to an app, nor copied.
//
// What is told of a row is
//
//	{"action":"create","pk":1,"data":{"message":"hello"},"model":"app.message"}
//
// or "update", or "delete" without data. A column is told as in a channel's state,
// but for times, which have milliseconds: "2006-01-02T15:04:05.000Z". pk, and what
// a belongs-to relation leads to, are told as the key: an integer as a number, and as
// a string only beyond 2^53. A many-to-many relation is the array of such keys, those
// that the table between had after the commit: what changes there alone is an update
// of the row. A row that is deleted softly is none.
//
// Clients send {"action":"create","data":{…}}, {"action":"update","pk":1,"data":{…}}
// and {"action":"delete","pk":1}. A message is carried out in a transaction of its
// own, in which the row is locked. It is refused, in this order, when a field is not
// declared ("invalid"), when there is no such row ("not_found"), when HasPermission
// says no ("denied"), when a value is none of its field or T's method
// Validate(ctx) error, or Validate() error, returns an error, ("invalid"), and when
// the database does not take it ("conflict", "invalid"). Messages that come with an
// id are answered by what others are told of the row.
//
// {"action":"subscribe"} asks for the rows that there are, in parts of
// {"action":"snapshot","model":"app.message","rows":[{"pk":1,"data":{…}}],"more":true},
// the last without more. Every change follows, none twice. After something was
// lost, and after the connection has joined or left a group, a snapshot comes again,
// which stands for all that was told before; {"action":"unsubscribe"} ends that. Who
// does not subscribe is told of changes alone.
//
// An error of a function here reaches the client with its code if it has one
// (pando.Errorf), else as "internal". Functions may be called more than once for
// one message, when the database rolls its transaction back for the sake of others.
type Binding[T any] struct {
	// Stream is the name in the messages that go out, which is also that in
	// Demultiplexer.Consumers: 1 to 64 of A-Z a-z 0-9 . _ -.
	Stream string
	// Fields are the fields that are told and may be written, by their names on the
	// wire, without the key; AllFields for all. Belongs-to relations are among them
	// and stand for the key of what they lead to. Required. Fields that are tagged
	// readonly, and computed ones, are only told, those tagged writeonly only written.
	// Many-to-many relations stand for the keys of what they lead to; a client that
	// gives them has the rows of the table between set, behind Create or Update. What
	// else is of other tables, has-many relations and what is counted or computed of
	// them, is not told: naming it is refused.
	Fields []string
	// GroupNames are the groups that a row belongs to: names of 1 to 99 of A-Z a-z
	// 0-9 . _ -. It must depend on the row alone: no clock, user or I/O. Relations of
	// the row are not set. Required.
	GroupNames func(row *T) []string
	// HasPermission tells whether a user may do something. old is the row as it is in
	// the database, nil for a creation; new is the row as it would be, but for what the
	// database sets by itself, nil for a deletion. Of relations only those
	// many-to-many that are among Fields are set, to rows of which nothing but the key
	// is. It runs in the write's transaction (pando.TxOf), with the row locked. Without it nothing may
	// be written.
	HasPermission func(ctx context.Context, user token.Identity, op Op, old, new *T) (bool, error)
	// Create, Update and Delete, where they are set, do in the transaction of ctx
	// (pando.TxOf) what otherwise the insert, update or delete of the row does.
	// Permission, fields and values are checked before, and what others are told is
	// the row as they leave it; what a constraint of the database refuses is theirs to
	// tell (pando.Errorf("conflict", …)). Create returns the key of the row, and is
	// needed where the database makes none. A key is an int64 or a string, as
	// database/sql takes it; one of several columns is the string that it is on the
	// wire.
	Create func(ctx context.Context, user token.Identity, data Data[T]) (key any, err error)
	Update func(ctx context.Context, user token.Identity, key any, data Data[T]) error
	Delete func(ctx context.Context, user token.Identity, key any) error
	// Serialize, where it is set, makes the data of what is told of a row, which is
	// encoded as JSON. It must depend on the row alone, of whose relations those are
	// set that HasPermission has.
	Serialize func(row *T) (any, error)
	// Model is the name in what is told, "app.message" unless set: the Go package
	// (of a program: its folder) and the struct, in small letters.
	Model string
	// OrderBy and Limit are of the rows that a subscription begins with: columns of
	// Fields, or the key's, "-" before one for descending, then the key. 0 is all rows
	// of the connection's groups, 10,000 at most. They are looked for in this order,
	// and not beyond the first million rows of the table, of which the log warns.
	OrderBy []string
	Limit   int

	once sync.Once
	spec *bind.Spec // what identifies the binding; guarded by once
}

var _ Consumer = (*Binding[struct{}])(nil)

// Connect implements [Consumer]; there is nothing to do.
func (b *Binding[T]) Connect(context.Context, *Stream) error { return nil }

// Receive implements [Consumer]: it carries out a create, update or delete, for the
// app that calls it.
func (b *Binding[T]) Receive(ctx context.Context, s *Stream, payload json.RawMessage) (any, error) {
	return bind.Receive(ctx, b.Spec(), s.User(), payload)
}

// Disconnect implements [Consumer]; there is nothing to do.
func (b *Binding[T]) Disconnect(context.Context, *Stream) {}

// Spec is the binding without its type, for the app. It is the same for each call.
func (b *Binding[T]) Spec() *bind.Spec {
	b.once.Do(func() { b.spec = b.untyped() })
	return b.spec
}

func (b *Binding[T]) untyped() *bind.Spec {
	s := &bind.Spec{
		Stream: b.Stream, Model: b.Model, GoType: reflect.TypeFor[T](), Fields: b.Fields,
		OrderBy: b.OrderBy, Limit: b.Limit, Delete: b.Delete,
	}
	if b.GroupNames != nil {
		s.Groups = func(row any) []string { return b.GroupNames(as[T](row)) }
	}
	if b.HasPermission != nil {
		s.Permit = func(ctx context.Context, user token.Identity, op bind.Op, before, after any) (bool, error) {
			return b.HasPermission(ctx, user, Op(op), as[T](before), as[T](after))
		}
	}
	if b.Create != nil {
		s.Create = func(ctx context.Context, user token.Identity, data *write.Change) (any, error) {
			return b.Create(ctx, user, Data[T]{data})
		}
	}
	if b.Update != nil {
		s.Update = func(ctx context.Context, user token.Identity, key any, data *write.Change) error {
			return b.Update(ctx, user, key, Data[T]{data})
		}
	}
	if b.Serialize != nil {
		s.Serialize = func(row any) (any, error) { return b.Serialize(as[T](row)) }
	}
	return s
}

// as is a row as its type, nil for none.
func as[T any](row any) *T {
	t, _ := row.(*T)
	return t
}
