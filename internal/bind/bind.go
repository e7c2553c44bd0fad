// Package bind is the models that streams expose: it tells groups of rows that
// have changed, begins subscriptions with the rows that there are, and makes the
// writes of clients.
package bind

import (
	"context"
	"reflect"

	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/token"
)

// Op is what is done to a row.
type Op string

// The operations.
const (
	Create Op = "create"
	Update Op = "update"
	Delete Op = "delete"
)

// Spec is a binding without its type: rows are *T, as any.
type Spec struct {
	Stream, Model string
	GoType        reflect.Type
	Fields        []string
	Groups        func(row any) []string
	Permit        func(ctx context.Context, user token.Identity, op Op, old, new any) (bool, error)
	Create        func(ctx context.Context, user token.Identity, data *write.Change) (key any, err error)
	Update        func(ctx context.Context, user token.Identity, key any, data *write.Change) error
	Delete        func(ctx context.Context, user token.Identity, key any) error
	Serialize     func(row any) (any, error)
	OrderBy       []string
	Limit         int
}
