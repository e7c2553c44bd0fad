package pgfeed

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pando-sync/pando/feed"
)

// grace is for how long the feed may pass a position by itself, and how much
// time lies at least between two messages that have it pass one.
const grace = 5 * time.Millisecond

// Head implements feed.Source. The feed will pass it soon: where nothing else is
// committed, a logical message is written.
func (s *Source) Head(ctx context.Context) (feed.Position, error) {
	now, err := s.now(ctx)
	if err != nil {
		return 0, err
	}
	head := s.bound(now)
	s.hasten(head)
	return head, nil
}

// bound is the position of a feed that has told all that a state has. Where it
// polls, it is one beyond the place that was asked for in that state, so that only
// a poll that was begun later has it.
func (s *Source) bound(now state) feed.Position {
	if s.logs {
		return now.head + 2
	}
	return now.head
}

// Passed tells the source how far a feed of this process has come that is not
// its own Run, as one that reads the log from a broker: it is called in order, with
// the head of each Start, too. Positions that the feed has passed need no message
// to be written.
func (s *Source) Passed(p feed.Position) { s.wake.passed(p) }

// hasten has the feed pass a position soon.
func (s *Source) hasten(p feed.Position) { s.wake.want(p, s.emitMessage) }

// wake has the feed pass the positions that somebody waits for. The log of an
// idle database may end before the head, in records that nobody has flushed and
// that are nobody's commit; a small message that is flushed at once comes after
// them. One is under way at a time, for all who wait.
type wake struct {
	mu     sync.Mutex // guards what follows
	wanted feed.Position
	come   feed.Position
	closed bool
	// stop ends the goroutine that writes messages, and done is closed when it has
	// ended; nil while there is none.
	stop context.CancelFunc
	done chan struct{}
}

// emitter writes a message and returns a position that the feed passes with it.
type emitter func(context.Context) (feed.Position, error)

// want has the feed pass a position soon.
func (w *wake) want(p feed.Position, emit emitter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || p <= w.come {
		return
	}
	w.wanted = max(w.wanted, p)
	if w.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.done = stop, make(chan struct{})
	go w.run(ctx, emit, w.done)
}

// next is the position after which the feed has told that it moves.
func (w *wake) next() feed.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.come + 1
}

// passed notes where the feed has come to, which is an earlier place than before
// when another history begins.
func (w *wake) passed(p feed.Position) {
	w.mu.Lock()
	w.come = p
	w.mu.Unlock()
}

// close ends what is under way, and waits for it.
func (w *wake) close() {
	w.mu.Lock()
	w.closed = true
	stop, done := w.stop, w.done
	w.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
}

// run writes messages until nobody waits.
func (w *wake) run(ctx context.Context, emit emitter, done chan<- struct{}) {
	defer close(done)
	wait := grace
	for {
		if pause(ctx, wait) != nil || w.satisfied(0) {
			return
		}
		p, err := emit(ctx)
		if err != nil {
			wait = min(2*wait, time.Second) // the database is away: who waits is told by the feed
			continue
		}
		if w.satisfied(p) {
			return
		}
		wait = grace
	}
}

// satisfied tells whether nobody waits for more than what has come or is to come,
// and ends the run if so.
func (w *wake) satisfied(coming feed.Position) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wanted > max(w.come, coming) {
		return false
	}
	w.stop() // releases the context
	w.stop, w.done = nil, nil
	return true
}

// pause waits, and returns the context's error when that ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// emitMessage writes an empty message to the log in a transaction of its own,
// since only the end of one is flushed at once, whatever the server's version. It
// does not wait for a standby.
func (s *Source) emitMessage(ctx context.Context) (feed.Position, error) {
	const emit = `SELECT (pg_logical_emit_message(true, 'pando', '') - '0/0')::bigint
	FROM set_config('synchronous_commit', 'local', true)`
	var place int64
	if err := s.db.QueryRowContext(ctx, emit).Scan(&place); err != nil {
		return 0, fmt.Errorf("write a message to the log: %w", err)
	}
	return feed.Position(place - 1), nil
}
