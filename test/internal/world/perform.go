package world

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pando-sync/pando/test/internal/model"
)

// ErrRefused is what a transaction ends with that the database does not
// accept: it is rolled back. When PostgreSQL goes away at the commit it may have
// been accepted.
var ErrRefused = errors.New("the database refuses the transaction")

// begins are what begins a transaction that will write.
var begins = map[model.Database]string{model.SQLite: "BEGIN IMMEDIATE", model.Postgres: "BEGIN"}

// Perform makes a transaction. Before it commits it calls before, unless that
// is nil, which may read what will be committed.
func Perform(ctx context.Context, database model.Database, db *sql.DB, tx Tx, before func(conn *sql.Conn) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return broken(database, err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, begins[database]); err != nil {
		return broken(database, err)
	}
	if err = perform(ctx, conn, tx, before); err == nil {
		return nil
	}
	if _, failed := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); failed != nil {
		return broken(database, errors.Join(failed, err))
	}
	if tx.Rollback {
		return nil // it was to come to nothing anyway
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// broken is the error of a connection that does not work. PostgreSQL's go with
// their server now and then.
func broken(database model.Database, err error) error {
	if database == model.Postgres {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return fmt.Errorf("perform: %w", err)
}

func perform(ctx context.Context, conn *sql.Conn, tx Tx, before func(conn *sql.Conn) error) error {
	for _, s := range tx.Statements {
		if _, err := conn.ExecContext(ctx, s.SQL); err != nil {
			return err
		}
	}
	end := "COMMIT"
	if tx.Rollback {
		end = "ROLLBACK"
	} else if before != nil {
		if err := before(conn); err != nil {
			return err
		}
	}
	_, err := conn.ExecContext(ctx, end)
	return err
}
