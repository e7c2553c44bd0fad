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
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// seed is one play of a script.
type seed struct {
	script   *script
	patience time.Duration
	grounds  *grounds
	tally    *tally
	journal  *journal

	gen     *world.Generator
	rng     *rand.Rand // of the writer
	clock   *clock
	history *history

	book    *book
	base    database
	server  *server
	twin    *server // nil for none
	cluster *cluster
	cache   *larder // nil for none
	read    *sql.DB // the oracle's
	writers []writer
	plain   handle // does not check links
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
			s.dump(err)
			return err
		}
	}
	return s.compareState(ctx)
}

// dump has nodes tell what they do that were waited for in vain.
func (s *seed) dump(err error) {
	if s.cluster == nil || !errors.Is(err, errPatience) {
		return
	}
	for _, n := range s.cluster.nodes {
		n.dump()
	}
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
func (s *seed) build(ctx context.Context, file string) (err error) {
	k := s.script
	s.rng, s.gen = random(k.Seed, streamWriter), world.NewGenerator(random(k.Seed, streamGenerator), k.Schema)
	s.clock, s.history = newClock(), new(history)
	s.book = newBook(k.Schema, s.history)
	if s.base, err = s.grounds.open(ctx, k.Schema, s.history, file); err != nil {
		return err
	}
	db := s.open(false)
	s.writers = append(s.writers, handle{k.Schema.Database, db})
	s.read, s.plain = s.open(false), handle{k.Schema.Database, s.open(true)}
	if err := s.fill(ctx); err != nil {
		return err
	}
	s.server = s.serve(db)
	if k.Nodes > 0 {
		if err := s.gather(ctx); err != nil {
			return err
		}
	} else if k.Twin {
		s.twin = s.serve(s.open(false))
		s.tally.count("two servers")
	}
	if k.Second {
		s.writers = append(s.writers, handle{k.Schema.Database, s.open(false)})
	}
	if k.Foreign {
		w, err := startForeign(s.base.address())
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

func (s *seed) open(unchecked bool) *sql.DB {
	db, err := s.base.open(unchecked)
	if err != nil {
		panic(err) // the driver is linked
	}
	return db
}

// fill makes the tables and their first rows.
func (s *seed) fill(ctx context.Context) error {
	create := world.Tx{Statements: append(world.Create(s.script.Schema), world.Statement{SQL: createLedger})}
	if err := world.Perform(ctx, s.script.Schema.Database, s.plain.db, create, nil); err != nil {
		return err
	}
	if err := s.base.watch(ctx); err != nil {
		return err
	}
	return world.Perform(ctx, s.script.Schema.Database, s.plain.db, s.script.First, nil)
}

// serve is a server that answers by the book.
func (s *seed) serve(db *sql.DB) *server {
	k := s.script
	if k.Cache == inMemory && s.cache == nil {
		s.cache = newLarder(k.Seed, s.tally.add)
	}
	one := k.server(db, s.journal.logger(), s.book, s.base.where(db))
	if one.clerk.where == nil {
		one.clerk.history = s.history
	}
	one.source = s.base.source
	if s.cache != nil {
		one.cache = func() cache.Store { return s.cache.welcome(one) }
	}
	return one
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
		urls = append(urls, one.address())
	}
	if err := s.base.known(ctx); err != nil {
		return err
	}
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

// servers are one, or two over the same database, or nodes.
func (s *seed) servers() []host {
	switch {
	case s.cluster != nil:
		var all []host
		for _, n := range s.cluster.nodes {
			all = append(all, n)
		}
		return all
	case s.twin != nil:
		return []host{s.server, s.twin}
	default:
		return []host{s.server}
	}
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
	if s.cluster != nil {
		errs = append(errs, s.cluster.close())
		s.grounds.releaseBroker(s.script.Broker, s.cluster.broker)
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
	if s.cache != nil {
		s.tally.add("opened from the cache", int(s.server.opened))
		errs = append(errs, s.cache.store.Close())
	}
	if s.base != nil {
		errs = append(errs, s.base.close())
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
	if err := s.calm(ctx); err != nil {
		return err
	}
	if err := s.rest(ctx); err != nil {
		return err
	}
	if err := s.known(ctx); err != nil {
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

// calm waits until what was taken away is there again.
func (s *seed) calm(context.Context) error {
	if s.cluster == nil {
		return nil
	}
	return s.cluster.rest()
}

// known has the history be complete, and compares where it ends with the tables.
func (s *seed) known(ctx context.Context) error {
	if err := s.base.known(ctx); err != nil {
		return err
	}
	read, err := tenacious(ctx, func() (*oracle.Data, error) { return oracle.Read(ctx, s.read, s.script.Schema) })
	if err != nil {
		return err
	}
	newest := s.history.newest()
	for _, t := range s.script.Schema.Tables {
		if !slices.EqualFunc(read.Tables[t.Name], newest.Tables[t.Name], func(a, b oracle.Row) bool { return slices.EqualFunc(a, b, equalValues) }) {
			return fmt.Errorf("the history of %s is not that of the database, at %d", t.Name, newest.Head)
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
	ledger, err := tenacious(ctx, func() (map[string][]string, error) { return readLedger(ctx, s.read) })
	if err != nil {
		return err
	}
	n, err := s.book.verify(ledger)
	s.tally.judged(n)
	return err
}

// state fetches GET /state of a route, when a server that has just begun follows
// the database.
func (s *seed) state(ctx context.Context, route, user string) (string, error) {
	ctx, cancel := patient(ctx, s.patience)
	defer cancel()
	for {
		text, err := get(ctx, s.servers()[0].address(), route, user)
		if !errors.Is(err, errUnavailable) {
			return text, err
		}
		again := time.NewTimer(10 * time.Millisecond)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return "", errors.Join(err, context.Cause(ctx))
		}
	}
}

// compareState compares GET /state of every route, for some user.
func (s *seed) compareState(ctx context.Context) error {
	for i, route := range s.script.Routes {
		user := append([]string{""}, s.script.Users...)[i%(len(s.script.Users)+1)]
		got, err := s.state(ctx, world.Path(route), user)
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
