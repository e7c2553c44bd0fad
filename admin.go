package pando

import (
	"context"
	"fmt"

	"github.com/pando-sync/pando/feed"
)

// SetupSQL returns the statements that Setup would run now, and those that grant
// the database's role what the app needs at run time, for who has others change
// the database. Without a role, or where the database has none, it returns no
// grants. It changes nothing. Config.Source must be a feed.Printer.
func (a *App) SetupSQL(ctx context.Context, role string) (statements, grants []string, err error) {
	if err := a.seal(); err != nil {
		return nil, nil, err
	}
	printer, err := sourceAs[feed.Printer](a, "prints no SQL")
	if err != nil {
		return nil, nil, err
	}
	if statements, err = printer.Print(ctx, a.registry.Tables); err == nil && role != "" {
		grants, err = printer.Grants(ctx, a.registry.Tables, role)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("pando: print the setup: %w", err)
	}
	return statements, grants, nil
}

// Uninstall removes what Pando has created in the database, and leaves the app's
// rows. No node may run. Config.Source must be a feed.Uninstaller.
func (a *App) Uninstall(ctx context.Context) error {
	uninstaller, err := sourceAs[feed.Uninstaller](a, "cannot be uninstalled")
	if err != nil {
		return err
	}
	if err := uninstaller.Uninstall(ctx); err != nil {
		return fmt.Errorf("pando: %w", err)
	}
	return nil
}

// NewEpoch tells all nodes, and clients that come back, that the database has
// another history than before, as after it was restored from a copy: all is read
// anew. Config.Source must be a feed.Renewer.
func (a *App) NewEpoch(ctx context.Context) error {
	renewer, err := sourceAs[feed.Renewer](a, "has no epochs to begin")
	if err != nil {
		return err
	}
	if err := a.Setup(ctx); err != nil {
		return err
	}
	if err := renewer.Renew(ctx); err != nil {
		return fmt.Errorf("pando: %w", err)
	}
	return nil
}

// sourceAs is the app's source as one that can do more, or an error that says what
// it cannot.
func sourceAs[T any](a *App, lack string) (T, error) {
	able, ok := feed.As[T](a.cfg.Source)
	if !ok {
		return able, fmt.Errorf("pando: Config.Source is a %T, which %s", a.cfg.Source, lack)
	}
	return able, nil
}
