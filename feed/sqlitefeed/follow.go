package sqlitefeed

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// fileCheck is how often the file is compared with the one that is open.
const fileCheck = time.Second

// follower is one Run: it polls the log and feeds the sink.
type follower struct {
	source *Source
	file   *file
	tables []*schema.Table
	sink   feed.Sink

	conn *conn
	// dataVersion and schemaVersion are those of the last poll that succeeded,
	// -1 when everything must be looked at.
	dataVersion, schemaVersion int64
	decoder                    *decoder
	// epoch is that of the last Start, empty before the first.
	epoch string
	last  feed.Position
	// reason is why continuity is about to be lost, where more is known than
	// the log tells.
	reason string
	// torn tells that the first parts of a commit were fed and the last was not.
	torn bool
	// position is last for the trimmer.
	position atomic.Uint64

	pace pace
	// replaced tells that another file took the path and is not open yet.
	replaced  bool
	nextCheck time.Time
	// failing is when the current run of errors began, zero without one.
	failing time.Time
}

// Run implements feed.Source. It also trims the log.
func (s *Source) Run(ctx context.Context, sink feed.Sink) error {
	f, tables, err := s.ready()
	if err != nil {
		return err
	}
	r := &follower{source: s, file: f, tables: tables, sink: sink}
	if err := r.open(ctx); err != nil {
		return fmt.Errorf("follow the database: %w", err)
	}
	defer func() { r.conn.close() }()

	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	helpers.Go(func() { s.trimUntil(ctx, f, &r.position) })
	if hints, wait, err := watchWrites(ctx, f.path+"-wal"); err == nil {
		r.pace.written = hints
		helpers.Go(wait)
	}

	if err := r.loop(ctx); err != nil {
		return fmt.Errorf("follow the database: %w", err)
	}
	return nil
}

// loop polls until ctx ends or an error does not pass.
func (r *follower) loop(ctx context.Context) error {
	for {
		moved, err := r.look(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // an end that was asked for is no error
		}
		if err != nil {
			if err := r.endure(ctx, err); err != nil {
				return err
			}
			continue
		}
		r.recovered()
		r.pace.wait(ctx, r.source.wake, moved)
	}
}

// look polls once, on the right file.
func (r *follower) look(ctx context.Context) (moved bool, err error) {
	if now := time.Now(); now.After(r.nextCheck) {
		replaced, err := r.file.replaced()
		if err != nil {
			return false, err
		}
		r.replaced = r.replaced || replaced
		r.nextCheck = now.Add(fileCheck)
	}
	if r.replaced {
		if err := r.reopen(ctx); err != nil {
			return false, err
		}
		r.replaced = false
	}
	return r.poll(ctx)
}

// open opens the connection that polls. Its first read makes the write-ahead
// log exist, which it then keeps in existence to be watched.
func (r *follower) open(ctx context.Context) error {
	c, err := r.file.open(ctx, true)
	if err != nil {
		return err
	}
	if _, err := c.number("PRAGMA schema_version"); err != nil {
		c.close()
		return err
	}
	r.conn, r.dataVersion, r.schemaVersion = c, -1, -1
	return nil
}

// reopen starts anew on another file that took the place of the open one.
func (r *follower) reopen(ctx context.Context) error {
	old := r.conn
	if err := r.open(ctx); err != nil {
		return err
	}
	old.close()
	r.reason = "the database file was replaced"
	return r.repair(ctx, true)
}

// repair puts the log and its triggers back in place.
func (r *follower) repair(ctx context.Context, restored bool) error {
	c, err := r.file.open(ctx, false)
	if err != nil {
		return err
	}
	err = useWAL(ctx, c)
	if err == nil {
		err = install(ctx, c, r.tables, restored)
	}
	if e := c.close(); err == nil {
		err = e
	}
	r.dataVersion = -1
	return err
}

// endure waits before the next attempt after an error, and returns one that
// does not pass within the source's patience: a migration or a restore may be
// half done.
func (r *follower) endure(ctx context.Context, err error) error {
	if r.failing.IsZero() {
		r.failing = time.Now()
		r.source.log.Warn("the database cannot be followed for now; trying again", "error", err)
	}
	if !passing(err) && time.Since(r.failing) > r.source.patience {
		return err
	}
	pause(ctx, retryAfter)
	return nil
}

func (r *follower) recovered() {
	if !r.failing.IsZero() {
		r.source.log.Info("the database is followed again", "after", time.Since(r.failing))
		r.failing = time.Time{}
	}
}
