package relay

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/pando-sync/pando/feed"
)

const (
	// maxUnseen is how many commits may wait to be visible; past it the log is
	// read no further.
	maxUnseen = 1 << 16
	// askAtOnce is how many of them the database is asked about in one query, and
	// askEvery how often at most it is asked. What is known late makes followers
	// begin some records earlier, and the log keep a little more.
	askAtOnce = 1000
	askEvery  = 20 * time.Millisecond
	// askSlowly is how often it is asked when it refuses, or nothing gets visible.
	askSlowly = 250 * time.Millisecond
)

// unseen is a commit that reads may not see yet.
type unseen struct {
	position    feed.Position
	transaction uint64
	// first is the number of its first record, and before the position that was told
	// wholly before it.
	first  uint64
	before feed.Position
}

// sight knows up to where commits are visible to reads: a log may tell of a
// commit before that.
type sight struct {
	visible func(ctx context.Context, transactions []uint64) (int, error)
	log     *slog.Logger
	woken   chan struct{} // has one value when there may be something to ask or room
	room    chan struct{}

	mu sync.Mutex // guards what follows
	// waiting are the commits that are not known to be visible, in order.
	waiting []unseen
	// reached is the position up to which all is visible or waiting, next the
	// number of the record after what is known to tell of it.
	reached feed.Position
	next    uint64
}

func newSight(visible func(context.Context, []uint64) (int, error), log *slog.Logger, seen feed.Position, next uint64) *sight {
	return &sight{visible: visible, log: log, woken: make(chan struct{}, 1), room: make(chan struct{}, 1), reached: seen, next: next}
}

// mark is the position up to which every commit is visible, and the number of a
// record from which on all others are.
func (s *sight) mark() (visible feed.Position, from uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) > 0 {
		return s.waiting[0].before, s.waiting[0].first
	}
	return s.reached, s.next
}

// add takes a commit, whose records begin with the one numbered first and end
// before next. 0 stands for records of an owner before, whose numbers need not
// be known. A commit without a transaction is visible.
func (s *sight) add(c unseen, next uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.first == 0 {
		c.first, c.before, next = s.next, s.reached, s.next
	}
	if c.transaction != 0 {
		s.waiting = append(s.waiting, c)
		signal(s.woken)
	}
	s.reached, s.next = max(s.reached, c.position), next
}

// full tells whether no more commits should come.
func (s *sight) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) >= maxUnseen
}

// wait waits until it is not full.
func (s *sight) wait(ctx context.Context) error {
	for s.full() {
		select {
		case <-s.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// run asks until ctx ends.
func (s *sight) run(ctx context.Context) {
	refused := false
	for {
		select {
		case <-s.woken:
		case <-ctx.Done():
			return
		}
		pause := askEvery
		for rest := true; rest; {
			progress, more, err := s.ask(ctx)
			if err != nil && ctx.Err() == nil && !refused {
				s.log.Warn("cannot ask which commits are visible; the log is kept meanwhile", "error", err)
			}
			refused, rest = err != nil, more
			if progress {
				pause = askEvery
			}
			if !sleep(ctx, pause) {
				return
			}
			pause = min(2*pause, askSlowly)
		}
	}
}

// ask asks once. rest tells whether there is more to ask.
func (s *sight) ask(ctx context.Context) (progress, rest bool, err error) {
	s.mu.Lock()
	asked := make([]uint64, 0, min(len(s.waiting), askAtOnce))
	for i := range cap(asked) {
		asked = append(asked, s.waiting[i].transaction)
	}
	s.mu.Unlock()
	if len(asked) == 0 {
		return false, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	n, err := s.visible(ctx, asked)
	if err != nil {
		return false, true, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n = min(n, len(asked)); n > 0 {
		s.waiting = s.waiting[n:]
		if len(s.waiting) == 0 {
			s.waiting = nil // lets go of what stood before
		}
		signal(s.room)
	}
	return n > 0, len(s.waiting) > 0, nil
}

// signal leaves a value in a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sleep waits, and tells whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
