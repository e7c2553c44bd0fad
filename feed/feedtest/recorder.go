package feedtest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// deadline is how long anything that must happen may take on a busy machine.
const deadline = 30 * time.Second

// Start is one call of Sink.Start.
type Start struct {
	Epoch  string
	Head   feed.Position
	Reason string
}

// Recorder is a feed.Sink that keeps all it is given. It is safe for
// concurrent use.
type Recorder struct {
	t testing.TB

	// mu guards the rest.
	mu       sync.Mutex
	starts   []Start
	commits  []*feed.Commit
	position feed.Position
	// stalled is why the feed stands still, empty while it goes on.
	stalled string
	// partial holds the parts so far of a commit that goes on, else nil.
	partial *feed.Commit
	// changed is closed and replaced at every call.
	changed chan struct{}
}

var _ feed.Sink = (*Recorder)(nil)

// Record runs source until the test ends or stop is called, and returns when
// the feed has started.
func Record(t testing.TB, source feed.Source) (r *Recorder, stop func()) {
	t.Helper()
	r = &Recorder{t: t, changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- source.Run(ctx, r) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(deadline):
			t.Errorf("Run does not end with its context")
		}
	})
	t.Cleanup(stop)
	r.until("the feed starts", func() bool { return len(r.starts) > 0 })
	return r, stop
}

// Start implements feed.Sink.
func (r *Recorder) Start(epoch string, head feed.Position, reason string) {
	r.note(func() {
		r.starts = append(r.starts, Start{epoch, head, reason})
		r.commits, r.partial, r.stalled = nil, nil, ""
		r.position = head
	})
}

// Commit implements feed.Sink. It puts the parts of a commit together.
func (r *Recorder) Commit(c *feed.Commit) {
	r.note(func() {
		if len(c.Changes) == 0 {
			r.t.Errorf("commit %d has no changes", c.Position)
		}
		r.stalled = ""
		whole := &feed.Commit{Position: c.Position, Transaction: c.Transaction, Changes: slices.Clip(c.Changes)}
		if r.partial != nil {
			whole.Changes = r.partial.Changes
			whole.Changes = append(whole.Changes, c.Changes...)
			if c.Position != r.partial.Position || c.Transaction != r.partial.Transaction {
				r.t.Errorf("a part of commit %d comes within commit %d", c.Position, r.partial.Position)
			}
		}
		if c.More {
			r.partial = whole
			return
		}
		r.partial = nil
		r.advance(c.Position)
		r.commits = append(r.commits, whole)
	})
}

// Advance implements feed.Sink.
func (r *Recorder) Advance(p feed.Position) { r.note(func() { r.advance(p) }) }

// Stall implements feed.Sink. What comes next tells more.
func (r *Recorder) Stall(reason string) {
	r.t.Logf("the feed stands still: %s", reason)
	r.note(func() { r.stalled = reason })
}

func (r *Recorder) advance(p feed.Position) {
	if len(r.starts) == 0 {
		r.t.Errorf("position %d comes before Start", p)
	}
	if r.partial != nil {
		r.t.Errorf("position %d comes within commit %d", p, r.partial.Position)
	}
	if p < r.position || p == r.position && r.stalled == "" {
		r.t.Errorf("position %d comes after %d", p, r.position)
	}
	r.position, r.stalled = p, ""
}

func (r *Recorder) note(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	close(r.changed)
	r.changed = make(chan struct{})
}

// until waits for a condition, which is asked with the lock held.
func (r *Recorder) until(what string, ok func() bool) {
	r.t.Helper()
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	for {
		r.mu.Lock()
		met, changed := ok(), r.changed
		r.mu.Unlock()
		if met {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			r.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// Reach waits until the feed has come to the source's head.
func (r *Recorder) Reach(source feed.Source) feed.Position {
	r.t.Helper()
	head, err := source.Head(context.Background())
	if err != nil {
		r.t.Fatalf("Head: %v", err)
	}
	r.until("the feed reaches the head", func() bool { return r.position >= head })
	return head
}

// Starts waits for the n-th Start and returns all.
func (r *Recorder) Starts(n int) []Start {
	r.t.Helper()
	r.until("the feed starts again", func() bool { return len(r.starts) >= n })
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.starts)
}

// Stalled is why the feed stands still, empty while it goes on.
func (r *Recorder) Stalled() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stalled
}

// Commits returns the whole commits since the last Start.
func (r *Recorder) Commits() []*feed.Commit {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.commits)
}

// State is the rows of tables by key.
type State map[*schema.Table]map[schema.Value]schema.Row

// Clone returns a copy that shares rows.
func (s State) Clone() State {
	c := make(State, len(s))
	for table, rows := range s {
		c[table] = maps.Clone(rows)
	}
	return c
}

// Follow applies, in place, a commit that comes next after the state. A change
// that carries an old row must name the one that the state has.
func (s State) Follow(t testing.TB, c *feed.Commit) {
	t.Helper()
	for _, change := range c.Changes {
		if held := s[change.Table][change.Key]; change.Old != nil && !slices.Equal(held, change.Old) {
			t.Errorf("commit %d: old row of %s %s is %v, which was %v", c.Position, change.Table.Name, change.Key, change.Old, held)
		}
		if change.New != nil && change.New[change.Table.Key] != change.Key {
			t.Errorf("commit %d: change of %s %s has the row %v", c.Position, change.Table.Name, change.Key, change.New)
		}
		s.apply(change)
	}
}

// Catch applies, in place, a commit whose first transactions the state may
// have: a source merges transactions, and a snapshot may fall between two of
// one commit. After the whole of it the state is the commit's.
func (s State) Catch(c *feed.Commit) {
	for _, change := range c.Changes {
		s.apply(change)
	}
}

func (s State) apply(change feed.Change) {
	rows := s[change.Table]
	if rows == nil {
		rows = make(map[schema.Value]schema.Row)
		s[change.Table] = rows
	}
	switch {
	case change.New == nil:
		delete(rows, change.Key)
	case change.Missing == nil:
		rows[change.Key] = change.New
	default:
		row, held := slices.Clone(change.New), rows[change.Key]
		for _, i := range change.Missing {
			if held != nil {
				row[i] = held[i]
			}
		}
		rows[change.Key] = change.Table.Complete(row)
	}
}
