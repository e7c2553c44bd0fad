package main

import (
	"context"
	"database/sql"

	"github.com/pando-sync/pando"
)

// AddCard adds a card at the end of a list.
func (c *BoardChannel) AddCard(ctx context.Context, listID int64, title string) error {
	title, err := tidy("title", title, maxTitle)
	if err != nil {
		return err
	}
	return c.changeList(ctx, listID, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO cards (list_id, title, position)
			SELECT ?, ?, coalesce(max(position), 0) + 1 FROM cards WHERE list_id = ?`, listID, title, listID)
		return err
	})
}

// MoveCard puts a card into a list, at a position among its cards: a number
// between those of its new neighbours.
func (c *BoardChannel) MoveCard(ctx context.Context, cardID, listID int64, position float64) error {
	if !validPosition(position) {
		return pando.Errorf("invalid", "the position is out of bounds")
	}
	return c.changeCard(ctx, cardID, func(tx *sql.Tx) error {
		if err := c.holdsList(ctx, tx, listID); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE cards SET list_id = ?, position = ? WHERE id = ?`,
			listID, position, cardID); err != nil {
			return err
		}
		return spread(ctx, tx, listID)
	})
}

// RenameCard gives a card another title.
func (c *BoardChannel) RenameCard(ctx context.Context, cardID int64, title string) error {
	title, err := tidy("title", title, maxTitle)
	if err != nil {
		return err
	}
	return c.changeCard(ctx, cardID, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE cards SET title = ? WHERE id = ?`, title, cardID)
		return err
	})
}

// SetDone says whether a card is done.
func (c *BoardChannel) SetDone(ctx context.Context, cardID int64, done bool) error {
	return c.changeCard(ctx, cardID, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE cards SET done = ? WHERE id = ?`, done, cardID)
		return err
	})
}

// Assign gives a card to a member of the board, or to nobody.
func (c *BoardChannel) Assign(ctx context.Context, cardID int64, userID *int64) error {
	return c.changeCard(ctx, cardID, func(tx *sql.Tx) error {
		if userID != nil {
			ok, err := isMember(ctx, tx, c.id(), *userID)
			if err != nil {
				return err
			}
			if !ok {
				return pando.Errorf("invalid", "cards are given to members of the board")
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE cards SET assignee_id = ? WHERE id = ?`, userID, cardID)
		return err
	})
}

// DeleteCard removes a card with its comments.
func (c *BoardChannel) DeleteCard(ctx context.Context, cardID int64) error {
	return c.changeCard(ctx, cardID, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM cards WHERE id = ?`, cardID)
		return err
	})
}

// AddComment says something about a card.
func (c *BoardChannel) AddComment(ctx context.Context, cardID int64, body string) error {
	body, err := tidy("comment", body, maxComment)
	if err != nil {
		return err
	}
	return c.changeCard(ctx, cardID, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO comments (card_id, author_id, body) VALUES (?, ?, ?)`,
			cardID, userOf(c.User()), body)
		return err
	})
}

// changeCard runs fn in a transaction, in which the card is on the board.
func (c *BoardChannel) changeCard(ctx context.Context, card int64, fn func(*sql.Tx) error) error {
	return c.change(ctx, func(tx *sql.Tx) error {
		var ok bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM cards JOIN lists ON lists.id = cards.list_id
			WHERE cards.id = ? AND lists.board_id = ?)`, card, c.id()).Scan(&ok)
		if err != nil {
			return err
		}
		if !ok {
			return pando.Errorf("conflict", "the card is not on this board any more")
		}
		return fn(tx)
	})
}
