// Package perturb stands between the feed and the library in a simulation: it
// makes time pass where races are, and can break the feed's promises one by
// one, to show that the simulation notices.
package perturb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// Faults are the promises that can be broken.
var Faults = []string{
	"drop-change",     // a commit lacks one of its changes
	"reorder-commits", // two commits have each other's changes
	"torn-commit",     // a commit comes in two halves
	"late-read",       // a read says that it is older than it is
	"blind-read",      // a read says that it has seen every commit
}

// Plan is what to do to a source.
type Plan struct {
	// Fault is one of Faults, or empty.
	Fault string `json:"fault,omitempty"`
	// SlowFeed lets reads run ahead of the feed, SlowRead lets commits come
	// while layers are being read.
	SlowFeed bool `json:"slow_feed"`
	SlowRead bool `json:"slow_read"`
	// Crashes has transactions fail before and after their commit.
	Crashes bool `json:"crashes,omitempty"`
	// Seed makes the delays and the choice of what a fault hits.
	Seed uint64 `json:"seed"`
	// Witness sees the transactions; nil for none.
	Witness Witness `json:"-"`
}

// Check tells whether there is such a fault.
func (p Plan) Check() error {
	if p.Fault != "" && !slices.Contains(Faults, p.Fault) {
		return fmt.Errorf("no fault is named %q: use one of %v", p.Fault, Faults)
	}
	return nil
}

// Source is a source that is perturbed. It is safe for concurrent use.
type Source struct {
	feed.Source

	plan Plan

	mu  sync.Mutex // guards what follows
	rng *rand.Rand
	// passed is how far the feed has come, moved is closed when it goes on.
	passed feed.Position
	moved  chan struct{}
}

// Wrap perturbs a source.
func Wrap(source feed.Source, plan Plan) *Source {
	plan.SlowFeed = plan.SlowFeed || plan.Fault == "late-read"
	plan.SlowRead = plan.SlowRead || plan.Fault == "blind-read"
	rng := rand.New(rand.NewPCG(plan.Seed, 1)) //nolint:gosec // the same every time
	return &Source{Source: source, plan: plan, rng: rng, moved: make(chan struct{})}
}

// draw returns a number below n.
func (s *Source) draw(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.IntN(n)
}

// pause lets some milliseconds pass now and then.
func (s *Source) pause(often bool) {
	if often && s.draw(2) == 0 {
		time.Sleep(time.Duration(s.draw(4000)) * time.Microsecond)
	}
}

// Run implements feed.Source.
func (s *Source) Run(ctx context.Context, sink feed.Sink) error {
	return s.Source.Run(ctx, &tap{source: s, sink: sink})
}

// Snapshot implements feed.Source.
func (s *Source) Snapshot(ctx context.Context) (feed.Snapshot, error) {
	snap, err := s.Source.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return &snapshot{snap, s}, nil
}

// History implements feed.Historian; a source that keeps nothing is complete
// never.
func (s *Source) History(ctx context.Context, epoch string, after feed.Position, fn func(*feed.Commit) error) (complete bool, err error) {
	h, ok := s.Source.(feed.Historian)
	if !ok {
		return false, nil
	}
	s.pause(s.plan.SlowRead)
	return h.History(ctx, epoch, after, fn)
}

// Passed waits until the feed has delivered position.
func (s *Source) Passed(ctx context.Context, position feed.Position) {
	for {
		s.mu.Lock()
		done, moved := s.passed >= position, s.moved
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Source) pass(position feed.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed = position
	close(s.moved)
	s.moved = make(chan struct{})
}

// tap is the sink that the true source feeds.
type tap struct {
	source *Source
	sink   feed.Sink

	mu   sync.Mutex // one call at a time; guards what follows
	last feed.Position
	// held is a commit that lets another go first.
	held *feed.Commit
}

// Start implements feed.Sink.
func (t *tap) Start(epoch string, head feed.Position, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held, t.last = nil, head
	t.sink.Start(epoch, head, reason)
	t.source.pass(head)
}

// Commit implements feed.Sink.
func (t *tap) Commit(c *feed.Commit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.source.pause(t.source.plan.SlowFeed)
	switch t.source.plan.Fault {
	case "drop-change":
		t.drop(c)
	case "reorder-commits":
		t.reorder(c)
	case "torn-commit":
		t.tear(c)
	default:
		t.sink.Commit(c)
	}
	t.last = c.Position
	t.source.pass(c.Position)
}

// Advance implements feed.Sink.
func (t *tap) Advance(p feed.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.source.pause(t.source.plan.SlowFeed)
	t.release()
	t.sink.Advance(p)
	t.last = p
	t.source.pass(p)
}

// Stall implements feed.Sink.
func (t *tap) Stall(reason string) { t.sink.Stall(reason) }

func (t *tap) drop(c *feed.Commit) {
	if t.source.draw(4) > 0 {
		t.sink.Commit(c)
		return
	}
	i := t.source.draw(len(c.Changes))
	if rest := slices.Delete(slices.Clone(c.Changes), i, i+1); len(rest) > 0 || c.More {
		t.sink.Commit(with(c, rest))
	} else {
		t.sink.Advance(c.Position)
	}
}

// with is a commit with other changes.
func with(c *feed.Commit, changes []feed.Change) *feed.Commit {
	other := *c
	other.Changes = changes
	return &other
}

func (t *tap) reorder(c *feed.Commit) {
	switch held := t.held; {
	case held != nil:
		t.held = nil
		t.sink.Commit(with(held, c.Changes))
		t.sink.Commit(with(c, held.Changes))
	case t.source.draw(3) == 0:
		t.held = c
		time.AfterFunc(holdTime, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			if t.held == c {
				t.release()
			}
		})
	default:
		t.sink.Commit(c)
	}
}

// holdTime is how long a commit waits for another to go first.
const holdTime = 50 * time.Millisecond

func (t *tap) release() {
	if t.held != nil {
		t.sink.Commit(t.held)
		t.held = nil
	}
}

func (t *tap) tear(c *feed.Commit) {
	half := len(c.Changes) / 2
	if half == 0 || c.Position-1 <= t.last {
		t.sink.Commit(c)
		return
	}
	first := with(c, c.Changes[:half])
	first.Position--
	t.sink.Commit(first)
	t.sink.Commit(with(c, c.Changes[half:]))
}

// snapshot is a read transaction that is perturbed.
type snapshot struct {
	feed.Snapshot

	source *Source
}

// Position implements feed.Snapshot.
func (s *snapshot) Position() feed.Position {
	if s.source.plan.Fault == "late-read" {
		return 0
	}
	return s.Snapshot.Position()
}

// Saw implements feed.Snapshot.
func (s *snapshot) Saw(c *feed.Commit) bool {
	return s.source.plan.Fault == "blind-read" || s.Snapshot.Saw(c)
}

// Rows implements feed.Snapshot.
func (s *snapshot) Rows(ctx context.Context, q feed.Query, fn func(schema.Row) error) error {
	s.source.pause(s.source.plan.SlowRead)
	return s.Snapshot.Rows(ctx, q, fn)
}
