package replica_test

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/replica"
	"github.com/pando-sync/pando/test/internal/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

func random(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// states are all that a replica has told.
type states struct {
	mu  sync.Mutex
	all []replica.Commit
}

func (s *states) tell(c replica.Commit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, c)
}

func (s *states) newest() *oracle.Data {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[len(s.all)-1].Data
}

// TestStatesAreWhatTheTablesHold has several connections write at once, and
// compares where they end with the tables.
func TestStatesAreWhatTheTablesHold(t *testing.T) {
	accepted := map[string]int{}
	for seed := uint64(1); seed <= 6; seed++ {
		s := world.RandomSchema(random(seed, 1))
		s.Database = model.Postgres
		url := servers.Database(t)
		db, err := sql.Open("pgx", url+"&timezone=UTC")
		if err != nil {
			t.Fatal(err)
		}
		create := append(world.Create(s), world.Statement{SQL: "CREATE TABLE sim_ledger (call text, result text)"})
		perform(t, db, world.Tx{Statements: create})
		all := &states{}
		r, err := replica.Start(t.Context(), url, s, all.tell)
		if err != nil {
			t.Fatal(err)
		}
		g := world.NewGenerator(random(seed, 2), s)
		perform(t, db, g.First())
		perform(t, db, world.Tx{Statements: []world.Statement{{SQL: "INSERT INTO sim_ledger VALUES ('a', 'b')"}}})
		for range 25 {
			passed(t, db, r)
			var group errgroup.Group
			for range 3 {
				tx := g.Next(all.newest())
				group.Go(func() error {
					err := world.Perform(t.Context(), model.Postgres, db, tx, nil)
					all.mu.Lock()
					defer all.mu.Unlock()
					if err == nil {
						accepted[tx.Kind]++
						return nil
					}
					if !errors.Is(err, world.ErrRefused) {
						return err
					}
					accepted["refused"]++
					return nil
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		for way := range world.Reshapes() {
			perform(t, db, world.Tx{Statements: world.Reshape(s.Tables[1], way)})
		}
		passed(t, db, r)
		compare(t, db, s, all.newest())
		perform(t, db, world.Tx{Statements: world.Truncate(s.Tables[0])})
		passed(t, db, r)
		compare(t, db, s, all.newest())
		r.Close()
		db.Close()
	}
	t.Log(accepted)
	for _, kind := range world.Kinds() {
		if accepted[kind] == 0 && kind != "delete thousands" && kind != "insert thousands" {
			t.Errorf("no transaction of kind %s was accepted", kind)
		}
	}
}

func perform(t *testing.T, db *sql.DB, tx world.Tx) {
	t.Helper()
	if err := world.Perform(t.Context(), model.Postgres, db, tx, nil); err != nil {
		t.Fatalf("%v of\n%v", err, tx.Statements)
	}
}

func passed(t *testing.T, db *sql.DB, r *replica.Replica) {
	t.Helper()
	var lsn string
	if err := db.QueryRowContext(t.Context(), "SELECT pg_current_wal_flush_lsn()").Scan(&lsn); err != nil {
		t.Fatal(err)
	}
	at, err := replica.ParseLSN(lsn)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20e9)
	defer cancel()
	if err := r.Passed(ctx, at); err != nil {
		t.Fatal(err)
	}
}

func compare(t *testing.T, db *sql.DB, s *model.Schema, told *oracle.Data) {
	t.Helper()
	read, err := oracle.Read(t.Context(), db, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range s.Tables {
		a, b := told.Tables[table.Name], read.Tables[table.Name]
		if len(a) != len(b) || len(a) > 0 && !reflect.DeepEqual(a, b) {
			t.Fatalf("table %s is\n%v\nand the log tells\n%v", table.Name, b, a)
		}
	}
}
