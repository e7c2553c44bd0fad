package relaytest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pando-sync/pando/broker"
)

// ErrDown is the error of a broker that cannot be reached.
var ErrDown = errors.New("relaytest: the broker is down")

// Broker keeps the records of one stream, and loses them as a test says.
type Broker struct {
	mu      sync.Mutex // guards what follows
	first   uint64     // number of the first record that is kept, or that comes
	records []broker.Record
	down    bool
	fault   func(records int) (stored int, err error)
	changed chan struct{}
}

// NewBroker returns a broker of an empty stream.
func NewBroker() *Broker { return &Broker{first: 1, changed: make(chan struct{})} }

// change makes a change and wakes those who wait.
func (b *Broker) change(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn()
	close(b.changed)
	b.changed = make(chan struct{})
}

// last is the number of the newest record; mu is held.
func (b *Broker) last() uint64 { return b.first + uint64(len(b.records)) - 1 }

// Wipe forgets everything, the numbers too. Readers are not told.
func (b *Broker) Wipe() { b.change(func() { b.first, b.records = 1, nil }) }

// Lose forgets the newest n records, as when older data is restored. Readers are
// not told.
func (b *Broker) Lose(n int) {
	b.change(func() { b.records = b.records[:max(0, len(b.records)-n)] })
}

// Trim forgets all but the newest n records.
func (b *Broker) Trim(n int) {
	b.change(func() {
		if drop := len(b.records) - n; drop > 0 {
			b.first += uint64(drop)
			b.records = b.records[drop:]
		}
	})
}

// Down has all calls fail, or work again.
func (b *Broker) Down(down bool) { b.change(func() { b.down = down }) }

// Fault is asked at each append how many of its records are stored, and what
// the caller is told; nil ends it.
func (b *Broker) Fault(fn func(records int) (stored int, err error)) {
	b.change(func() { b.fault = fn })
}

// Len is the number of records that are kept.
func (b *Broker) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.records)
}

// Bodies are the records that are kept.
func (b *Broker) Bodies() [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	var bodies [][]byte
	for _, r := range b.records {
		bodies = append(bodies, r.Body)
	}
	return bodies
}

// Stream returns a stream as one node has it.
func (b *Broker) Stream() *Stream { return &Stream{broker: b} }

// Stream is one node's.
type Stream struct {
	broker *Broker

	mu     sync.Mutex // guards what follows
	cut    bool
	closed bool
}

var _ broker.Stream = (*Stream)(nil)

// Cut takes the node's connection to the broker away, or gives it back.
func (s *Stream) Cut(cut bool) {
	s.broker.change(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cut = cut
	})
}

// usable tells whether a call can be made; the broker's mu is held.
func (s *Stream) usable(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return broker.ErrClosed
	case s.cut || s.broker.down:
		return ErrDown
	}
	return ctx.Err()
}

// Append implements broker.Stream.
func (s *Stream) Append(ctx context.Context, after uint64, records ...[]byte) (last uint64, err error) {
	b := s.broker
	b.change(func() {
		last, err = b.last(), s.usable(ctx)
		switch {
		case err != nil:
			return
		case after != last:
			err = broker.ErrStale
			return
		}
		stored := len(records)
		if b.fault != nil {
			stored, err = b.fault(len(records))
		}
		for _, r := range records[:stored] {
			last++
			b.records = append(b.records, broker.Record{Number: last, Time: time.Now(), Body: bytes.Clone(r)})
		}
	})
	return last, err
}

// First implements broker.Stream.
func (s *Stream) First(ctx context.Context) (broker.Record, error) {
	return s.pick(ctx, func(int) int { return 0 })
}

// Last implements broker.Stream.
func (s *Stream) Last(ctx context.Context) (broker.Record, error) {
	return s.pick(ctx, func(n int) int { return n - 1 })
}

func (s *Stream) pick(ctx context.Context, of func(n int) int) (broker.Record, error) {
	b := s.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return broker.Record{}, err
	}
	if len(b.records) == 0 {
		return broker.Record{Number: b.last()}, broker.ErrNoRecord
	}
	return b.records[of(len(b.records))], nil
}

// Close implements broker.Stream.
func (s *Stream) Close() error {
	s.broker.change(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = true
	})
	return nil
}

// Reader implements broker.Stream.
func (s *Stream) Reader(ctx context.Context, from uint64) (broker.Reader, error) {
	b := s.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if from == 0 {
		from = b.first
	}
	return &reader{s, from}, s.usable(ctx)
}

type reader struct {
	stream *Stream
	next   uint64
}

// Next implements broker.Reader. It does not notice when records were lost that
// it has read.
func (r *reader) Next(ctx context.Context) (broker.Record, error) {
	b := r.stream.broker
	for {
		b.mu.Lock()
		err := r.stream.usable(ctx)
		var record broker.Record
		switch {
		case err != nil:
		case r.next < b.first:
			err = broker.ErrTrimmed
		case r.next <= b.last():
			record = b.records[r.next-b.first]
			r.next++
		}
		changed := b.changed
		b.mu.Unlock()
		if err != nil || record.Number != 0 {
			return record, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return record, ctx.Err()
		}
	}
}

// Close implements broker.Reader.
func (*reader) Close() error { return nil }
