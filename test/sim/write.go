package main

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/world"
)

// write makes the events of a segment one after the other, and draws them
// before where the script leaves it to be drawn.
func (s *seed) write(ctx context.Context, segment *segmentScript) error {
	for i := 0; i < len(segment.Events) || segment.Draw > 0; i++ {
		if ctx.Err() != nil {
			return ctx.Err() // a client has failed
		}
		if i == len(segment.Events) {
			segment.Draw--
			segment.Events = append(segment.Events, s.draw())
		}
		if err := s.happen(ctx, segment.Events[i]); err != nil {
			return err
		}
		s.clock.tick()
	}
	return nil
}

// draw draws what happens next.
func (s *seed) draw() event {
	if s.cache != nil && s.rng.IntN(10) == 0 {
		if s.rng.IntN(4) == 0 {
			return event{Do: "restart"}
		}
		return s.drawCache()
	}
	if s.script.Schema.Database == model.Postgres {
		return s.drawPostgres()
	}
	table := s.script.Schema.Tables[s.rng.IntN(len(s.script.Schema.Tables))].Name
	writer, wait, now := s.rng.IntN(len(s.writers)), s.rng.IntN(2) == 0, s.history.newest()
	switch s.rng.IntN(90) {
	case 0, 7:
		return event{Do: "restart"}
	case 1:
		return event{Do: "rebuild", Table: table}
	case 2:
		return event{Do: "trim"}
	case 6:
		return event{Do: "retrigger", Table: table}
	case 3, 4, 5:
		e := event{Do: "together", Wait: wait}
		for range 2 + s.rng.IntN(3) {
			e.Txs = append(e.Txs, s.gen.Next(now))
		}
		return e
	default:
		return event{Do: "tx", Writer: writer, Wait: wait, Txs: []world.Tx{s.gen.Next(now)}}
	}
}

func (s *seed) happen(ctx context.Context, e event) error {
	switch e.Do {
	case "restart":
		return s.restart(ctx)
	case "wipe cache", "drop cache", "slow cache", "refuse cache", "break cache", "restore cache", "kill heater", "kill cooler":
		return s.keep(ctx, e)
	case "rebuild":
		return s.rebuild(ctx, e.Table)
	case "trim":
		return s.trim(ctx)
	case "retrigger":
		return s.retrigger(ctx, e.Table)
	case "together":
		return s.together(ctx, e)
	case "reshape", "truncate", "kill sender", "kill server":
		return s.disturb(ctx, e)
	case "kill node", "kill owner", "pause node", "pause owner", "restart broker", "wipe broker", "pause broker", "drop slot":
		s.journal.logf("     %s %d, for %v", e.Do, e.Way, e.Delay)
		s.tally.count(e.Do)
		return s.cluster.happen(ctx, e)
	default:
		if err := s.transaction(ctx, e.Writer%len(s.writers), e.Txs[0]); err != nil {
			return err
		}
		if e.Wait {
			s.server.passed(ctx, s.history.newest().Head)
		}
		return nil
	}
}

// together has several connections begin at once: they wait for each other.
func (s *seed) together(ctx context.Context, e event) error {
	s.tally.count("writers at once")
	var group errgroup.Group
	for i, tx := range e.Txs {
		group.Go(func() error {
			by := i % len(s.writers)
			if _, other := s.writers[by].(*foreign); other {
				by = 0
			}
			return s.transaction(ctx, by, tx)
		})
	}
	return group.Wait()
}

// transaction makes one and records what it commits: a writer in this process
// reads it before it commits, while no other can write.
func (s *seed) transaction(ctx context.Context, by int, tx world.Tx) error {
	texts := make([]string, len(tx.Statements))
	for i, st := range tx.Statements {
		texts[i] = st.SQL
	}
	s.journal.logf("%3d  after version %d, writer %d: %s: %s", s.history.len(), s.history.newest().Head, by, tx.Kind, strings.Join(texts, "; "))
	err := s.base.perform(ctx, s.writers[by], tx)
	s.tally.transaction()
	switch {
	case errors.Is(err, world.ErrRefused):
		s.journal.logf("     %v", err)
		s.tally.count("tx: refused by the database")
		return nil
	case err != nil:
		return err
	}
	s.tally.count("tx: " + tx.Kind)
	return nil
}

// restart stops the app and starts another one.
func (s *seed) restart(ctx context.Context) error {
	s.journal.logf("     restart")
	s.tally.count("restart")
	// Who does not read would hold the old app's end up.
	s.clock.hurry(true)
	defer s.clock.hurry(false)
	all := s.servers()
	one := all[s.history.len()%len(all)]
	if err := one.stop(); err != nil {
		return err
	}
	return one.start(ctx)
}

// rebuild replaces a table by a copy of it, which takes its triggers away.
func (s *seed) rebuild(ctx context.Context, table string) error {
	all := world.Rebuild(s.script.Schema, table)
	if all == nil {
		return nil // SQLite lets no table go that a trigger names
	}
	s.journal.logf("     rebuild %s", table)
	s.tally.count("rebuild")
	return s.plain.perform(ctx, world.Tx{Statements: all}, nil)
}

// retrigger makes the application's trigger younger than the feed's.
func (s *seed) retrigger(ctx context.Context, table string) error {
	all := world.Retrigger(s.script.Schema, table)
	if all == nil {
		return nil
	}
	s.journal.logf("     retrigger %s", table)
	s.tally.count("younger trigger")
	return s.plain.perform(ctx, world.Tx{Statements: all}, nil)
}

// trim removes the log as another process does that has read it all.
func (s *seed) trim(ctx context.Context) error {
	s.journal.logf("     trim")
	s.tally.count("trim")
	return s.plain.perform(ctx, world.Tx{Statements: []world.Statement{
		{SQL: "UPDATE pando_meta SET trimmed = max(trimmed, (SELECT coalesce(max(seq), 0) FROM pando_log))"},
		{SQL: "DELETE FROM pando_log"},
	}}, nil)
}
