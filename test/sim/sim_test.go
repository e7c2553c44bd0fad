package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/perturb"
)

// TestMain lets the test's program be the foreign writer and the nodes too.
func TestMain(m *testing.M) {
	if is, err := another(); is {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func run(t *testing.T, o options) (out string, err error) {
	t.Helper()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	if o.parallel = 4; o.database == model.Postgres {
		o.parallel = 2 // each has servers of its own
	}
	var b strings.Builder
	err = simulate(t.Context(), o, &b, io.Discard)
	return b.String(), err
}

func TestClientsShowWhatTheDatabaseHolds(t *testing.T) {
	out, err := run(t, options{seeds: 8, from: 1, patience: 20 * time.Second})
	if err != nil || !strings.Contains(out, "sim: 8 seeds, ") || !strings.HasSuffix(out, " comparisons, 0 divergences\n") {
		t.Errorf("error %v after\n%s", err, out)
	}
}

// TestClientsShowWhatPostgreSQLHolds plays on a server that is killed, with
// transactions that commit at once.
func TestClientsShowWhatPostgreSQLHolds(t *testing.T) {
	servers.Need(t, "postgres")
	out, err := run(t, options{seeds: 6, from: 1, database: model.Postgres, patience: 20 * time.Second})
	if err != nil || !strings.HasSuffix(out, " comparisons, 0 divergences\n") {
		t.Errorf("error %v after\n%s", err, out)
	}
}

// TestClientsShowWhatNodesShare plays on processes that are killed and stand
// still, and on brokers that are restarted and emptied.
func TestClientsShowWhatNodesShare(t *testing.T) {
	for _, broker := range []string{withNATS, withRedis} {
		t.Run(broker, func(t *testing.T) {
			servers.Need(t, "postgres", broker)
			out, err := run(t, options{seeds: 2, from: 1, database: model.Postgres, nodes: 3, broker: broker, patience: 20 * time.Second})
			if err != nil || !strings.HasSuffix(out, " comparisons, 0 divergences\n") {
				t.Errorf("error %v after\n%s", err, out)
			}
		})
	}
}

// TestClientsShowWhatNodesKeep plays on processes that share a cache, which is
// emptied, slow, broken and restored, and that are killed as they write to it.
func TestClientsShowWhatNodesKeep(t *testing.T) {
	servers.Need(t, "postgres", withRedis)
	o := options{seeds: 1, from: 3, database: model.Postgres, nodes: 3, broker: withRedis, cache: inMemory, patience: 20 * time.Second}
	out, err := run(t, o)
	if err != nil || !strings.HasSuffix(out, " comparisons, 0 divergences\n") {
		t.Errorf("error %v after\n%s", err, out)
	}
}

// TestFaultsAreFoundOnPostgreSQL breaks the feed's promises there: what the log
// tells must notice, too.
func TestFaultsAreFoundOnPostgreSQL(t *testing.T) {
	servers.Need(t, "postgres")
	for _, fault := range []string{"drop-change", "blind-read"} {
		t.Run(fault, func(t *testing.T) {
			out, err := run(t, options{seeds: 40, from: 1, database: model.Postgres, fault: fault, patience: 2 * time.Second})
			if want := "\nreplay it by: SIM_FAULT=" + fault + " make sim-replay DB=postgres SEED="; !errors.Is(err, errDiverged) || !strings.Contains(out, want) {
				t.Fatalf("error %v, want one with %q, after\n%s", err, want, out)
			}
		})
	}
}

// TestNodesNeedPostgreSQL and a broker that is known.
func TestNodesNeedPostgreSQL(t *testing.T) {
	for want, o := range map[string]options{
		"-db=postgres":      {nodes: 2, broker: withNATS},
		"use nats or redis": {nodes: 2, broker: "pigeons", database: model.Postgres},
		"use sqlite":        {database: "dbase"},
	} {
		o.seeds, o.from = 1, 1
		if _, err := run(t, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestReplayPrintsTheHistory(t *testing.T) {
	out, err := run(t, options{replay: 3, patience: 20 * time.Second})
	if err != nil {
		t.Fatalf("%v after\n%s", err, out)
	}
	for _, want := range []string{"schema {", " writer 0: ", "client 1: ", "sim: 1 seeds, "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestFaultsAreFound breaks the feed's promises one by one: a simulation that
// notices nothing would prove nothing.
func TestFaultsAreFound(t *testing.T) {
	for _, fault := range perturb.Faults {
		t.Run(fault, func(t *testing.T) {
			out, err := run(t, options{seeds: 40, from: 1, fault: fault, patience: 2 * time.Second})
			if !errors.Is(err, errDiverged) {
				t.Fatalf("error %v after\n%s", err, out)
			}
			for _, want := range []string{
				"\nreplay it by: SIM_FAULT=" + fault + " make sim-replay SEED=", " divergences\n", "client ",
			} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}

// TestWhatDivergesIsMadeSmaller plays a seed whose feed lies, and what is left
// of it once more.
func TestWhatDivergesIsMadeSmaller(t *testing.T) {
	out, err := run(t, options{seeds: 20, from: 1, fault: "drop-change", patience: 2 * time.Second, shrink: 15 * time.Second})
	if !errors.Is(err, errDiverged) {
		t.Fatalf("error %v after\n%s", err, out)
	}
	_, file, found := strings.Cut(out, "play it by: make sim-replay SCRIPT=")
	if !found || !strings.Contains(out, "the smallest script that was found:\nCREATE TABLE ") {
		t.Fatalf("nothing smaller in\n%s", out)
	}
	file, _, _ = strings.Cut(file, "\n")
	t.Cleanup(func() { os.Remove(file) })
	small, err := loadScript(file)
	if err != nil {
		t.Fatal(err)
	}
	whole := newScript(small.Seed, "")
	if len(small.First.Statements) >= len(whole.First.Statements) && len(small.Clients) >= len(whole.Clients) && stepsOf(small) >= stepsOf(whole) {
		t.Errorf("nothing was left out of\n%s", small)
	}
}

// stepsOf is how much the clients of a script do.
func stepsOf(s *script) (n int) {
	for _, g := range s.Segments {
		for _, of := range g.Steps {
			n += len(of)
		}
	}
	return n
}

func TestUnknownFault(t *testing.T) {
	_, err := run(t, options{seeds: 1, from: 1, fault: "bad-luck"})
	if err == nil || !strings.Contains(err.Error(), "drop-change") {
		t.Errorf("the error is %v", err)
	}
}
