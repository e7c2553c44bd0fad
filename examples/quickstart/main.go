// Quickstart is the program of the README: a project with its tasks, live in
// every browser of its owner.
package main

import (
	"cmp"
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"os"
	"time"

	_ "modernc.org/sqlite"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/token"
)

// Project is one project with all its tasks.
type Project struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Owner *User  `json:"owner"`                        // belongs to: owner_id
	Tasks []Task `json:"tasks" pando:"order:position"` // has many: tasks.project_id
}

// Task is one thing to do.
type Task struct {
	ID       int64   `json:"id"`
	Title    string  `json:"title"`
	Done     bool    `json:"done"`
	Position float64 `json:"-"`
}

// User is a person, as others see them.
type User struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// ProjectChannel shows a project to its owner.
type ProjectChannel struct {
	pando.Channel[Project, pando.NoRuntime]

	db *sql.DB
}

// HasPermission is asked before anything is read or sent.
func (c *ProjectChannel) HasPermission(ctx context.Context) (ok bool, err error) {
	err = c.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM projects WHERE id = ? AND owner_id = ?)`,
		c.Args().Int("project_id"), c.User().ID).Scan(&ok)
	return ok, err
}

// Rename gives the project another name.
func (c *ProjectChannel) Rename(ctx context.Context, name string) error {
	if name == "" {
		return pando.Errorf("invalid", "a project needs a name")
	}
	_, err := c.db.ExecContext(ctx, `UPDATE projects SET name = ? WHERE id = ?`, name, c.Args().Int("project_id"))
	return err
}

// newApp declares the app over a database.
func newApp(db *sql.DB) (*pando.App, error) {
	app, err := pando.New(pando.Config{Source: sqlitefeed.New(db), Auth: token.New(db)})
	if err != nil {
		return nil, err
	}
	app.Handle("projects/{project_id}", pando.For(
		func() *ProjectChannel { return &ProjectChannel{db: db} },
		pando.Actions((*ProjectChannel).Rename),
	))
	return app, nil
}

func main() {
	if err := run(context.Background()); err != nil {
		slog.Error("quickstart ended", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	db, err := sql.Open("sqlite", "file:quickstart.db?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	if err := prepare(ctx, db); err != nil {
		return err
	}
	app, err := newApp(db)
	if err != nil {
		return err
	}
	http.Handle("/live/", http.StripPrefix("/live", app))
	server := &http.Server{Addr: cmp.Or(os.Getenv("ADDR"), "127.0.0.1:8080"), ReadHeaderTimeout: 5 * time.Second}
	slog.Info("serving below /live/", "address", server.Addr)
	failed := make(chan error, 2)
	go func() { failed <- app.Run(ctx) }()
	go func() { failed <- server.ListenAndServe() }()
	return <-failed
}
