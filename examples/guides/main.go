// Guides is the program of which the guides in docs/guides take their code, a
// file for each guide. Its tests hold the guides to it.
package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/manage"
	"github.com/pando-sync/pando/token"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed tables.sql
var tables string

func main() {
	manage.Main(manage.Config{Name: "guides", Open: open})
}

// open makes the project of one run of a command.
func open(_ context.Context, s manage.Settings) (*manage.Project, error) {
	db, err := sql.Open("sqlite", "file:"+s.DB+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	users := token.New(db, token.WithLogger(s.Log))
	app, err := pando.New(pando.Config{Source: sqlitefeed.New(db), Auth: users, Logger: s.Log})
	if err != nil {
		return nil, err
	}
	declare(app, db, noBank{})
	return &manage.Project{
		App: app, Users: users, Frontend: "frontend/live", Close: db.Close,
		Migrate: func(ctx context.Context) error { return migrate(ctx, db, users) },
	}, nil
}

// migrate makes the tables that are missing.
func migrate(ctx context.Context, db *sql.DB, users *token.Store) error {
	if err := users.Migrate(ctx); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, tables)
	return err
}

// declare declares the channels of all guides.
func declare(app *pando.App, db *sql.DB, bank Bank) {
	writes(app, db)
	actions(app, db, bank)
	groups(app)
	runtimes(app)
	news(app)
	streams(app, db)
}

// everyone is embedded by channels that any user may open.
type everyone struct{}

// HasPermission is asked before anything is read or sent.
func (everyone) HasPermission(context.Context) (bool, error) { return true, nil }

// noBank is what a program without an account has.
type noBank struct{}

// Charge implements Bank.
func (noBank) Charge(context.Context, int64) error { return errors.New("there is no bank") }
