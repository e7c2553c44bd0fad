package world

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// ErrRefused is what a transaction ends with that the database does not
// accept: it is rolled back.
var ErrRefused = errors.New("the database refuses the transaction")

// Perform makes a transaction.
func Perform(ctx context.Context, db *sql.DB, tx Tx) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("perform: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("perform: %w", err)
	}
	end := "COMMIT"
	if tx.Rollback {
		end = "ROLLBACK"
	}
	for _, statement := range append(slices.Clip(tx.SQL), end) {
		if _, err = conn.ExecContext(ctx, statement); err != nil {
			break
		}
	}
	if err == nil {
		return nil
	}
	if _, failed := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); failed != nil {
		return fmt.Errorf("perform: roll back: %w", failed)
	}
	if tx.Rollback {
		return nil // it was to come to nothing anyway
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}
