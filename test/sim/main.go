// Command sim proves that clients show what the database holds: it plays
// random transactions and random clients against each other, and compares all
// that every client shows with an oracle that reads the tables afresh.
//
//	go run ./sim -seeds=200
//	go run ./sim -db=postgres -nodes=3 -broker=nats -cache=memory
//	go run ./sim -replay=17
//	go run ./sim -script=/tmp/pando-sim-17.json
//
// A seed is one application, drawn with its tables and its trees, one database,
// its writers and some clients. What the writers write and what the clients do
// depend on the seed alone; how the goroutines interleave does not, so that a
// race may need several replays.
//
// Some times a seed all rest and are compared strictly: every open tree must
// equal the oracle's. Every tree that was shown on the way must be the one that
// the database held at the frame's version, no client may go back in time, and
// no frame may have a text of a row or a column that its user does not see.
//
// The clients also write, as users who may and who may not, and call actions;
// connections break at every moment of a call, transactions fail at every
// moment of theirs, and a call that is applied once goes on at any of the
// servers. All that is done leaves a row in a ledger, in the same transaction:
// nothing may be applied twice, nor after a refusal, nor be lost after a result.
// The oracle looks at every write in the state that its transaction began with,
// and at what it left: each refusal needs a reason, and nothing may be applied
// that had one.
//
// With a cache all that serve share one, which is in this process: it is emptied,
// slow, away, broken and restored from an older copy, and nodes are killed as they
// heat an entry and as they leave one.
//
// A script that diverges is made smaller, by leaving out what it diverges
// without, and saved to be played again.
//
// SIM_FAULT=NAME breaks a promise of the feed, which must be found.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	_ "modernc.org/sqlite" // the driver

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/perturb"
	"github.com/pando-sync/pando/test/internal/world"
)

// faultVariable names one of perturb.Faults.
const faultVariable = "SIM_FAULT"

// options are the command line.
type options struct {
	seeds, from, replay uint64
	minutes             float64
	parallel            int
	shrink              time.Duration
	events              bool
	fault               string
	database            model.Database
	nodes               int
	broker              string
	cache               string
	// without passes over seeds whose schema has this feature.
	without string
	// file is a script to play instead.
	file string
	// patience is how long anything may take that should take milliseconds.
	patience time.Duration
}

func main() {
	if is, err := another(); is {
		if err != nil {
			fmt.Fprintln(os.Stderr, "sim:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	o := options{fault: os.Getenv(faultVariable)}
	flag.Uint64Var(&o.seeds, "seeds", 200, "how many seeds to play")
	flag.Uint64Var(&o.from, "from", 1, "the first seed")
	flag.Float64Var(&o.minutes, "minutes", 0, "begin no seed after so many minutes (0: no limit)")
	flag.Uint64Var(&o.replay, "replay", 0, "play this seed alone and print its history")
	flag.IntVar(&o.parallel, "parallel", 2, "how many seeds to play at once")
	flag.DurationVar(&o.patience, "patience", 10*time.Second, "how long anything may take that should take milliseconds")
	flag.DurationVar(&o.shrink, "shrink", time.Minute, "how long to make a script smaller that diverges")
	flag.BoolVar(&o.events, "events", true, "list how often each event happened")
	flag.StringVar(&o.file, "script", "", "play this script, as a failure has saved it, and print its history")
	flag.StringVar(&o.without, "without", "", "pass over seeds whose schema has this feature")
	db := flag.String("db", "sqlite", "the database: sqlite or postgres")
	flag.IntVar(&o.nodes, "nodes", 0, "how many processes serve, with a broker between them (0: this one, without)")
	flag.StringVar(&o.broker, "broker", withNATS, "the broker between nodes: nats or redis")
	flag.StringVar(&o.cache, "cache", "", "what keeps what clients are shown, for all that serve: memory, or nothing")
	flag.Parse()
	if *db != "sqlite" {
		o.database = model.Database(*db)
	}
	err := simulate(ctx, o, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sim:", err)
		os.Exit(1)
	}
}

// another tells whether this process is one that a simulation has started, and
// does what that does.
func another() (is bool, err error) {
	if dsn := os.Getenv(writerVariable); dsn != "" {
		if err := runWriter(dsn, os.Stdin, os.Stdout); err != nil {
			return true, fmt.Errorf("write: %w", err)
		}
		return true, nil
	}
	if os.Getenv(nodeVariable) != "" {
		if err := runNode(os.Stdin, os.Stdout); err != nil {
			return true, fmt.Errorf("node: %w", err)
		}
		return true, nil
	}
	return false, nil
}

// journalTail is how many lines of a seed's journal are printed.
const journalTail = 60

// errDiverged tells that divergences have been printed.
var errDiverged = errors.New("clients show what they must not")

// simulate plays seeds. Divergences, the end line, and each divergence once more
// in short go to out, progress to progress.
func simulate(ctx context.Context, o options, out, progress io.Writer) (err error) {
	if err := (perturb.Plan{Fault: o.fault}).Check(); err != nil {
		return err
	}
	switch {
	case o.nodes > 0 && o.database != model.Postgres:
		return errors.New("nodes share a PostgreSQL: use -db=postgres")
	case o.cache != "" && o.cache != inMemory:
		return fmt.Errorf("no cache is named %q: use memory", o.cache)
	case o.nodes > 0 && o.broker != withNATS && o.broker != withRedis:
		return fmt.Errorf("no broker is named %q: use nats or redis", o.broker)
	}
	if drivers[o.database] == "" {
		return fmt.Errorf("no database is named %q: use sqlite or postgres", o.database)
	}
	t := o.newTally()
	g := new(grounds)
	defer func() {
		if failed := g.close(); err == nil {
			err = failed
		}
	}()
	defer report(t, progress)()
	var log io.Writer
	if o.file != "" {
		o.replay = 1
	}
	if o.replay != 0 {
		o.from, o.seeds, o.parallel, log = o.replay, 1, 1, out
	}
	failed := play(ctx, o, g, t, log, out)
	if o.events {
		t.list(progress)
	}
	fmt.Fprintln(out, t)
	for _, f := range t.failures {
		fmt.Fprint(out, f.brief(o.replayCommand(f.seed)))
	}
	if failed != nil {
		return failed
	}
	if missed := t.never(); len(missed) > 0 && o.seeds >= 200 && uint64(t.seeds) == o.seeds {
		return fmt.Errorf("these events never happened: %s", strings.Join(missed, ", "))
	}
	return nil
}

// play plays the seeds, several at once, and begins no other after a
// divergence.
func play(ctx context.Context, o options, g *grounds, t *tally, log, out io.Writer) error {
	if o.minutes > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer time.AfterFunc(time.Duration(o.minutes*float64(time.Minute)), cancel).Stop()
	}
	var diverged atomic.Bool
	var group errgroup.Group
	group.SetLimit(o.parallel)
	n := o.from
	for ; n < o.from+o.seeds && ctx.Err() == nil && !diverged.Load(); n++ {
		if slices.Contains(world.RandomSchema(random(n, streamSchema)).Features(), o.without) {
			continue
		}
		seedNumber := n
		group.Go(func() error {
			n := seedNumber
			script, err := o.script(n)
			if err != nil {
				return err
			}
			s := &seed{script: script, patience: o.patience, grounds: g, tally: t, journal: &journal{live: log}}
			err = s.run(context.WithoutCancel(ctx))
			t.played(n, err)
			if err == nil {
				return nil
			}
			all := s.journal.save(n)
			if !diverged.Swap(true) {
				fmt.Fprintf(out, "\nseed %d ended with\n%s\n%s\n\nseed %d: %v\nreplay it by: %s\n\n",
					n, s.journal.tail(journalTail), all, n, err, o.replayCommand(n))
				o.smaller(ctx, g, script, err, out)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if diverged.Load() {
		return errDiverged
	}
	if n < o.from+o.seeds {
		fmt.Fprintf(out, "sim: stopped early; go on by: make sim %sFROM=%d SEEDS=%d\n", o.surroundings(), n, o.from+o.seeds-n)
	}
	return nil
}

// script is a seed's, or the one that was asked for.
func (o options) script(n uint64) (*script, error) {
	if o.file != "" {
		return loadScript(o.file)
	}
	return drawScript(n, o), nil
}

// surroundings are what of the command line tells where seeds are played, as make
// has it.
func (o options) surroundings() string {
	text := ""
	if o.database != model.SQLite {
		text += "DB=" + string(o.database) + " "
	}
	if o.nodes > 0 {
		text += fmt.Sprintf("NODES=%d BROKER=%s ", o.nodes, o.broker)
	}
	if o.cache != "" {
		text += "CACHE=" + o.cache + " "
	}
	return text
}

// smaller prints a smaller script that ends as badly.
func (o options) smaller(ctx context.Context, g *grounds, s *script, err error, out io.Writer) {
	if o.shrink == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, o.shrink)
	defer cancel()
	s, err = shrink(ctx, g, s, err, o.patience)
	fmt.Fprintf(out, "the smallest script that was found:\n%s\nends with: %v\n", s, err)
	if path, err := s.save(); err != nil {
		fmt.Fprintln(out, "it could not be saved:", err)
	} else {
		fmt.Fprintf(out, "play it by: make sim-replay SCRIPT=%s\n\n", path)
	}
}

// report prints every ten seconds how far the tally is, until the
// returned function is called.
func report(t *tally, progress io.Writer) (stop func()) {
	ticker := time.NewTicker(10 * time.Second)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-ticker.C:
				fmt.Fprintln(progress, strings.Replace(t.String(), "sim:", "so far:", 1))
			case <-done:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
	}
}
