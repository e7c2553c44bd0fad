package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed"
)

const (
	// silence is how long the stream may say nothing before that is told.
	silence = time.Second
	// joinEvery is how often a follower that cannot begin looks again.
	joinEvery = 100 * time.Millisecond
)

// errAgain has the stream read on from where it was read to.
var errAgain = errors.New("read on")

// follower is one Run: it feeds the sink from the stream.
//
//	joining ──a record from which on all is at hand──► Start, following
//	   ▲                                                  │
//	   └── a record is missing, another epoch ◄───────────┘
type follower struct {
	source *Source
	sink   feed.Sink
	chain  chain
	// next is the number of the record to read, 0 before the first Start, began when
	// that was.
	next  uint64
	began time.Time
	// untold is the number of the last record of which the commit could not be told,
	// 0 for none.
	untold uint64
	// heard is when the last record came, trouble what has been in the way since.
	heard   time.Time
	trouble error
	// stalled is why the feed stands still, as the sink was told, "" while it goes
	// on.
	stalled string
}

// run follows until ctx ends or the database cannot decode its log.
func (f *follower) run(ctx context.Context) error {
	f.heard = time.Now()
	reason := ""
	for {
		first, err := f.join(ctx, reason)
		if err != nil {
			return err
		}
		if first {
			err = f.follow(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // an end that was asked for is no error
		case !errors.Is(err, errBroken):
			return fmt.Errorf("follow the stream: %w", err)
		}
		reason = err.Error()
	}
}

// join waits until the stream tells where to begin, and has the sink start
// there. It returns false when ctx ended before.
func (f *follower) join(ctx context.Context, reason string) (bool, error) {
	if time.Since(f.began) < joinEvery && !sleep(ctx, joinEvery) {
		return false, nil
	}
	for {
		r, err := f.newest(ctx)
		switch {
		case ctx.Err() != nil:
			return false, nil //nolint:nilerr // an end that was asked for is no error
		case errors.Is(err, broker.ErrClosed):
			return false, fmt.Errorf("follow the stream: %w", err)
		case err == nil:
			f.start(r, reason)
			return true, nil
		}
		f.trouble = err
		if time.Since(f.heard) >= silence {
			f.stall(ctx)
		}
		if !sleep(ctx, joinEvery) {
			return false, nil
		}
	}
}

// newest reads the newest record, and fails when nobody can begin with what it
// says.
func (f *follower) newest(ctx context.Context) (*record, error) {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	r, number, err := lastRecord(ctx, f.source.stream)
	if errors.Is(err, broker.ErrNoRecord) {
		return nil, errors.New("the stream is empty: no node owns the database's log yet")
	}
	if err != nil {
		return nil, fmt.Errorf("read the end of the stream: %w", err)
	}
	of := r.epoch == f.chain.epoch && r.life == f.chain.life
	same := of && number >= f.next
	switch {
	case of && number >= f.untold && r.from <= f.untold:
		return nil, fmt.Errorf("reads do not yet see the commit of record %d, which cannot be told", f.untold)
	case r.visible < r.base, r.epoch == f.chain.epoch && r.visible < f.chain.position:
		return nil, fmt.Errorf("reads see the commits up to %d, and not yet to %d", r.visible, max(r.base, f.chain.position))
	case same && r.from < f.next:
		// From there on it would break where it has broken.
		return nil, fmt.Errorf("reads do not yet see the commits from record %d on", f.next)
	}
	first, err := f.source.stream.First(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the beginning of the stream: %w", err)
	}
	if first.Number > r.from {
		return nil, fmt.Errorf("reads do not see the commits after %d, which the stream keeps no more", r.visible)
	}
	return r, nil
}

// start has the sink start where reads see every commit.
func (f *follower) start(r *record, reason string) {
	f.next, f.began = r.from, time.Now()
	f.chain = chain{decode: f.source.db.Decode, to: f, epoch: r.epoch, life: r.life, position: r.visible}
	f.source.standing.Store(&standing{r.epoch, r.life, r.visible})
	f.heard, f.trouble, f.stalled = time.Now(), nil, ""
	f.sink.Start(r.epoch, r.visible, reason)
	f.passed(r.visible)
}

// passed tells the database's source, if it wants to know, how far this process
// has come: it then need not see to it that the log passes there.
func (f *follower) passed(p feed.Position) {
	if db, ok := f.source.db.(interface{ Passed(p feed.Position) }); ok {
		db.Passed(p)
	}
}

// follow tells what the stream says, until something is missing.
func (f *follower) follow(ctx context.Context) error {
	for {
		err := f.readOn(ctx)
		if !errors.Is(err, errAgain) {
			return err
		}
		sleep(ctx, retryEvery)
	}
}

// readOn follows with one reader. errAgain asks for another one.
func (f *follower) readOn(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan event)
	done := make(chan struct{})
	go func() {
		defer close(done)
		readAll(ctx, f.source.stream, f.next, events)
	}()
	defer func() { <-done }()
	defer cancel()

	timer := time.NewTimer(silence)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e := <-events:
			if err := f.hear(e); err != nil {
				return err
			}
			if e.err == nil {
				timer.Reset(silence)
			}
		case <-timer.C:
			if err := f.silent(ctx, events); err != nil {
				return err
			}
			timer.Reset(silence)
		}
	}
}

// event is a record, or what was in the way of reading one.
type event struct {
	record broker.Record
	err    error
}

// readAll reads records from a number on until ctx ends. The broker's troubles
// are events, too.
func readAll(ctx context.Context, stream broker.Stream, from uint64, events chan<- event) {
	tell := func(e event) bool {
		select {
		case events <- e:
			return e.err == nil || sleep(ctx, retryEvery)
		case <-ctx.Done():
			return false
		}
	}
	reader, err := stream.Reader(ctx, from)
	for err != nil {
		if !tell(event{err: err}) {
			return
		}
		reader, err = stream.Reader(ctx, from)
	}
	defer reader.Close()
	for {
		r, err := reader.Next(ctx)
		if !tell(event{r, err}) {
			return
		}
	}
}

// hear takes in an event.
func (f *follower) hear(e event) error {
	switch {
	case errors.Is(e.err, broker.ErrTrimmed):
		return fmt.Errorf("%w: %w", errBroken, e.err)
	case errors.Is(e.err, broker.ErrClosed):
		return e.err
	case e.err != nil:
		f.trouble = e.err
		return nil //nolint:nilerr // told when it lasts
	case e.record.Number < f.next:
		return nil
	case e.record.Number > f.next:
		return fmt.Errorf("%w: after record %d comes %d", errBroken, f.next-1, e.record.Number)
	}
	r, err := decode(e.record.Body)
	if err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	if err := f.chain.take(r); err != nil {
		if errors.Is(err, feed.ErrUntold) {
			f.untold = f.next
		}
		return err
	}
	f.next++
	f.heard, f.trouble = time.Now(), nil
	if f.stalled != "" && f.chain.open.position == 0 {
		f.Advance(f.chain.position) // tells that it goes on
	}
	return nil
}

// Commit implements teller.
func (f *follower) Commit(c *feed.Commit) {
	f.stalled = ""
	f.sink.Commit(c)
	if !c.More {
		f.passed(c.Position)
	}
}

// Advance implements teller.
func (f *follower) Advance(p feed.Position) {
	f.stalled = ""
	f.sink.Advance(p)
	f.passed(p)
}

// silent is called when no record has come for long: it tells so, and looks
// whether the stream still has what was read.
func (f *follower) silent(ctx context.Context, events <-chan event) error {
	// A sink that took its time may have kept records waiting.
	select {
	case e := <-events:
		if err := f.hear(e); err != nil || e.err == nil {
			return err
		}
	default:
	}
	f.stall(ctx)
	r, number, err := f.lookAtEnd(ctx)
	switch {
	case errors.Is(err, broker.ErrNoRecord):
		return fmt.Errorf("%w: it is empty", errBroken)
	case err != nil:
		f.trouble = err
		return nil //nolint:nilerr // told when it lasts
	case number+1 < f.next:
		return fmt.Errorf("%w: it ends at record %d, and %d was read", errBroken, number, f.next-1)
	case number+1 > f.next:
		return errAgain // there is more than the reader tells
	case r.epoch != f.chain.epoch || r.life != f.chain.life || r.term != f.chain.term:
		return fmt.Errorf("%w: record %d is another one than was read", errBroken, number)
	}
	return nil
}

func (f *follower) lookAtEnd(ctx context.Context) (*record, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	return lastRecord(ctx, f.source.stream)
}

// stall tells the sink that the feed stands still, and why, as far as is known.
func (f *follower) stall(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	reason := "the owner of the database's log says nothing"
	if f.trouble != nil {
		reason = f.trouble.Error()
	}
	if own := f.source.trouble.Load(); own != nil && *own != nil {
		reason += "; when this node last tried to own the log: " + (*own).Error()
	}
	if reason != f.stalled {
		f.stalled = reason
		f.sink.Stall(reason)
	}
}
