package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"

	"github.com/pando-sync/pando"
)

// CanCreateComment lets editors comment, in their own name.
func (c *BoardChannel) CanCreateComment(ctx context.Context, data pando.Data[Comment]) error {
	if err := c.edits(ctx); err != nil {
		return err
	}
	return data.Set("AuthorID", userOf(c.User()))
}

// CanSaveComment lets editors change what they said.
func (c *BoardChannel) CanSaveComment(ctx context.Context, old Comment, _ pando.Data[Comment]) error {
	if old.AuthorID == nil || *old.AuthorID != userOf(c.User()) {
		return pando.Errorf("denied", "this comment is another's")
	}
	return c.edits(ctx)
}

// CanDeleteComment lets editors take back what they said, and owners any comment.
func (c *BoardChannel) CanDeleteComment(ctx context.Context, old Comment) error {
	if old.AuthorID == nil || *old.AuthorID != userOf(c.User()) {
		return c.owns(ctx)
	}
	return c.edits(ctx)
}

// startReading has the user's unread comments counted: those from the first look
// at the board on.
func (c *BoardChannel) startReading(ctx context.Context) error {
	_, err := c.db.ExecContext(ctx, `INSERT INTO comments_read (board_id, user_id, comment_id)
		VALUES ($1, $2, (SELECT coalesce(max(id), 0) FROM comments)) ON CONFLICT DO NOTHING`, c.id(), userOf(c.User()))
	if err != nil {
		return fmt.Errorf("begin to count comments: %w", err)
	}
	return c.count(ctx)
}

// ReadComments is called when the user has seen all comments.
func (c *BoardChannel) ReadComments(ctx context.Context) error {
	_, err := c.db.ExecContext(ctx, `UPDATE comments_read SET comment_id = (SELECT coalesce(max(id), 0) FROM comments)
		WHERE board_id = $1 AND user_id = $2`, c.id(), userOf(c.User()))
	if err != nil {
		return fmt.Errorf("note what was read: %w", err)
	}
	// The user's other windows hear of it as of a comment.
	return c.GroupSend(ctx, c.group(), "comments", struct{}{})
}

// OnComments is told that comments of the board came or went, or were read.
func (c *BoardChannel) OnComments(ctx context.Context, _ struct{}) error { return c.count(ctx) }

// OnGap is called when that may have been missed.
func (c *BoardChannel) OnGap(ctx context.Context) error { return c.count(ctx) }

func (c *BoardChannel) count(ctx context.Context) error {
	var unread int
	err := c.db.QueryRowContext(ctx, `SELECT count(*) FROM comments_read AS r
		JOIN lists ON lists.board_id = r.board_id
		JOIN cards ON cards.list_id = lists.id AND NOT cards.archived
		JOIN comments ON comments.card_id = cards.id
		WHERE r.board_id = $1 AND r.user_id = $2 AND comments.id > r.comment_id AND comments.author_id IS DISTINCT FROM r.user_id`,
		c.id(), userOf(c.User())).Scan(&unread)
	if err != nil {
		return fmt.Errorf("count comments: %w", err)
	}
	return c.SetRuntime(func(r *BoardRuntime) { r.Unread = unread })
}

// tellOfComments goes around requests: when a comment is committed, the board's
// streams count anew, and who is mentioned in it is told.
func tellOfComments(app *pando.App, db *sql.DB, log *slog.Logger) func(pando.Handler) pando.Handler {
	tell := func(ctx context.Context, r *pando.Request, value json.RawMessage) error {
		board, err := strconv.ParseInt(strings.TrimPrefix(r.Route, "boards/"), 10, 64)
		if err != nil {
			return err
		}
		if err := app.GroupSend(ctx, groupOf(board), "comments", struct{}{}); err != nil || r.Write.Op != "create" {
			return err
		}
		return mention(ctx, app, db, board, value)
	}
	return func(next pando.Handler) pando.Handler {
		return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
			value, err := next(ctx, r)
			if err != nil || r.Write == nil || r.Write.Type != "Comment" {
				return value, err
			}
			// The comment is written, whatever becomes of the news.
			if err := tell(ctx, r, value); err != nil {
				log.WarnContext(ctx, "cannot tell of a comment", "error", err)
			}
			return value, nil
		}
	}
}

var mentioned = regexp.MustCompile(`@(\w+)`)

// mention tells the members whom a comment names, as in "@grace".
func mention(ctx context.Context, app *pando.App, db *sql.DB, board int64, comment json.RawMessage) error {
	var id, body, text string
	if err := json.Unmarshal(comment, &id); err != nil {
		return fmt.Errorf("read the key of a comment: %w", err)
	}
	err := db.QueryRowContext(ctx, `SELECT body, users.name || ' mentioned you: ' || cards.title
		FROM comments JOIN cards ON cards.id = card_id JOIN users ON users.id = author_id WHERE comments.id = $1`, id).Scan(&body, &text)
	if err != nil {
		return fmt.Errorf("read a comment: %w", err)
	}
	told := map[string]bool{}
	for _, name := range mentioned.FindAllStringSubmatch(body, -1) {
		var user string
		err := db.QueryRowContext(ctx, `SELECT users.id FROM users JOIN board_members ON user_id = users.id
			WHERE board_id = $1 AND username = $2`, board, name[1]).Scan(&user)
		if err != nil || told[user] { // no member is called that
			continue
		}
		told[user] = true
		if err := app.Notify(ctx, pando.At[*BoardChannel](board), "mention", text, pando.ToUser(user)); err != nil {
			return err
		}
	}
	return nil
}
