package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// seed is one play of a script.
type seed struct {
	script   *script
	patience time.Duration
	tally    *tally
	journal  *journal

	gen     *world.Generator
	rng     *rand.Rand // of the writer
	clock   *clock
	history *history

	book    *book
	server  *server
	twin    *server // nil for none
	read    *sql.DB // the oracle's
	writers []writer
	plain   handle // does not check foreign keys
	clients []*client
}

// run plays the script. The error is a divergenceError, or something that went
// wrong with the simulation itself.
func (s *seed) run(ctx context.Context) (err error) {
	folder, err := os.MkdirTemp(memoryFolder(), "pando-sim-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := s.build(ctx, filepath.Join(folder, "sim.db")); err != nil {
		return errors.Join(err, s.close())
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, segment := range s.script.Segments {
		if err := s.segment(ctx, segment); err != nil {
			return err
		}
	}
	return s.compareState(ctx)
}

// memoryFolder is a folder in memory where the system has one, else the usual
// one for temporary files.
func memoryFolder() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// build makes the database, the server, the writers and the clients.
func (s *seed) build(ctx context.Context, file string) error {
	k := s.script
	s.rng, s.gen = random(k.Seed, streamWriter), world.NewGenerator(random(k.Seed, streamGenerator), k.Schema)
	s.clock, s.history = newClock(), new(history)
	s.book = newBook(k.Schema, s.history)
	dsn := world.DSN(k.Schema, file, k.Schema.ForeignKeys)
	open := func(dsn string) *sql.DB {
		db, err := sql.Open("sqlite", dsn)
		if err != nil {
			panic(err) // the driver is linked
		}
		return db
	}
	db := open(dsn)
	s.writers = append(s.writers, handle{db})
	s.read, s.plain = open(dsn), handle{open(world.DSN(k.Schema, file, false))}
	create := append(world.Create(k.Schema), world.Statement{SQL: createLedger})
	if err := world.Perform(ctx, k.Schema.Database, db, world.Tx{Statements: create}, nil); err != nil {
		return err
	}
	if err := world.Perform(ctx, k.Schema.Database, s.plain.db, k.First, nil); err != nil {
		return err
	}
	serve := func(db *sql.DB) *server {
		plan := k.Plan
		plan.Witness = s.book
		return &server{db: db, log: s.journal.logger(), plan: plan, schema: k.Schema, logBytes: k.LogBytes, keep: k.Keep, narrow: k.Narrow, linger: k.Linger, book: s.book}
	}
	s.server = serve(db)
	if k.Twin {
		s.twin = serve(open(dsn))
		s.tally.count("two servers")
	}
	if k.Second {
		s.writers = append(s.writers, handle{open(dsn)})
	}
	if k.Foreign {
		w, err := startForeign(dsn)
		if err != nil {
			return err
		}
		s.writers = append(s.writers, w)
		s.tally.count("foreign process")
	}
	s.tally.features(k)
	s.journal.logf("schema %s", describe(k))
	return s.begin(ctx)
}

func (s *seed) begin(ctx context.Context) error {
	var urls []string
	for _, one := range s.servers() {
		if err := one.listen(ctx); err != nil {
			return err
		}
		if err := one.start(ctx); err != nil {
			return err
		}
		urls = append(urls, one.url)
	}
	data, err := oracle.Read(ctx, s.read, s.script.Schema)
	if err != nil {
		return err
	}
	s.history.add(data)
	var offers [][]*world.Offer
	var structs []map[*model.Layer]*model.Layer
	for _, c := range s.script.Schema.Channels {
		offers, structs = append(offers, world.Offers(s.script.Schema, c)), append(structs, world.Structs(s.script.Schema, c))
	}
	s.book.structs = structs
	for i, user := range s.script.Clients {
		c := &client{
			id: i, urls: urls, at: i % len(urls), routes: s.script.Routes, trees: s.server.trees, offers: offers, structs: structs, book: s.book,
			narrow: s.script.Narrow, clock: s.clock, event: s.event(i), count: s.tally.count, patience: s.patience,
		}
		c.enter(user)
		s.clients = append(s.clients, c)
	}
	return nil
}

// servers are one, or two over the same database.
func (s *seed) servers() []*server {
	if s.twin == nil {
		return []*server{s.server}
	}
	return []*server{s.server, s.twin}
}

// event returns what notes what a client does.
func (s *seed) event(client int) func(string) {
	return func(text string) { s.journal.logf("     client %d: %s", client, text) }
}

// close stops everything.
func (s *seed) close() error {
	var errs []error
	for _, c := range s.clients {
		c.breaking.Wait()
		c.conn.Drop()
	}
	if s.server != nil && s.server.http != nil {
		errs = append(errs, s.server.close())
	}
	if s.twin != nil {
		if s.twin.http != nil {
			errs = append(errs, s.twin.close())
		}
		errs = append(errs, s.twin.db.Close())
	}
	for _, w := range s.writers {
		errs = append(errs, w.close())
	}
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.plain.db != nil {
		errs = append(errs, s.plain.close())
	}
	return errors.Join(errs...)
}

// segment lets writer and clients play at once, and compares when they rest.
func (s *seed) segment(ctx context.Context, script *segmentScript) error {
	s.clock.hurry(false)
	group, playing := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer s.clock.hurry(true)
		return s.write(playing, script)
	})
	for i, c := range s.clients {
		group.Go(func() error { return c.play(playing, script.Steps[i]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := s.rest(ctx); err != nil {
		return err
	}
	if err := s.verifyCalls(ctx); err != nil {
		return err
	}
	for _, c := range s.clients {
		n, failed := c.settle(ctx, s.history)
		m, err := c.verify(s.history)
		s.tally.compared(n + m)
		// What was shown on the way tells more than where it ended.
		if err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rest waits until the servers have no other streams than the clients show: what
// was begun for others has ended then, and nothing more comes of it.
func (s *seed) rest(ctx context.Context) error {
	ctx, cancel := patient(ctx, s.patience)
	defer cancel()
	for {
		shown := 0
		var gone []<-chan struct{}
		for _, c := range s.clients {
			c.breaking.Wait()
			if err := c.connect(ctx); err != nil {
				return fmt.Errorf("client %d: %w", c.id, err)
			}
			gone = append(gone, c.conn.Closed())
			for _, v := range c.views {
				if v.open {
					shown++
				}
			}
		}
		open, changed := s.book.streams()
		if open == shown {
			return s.end(ctx)
		}
		s.journal.logf("     rest: the servers have %d streams, the clients %d", open, shown)
		// A client may hear last of all that a server has closed its connection.
		first(append(gone, changed, ctx.Done())...)
		if ctx.Err() != nil {
			return &divergenceError{
				client: -1, waited: context.Cause(ctx), what: fmt.Sprintf("the servers have %d streams, and the clients %d", open, shown),
			}
		}
	}
}

// end has the history end by what the database holds, as nobody writes.
func (s *seed) end(ctx context.Context) error {
	if s.script.Schema.Database != model.SQLite {
		return nil // a log that tells all commits has them in their order
	}
	d, err := oracle.Read(ctx, s.read, s.script.Schema)
	if err != nil {
		return err
	}
	return s.history.end(d)
}

// first waits until one of several channels is closed.
func first(of ...<-chan struct{}) {
	cases := make([]reflect.SelectCase, len(of))
	for i, c := range of {
		cases[i] = reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)}
	}
	reflect.Select(cases)
}

// verifyCalls compares what callers were told with what was done.
func (s *seed) verifyCalls(ctx context.Context) error {
	ledger, err := readLedger(ctx, s.read)
	if err != nil {
		return err
	}
	n, err := s.book.verify(ledger)
	s.tally.judged(n)
	return err
}

// compareState compares GET /state of every route, for some user.
func (s *seed) compareState(ctx context.Context) error {
	for i, route := range s.script.Routes {
		user := append([]string{""}, s.script.Users...)[i%(len(s.script.Users)+1)]
		got, err := s.server.get(ctx, world.Path(route), user)
		if err != nil {
			return err
		}
		s.tally.compared(1)
		if want := s.history.now(route, user); got != want {
			return &divergenceError{client: -1, user: user, route: world.Path(route), what: "GET /state differs", shows: got, want: want}
		}
	}
	return nil
}
