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

	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/perturb"
	"github.com/pando-sync/pando/test/internal/world"
)

// seed is the simulation of one seed.
type seed struct {
	number   uint64
	patience time.Duration
	tally    *tally
	journal  *journal

	shape   world.Shape
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

// A seed's random numbers come from several sources, so that what one of its
// goroutines draws does not depend on what another does.
const (
	streamShape = iota
	streamWriter
	streamGenerator
	streamClients
)

func (s *seed) random(stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(s.number, stream)) //nolint:gosec // the same every time
}

// run plays a seed. The error is a divergenceError, or something that went wrong
// with the simulation itself.
func (s *seed) run(ctx context.Context, fault string) (err error) {
	folder, err := os.MkdirTemp("", "pando-sim-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := s.build(ctx, filepath.Join(folder, "sim.db"), fault); err != nil {
		return errors.Join(err, s.close())
	}
	defer func() { err = errors.Join(err, s.close()) }()
	rng := s.random(streamShape)
	for range 4 {
		if err := s.segment(ctx, 10+rng.IntN(16)); err != nil {
			return err
		}
	}
	return s.compareState(ctx)
}

// build makes the database, the server, the writers and the clients.
func (s *seed) build(ctx context.Context, file, fault string) error {
	rng := s.random(streamShape + 100)
	s.shape = world.RandomShape(rng)
	s.rng, s.gen = s.random(streamWriter), world.NewGenerator(s.random(streamGenerator), s.shape)
	s.clock, s.history = newClock(), newHistory()
	dsn := s.shape.DSN(file)
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return err
	}
	s.writers = append(s.writers, handle{db})
	if s.read, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	free := s.shape
	free.ForeignKeys = false
	other, err := sql.Open("sqlite", free.DSN(file))
	if err != nil {
		return err
	}
	s.plain = handle{other}
	if err := world.Perform(ctx, db, world.Tx{SQL: s.shape.Create()}); err != nil {
		return err
	}
	s.server = &server{db: db, log: s.journal.logger(), plan: perturb.Plan{
		Fault: fault, SlowFeed: rng.IntN(3) == 0, SlowRead: rng.IntN(3) == 0, Seed: s.number,
	}}
	s.journal.logf("shape %+v plan %+v", s.shape, s.server.plan)
	if rng.IntN(2) == 0 {
		s.server.logBytes = 1 + rng.IntN(2000)
	}
	if rng.IntN(2) == 0 {
		s.server.linger = time.Duration(1+rng.IntN(20)) * time.Millisecond
	}
	if err := s.addWriters(rng, dsn); err != nil {
		return err
	}
	return s.begin(ctx, rng)
}

func (s *seed) addWriters(rng *rand.Rand, dsn string) error {
	if rng.IntN(2) == 0 {
		db, err := sql.Open("sqlite", dsn)
		if err != nil {
			return err
		}
		s.writers = append(s.writers, handle{db})
	}
	if rng.IntN(3) == 0 {
		w, err := startForeign(dsn)
		if err != nil {
			return err
		}
		s.writers = append(s.writers, w)
		s.tally.count("foreign process")
	}
	return nil
}

func (s *seed) begin(ctx context.Context, rng *rand.Rand) error {
	if err := s.server.listen(ctx); err != nil {
		return err
	}
	if err := s.server.start(ctx); err != nil {
		return err
	}
	if err := s.record(ctx); err != nil {
		return err
	}
	for i := range 2 + rng.IntN(4) {
		s.clients = append(s.clients, &client{
			id: i, rng: s.random(streamClients + uint64(i)), clock: s.clock, event: s.event(i),
			patience: s.patience, conn: pandotest.NewClient(s.server.url, ""),
		})
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

// record adds the present state to history.
func (s *seed) record(ctx context.Context) error {
	data, err := oracle.Read(ctx, s.read)
	if err != nil {
		return err
	}
	s.history.add(data)
	return nil
}

// segment lets writer and clients play at once, and compares when they rest.
func (s *seed) segment(ctx context.Context, transactions int) error {
	s.clock.hurry(false)
	group, playing := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer s.clock.hurry(true)
		return s.write(playing, transactions)
	})
	for _, c := range s.clients {
		group.Go(func() error { return c.play(playing, 3+c.rng.IntN(5)) })
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

// compareState compares GET /state of every route.
func (s *seed) compareState(ctx context.Context) error {
	for _, route := range world.Routes {
		got, err := s.server.get(ctx, route)
		if err != nil {
			return err
		}
		s.tally.compared(1)
		if want := s.history.now(route); got != want {
			return &divergenceError{client: -1, route: route, what: "GET /state differs", shows: got, want: want}
		}
	}
	return nil
}
