// Mux is the messages of Mux, a project on Django Channels, as a Go program:
// several streams over one socket, and a model bound to one of them.
//
//	go run ./examples/mux runserver
//
// settings.go and routing.go are the files of those names in Django, urls.go is
// urls.py; api and management are its two apps.
package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/examples/mux/api"
	"github.com/pando-sync/pando/examples/mux/management"
	"github.com/pando-sync/pando/manage"
	"github.com/pando-sync/pando/token"
)

func main() {
	manage.Main(manage.Config{Name: "mux", Open: open})
}

// open makes the program over what the command line and the environment name.
func open(ctx context.Context, s manage.Settings) (*manage.Project, error) {
	b, err := backend.Open(ctx, settings(s), kinds()...)
	if err != nil {
		return nil, err
	}
	users := token.New(b.DB, token.WithLogger(s.Log))
	app, err := newApp(b, users, pando.Config{Logger: s.Log, Origins: s.Origins, Heartbeat: s.Heartbeat})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &manage.Project{
		App:     app,
		Handler: urls(app, &api.Views{DB: b.DB, Users: users, Log: s.Log}),
		Users:   users,
		Migrate: func(ctx context.Context) error { return migrate(ctx, b, users) },
		Seed:    func(ctx context.Context) error { return seed(ctx, users) },
		Ready:   func(url string) string { return welcome(url, b.Dialect, s.DB) },
		Close:   b.Close,
	}, nil
}

// newApp declares the streams over a backend.
func newApp(b *backend.Backend, users *token.Store, config pando.Config) (*pando.App, error) {
	config.Source, config.Broker, config.Auth, config.Static = b.Source, b.Broker, users, management.Static()
	app, err := pando.New(config)
	if err != nil {
		return nil, err
	}
	app.Mux(channelRouting()...)
	return app, nil
}

func migrate(ctx context.Context, b *backend.Backend, users *token.Store) error {
	if err := users.Migrate(ctx); err != nil {
		return err
	}
	return api.Migrate(ctx, b.DB, b.Dialect == backend.PostgreSQL)
}

// seed makes two users to log in as.
func seed(ctx context.Context, users *token.Store) error {
	for _, u := range [][3]string{{"ada", "lovelace", "Ada Lovelace"}, {"grace", "hopper", "Grace Hopper"}} {
		if _, err := users.CreateUser(ctx, u[0], u[1], u[2]); err != nil && !errors.Is(err, token.ErrUserExists) {
			return err
		}
	}
	return nil
}

func welcome(url string, dialect backend.Dialect, db string) string {
	shell := "sqlite3 " + db
	if dialect == backend.PostgreSQL {
		shell = `psql "$PANDO_DB" -c` // the URL may have a password
	}
	return fmt.Sprintf(`
  Open %s in two windows, and enter as Ada in one, as Grace in the other.

  Then write a message from a second terminal, and watch both:
    %s "INSERT INTO messages (message, author) VALUES ('by SQL', 'ada')"
`, url, shell)
}
