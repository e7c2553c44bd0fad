package main

import (
	"context"
	"database/sql"
	"fmt"
	"math"
)

// A position is a number between those of the neighbours, so that a move
// changes one row. Halving the same gap takes some twenty moves to reach
// minGap; then the list is numbered anew. Within maxPosition a float64 is
// still exact enough for minGap.
const (
	minGap      = 1e-6
	maxPosition = 1e9
)

func validPosition(p float64) bool { return math.Abs(p) <= maxPosition } // false for NaN

// spread numbers the cards of a list anew when two have come too close.
func spread(ctx context.Context, tx *sql.Tx, list int64) error {
	var tight bool
	err := tx.QueryRowContext(ctx, `SELECT coalesce(min(gap) < ?, FALSE) FROM (
			SELECT position - lag(position) OVER (ORDER BY position) AS gap FROM cards WHERE list_id = ?
		)`, minGap, list).Scan(&tight)
	if err != nil {
		return fmt.Errorf("look for close positions: %w", err)
	}
	if !tight {
		return nil
	}
	_, err = tx.ExecContext(ctx, `UPDATE cards SET position = place FROM (
			SELECT id AS card, row_number() OVER (ORDER BY position, id) AS place FROM cards WHERE list_id = ?
		) WHERE id = card`, list)
	if err != nil {
		return fmt.Errorf("spread positions: %w", err)
	}
	return nil
}
