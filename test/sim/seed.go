package main

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

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

	server  *server
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
	if err := world.Perform(ctx, db, world.Tx{Statements: world.Create(k.Schema)}, nil); err != nil {
		return err
	}
	if err := world.Perform(ctx, s.plain.db, k.First, nil); err != nil {
		return err
	}
	s.server = &server{db: db, log: s.journal.logger(), plan: k.Plan, schema: k.Schema, logBytes: k.LogBytes, keep: k.Keep, narrow: k.Narrow, linger: k.Linger}
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
	if err := s.server.listen(ctx); err != nil {
		return err
	}
	if err := s.server.start(ctx); err != nil {
		return err
	}
	data, err := oracle.Read(ctx, s.read, s.script.Schema)
	if err != nil {
		return err
	}
	s.history.add(data)
	for i, user := range s.script.Clients {
		c := &client{
			id: i, url: s.server.url, routes: s.script.Routes, trees: s.server.trees,
			narrow: s.script.Narrow, clock: s.clock, event: s.event(i), patience: s.patience,
		}
		c.enter(user)
		s.clients = append(s.clients, c)
	}
	return nil
}

// event returns what notes the steps of a client.
func (s *seed) event(client int) func(string) {
	return func(step string) {
		s.tally.count("client: " + step)
		s.journal.logf("     client %d: %s", client, step)
	}
}

// close stops everything.
func (s *seed) close() error {
	var errs []error
	for _, c := range s.clients {
		c.conn.Drop()
	}
	if s.server != nil && s.server.http != nil {
		errs = append(errs, s.server.close())
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
