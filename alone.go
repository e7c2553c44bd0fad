package pando

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/mux"
)

const (
	// aloneWait is for how long a process that has just died, or is about to end,
	// is waited for.
	aloneWait = 5 * time.Second
	aloneLook = 250 * time.Millisecond
)

// errNotAlone tells why an app without a broker does not serve.
var errNotAlone = errors.New("another server of this app runs on the database, and without a broker events, presence and broadcasts " +
	"would stay in one of the two: set Config.Broker, or stop the other server first")

// speaks tells whether the app's streams hear of each other by events: they need
// a broker as soon as there are two nodes.
func (a *App) speaks() bool {
	if slices.ContainsFunc(a.classes(), sends) {
		return true
	}
	return slices.ContainsFunc(a.channels, func(c *channel) bool { return len(c.consumers) > 0 || c.presence != nil })
}

// sends tells whether a demultiplexer has consumers of the app's own, which broadcast;
// what bindings tell comes by the database.
func sends(d *mux.Demultiplexer) bool {
	for _, consumer := range d.Consumers {
		if specOf(consumer) == nil {
			return true
		}
	}
	return false
}

// standAlone returns an error where events would not reach all streams: without
// a broker, when another process has followed the database before. Only once the
// database is followed is it known who did. An app that knows better gives the
// broker of its own process as Config.Broker.
func (a *App) standAlone(ctx context.Context) error {
	// As asks what is within a source, too, but where that is shared by a stream
	// the processes are no followers of the database.
	sharer, shared := a.cfg.Source.(feed.Sharer)
	if !shared || a.cfg.Broker != nil || !a.speaks() && !a.multiplexes() {
		return nil
	}
	a.cfg.Logger.WarnContext(ctx, "events, presence and what is broadcast stay in this process: set Config.Broker before a second server is started")
	if !a.speaks() {
		return nil // only bindings, whose rows each server is told of by the database
	}
	ctx, cancel := context.WithTimeout(ctx, aloneWait)
	defer cancel()
	tick := time.NewTicker(aloneLook)
	defer tick.Stop()
	for {
		older, err := sharer.Sharers(ctx)
		if ctx.Err() == nil && (err != nil || older == 0) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errNotAlone
		}
	}
}
