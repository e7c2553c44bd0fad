package pgfeed

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// Source follows, reads and writes one PostgreSQL database. Make it with New,
// Open or FromPool.
type Source struct {
	db  *sql.DB
	url string
	// release closes what the Source opened itself.
	release func() error
	log     *slog.Logger
	// schema has what Pando creates; the publication is called alike.
	schema string
	slot   string
	full   []string
	// logs tells that triggers write the log, instead of the server's own.
	logs bool
	keep retention
	// complained holds the columns whose values were reported.
	complained sync.Map
	wake       wake
	plans      plans
	// patience is for how long Run bears with tables that are not as they are
	// declared, zero for guardPatience.
	patience time.Duration

	claims trimmer
	// following is the temporary slot that Run reads, or has read last.
	following atomic.Pointer[string]

	// mu guards what Setup makes. It is not held across I/O.
	mu      sync.Mutex
	tables  []*schema.Table // nil before Setup
	catalog *catalog
	closed  bool
	// setup is held by the Setup that is under way.
	setup sync.Mutex
}

var (
	_ feed.Source  = (*Source)(nil)
	_ feed.Writer  = (*Source)(nil)
	_ feed.Checker = (*Source)(nil)
	_ feed.Hinter  = (*Source)(nil)
	_ feed.Merger  = (*Source)(nil)
	_ feed.Sharer  = (*Source)(nil)
)

// retention bounds the log that triggers write.
type retention struct {
	age  time.Duration
	rows int64
}

// Option changes how a Source behaves.
type Option func(*Source)

// WithLogger sends warnings to log instead of slog.Default().
func WithLogger(log *slog.Logger) Option { return func(s *Source) { s.log = log } }

// WithSchema names the schema for what Pando creates in the database, and the
// publication with it, instead of "pando": apps that share a database need one
// each.
func WithSchema(name string) Option { return func(s *Source) { s.schema = name } }

// WithSlot names the durable replication slot by which one process reads the log
// for all, instead of the schema's name and the database's, as "pando_shop". It has
// lower-case letters, digits and underscores.
func WithSlot(name string) Option { return func(s *Source) { s.slot = name } }

// WithFullIdentity has the log carry the whole of old rows of the named tables:
// Setup sets their REPLICA IDENTITY to FULL, which makes the server's log larger.
func WithFullIdentity(tables ...string) Option {
	return func(s *Source) { s.full = append(s.full, tables...) }
}

// WithTriggerLog has triggers write a log table, for servers that do not let the
// app replicate. It costs each writer a row per change, and needs no replication
// URL.
func WithTriggerLog() Option { return func(s *Source) { s.logs = true } }

// WithRetention bounds the log that WithTriggerLog keeps: rows older than age, and
// all but the newest rows, are trimmed once they are read. The default is an hour
// and a million.
func WithRetention(age time.Duration, rows int64) Option {
	return func(s *Source) { s.keep = retention{age, rows} }
}

// New returns a Source of the database that db, of any driver, has open, and that
// url leads to without a pooler in between. Reads and writes go by db, which stays
// the caller's; url is for the replication connection, whose role needs the
// attribute REPLICATION.
func New(db *sql.DB, url string, opts ...Option) *Source {
	s := &Source{
		db:      db,
		url:     url,
		release: func() error { return nil },
		log:     slog.Default(),
		schema:  "pando",
		keep:    retention{age: time.Hour, rows: 1_000_000},
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Open is New with a pool of its own, which Close closes.
func Open(url string, opts ...Option) (*Source, error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s := New(db, url, opts...)
	s.release = db.Close
	return s, nil
}

// FromPool is New for a pool of pgx, which stays the caller's. The replication
// connection goes where the pool's do.
func FromPool(pool *pgxpool.Pool, opts ...Option) *Source {
	db := stdlib.OpenDBFromPool(pool)
	s := New(db, pool.Config().ConnString(), opts...)
	s.release = db.Close // gives back connections, and leaves the pool open
	return s
}

// Close implements feed.Source. Snapshots must have been closed.
func (s *Source) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.wake.close()
	return s.release()
}

var errClosed = errors.New("the postgres feed is closed")

// ready tells whether Setup has returned and Close has not been called.
func (s *Source) ready() error {
	_, err := s.described()
	return err
}

// described returns what Setup has found.
func (s *Source) described() (*catalog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errClosed
	case s.catalog == nil:
		return nil, errors.New("the postgres feed is not set up: call Setup first")
	}
	return s.catalog, nil
}

// own names one of Pando's own tables in SQL.
func (s *Source) own(name string) string { return quote(s.schema) + "." + quote(name) }

// statement puts the schema into a statement about tables of pando.
func (s *Source) statement(sql string) string {
	return strings.ReplaceAll(sql, "pando.", quote(s.schema)+".")
}

// publication names the publication of the followed tables.
func (s *Source) publication() string { return s.schema }

// quote quotes an identifier.
func quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// literal quotes a text.
func literal(text string) string {
	if strings.ContainsRune(text, '\\') {
		return "E'" + strings.ReplaceAll(strings.ReplaceAll(text, `\`, `\\`), "'", "''") + "'"
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}
