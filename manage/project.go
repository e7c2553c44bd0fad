package manage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/schema"
)

// App is what manage needs of a pando.App.
type App interface {
	http.Handler
	// Setup prepares the database to be followed; it does nothing when all is
	// in place.
	Setup(ctx context.Context) error
	// Run follows the database and serves sessions until ctx ends, then closes
	// them and waits.
	Run(ctx context.Context) error
	// Ready is closed when Run serves.
	Ready() <-chan struct{}
	// Manifest is what makefrontend generates from.
	Manifest() (*schema.Manifest, error)
}

// Users creates users; token.Store does.
type Users interface {
	CreateUser(ctx context.Context, username, password, name string) (int64, error)
}

// Settings are the flags that an app is opened with. Each has an environment
// variable.
type Settings struct {
	// DB is --db: a file or a URL, as the app understands it.
	DB string
	// Replication, Broker, Cache and Namespace are --replication, --broker, --cache and
	// --name: see backend.Settings.
	Replication, Broker, Cache, Namespace string
	// Capacity and Expiry are --capacity and --expiry, the broker's.
	Capacity int
	Expiry   time.Duration
	// Origins is --origins, for pando.Config.
	Origins []string
	// Heartbeat is --heartbeat, for pando.Config.
	Heartbeat time.Duration
	// Static is --static: a folder of files to serve; "" for none.
	Static string
	// Log is the program's logger.
	Log *slog.Logger
}

// Backend are the settings for backend.Open.
func (s Settings) Backend() backend.Settings {
	return backend.Settings{
		Database: s.DB, Replication: s.Replication, Broker: s.Broker, Capacity: s.Capacity, Expiry: s.Expiry,
		Cache: s.Cache, Namespace: s.Namespace, Log: s.Log,
	}
}

// Project is an opened app with what its commands work on. Only App must be
// set.
type Project struct {
	App App
	// Handler is what runserver serves, when that is more than App.
	Handler http.Handler
	// Users is where createuser creates.
	Users Users
	// Migrate creates and changes the app's own tables. It runs before every
	// start and does nothing when all is in place.
	Migrate func(ctx context.Context) error
	// Seed fills a database that is empty, and does nothing otherwise. It runs
	// after Migrate when a server starts.
	Seed func(ctx context.Context) error
	// Frontend is the folder for which makefrontend generates unless --out
	// names another, relative to the working directory.
	Frontend string
	// Ready returns what runserver prints, below its own line, once it
	// listens at url, such as "http://127.0.0.1:8000".
	Ready func(url string) string
	// Close releases what Open took.
	Close func() error
}

// prepare brings the tables of the app, and of Pando, up to date. Seeds come
// in between: rows that are there before the database is followed need no log.
func (p *Project) prepare(ctx context.Context, seed bool) error {
	if err := call(ctx, p.Migrate); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if seed {
		if err := call(ctx, p.Seed); err != nil {
			return fmt.Errorf("seed: %w", err)
		}
	}
	if err := p.App.Setup(ctx); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	return nil
}

func (p *Project) handler() http.Handler {
	if p.Handler != nil {
		return p.Handler
	}
	return p.App
}

func (p *Project) close() error {
	if p.Close == nil {
		return nil
	}
	if err := p.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// call runs a step that the app may have left out.
func call(ctx context.Context, step func(context.Context) error) error {
	if step == nil {
		return nil
	}
	return step(ctx)
}

// with opens the project for the length of fn.
func (e *environment) with(s Settings, fn func(*Project) error) error {
	s.Log = e.log
	project, err := e.config.Open(e.ctx, s)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if project.App == nil {
		return errors.Join(errors.New("open: Project.App is not set: return the app that pando.New made"), project.close())
	}
	err = fn(project)
	if err == nil {
		return project.close()
	}
	return errors.Join(err, project.closeWithin(closeTime))
}

// closeTime is how long closing a project may take of which something has failed: what
// does not end may hold what is to be closed, and the process ends in any case.
const closeTime = 3 * time.Second

func (p *Project) closeWithin(limit time.Duration) error {
	closing := begin(p.close)
	select {
	case <-closing.done:
		return closing.err
	case <-time.After(limit):
		return errors.New("close: did not end in time")
	}
}
