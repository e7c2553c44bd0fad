package main

import (
	"context"
	"errors"
	"strings"

	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// write makes transactions one after the other, and sometimes something worse,
// and records the state after each.
func (s *seed) write(ctx context.Context, n int) error {
	for range n {
		if ctx.Err() != nil {
			return ctx.Err() // a client has failed
		}
		var err error
		switch s.rng.IntN(90) {
		case 0:
			err = s.restart(ctx)
		case 1:
			err = s.rebuild(ctx)
		case 2:
			err = s.trim(ctx)
		default:
			err = s.transaction(ctx)
		}
		if err != nil {
			return err
		}
		s.clock.tick()
	}
	return nil
}

func (s *seed) transaction(ctx context.Context) error {
	before, err := oracle.Read(ctx, s.read)
	if err != nil {
		return err
	}
	tx := s.gen.Next(before)
	by := s.rng.IntN(len(s.writers))
	s.journal.logf("%3d  after version %d, writer %d: %s: %s", s.history.len(), before.Head, by, tx.Kind, strings.Join(tx.SQL, "; "))
	err = s.writers[by].perform(ctx, tx)
	switch {
	case errors.Is(err, world.ErrRefused):
		s.journal.logf("     %v", err)
		s.tally.count("tx: refused by the database")
	case err != nil:
		return err
	default:
		s.tally.count("tx: " + tx.Kind)
	}
	s.tally.transaction()
	after, err := oracle.Read(ctx, s.read)
	if err != nil {
		return err
	}
	s.history.add(after)
	// Half of the transactions come one by one, the others in bursts.
	if s.rng.IntN(2) == 0 {
		s.server.passed(ctx, after.Head)
	}
	return nil
}

// restart stops the app and starts another one.
func (s *seed) restart(ctx context.Context) error {
	s.journal.logf("     restart")
	s.tally.count("restart")
	// Who does not read would hold the old app's end up.
	s.clock.hurry(true)
	defer s.clock.hurry(false)
	if err := s.server.stop(); err != nil {
		return err
	}
	return s.server.start(ctx)
}

// rebuild replaces a table by a copy of it, which takes its triggers away.
func (s *seed) rebuild(ctx context.Context) error {
	table := []string{"lists", "users", "comments", "cards"}[s.rng.IntN(4)]
	if table == "cards" && s.shape.Trigger {
		table = "lists" // SQLite lets no table go that a trigger names
	}
	s.journal.logf("     rebuild %s", table)
	s.tally.count("rebuild")
	return s.plain.perform(ctx, world.Tx{SQL: s.shape.Rebuild(table)})
}

// trim removes the log as another process does that has read it all.
func (s *seed) trim(ctx context.Context) error {
	s.journal.logf("     trim")
	s.tally.count("trim")
	return s.plain.perform(ctx, world.Tx{SQL: []string{
		"UPDATE pando_meta SET trimmed = max(trimmed, (SELECT coalesce(max(seq), 0) FROM pando_log))",
		"DELETE FROM pando_log",
	}})
}
