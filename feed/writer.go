package feed

import (
	"context"
	"database/sql"
	"errors"

	"github.com/pando-sync/pando/schema"
)

// Writer is a Source that writes, too. Writes of clients, and actions that take
// a transaction, need one.
type Writer interface {
	Source
	// Begin opens a transaction for writing. It waits its turn until ctx ends
	// where the database has one writer at a time: whoever has a transaction must
	// not begin another before its end. Setup must have returned before.
	Begin(ctx context.Context) (Tx, error)
}

// Tx is one write transaction. It is used by one goroutine, and ends with its
// first Commit or Rollback, or with the context that it was opened with, which
// rolls it back. One of them must come: the transaction may hold what others
// wait for.
type Tx interface {
	// SQL is the transaction itself, for an author's statements. It must be ended
	// by Commit and Rollback of the Tx alone.
	SQL() *sql.Tx
	// Claim takes a request for this transaction and, once it is committed, for
	// ever after: a request is applied once. When another transaction has
	// committed the same request it returns the reply that was stored then, and
	// true. It waits for one that is under way.
	Claim(ctx context.Context, r Claim) (reply []byte, done bool, err error)
	// Reply stores the reply of the request that was claimed, to be committed with
	// what it did; without a claim it is an error.
	Reply(ctx context.Context, reply []byte) error
	// Rows reads as Snapshot.Rows does, as the transaction sees it, and locks the
	// rows until its end: with Exclusive nobody else may lock them, else nobody may
	// write them. fn must not use the transaction.
	Rows(ctx context.Context, q Query, lock Lock, fn func(schema.Row) error) error
	// Insert inserts a row and returns its key. Columns that are not named get the
	// database's defaults. A value is stored as the column's others are, as far as
	// the column can tell it: one of whole seconds cuts a time. What a constraint
	// refuses is a *ConstraintError; after any error only Rollback is sure to work.
	Insert(ctx context.Context, t *schema.Table, set []Assignment) (schema.Value, error)
	// Update sets columns of the row with a key, and Delete deletes it. A row that
	// does not exist is no error.
	Update(ctx context.Context, t *schema.Table, key schema.Value, set []Assignment) error
	Delete(ctx context.Context, t *schema.Table, key schema.Value) error
	// Commit makes all of it durable and lets the feed deliver it. After an error of
	// it nothing is known of the transaction, unless the error is ErrRolledBack;
	// that of a constraint which is looked at in the end is a *ConstraintError, too.
	Commit() error
	// Rollback undoes all of it; after Commit it does nothing.
	Rollback() error
}

// Lock says against what Tx.Rows locks.
type Lock bool

// The locks.
const (
	Shared    Lock = false
	Exclusive Lock = true
)

// Claim names a request among all that are applied once.
type Claim struct {
	// Owner is the user whose request it is, Key what the client calls it. Any of
	// them may be empty.
	Owner, Key string
	// Print tells requests apart that have one key by mistake: a claim of another
	// print is ErrOtherRequest.
	Print string
}

// ClaimsKept is for how many seconds at least a claim is remembered.
const ClaimsKept = 3600

// ErrOtherRequest is returned for a claim whose key another request had.
var ErrOtherRequest = errors.New("feed: another request has this key")

// ErrRolledBack is wrapped by an error of Commit after which the transaction
// has certainly not been applied, and may be made again.
var ErrRolledBack = errors.New("feed: the transaction was rolled back")

// Assignment is a value for a stored column.
type Assignment struct {
	// Column is an index in Table.Columns.
	Column int
	Value  schema.Value
}

// Constraint is a kind of what a database refuses.
type Constraint uint8

// The constraints.
const (
	Unique Constraint = iota
	NotNull
	ForeignKey
	Check
)

// ConstraintError tells that a statement met a constraint of the database.
type ConstraintError struct {
	Constraint Constraint
	// Column is the index in Table.Columns of the column concerned, -1 when the
	// database does not tell, or names several, or one that no type declares.
	Column int
	Err    error
}

// Error implements error.
func (e *ConstraintError) Error() string { return e.Err.Error() }

// Unwrap returns the database's own error.
func (e *ConstraintError) Unwrap() error { return e.Err }
