package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pando-sync/pando/token"
)

// tables are the app's own; the migration tool of a real app makes them.
const tables = `
CREATE TABLE IF NOT EXISTS projects (
	id INTEGER PRIMARY KEY, name TEXT NOT NULL, owner_id INTEGER NOT NULL REFERENCES users(id));
CREATE TABLE IF NOT EXISTS tasks (
	id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects(id),
	title TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, position REAL NOT NULL);
CREATE INDEX IF NOT EXISTS tasks_project ON tasks(project_id);
INSERT OR IGNORE INTO projects VALUES (7, 'Analytical engine', 1);
INSERT OR IGNORE INTO tasks VALUES (1, 7, 'Punch the cards', 0, 1), (2, 7, 'Oil the mill', 0, 2);
`

// prepare makes the tables and a user to log in as.
func prepare(ctx context.Context, db *sql.DB) error {
	users := token.New(db)
	if err := users.Migrate(ctx); err != nil {
		return err
	}
	if _, err := users.CreateUser(ctx, "ada", "lovelace", "Ada"); err != nil && !errors.Is(err, token.ErrUserExists) {
		return err
	}
	if _, err := db.ExecContext(ctx, tables); err != nil {
		return fmt.Errorf("create tables: %w", err)
	}
	return nil
}
