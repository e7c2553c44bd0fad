package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/token"
)

// The demo's boards. Positions follow from the order.
type (
	demoBoard struct {
		name    string
		owner   string
		members []demoMember
		lists   []demoList
	}
	demoMember struct {
		username string
		role     Role
	}
	demoList struct {
		name  string
		cards []demoCard
	}
	demoCard struct {
		title    string
		assignee string // "" for nobody
		done     bool
		comments []demoComment
	}
	demoComment struct{ author, body, at string }
)

// demoLogins are the users who can log in; demoPeople only have cards.
var (
	demoLogins = [][3]string{
		{"ada", "lovelace", "Ada Lovelace"},
		{"grace", "hopper", "Grace Hopper"},
		{"mary", "somerville", "Mary Somerville"},
	}
	demoPeople = [][2]string{
		{"katherine", "Katherine Johnson"},
		{"alan", "Alan Turing"},
	}
)

var demoBoards = []demoBoard{
	{
		name: "Autumn release", owner: "ada",
		members: []demoMember{
			{"ada", RoleOwner}, {"grace", RoleEditor}, {"katherine", RoleEditor}, {"alan", RoleEditor}, {"mary", RoleViewer},
		},
		lists: []demoList{
			{"Ideas", []demoCard{
				{title: "Let people name their own colours"},
				{title: "Print a board on one sheet of paper", assignee: "alan"},
				{title: "Ask three schools to try it", assignee: "katherine", comments: []demoComment{
					{"katherine", "Two have answered. Both want it before the holidays.", "2026-10-02T08:15:00.000Z"},
				}},
				{title: "A keyboard shortcut for everything"},
			}},
			{"Next", []demoCard{
				{title: "Write the upgrade guide", assignee: "grace", comments: []demoComment{
					{"ada", "Could it begin with what does not change?", "2026-10-05T09:02:00.000Z"},
					{"grace", "Good idea. That is the longest list, too.", "2026-10-05T09:20:00.000Z"},
				}},
				{title: "Measure start-up on an old laptop", assignee: "katherine"},
				{title: "Choose photographs for the front page"},
				{title: "Check every text with a screen reader", assignee: "ada"},
			}},
			{"In progress", []demoCard{
				{title: "Dragging cards with the keyboard", assignee: "ada", comments: []demoComment{
					{"grace", "Space to lift, arrows to move: feels right at once.", "2026-10-06T13:40:00.000Z"},
					{"ada", "Escape puts it back now, from another list as well.", "2026-10-06T14:05:00.000Z"},
					{"alan", "And the announcements are clear. Ship it.", "2026-10-06T15:31:00.000Z"},
				}},
				{title: "Dark theme for late evenings", assignee: "grace"},
				{title: "Import from a spreadsheet", assignee: "alan", comments: []demoComment{
					{"alan", "Empty rows are the hard part.", "2026-10-07T10:11:00.000Z"},
				}},
			}},
			{"Review", []demoCard{
				{title: "Orbit chart on the status page", assignee: "katherine", comments: []demoComment{
					{"grace", "The numbers agree with mine to five places.", "2026-10-07T16:48:00.000Z"},
				}},
				{title: "Shorter error messages", assignee: "grace"},
			}},
			{"Done", []demoCard{
				{title: "Move the test server to the new room", assignee: "grace", done: true, comments: []demoComment{
					{"grace", "Found a moth. Taped it into the log book.", "2026-09-28T11:45:00.000Z"},
				}},
				{title: "Pick a name for the release", assignee: "ada", done: true},
				{title: "Retire the old importer", assignee: "alan", done: true},
			}},
		},
	},
	{
		name: "Ada’s notebook", owner: "ada",
		members: []demoMember{{"ada", RoleOwner}},
		lists: []demoList{
			{"To read", []demoCard{
				{title: "Sketch of the Analytical Engine, Menabrea"},
				{title: "On the connexion of the physical sciences, Somerville"},
				{title: "Letters of last summer"},
			}},
			{"Writing", []demoCard{
				{title: "Note G: the numbers of Bernoulli", assignee: "ada", comments: []demoComment{
					{"ada", "The loop within the loop needs a clearer drawing.", "2026-10-01T20:30:00.000Z"},
				}},
				{title: "Note A: what weaving has to do with it", assignee: "ada"},
			}},
			{"Finished", []demoCard{
				{title: "Translation from the French", assignee: "ada", done: true},
				{title: "Answer Mr. Babbage", assignee: "ada", done: true},
			}},
		},
	},
}

// seed fills a database without boards with the demo's. Of several servers that
// start at once one does it.
func seed(ctx context.Context, db *backend.Database, users *token.Store) error {
	if full, err := hasBoards(ctx, db.DB); err != nil || full {
		return err
	}
	for _, u := range demoLogins {
		if _, err := users.CreateUser(ctx, u[0], u[1], u[2]); err != nil && !errors.Is(err, token.ErrUserExists) {
			return err
		}
	}
	return transact(ctx, db.DB, func(tx *sql.Tx) error {
		if db.Dialect == backend.PostgreSQL {
			if err := alone(ctx, tx); err != nil {
				return err
			}
		}
		if full, err := hasBoards(ctx, tx); err != nil || full {
			return err
		}
		return seedBoards(ctx, tx)
	})
}

func hasBoards(ctx context.Context, q querier) (full bool, err error) {
	if err = q.QueryRowContext(ctx, `SELECT count(*) > 0 FROM boards`).Scan(&full); err != nil {
		return false, fmt.Errorf("count boards: %w", err)
	}
	return full, nil
}

func seedBoards(ctx context.Context, tx *sql.Tx) error {
	for _, u := range demoPeople {
		if _, err := tx.ExecContext(ctx, `INSERT INTO users (username, name) VALUES ($1, $2)
			ON CONFLICT (username) DO NOTHING`, u[0], u[1]); err != nil {
			return fmt.Errorf("insert user %s: %w", u[0], err)
		}
	}
	for _, b := range demoBoards {
		if err := seedBoard(ctx, tx, b); err != nil {
			return fmt.Errorf("insert board %q: %w", b.name, err)
		}
	}
	return nil
}

func seedBoard(ctx context.Context, tx *sql.Tx, b demoBoard) error {
	board, err := insert(ctx, tx, `INSERT INTO boards (name, owner_id)
		SELECT $1, id FROM users WHERE username = $2`, b.name, b.owner)
	if err != nil {
		return err
	}
	for _, m := range b.members {
		if _, err := insert(ctx, tx, `INSERT INTO board_members (board_id, user_id, role)
			SELECT $1, id, $2 FROM users WHERE username = $3`, board, m.role, m.username); err != nil {
			return err
		}
	}
	for i, l := range b.lists {
		list, err := insert(ctx, tx, `INSERT INTO lists (board_id, name, position) VALUES ($1, $2, $3)`, board, l.name, i+1)
		if err != nil {
			return err
		}
		for i, c := range l.cards {
			if err := seedCard(ctx, tx, list, i+1, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func seedCard(ctx context.Context, tx *sql.Tx, list int64, position int, c demoCard) error {
	card, err := insert(ctx, tx, `INSERT INTO cards (list_id, title, position, done, assignee_id)
		VALUES ($1, $2, $3, $4, (SELECT id FROM users WHERE username = $5))`, list, c.title, position, c.done, c.assignee)
	if err != nil {
		return err
	}
	for _, m := range c.comments {
		if _, err := insert(ctx, tx, `INSERT INTO comments (card_id, author_id, body, created_at)
			SELECT $1, id, $2, $3 FROM users WHERE username = $4`, card, m.body, m.at, m.author); err != nil {
			return err
		}
	}
	return nil
}

// insert runs a statement that inserts one row, and returns its key.
func insert(ctx context.Context, tx *sql.Tx, query string, args ...any) (int64, error) {
	var id int64
	err := tx.QueryRowContext(ctx, query+` RETURNING id`, args...).Scan(&id)
	return id, err
}
