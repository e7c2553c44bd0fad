package main

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/pando-sync/pando"
)

// maxPosition bounds positions, which are numbers between those of the
// neighbours, so that a move changes one row. Within it a float64 can halve a gap
// some twenty times; then the page has the list numbered anew.
const maxPosition = 1e9

// placed refuses a position out of bounds.
func placed(position float64) error {
	if math.Abs(position) <= maxPosition { // false for NaN
		return nil
	}
	return pando.Invalid("position", "the position is out of bounds")
}

// SpreadCards numbers the cards of a list anew, when two have come so close that
// none would fit between them.
func (c *BoardChannel) SpreadCards(ctx context.Context, tx *sql.Tx, listID int64) error {
	if err := c.edits(ctx); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE cards SET position = place FROM (
			SELECT cards.id AS card, row_number() OVER (ORDER BY cards.position, cards.id) AS place
			FROM cards JOIN lists ON lists.id = list_id WHERE list_id = $1 AND board_id = $2
		) AS places WHERE id = card`, listID, c.id())
	if err != nil {
		return fmt.Errorf("spread positions: %w", err)
	}
	return nil
}
