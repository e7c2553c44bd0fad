package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pando-sync/pando/broker"
)

const (
	// giveUp is how long the broker may refuse an owner, which another node may
	// have a better way to.
	giveUp = 5 * time.Second
	// retryEvery is how often it is tried.
	retryEvery = 50 * time.Millisecond
)

// errRefused ends a term: the broker does not let this owner read or append.
var errRefused = errors.New("the broker fails")

// store appends records after the stream's end, each once, whatever the broker
// answers. It fails when somebody else has appended, or after some time. An
// append whose outcome is unknown may be made again: where it was made after
// all the stream ends elsewhere.
func (p *publisher) store(ctx context.Context, bodies [][]byte) error {
	for began := time.Now(); ; sleep(ctx, retryEvery) {
		last, err := p.tryAppend(ctx, bodies)
		if err == nil {
			p.number = last
			return nil
		}
		n, unknown := p.stored(ctx, bodies)
		p.number += uint64(n)
		bodies = bodies[n:]
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(unknown, errLost):
			return unknown
		case len(bodies) == 0:
			return nil
		case time.Since(began) > giveUp:
			return fmt.Errorf("%w: append to the stream for %s: %w", errRefused, giveUp, err)
		}
	}
}

func (p *publisher) tryAppend(ctx context.Context, bodies [][]byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	last, err := p.stream.Append(ctx, p.number, bodies...)
	if want := p.number + uint64(len(bodies)); err == nil && last != want {
		return 0, fmt.Errorf("the stream ends at record %d after an append, not at %d", last, want)
	}
	return last, err
}

// stored tells how many of the records the stream has, after an append of which
// nothing is known. It is errLost when it has others, or does not have what was
// stored before.
func (p *publisher) stored(ctx context.Context, bodies [][]byte) (int, error) {
	last, number, err := lastRecord(ctx, p.stream)
	switch {
	case errors.Is(err, broker.ErrNoRecord), err == nil && number < p.number:
		return 0, fmt.Errorf("%w: it does not hold record %d any more", errLost, p.number)
	case errors.Is(err, errNewer), errors.Is(err, errForeign):
		return 0, fmt.Errorf("%w: %w", errLost, err)
	case err != nil:
		return 0, err
	case last.term != p.term || last.epoch != p.epoch:
		return 0, fmt.Errorf("%w: it ends in term %d of %s, this one is %d of %s", errLost, last.term, last.epoch, p.term, p.epoch)
	case number > p.number+uint64(len(bodies)):
		return 0, fmt.Errorf("%w: it has more records than were appended", errLost)
	}
	// Nobody else appends in this term, so they are these.
	return int(number - p.number), nil
}
