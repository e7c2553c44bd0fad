package relay

import (
	"context"
	"errors"
	"fmt"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed"
)

// History implements feed.Historian: it reads what the stream keeps.
func (s *Source) History(ctx context.Context, epoch string, after feed.Position, fn func(*feed.Commit) error) (complete bool, err error) {
	at := s.stand()
	if epoch != at.epoch || at.epoch == "" {
		return false, nil
	}
	if after >= at.head {
		return true, nil
	}
	number, found, err := s.find(ctx, at, after)
	if err != nil || !found {
		return false, wrapHistory(err)
	}
	reader, err := s.stream.Reader(ctx, number)
	if err != nil {
		return false, wrapHistory(err)
	}
	defer reader.Close()
	told := &listener{fn: fn}
	c := chain{decode: s.db.Decode, to: told, epoch: at.epoch, life: at.life, position: after}
	for c.position < at.head {
		r, err := nextRecord(ctx, reader)
		if err == nil {
			err = c.take(r)
		}
		switch {
		case told.err != nil:
			return false, told.err
		case err != nil:
			return false, wrapHistory(err)
		}
	}
	return s.stand() == at, nil
}

// wrapHistory has an error that tells of missing records tell nothing else:
// History's answer does.
func wrapHistory(err error) error {
	if err == nil || errors.Is(err, errBroken) || errors.Is(err, broker.ErrTrimmed) || errors.Is(err, broker.ErrNoRecord) {
		return nil
	}
	return fmt.Errorf("read the history of commits: %w", err)
}

// listener hands a chain's commits to a function, until it fails.
type listener struct {
	fn  func(*feed.Commit) error
	err error
}

// Commit implements teller.
func (l *listener) Commit(c *feed.Commit) {
	if l.err == nil {
		l.err = l.fn(c)
	}
}

// Advance implements teller.
func (*listener) Advance(feed.Position) {}

// find returns the number of the first record that tells of what is after a
// position; false when it is not kept any more, or what was before is void.
func (s *Source) find(ctx context.Context, at standing, after feed.Position) (number uint64, found bool, err error) {
	oldest, err := s.stream.First(ctx)
	if err != nil {
		return 0, false, err
	}
	last, high, err := lastRecord(ctx, s.stream)
	if err != nil || last.epoch != at.epoch || last.life != at.life {
		return 0, false, err
	}
	low, r := oldest.Number, last
	for low < high { // high is r, which has told more than after
		middle := low + (high-low)/2
		m, err := s.record(ctx, middle)
		if err != nil {
			return 0, false, err
		}
		if m.epoch == at.epoch && m.life == at.life && m.end() > after {
			high, r = middle, m
		} else {
			low = middle + 1
		}
	}
	if r.kind == committed {
		high = r.first
	}
	return high, high >= oldest.Number && r.base <= after && r.previous <= after, nil
}

// record reads one record.
func (s *Source) record(ctx context.Context, number uint64) (*record, error) {
	reader, err := s.stream.Reader(ctx, number)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return nextRecord(ctx, reader)
}

func nextRecord(ctx context.Context, reader broker.Reader) (*record, error) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	r, err := reader.Next(ctx)
	if err != nil {
		return nil, err
	}
	return decode(r.Body)
}
