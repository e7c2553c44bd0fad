package relay

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// Database is what a Source stands on. Whatever it can, the Source can.
type Database interface {
	feed.LogSource
	feed.Writer
	feed.Checker
	feed.Hinter
	feed.Renewer
}

// Source is a database that is followed through a stream. All nodes of an app
// have one, with the same stream. Snapshots and transactions are the database's.
type Source struct {
	db     Database
	stream broker.Stream
	logger *slog.Logger

	// standing is where the last Start stood, nil before the first.
	standing atomic.Pointer[standing]
	// trouble is why this node does not own the log, nil while it does or waits.
	trouble atomic.Pointer[error]
	// unused is the epoch that this node had the database begin for the stream; it
	// belongs to the goroutine that owns the log.
	unused renewal
}

var (
	_ feed.Writer    = (*Source)(nil)
	_ feed.Checker   = (*Source)(nil)
	_ feed.Hinter    = (*Source)(nil)
	_ feed.Historian = (*Source)(nil)
)

// standing is where a Start stood.
type standing struct {
	epoch string
	life  uint64
	head  feed.Position
}

// Option changes how a Source works.
type Option func(*Source)

// WithLogger sets the logger (slog.Default).
func WithLogger(l *slog.Logger) Option { return func(s *Source) { s.logger = l } }

// New returns a Source of a database, whose log travels by stream. The stream is
// the Source's own: nothing else may append to it.
func New(db Database, stream broker.Stream, options ...Option) *Source {
	s := &Source{db: db, stream: stream, logger: slog.Default()}
	for _, o := range options {
		o(s)
	}
	return s
}

// Setup implements feed.Source.
func (s *Source) Setup(ctx context.Context, tables []*schema.Table) error {
	return s.db.Setup(ctx, tables)
}

// Snapshot implements feed.Source.
func (s *Source) Snapshot(ctx context.Context) (feed.Snapshot, error) { return s.db.Snapshot(ctx) }

// Head implements feed.Source.
func (s *Source) Head(ctx context.Context) (feed.Position, error) { return s.db.Head(ctx) }

// Unwrap is the database's source, for what else it can do.
func (s *Source) Unwrap() feed.Source { return s.db }

// Begin implements feed.Writer.
func (s *Source) Begin(ctx context.Context) (feed.Tx, error) { return s.db.Begin(ctx) }

// Check implements feed.Checker.
func (s *Source) Check(ctx context.Context, tables []*schema.Table) (ready bool, err error) {
	return s.db.Check(ctx, tables)
}

// Hints implements feed.Hinter.
func (s *Source) Hints(ctx context.Context) ([]string, error) { return s.db.Hints(ctx) }

// Close implements feed.Source. It closes the database's source and the stream.
func (s *Source) Close() error { return errors.Join(s.db.Close(), s.stream.Close()) }

// Run implements feed.Source: it follows the stream, and publishes to it
// whenever this node owns the database's log. Start waits for the first owner,
// and may come after a Stall that tells of it.
func (s *Source) Run(ctx context.Context, sink feed.Sink) error {
	ctx, cancel := context.WithCancel(ctx)
	var owner sync.WaitGroup
	defer owner.Wait()
	defer cancel()
	owner.Go(func() { s.own(ctx) })
	f := &follower{source: s, sink: sink}
	return f.run(ctx)
}

// The pauses between two attempts to own the log.
const (
	soon  = 50 * time.Millisecond
	later = 2 * time.Second
)

// own publishes the log whenever it is this node's, until ctx ends. Who had it
// for a while tries again soon; others, and those whose broker fails, leave it to
// nodes that fare better.
func (s *Source) own(ctx context.Context) {
	pause, told := soon, ""
	for ctx.Err() == nil {
		var began time.Time
		err := s.db.Own(ctx, func(ctx context.Context, log feed.Log) error {
			began = time.Now()
			s.trouble.Store(nil)
			return publish(ctx, s, log)
		})
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errRenewed) {
			continue
		}
		switch {
		case errors.Is(err, errRefused):
			pause = later // long enough for every other node to look
		case !began.IsZero() && time.Since(began) > later:
			pause, told = soon, ""
		}
		s.trouble.Store(&err)
		if err != nil && err.Error() != told {
			told = err.Error()
			s.logger.Warn("this node does not publish the database's log; trying again", "error", err)
		}
		sleep(ctx, pause)
		pause = min(2*pause, later)
	}
}

// stand is where the last Start stood.
func (s *Source) stand() standing {
	if at := s.standing.Load(); at != nil {
		return *at
	}
	return standing{}
}
