// Package mongocache is a cache.Store in MongoDB, which all nodes of an app share.
//
// # Documents
//
// Four collections, the names of which begin with Config.Prefix:
//
//	pando_entries  one document for each entry: _id is a hash of its key
//	pando_rows     one for each row: _id is the group of its generation and its ID
//	pando_nodes    one for each node
//	pando_gone     one for each group that its entry has no more, until it is swept
//
// The group of a generation is a random text that is made with it, so that what
// is written late to a generation of before is not found by one that has the
// same name. Texts are stored as they are, but for "\x00" and "%", which stand
// there as %00 and %25.
//
// # What is asked of the server
//
// Single documents change as a whole, which is all that the Store needs: neither
// transactions nor change streams, and no replica set. All is read from the
// primary. What is written counts once most of a replica set have it, since an
// entry that is kept must keep its rows, too: a write that one server alone has
// is undone when another takes its place. Reads take what the primary has, most
// having it or not: a row is a true statement even if it is undone, and the
// driver does not go back to a primary of before. The URI cannot change this.
//
// # Time
//
// An entry has expired by the clock of the process that asks. Processes whose
// clocks differ may disagree for as long; all they can do then is to remove an
// entry too early, or to be told of a conflict.
//
// Expired entries, and rows that nobody finds any more, are swept by every
// process from time to time. The server needs no index with a time to live.
//
// # Concurrency
//
// A Store is safe for concurrent use. It has one goroutine of its own beside
// those of the driver.
package mongocache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/pando-sync/pando/cache"
)

// Defaults of Config.
const (
	DefaultDatabase = "pando"
	DefaultPrefix   = "pando"
)

// Config is what a Store is made of. Only URI must be given.
type Config struct {
	// URI names the servers, as mongodb://user:password@host:27017/database or
	// mongodb+srv://….
	URI string
	// Database is that of the collections: the one in URI unless set, and
	// DefaultDatabase where there is none.
	Database string
	// Prefix begins the names of the collections, so that several apps can share a
	// database: 1 to 32 of A-Z a-z 0-9 _ -, DefaultPrefix unless set.
	Prefix string
	// Timeout bounds calls of which the context has no deadline (10 s).
	Timeout time.Duration
	// Sweep is how often is looked for what has expired (5 min). Processes do so at
	// times of their own, up to half as much earlier.
	Sweep time.Duration
	// Logger is told of what cannot be swept; slog.Default() unless set.
	Logger *slog.Logger
	// Options is called with the driver's options before the client is made, for
	// what the URI cannot say.
	Options func(*options.ClientOptions)
}

var goodPrefix = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// selection is how long a server is looked for, unless the URI says otherwise: a
// cache that is not there is of no use later.
const selection = 2 * time.Second

func (c Config) withDefaults() (Config, error) {
	if c.URI == "" {
		return c, errors.New("mongocache: Config.URI is empty: want one like mongodb://localhost:27017")
	}
	if c.Database == "" {
		c.Database = databaseOf(c.URI)
	}
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Sweep == 0 {
		c.Sweep = 5 * time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	switch {
	case !goodPrefix.MatchString(c.Prefix):
		return c, fmt.Errorf("mongocache: Config.Prefix %q: want 1 to 32 of A-Z a-z 0-9 _ -", c.Prefix)
	case c.Timeout < 0 || c.Sweep < 0:
		return c, errors.New("mongocache: Config.Timeout and Config.Sweep: want more than 0, or 0 for the default")
	}
	return c, nil
}

// databaseOf is the database that a URI names, or the default.
func databaseOf(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	rest, _, _ = strings.Cut(rest, "?")
	if _, name, _ := strings.Cut(rest, "/"); name != "" {
		return name
	}
	return DefaultDatabase
}

// Store is a cache.Store. Its zero value is of no use: see New.
type Store struct {
	cfg    Config
	client *mongo.Client

	entries, rows, nodes, gone *mongo.Collection

	// life ends with Close.
	life context.Context //nolint:containedctx // it is the store's own, which calls end with
	end  context.CancelFunc
	// calls are those under way, and the sweeper.
	calls sync.WaitGroup
	// mu guards the beginning of calls against Close.
	mu sync.Mutex
	// indexed tells that the indexes are there; making has room for who makes them.
	indexed atomic.Bool
	making  chan struct{}
	// rubbish are groups whose rows can be removed. Those that find no room are
	// found by the sweep.
	rubbish chan string
}

var _ cache.Store = (*Store)(nil)

// New returns a Store that connects as it is used: an app starts without its
// cache as well. Check tells whether the server is there. The caller closes the
// Store.
func New(cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	opts := options.Client().SetAppName("pando").SetServerSelectionTimeout(selection).SetTimeout(cfg.Timeout).ApplyURI(cfg.URI)
	if cfg.Options != nil {
		cfg.Options(opts)
	}
	if opts.Validate() != nil {
		// The URI may have a password, and so may what the driver says of it.
		return nil, errors.New("mongocache: Config.URI cannot be read: want one like mongodb://user:password@host:27017/database, with what is special in the password as %XX")
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, fmt.Errorf("mongocache: make the client: %w: see Config.URI", err)
	}
	s := &Store{cfg: cfg, client: client, making: make(chan struct{}, 1), rubbish: make(chan string, rubbishAtOnce)}
	db := client.Database(cfg.Database, options.Database().
		SetReadPreference(readpref.Primary()).SetReadConcern(readconcern.Local()).SetWriteConcern(writeconcern.Majority()))
	for _, c := range []struct {
		at   **mongo.Collection
		name string
	}{{&s.entries, "entries"}, {&s.rows, "rows"}, {&s.nodes, "nodes"}, {&s.gone, "gone"}} {
		*c.at = db.Collection(cfg.Prefix + "_" + c.name)
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.calls.Go(s.sweepAll)
	return s, nil
}

// Check tells whether the server answers, and has its indexes made. Its error
// says how to mend it.
func (s *Store) Check(ctx context.Context) error {
	return s.call(ctx, "check", func(ctx context.Context) error { return s.client.Ping(ctx, readpref.Primary()) })
}

// Close implements cache.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.life.Err() != nil {
		s.mu.Unlock()
		return nil
	}
	s.end()
	s.mu.Unlock()
	s.calls.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), selection)
	defer cancel()
	if err := s.client.Disconnect(ctx); err != nil {
		return fmt.Errorf("mongocache: disconnect: %w", err)
	}
	return nil
}

// call makes one call, which ends with its context and with the store.
func (s *Store) call(ctx context.Context, what string, fn func(context.Context) error) error {
	s.mu.Lock()
	if s.life.Err() != nil {
		s.mu.Unlock()
		return fmt.Errorf("%s: %w", what, cache.ErrClosed)
	}
	s.calls.Add(1)
	s.mu.Unlock()
	defer s.calls.Done()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	inner, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	if _, has := ctx.Deadline(); has {
		cancel()
		inner, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	err := s.index(inner)
	if err == nil {
		err = fn(inner)
	}
	switch {
	case err == nil:
		return nil
	case s.life.Err() != nil:
		err = cache.ErrClosed
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return fmt.Errorf("%s: %w", what, explain(err))
}

// index makes the indexes, once.
func (s *Store) index(ctx context.Context) error {
	if s.indexed.Load() {
		return nil
	}
	select {
	case s.making <- struct{}{}:
		defer func() { <-s.making }()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
	}
	if s.indexed.Load() {
		return nil
	}
	for _, of := range []struct {
		collection *mongo.Collection
		keys       []bson.D
	}{
		{s.entries, []bson.D{{{Key: "expires", Value: 1}}, {{Key: "channel", Value: 1}, {Key: "anchor", Value: 1}}}},
		{s.rows, []bson.D{{{Key: "of", Value: 1}}}},
		{s.nodes, []bson.D{{{Key: "expires", Value: 1}}}},
		{s.gone, []bson.D{{{Key: "at", Value: 1}}}},
	} {
		for _, keys := range of.keys {
			if _, err := of.collection.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: keys}); err != nil {
				return fmt.Errorf("make the indexes of %s: %w", of.collection.Name(), err)
			}
		}
	}
	s.indexed.Store(true)
	return nil
}
