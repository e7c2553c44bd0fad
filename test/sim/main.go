// Command sim proves that clients show what the database holds: it plays
// random transactions and random clients against each other, and compares all
// that every client shows with an oracle that reads the tables afresh.
//
//	go run ./sim -seeds=200
//	go run ./sim -replay=17
//
// A seed is one database with one application, its writers and some clients.
// What the writers write and what the clients do depend on the seed alone; how
// the goroutines interleave does not, so that a race may need several replays.
//
// Four times a seed all rest and are compared strictly: every open tree must
// equal the oracle's. Every tree that was shown on the way must be the one that
// the database held at the frame's version, and no client may go back in time.
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
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	_ "modernc.org/sqlite" // the driver

	"github.com/pando-sync/pando/test/internal/perturb"
)

// faultVariable names one of perturb.Faults.
const faultVariable = "SIM_FAULT"

// options are the command line.
type options struct {
	seeds, from, replay uint64
	minutes             float64
	parallel            int
	fault               string
	// patience is how long anything may take that should take milliseconds.
	patience time.Duration
}

func main() {
	if dsn := os.Getenv(writerVariable); dsn != "" {
		if err := runWriter(dsn, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "sim: write:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	o := options{fault: os.Getenv(faultVariable), patience: 5 * time.Second}
	flag.Uint64Var(&o.seeds, "seeds", 200, "how many seeds to play")
	flag.Uint64Var(&o.from, "from", 1, "the first seed")
	flag.Float64Var(&o.minutes, "minutes", 0, "begin no seed after so many minutes (0: no limit)")
	flag.Uint64Var(&o.replay, "replay", 0, "play this seed alone and print its history")
	flag.IntVar(&o.parallel, "parallel", 4, "how many seeds to play at once")
	flag.Parse()
	err := simulate(ctx, o, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sim:", err)
		os.Exit(1)
	}
}

// errDiverged tells that divergences have been printed.
var errDiverged = errors.New("clients show what they must not")

// simulate plays seeds. Divergences and the end line go to out, progress to
// progress.
func simulate(ctx context.Context, o options, out, progress io.Writer) error {
	if err := (perturb.Plan{Fault: o.fault}).Check(); err != nil {
		return err
	}
	t := newTally()
	defer report(t, progress)()
	var log io.Writer
	if o.replay != 0 {
		o.from, o.seeds, o.parallel, log = o.replay, 1, 1, out
	}
	failed := play(ctx, o, t, log, out)
	t.list(progress)
	fmt.Fprintln(out, t)
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
func play(ctx context.Context, o options, t *tally, log, out io.Writer) error {
	if o.minutes > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer time.AfterFunc(time.Duration(o.minutes*float64(time.Minute)), cancel).Stop()
	}
	var diverged atomic.Bool
	var group errgroup.Group
	group.SetLimit(o.parallel)
	for n := o.from; n < o.from+o.seeds && ctx.Err() == nil && !diverged.Load(); n++ {
		group.Go(func() error {
			s := &seed{script: newScript(n, o.fault), patience: o.patience, tally: t, journal: &journal{live: log}}
			err := s.run(context.WithoutCancel(ctx))
			t.played(err != nil)
			if err != nil {
				diverged.Store(true)
				fmt.Fprintf(out, "\nseed %d ended with\n%s\n\nseed %d: %v\nreplay it by: %s\n\n",
					n, s.journal.tail(30), n, err, replayCommand(n, o.fault))
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
	return nil
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
