// Package backend opens what an app runs on by what an operator sets: the
// database, the broker and the cache, each named by a URL. The app's code stays
// the same from one process with SQLite to many with PostgreSQL.
//
//	b, err := backend.Open(ctx, settings, sqlite.Kind(), postgres.Kind(), nats.Kind(), redis.Kind())
//	…
//	defer b.Close()
//	app, err := pando.New(pando.Config{Source: b.Source, Broker: b.Broker, Cache: b.Cache, …})
//
// Each kind is a package of its own below this one: a program links those that
// it names. A program that opens its parts by hand needs nothing from here.
//
//	SQLite, no broker          one process
//	SQLite and a broker        several processes of one machine, which share the file
//	PostgreSQL, no broker      one node; several, if the app has no consumers
//	PostgreSQL and a broker    any number of nodes, of which one reads the database's log
package backend

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/feed"
)

// DefaultNamespace is what Settings.Namespace is unless it is set.
const DefaultNamespace = "pando"

// Settings name what to open. Only Database must be given.
type Settings struct {
	// Database is a file, for SQLite, or a URL such as
	// postgres://app@db.internal/board.
	Database string
	// Replication is the URL of a database's replication connection, where
	// Database leads to a pooler or to a role that may not replicate; Database
	// unless set.
	Replication string
	// Broker is the URL of what carries events and commits between nodes, such as
	// nats://nats.internal:4222 or redis://redis.internal:6379; "" for none.
	// Several servers have commas between their URLs.
	Broker string
	// Cache is the URL of what keeps scopes for all nodes; "" for none.
	Cache string
	// Capacity and Expiry are the broker's: how many unread messages a channel holds,
	// and how long a message may wait to be read. 0 is broker.DefaultCapacity and
	// broker.DefaultExpiry.
	Capacity int
	Expiry   time.Duration
	// Namespace sets apart apps that share a database's server, a broker or a cache:
	// 1 to 31 small letters and digits, a letter first. All nodes of an app have the
	// same.
	Namespace string
	// Log is told what the parts have to tell; slog.Default() unless set.
	Log *slog.Logger
}

// FromEnv reads the settings from the variables that manage's flags have:
// PANDO_DB, PANDO_REPLICATION, PANDO_BROKER, PANDO_CAPACITY, PANDO_EXPIRY,
// PANDO_CACHE and PANDO_NAMESPACE. The error names a variable that cannot be read.
func FromEnv() (Settings, error) {
	s := Settings{
		Database: os.Getenv("PANDO_DB"), Replication: os.Getenv("PANDO_REPLICATION"),
		Broker: os.Getenv("PANDO_BROKER"), Cache: os.Getenv("PANDO_CACHE"), Namespace: os.Getenv("PANDO_NAMESPACE"),
	}
	var capacity, expiry error
	if text := os.Getenv("PANDO_CAPACITY"); text != "" {
		if s.Capacity, capacity = strconv.Atoi(text); capacity != nil {
			capacity = fmt.Errorf("read settings: PANDO_CAPACITY=%s: want a number of messages", text)
		}
	}
	if text := os.Getenv("PANDO_EXPIRY"); text != "" {
		if s.Expiry, expiry = time.ParseDuration(text); expiry != nil {
			expiry = fmt.Errorf("read settings: PANDO_EXPIRY=%s: want a time like 10s", text)
		}
	}
	return s, errors.Join(capacity, expiry)
}

// Dialect is the SQL that a database speaks.
type Dialect string

// The dialects.
const (
	SQLite     Dialect = "sqlite"
	PostgreSQL Dialect = "postgresql"
)

// Kind opens what URLs of some schemes name. What it cannot be is nil.
type Kind struct {
	// Schemes begin its URLs; "" stands for a path.
	Schemes []string
	// Database opens a database. stream carries its commits to all nodes; it is
	// nil without a broker, and closed by the Source that takes it.
	Database func(ctx context.Context, s Settings, stream broker.Stream) (*Database, error)
	// Broker connects to a broker.
	Broker func(ctx context.Context, s Settings) (Broker, error)
	// Cache connects to a cache.
	Cache func(ctx context.Context, s Settings) (cache.Store, error)
	// Shares tells that a database's commits go to nodes by a broker's stream.
	Shares bool
}

// Database is a database that was opened. DB is what the app itself reads and
// writes by.
type Database struct {
	DB      *sql.DB
	Source  feed.Source
	Dialect Dialect
}

// Broker is a channel layer that also has durable streams.
type Broker interface {
	broker.Broker
	// Stream opens a stream by its name.
	Stream(name string, cfg broker.StreamConfig) (broker.Stream, error)
}

// Backend is what an app runs on.
type Backend struct {
	Database
	// Broker is nil without one, as Cache is.
	Broker broker.Broker
	Cache  cache.Store

	closers []func() error
}

// commits is the name of the stream of a database's commits.
const commits = "commits"

// Open opens what the settings name by the kinds that are given. The caller
// closes it, after App.Run. Servers are asked for here where their clients do
// so; otherwise App.Setup or App.Run finds out that one is not there.
func Open(ctx context.Context, s Settings, kinds ...Kind) (*Backend, error) {
	s, err := s.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Backend{}
	if err := b.open(ctx, s, kinds); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

var goodNamespace = regexp.MustCompile(`^[a-z][a-z0-9]{0,30}$`)

func (s Settings) withDefaults() (Settings, error) {
	if s.Database == "" {
		return s, errors.New("open backend: no database is named: set PANDO_DB to a file or a URL")
	}
	if s.Namespace == "" {
		s.Namespace = DefaultNamespace
	}
	if !goodNamespace.MatchString(s.Namespace) {
		return s, fmt.Errorf("open backend: namespace %q (PANDO_NAMESPACE): want 1 to 31 of a-z 0-9, a letter first", s.Namespace)
	}
	if s.Replication == "" {
		s.Replication = s.Database
	}
	if s.Log == nil {
		s.Log = slog.Default()
	}
	if s.Capacity < 0 || s.Expiry < 0 {
		return s, fmt.Errorf("open backend: capacity %d (PANDO_CAPACITY), expiry %s (PANDO_EXPIRY): want positive values, or none", s.Capacity, s.Expiry)
	}
	return s, nil
}

// Layer is how the broker's channels are bounded.
func (s Settings) Layer() broker.Config { return broker.Config{Capacity: s.Capacity, Expiry: s.Expiry} }

func (b *Backend) open(ctx context.Context, s Settings, kinds []Kind) error {
	database, err := find(kinds, "database", "PANDO_DB", s.Database, func(k Kind) bool { return k.Database != nil })
	if err != nil {
		return err
	}
	var stream broker.Stream
	if s.Broker != "" {
		if stream, err = b.openBroker(ctx, s, kinds, database.Shares); err != nil {
			return err
		}
	}
	if s.Cache != "" {
		kind, err := find(kinds, "cache", "PANDO_CACHE", s.Cache, func(k Kind) bool { return k.Cache != nil })
		if err != nil {
			return err
		}
		if b.Cache, err = kind.Cache(ctx, s); err != nil {
			return fmt.Errorf("open cache (PANDO_CACHE): %w", err)
		}
		b.closers = append(b.closers, b.Cache.Close)
	}
	opened, err := database.Database(ctx, s, stream)
	if err != nil {
		return fmt.Errorf("open database (PANDO_DB): %w", err)
	}
	b.Database = *opened
	b.closers = append(b.closers, b.DB.Close, b.Source.Close)
	return nil
}

// openBroker connects to the broker, and opens the stream where it is needed.
func (b *Backend) openBroker(ctx context.Context, s Settings, kinds []Kind, shares bool) (broker.Stream, error) {
	kind, err := find(kinds, "broker", "PANDO_BROKER", s.Broker, func(k Kind) bool { return k.Broker != nil })
	if err != nil {
		return nil, err
	}
	opened, err := kind.Broker(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("open broker (PANDO_BROKER): %w", err)
	}
	b.Broker = opened
	b.closers = append(b.closers, opened.Close)
	if !shares {
		return nil, nil
	}
	stream, err := opened.Stream(commits, broker.StreamConfig{})
	if err != nil {
		return nil, fmt.Errorf("open the stream of commits (PANDO_BROKER): %w", err)
	}
	// Until the Source has it; closing it again does nothing.
	b.closers = append(b.closers, stream.Close)
	return stream, nil
}

// Close closes what Open has opened, the last first.
func (b *Backend) Close() error {
	var failures []error
	for _, end := range slices.Backward(b.closers) {
		failures = append(failures, end())
	}
	b.closers = nil
	return errors.Join(failures...)
}

// find returns the kind that opens a URL. Errors do not show the URL, which may
// have a password.
func find(kinds []Kind, what, variable, address string, opens func(Kind) bool) (Kind, error) {
	scheme := SchemeOf(address)
	var known []string
	for _, k := range kinds {
		if !opens(k) {
			continue
		}
		if slices.Contains(k.Schemes, scheme) {
			return k, nil
		}
		for _, s := range k.Schemes {
			if s == "" {
				known = append(known, "a path")
			} else {
				known = append(known, s+":")
			}
		}
	}
	if len(known) == 0 {
		return Kind{}, fmt.Errorf("open %s (%s): this program links none: give backend.Open a kind that has one", what, variable)
	}
	begin := "begins with " + scheme + ":"
	if scheme == "" {
		begin = "has no scheme"
	}
	return Kind{}, fmt.Errorf("open %s (%s): its URL %s, and this program knows %s", what, variable, begin, strings.Join(known, ", "))
}

// SchemeOf is the scheme of a URL, in small letters; "" for a path.
func SchemeOf(address string) string {
	scheme, rest, found := strings.Cut(address, ":")
	// A letter alone is a drive.
	if !found || len(scheme) < 2 || strings.ContainsAny(scheme, `/\.`) || strings.HasPrefix(rest, `\`) {
		return ""
	}
	return strings.ToLower(scheme)
}

// Parameter takes a parameter out of a URL's query, as some clients refuse those
// that they do not know.
func Parameter(address, name string) (rest, value string) {
	before, query, found := strings.Cut(address, "?")
	if !found {
		return address, ""
	}
	values, err := url.ParseQuery(query)
	if err != nil || !values.Has(name) {
		return address, ""
	}
	value = values.Get(name)
	values.Del(name)
	if len(values) == 0 {
		return before, value
	}
	return before + "?" + values.Encode(), value
}
