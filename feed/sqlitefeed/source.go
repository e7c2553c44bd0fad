package sqlitefeed

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// Source follows and reads one SQLite database. Make it with New.
type Source struct {
	author *sql.DB
	log    *slog.Logger
	keep   retention
	// patience is how long Run bears errors that do not pass by themselves.
	patience time.Duration
	// wake holds at most one hint that a commit is near.
	wake chan struct{}
	// complained holds the columns whose values were reported.
	complained sync.Map
	// forms are how the columns that queries compare are stored.
	forms forms

	// turn is held by the transaction that is under way.
	turn chan struct{}

	// mu guards what Setup makes. It is not held across I/O but by Setup.
	mu     sync.Mutex
	file   *file
	tables []*schema.Table // nil before Setup
	closed bool
}

var _ feed.Source = (*Source)(nil)

// Option changes how a Source behaves.
type Option func(*Source)

// WithLogger sends warnings to log instead of slog.Default().
func WithLogger(log *slog.Logger) Option { return func(s *Source) { s.log = log } }

// WithRetention bounds the change log: rows older than age, and all but the
// newest rows, are trimmed once they are read. A process that lags behind
// what is kept reads its state anew. The default is an hour and a million.
func WithRetention(age time.Duration, rows int64) Option {
	return func(s *Source) { s.keep = retention{age, rows} }
}

// New returns a Source of the database that db, of any driver, has open. The
// Source asks db once where the file is, in Setup, and then opens connections
// of its own by the same driver; db stays the caller's. A driver other than
// modernc's must take file: URIs, return text as string, and bring SQLite 3.41
// or newer.
func New(db *sql.DB, opts ...Option) *Source {
	s := &Source{
		author:   db,
		log:      slog.Default(),
		keep:     retention{age: time.Hour, rows: 1_000_000},
		patience: 10 * time.Second,
		wake:     make(chan struct{}, 1),
		turn:     make(chan struct{}, 1),
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Setup implements feed.Source. It switches the database to WAL mode, creates
// the change log and puts triggers on tables, and does nothing when all that
// is in place. It waits for other writers until ctx ends.
func (s *Source) Setup(ctx context.Context, tables []*schema.Table) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if s.file == nil {
		f, err := locate(ctx, s.author)
		if err != nil {
			return fmt.Errorf("set up the sqlite feed: %w", err)
		}
		s.file = f
	}
	c, err := s.file.open(ctx, false)
	if err != nil {
		return fmt.Errorf("set up the sqlite feed: %w", err)
	}
	err = s.prepare(ctx, c, tables)
	if e := c.close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("set up the sqlite feed: %w", err)
	}
	if s.tables == nil {
		watchCommits(s.file.path, s)
	}
	s.tables = append(make([]*schema.Table, 0, len(tables)), tables...)
	return nil
}

func (s *Source) prepare(ctx context.Context, c *conn, tables []*schema.Table) error {
	if err := useWAL(ctx, c); err != nil {
		return err
	}
	if err := install(ctx, c, tables, false); err != nil {
		return err
	}
	return s.warnOfBlindSpots(ctx, c, tables)
}

// Head implements feed.Source.
func (s *Source) Head(ctx context.Context) (feed.Position, error) {
	f, _, err := s.ready()
	if err != nil {
		return 0, err
	}
	c, err := f.acquire(ctx)
	if err != nil {
		return 0, err
	}
	m, err := readMeta(c)
	f.release(c, err)
	if err != nil {
		return 0, fmt.Errorf("read the feed's head: %w", err)
	}
	return m.head, nil
}

// Wake makes Run look at the database at once. It never blocks. Programs that
// write through a driver other than modernc's may call it after a commit.
func (s *Source) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Close implements feed.Source. Snapshots must have been closed.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.file == nil {
		return nil
	}
	unwatchCommits(s.file.path, s)
	return s.file.close()
}

var errClosed = errors.New("the sqlite feed is closed")

// ready returns what Setup made.
func (s *Source) ready() (*file, []*schema.Table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, nil, errClosed
	case s.tables == nil:
		return nil, nil, errors.New("the sqlite feed is not set up: call Setup first")
	}
	return s.file, s.tables, nil
}

// meta is the log's state within one read transaction.
type meta struct {
	// epoch has the generation in it.
	epoch   string
	head    feed.Position
	trimmed feed.Position
}

// readMeta reads the log's state; as the first read of a transaction it pins
// what that sees. A statement that fails half-way by OR FAIL keeps its rows in
// the log but not their number in sqlite_sequence.
func readMeta(q querier) (meta, error) {
	const query = `SELECT epoch, generation, trimmed,
		max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'pando_log'), 0), coalesce((SELECT max(seq) FROM pando_log), 0))
		FROM pando_meta`
	row := make([]driver.Value, 4)
	if err := queryRow(context.Background(), q, query, row); err != nil {
		return meta{}, fmt.Errorf("read the state of the change log: %w", err)
	}
	return meta{
		epoch:   textIn(row[0]) + "." + strconv.FormatInt(integerIn(row[1]), 10),
		trimmed: feed.Position(integerIn(row[2])),
		head:    feed.Position(integerIn(row[3])),
	}, nil
}
