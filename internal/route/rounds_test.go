//go:build unix

package route_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// A round is batches of commits, each made just before the router takes them:
// as those of a feed they are still in the processor's cache then, and making
// them is not timed.
const (
	batch   = 512
	batches = 16
)

// BenchmarkCore measures what a change costs, by the processor time of many
// short rounds of which the sizes take turns: it says the same on a machine
// that is busy with other things, where the time that passes does not. An
// operation of the benchmark is a round of every size.
func BenchmarkCore(b *testing.B) {
	for _, kind := range []struct {
		name string
		make change
	}{
		{"field", fieldChange},
		{"insert", leaf},
		{"move", move},
	} {
		b.Run(kind.name, func(b *testing.B) {
			sizes := []*rounds{newRounds(b, "10", 10, 10), newRounds(b, "10000", 10_000, 10), newRounds(b, "10000.all", 10_000, 10_000)}
			interleave(b, sizes, kind.make)
		})
	}
}

// change makes the n-th change of a forest.
type change func(f *forest, r *rand.Rand, n int) *feed.Commit

func interleave(b *testing.B, sizes []*rounds, next change) {
	b.Helper()
	for b.Loop() {
		for _, r := range sizes {
			r.run(b, next)
		}
	}
	for _, r := range sizes {
		r.report(b, next)
	}
}

// rounds are those of one size.
type rounds struct {
	*forest

	name           string
	batch, batches int
	rand           *rand.Rand
	made           int
	// took is what a change cost in each round, in nanoseconds.
	took []float64
}

func newRounds(b *testing.B, name string, boards, written int) *rounds {
	b.Helper()
	r := &rounds{name: name, batch: batch, batches: batches, forest: newForest(b, boards), rand: rand.New(rand.NewPCG(1, 2))}
	r.written = written
	return r
}

func (r *rounds) run(b *testing.B, next change) {
	b.Helper()
	var sum time.Duration
	for range r.batches {
		commits := r.commits(next)
		start := processorTime(b)
		r.apply(commits)
		sum += processorTime(b) - start
	}
	r.took = append(r.took, float64(sum)/float64(r.batch*r.batches))
}

func (r *rounds) commits(next change) []*feed.Commit {
	commits := make([]*feed.Commit, r.batch)
	for i := range commits {
		commits[i] = next(r.forest, r.rand, r.made)
		r.made++
	}
	return commits
}

func (r *rounds) apply(commits []*feed.Commit) {
	emit := func(_ *route.Scope, p *state.Patch) { r.emitted += len(p.Set) + len(p.Update) + len(p.Delete) }
	for _, c := range commits {
		r.pos++
		c.Position = r.pos
		r.router.Commit(c)
		r.router.Flush(emit)
	}
}

// report tells what a change cost in the rounds that nine of ten were slower
// than, in the median round, and allocations. Other processes slow a round by
// what they do to the caches, and one of much memory more so.
func (r *rounds) report(b *testing.B, next change) {
	b.Helper()
	commits := r.commits(next)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r.apply(commits)
	runtime.ReadMemStats(&after)
	if wants := r.router.Wants(); wants != nil || r.emitted < r.made {
		b.Fatalf("%d of %d changes have reached a scope, %d reads are wanted", r.emitted, r.made, len(wants))
	}
	slices.Sort(r.took)
	b.ReportMetric(r.took[len(r.took)/10], r.name+"-ns")
	b.ReportMetric(r.took[len(r.took)/2], r.name+"-median-ns")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(r.batch), r.name+"-allocs")
}

// processorTime is what the process has used of the processor.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fieldChange changes a field of a row of the fourth layer, anywhere.
func fieldChange(f *forest, r *rand.Rand, n int) *feed.Commit {
	id := r.IntN(f.written * listsOf * cardsOf * commentsOf)
	row := f.comment(id, id/commentsOf, 0)
	row[column(f.comments, "body")] = schema.IntValue(int64(n))
	return single(memdb.Put(f.comments, row))
}

// leaf inserts a comment, and deletes it with the next commit.
func leaf(f *forest, r *rand.Rand, n int) *feed.Commit {
	id := f.boards*listsOf*cardsOf*commentsOf + n/2
	if n%2 == 1 {
		return single(memdb.Remove(f.comments, schema.IntValue(int64(id))))
	}
	return single(memdb.Put(f.comments, f.comment(id, r.IntN(f.written*listsOf*cardsOf), 0)))
}

// move moves a card with its comments to the next board, and back with the next
// commit.
func move(f *forest, _ *rand.Rand, n int) *feed.Commit {
	id := n / 2 * 7919 % (f.written * listsOf * cardsOf)
	list := id / cardsOf
	if n%2 == 0 {
		list = (list + listsOf) % (f.written * listsOf)
	}
	return single(memdb.Put(f.cards, f.card(id, list)))
}
