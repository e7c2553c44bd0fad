package pandogorm

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"
)

// Tx is a session of db in a transaction that Pando opened: the second argument of
// an action, the one of Channel.Tx, or what pando.TxOf returns. All that it does is
// part of the transaction; db lends its dialect, configuration, callbacks and
// scopes of models. The session ends with the transaction, and its statements with
// ctx.
//
// Its Transaction makes a savepoint. Commit and Rollback fail, since the
// transaction is ended by who opened it: return an error to roll it back.
func Tx(ctx context.Context, tx *sql.Tx, db *gorm.DB) *gorm.DB {
	session := db.Session(&gorm.Session{Context: ctx, NewDB: true, SkipDefaultTransaction: true})
	session.Statement.ConnPool = &pool{tx}
	return session
}

var errNotYours = errors.New("pandogorm: the transaction is ended by who opened it: return an error to roll it back")

// pool has GORM's statements in a transaction, which it does not end.
type pool struct{ *sql.Tx }

var (
	_ gorm.ConnPool    = (*pool)(nil)
	_ gorm.TxCommitter = (*pool)(nil)
)

// Commit implements gorm.TxCommitter, by which GORM knows that it is in a
// transaction.
func (*pool) Commit() error { return errNotYours }

// Rollback implements gorm.TxCommitter.
func (*pool) Rollback() error { return errNotYours }
