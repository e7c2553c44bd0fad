package pando

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pando-sync/pando/feed"
)

// Check tells what keeps the app from running, and what would make it run
// better, a sentence each. It changes nothing in the database, and needs no
// Setup before it. The error is that of the check itself.
//
// Faults are wrong declarations, all of them; and where there is none, a broker
// that does not answer, and tables and columns that the database lacks or that
// cannot be followed. Hints are consumers without a broker, and what the
// database's Source knows: an index that is missing, values that cannot be
// compared. A Source that cannot tell is not asked.
func (a *App) Check(ctx context.Context) (faults, hints []string, err error) {
	if err := a.seal(); err != nil {
		return texts(err), nil, nil
	}
	consumes := slices.ContainsFunc(a.channels, func(c *channel) bool { return len(c.consumers) > 0 })
	if a.cfg.Broker == nil && (consumes || a.multiplexes()) {
		hints = append(hints, "events of groups, and what is broadcast, stay in the process that sends them: set Config.Broker where several serve the app")
	}
	hints = append(hints, a.cacheHints()...)
	faults = a.brokerFaults(ctx)
	if checker, ok := a.cfg.Source.(feed.Checker); ok {
		ready, err := checker.Check(ctx, a.registry.Tables)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			return append(faults, texts(err)...), nil, nil
		case !ready:
			return faults, append(hints, "the database is not set up for what is declared: migrate does it, or the next start; indexes are looked at afterwards"), nil
		}
	}
	hinter, ok := a.cfg.Source.(feed.Hinter)
	if !ok {
		return faults, hints, nil
	}
	// All is in place, so that Setup finds nothing to change.
	if err := a.Setup(ctx); err != nil {
		return nil, nil, err
	}
	more, err := hinter.Hints(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("pando: check: %w", err)
	}
	return faults, append(hints, more...), nil
}

// brokerFaults tells of a broker that does not answer, which an app waits for as
// it starts.
func (a *App) brokerFaults(ctx context.Context) []string {
	if a.cfg.Broker == nil {
		return nil
	}
	if _, err := a.cfg.Broker.NewChannel(ctx, "pando.check"); err != nil {
		return []string{"the broker cannot be used: " + err.Error()}
	}
	return nil
}

// texts takes errors that were joined apart. What is said before all of them is
// said before each.
func texts(err error) []string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		inner := errors.Unwrap(err)
		if inner == nil {
			return []string{err.Error()}
		}
		all := texts(inner)
		before, ok := strings.CutSuffix(err.Error(), inner.Error())
		if len(all) == 1 || !ok {
			return []string{err.Error()}
		}
		for i := range all {
			all[i] = before + all[i]
		}
		return all
	}
	var all []string
	for _, e := range joined.Unwrap() {
		all = append(all, texts(e)...)
	}
	return all
}
