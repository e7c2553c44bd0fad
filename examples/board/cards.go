package main

import (
	"context"
	"database/sql"

	"github.com/pando-sync/pando"
)

// CanSaveList lets editors rename and move lists.
func (c *BoardChannel) CanSaveList(ctx context.Context, _ List, _ pando.Data[List]) error {
	return c.edits(ctx)
}

// CanCreateList lets editors add lists.
func (c *BoardChannel) CanCreateList(ctx context.Context, _ pando.Data[List]) error {
	return c.edits(ctx)
}

// CanDeleteList lets editors delete lists with their cards.
func (c *BoardChannel) CanDeleteList(ctx context.Context, _ List) error { return c.edits(ctx) }

// CanSaveCard lets editors change cards, and move them to other lists of the
// board.
func (c *BoardChannel) CanSaveCard(ctx context.Context, _ Card, data pando.Data[Card]) error {
	if err := c.edits(ctx); err != nil {
		return err
	}
	return c.assigns(ctx, data)
}

// CanCreateCard lets editors add cards.
func (c *BoardChannel) CanCreateCard(ctx context.Context, data pando.Data[Card]) error {
	if err := c.edits(ctx); err != nil {
		return err
	}
	return c.assigns(ctx, data)
}

// CanDeleteCard lets editors delete cards with their comments.
func (c *BoardChannel) CanDeleteCard(ctx context.Context, _ Card) error { return c.edits(ctx) }

// assigns refuses to give a card to who is no member. The tree has others, too:
// those who have left comments.
func (c *BoardChannel) assigns(ctx context.Context, data pando.Data[Card]) error {
	to := data.New().AssigneeID
	if to == nil || !data.Has("Assignee") {
		return nil
	}
	role, err := roleOn(ctx, c.db, c.id(), *to)
	if err == nil && role == "" {
		return pando.Invalid("assignee", "cards are given to members of the board")
	}
	return err
}

// ArchiveDone takes the cards that are done off the board and tells how many.
func (c *BoardChannel) ArchiveDone(ctx context.Context, tx *sql.Tx) (int64, error) {
	if err := c.edits(ctx); err != nil {
		return 0, err
	}
	result, err := tx.ExecContext(ctx, `UPDATE cards SET archived = TRUE
		WHERE done AND NOT archived AND list_id IN (SELECT id FROM lists WHERE board_id = $1)`, c.id())
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
