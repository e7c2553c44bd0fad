package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/pando-sync/pando/test/internal/world"
)

// drawPostgres draws what happens next to a PostgreSQL.
func (s *seed) drawPostgres() event {
	tables := s.script.Schema.Tables
	table := tables[s.rng.IntN(len(tables))].Name
	writer, wait, now := s.rng.IntN(len(s.writers)), s.rng.IntN(2) == 0, s.history.newest()
	if s.cluster != nil && s.rng.IntN(8) == 0 {
		return s.drawNodes(s.rng)
	}
	switch n := s.rng.IntN(90); {
	case n < 2:
		return event{Do: "restart"}
	case n == 2:
		return event{Do: "reshape", Table: table, Way: s.rng.IntN(world.Reshapes())}
	case n == 3:
		return event{Do: "kill sender"}
	case n == 4 && s.rng.IntN(2) == 0:
		return event{Do: "kill server"}
	case n == 5 && s.rng.IntN(2) == 0:
		return event{Do: "truncate", Table: table}
	case n < 20:
		e := event{Do: "together", Wait: wait}
		for range 2 + s.rng.IntN(4) {
			e.Txs = append(e.Txs, linger(s.rng, s.gen.Next(now)))
		}
		return e
	default:
		return event{Do: "tx", Writer: writer, Wait: wait, Txs: []world.Tx{s.gen.Next(now)}}
	}
}

// linger has a transaction that is made beside others rest in its middle, so that
// they commit in another order than they begin.
func linger(rng *rand.Rand, tx world.Tx) world.Tx {
	if rng.IntN(2) == 0 {
		return tx
	}
	rest := world.Statement{SQL: fmt.Sprintf("SELECT pg_sleep(0.%03d)", 1+rng.IntN(30))}
	at := rng.IntN(len(tx.Statements) + 1)
	all := append(append([]world.Statement(nil), tx.Statements[:at]...), rest)
	tx.Statements = append(all, tx.Statements[at:]...)
	return tx
}

// endSenders ends the connections by which the log is read, but the simulation's
// own.
const endSenders = "SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name <> 'sim_replica'"

// disturb makes an event of PostgreSQL's.
func (s *seed) disturb(ctx context.Context, e event) error {
	s.journal.logf("     %s %s %d", e.Do, e.Table, e.Way)
	s.tally.count(e.Do)
	table := s.script.Schema.Table
	switch e.Do {
	case "kill server":
		return s.base.restart(ctx)
	case "kill sender":
		return s.quietly(ctx, world.Tx{Statements: []world.Statement{{SQL: endSenders}}})
	case "truncate":
		return s.quietly(ctx, world.Tx{Statements: world.Truncate(table(e.Table))})
	default:
		return s.quietly(ctx, world.Tx{Statements: world.Reshape(table(e.Table), e.Way)})
	}
}

// quietly makes a transaction that the database may refuse: it may be in the way
// of others.
func (s *seed) quietly(ctx context.Context, tx world.Tx) error {
	err := s.base.perform(ctx, s.plain, tx)
	if errors.Is(err, world.ErrRefused) {
		s.journal.logf("     %v", err)
		return nil
	}
	return err
}
