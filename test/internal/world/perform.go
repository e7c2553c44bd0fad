package world

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrRefused is what a transaction ends with that the database does not
// accept: it is rolled back.
var ErrRefused = errors.New("the database refuses the transaction")

// Perform makes a transaction. Before it commits it calls before, unless that
// is nil, which may read what will be committed.
func Perform(ctx context.Context, db *sql.DB, tx Tx, before func(conn *sql.Conn) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("perform: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("perform: %w", err)
	}
	if err = perform(ctx, conn, tx, before); err == nil {
		return nil
	}
	if _, failed := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); failed != nil {
		return fmt.Errorf("perform: roll back: %w", errors.Join(failed, err))
	}
	if tx.Rollback {
		return nil // it was to come to nothing anyway
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
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
