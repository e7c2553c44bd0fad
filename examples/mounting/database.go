package mounting

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"

	"gorm.io/gorm"

	"github.com/pando-sync/pando"
)

// FromGORM returns the app over the database that GORM has open.
func FromGORM(g *gorm.DB, log *slog.Logger) (*pando.App, error) {
	db, err := g.DB()
	if err != nil {
		return nil, err
	}
	return New(db, log)
}

// Migrate runs the program's own migrations, whatever makes them, and then has
// Pando put its triggers on the tables.
func Migrate(ctx context.Context, app *pando.App, own func(context.Context) error) error {
	if err := own(ctx); err != nil {
		return err
	}
	return app.Setup(ctx)
}

// DropColumn drops a column that is followed. SQLite refuses to while a trigger
// names it: Pando's go before it, in the same transaction.
func DropColumn(ctx context.Context, db *sql.DB, table, column string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	triggers, err := triggersOf(ctx, tx, table)
	if err != nil {
		return err
	}
	for _, name := range triggers {
		if _, err := tx.ExecContext(ctx, `DROP TRIGGER `+quote(name)); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`ALTER TABLE %s DROP COLUMN %s`, quote(table), quote(column))); err != nil {
		return err
	}
	return tx.Commit()
}

func triggersOf(ctx context.Context, tx *sql.Tx, table string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? AND name LIKE 'pando\_%' ESCAPE '\'`, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
