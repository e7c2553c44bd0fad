package membroker

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pando-sync/pando/broker"
)

// Stream is a broker.Stream in memory: what it holds ends with the process.
// Like a Broker it has no goroutines.
type Stream struct {
	log   *log
	ended chan struct{}
	once  sync.Once
}

var _ broker.Stream = (*Stream)(nil)

// log is what the Streams of one log share.
type log struct {
	cfg broker.StreamConfig

	mu      sync.Mutex // guards what follows
	records []entry
	bytes   int64
	last    uint64
	// appends counts the calls that have appended, over the log's whole life; by is
	// the one that brought the last record.
	appends, by uint64
	// changed is closed, and made anew, when records come or all are gone.
	changed chan struct{}
}

// entry is a record with the call that brought it, and the one that brought the
// record before it: by these a reader knows whether it follows on what it has
// read.
type entry struct {
	broker.Record

	by, before uint64
}

// NewStream returns a stream without records.
func NewStream(cfg broker.StreamConfig) (*Stream, error) {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, err
	}
	return newStream(&log{cfg: cfg, changed: make(chan struct{})}), nil
}

func newStream(l *log) *Stream { return &Stream{log: l, ended: make(chan struct{})} }

// Join returns another Stream of the same records, as another node has one. It
// is closed by itself.
func (s *Stream) Join() *Stream { return newStream(s.log) }

// Wipe forgets all records, as a broker that has lost its data: the next one is
// number 1.
func (s *Stream) Wipe() {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records, l.bytes, l.last, l.by = nil, 0, 0, 0
	l.wake()
}

// Append implements broker.Stream.
func (s *Stream) Append(ctx context.Context, after uint64, records ...[]byte) (uint64, error) {
	if err := s.check(ctx); err != nil {
		return 0, err
	}
	if err := broker.CheckRecords(records); err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	if len(records) == 0 {
		return after, nil
	}
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if after != l.last {
		return 0, fmt.Errorf("append after record %d, the last is %d: %w", after, l.last, broker.ErrStale)
	}
	now := time.Now()
	l.appends++
	for _, body := range records {
		l.last++
		l.bytes += int64(len(body))
		l.records = append(l.records, entry{broker.Record{Number: l.last, Time: now, Body: bytes.Clone(body)}, l.appends, l.by})
		l.by = l.appends
	}
	l.trim(now)
	l.wake()
	return l.last, nil
}

func (s *Stream) check(ctx context.Context) error {
	select {
	case <-s.ended:
		return broker.ErrClosed
	default:
		return ctx.Err()
	}
}

// wake tells who waits. The mutex is held.
func (l *log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// trim drops what is too old or too much. The mutex is held.
func (l *log) trim(now time.Time) {
	n := 0
	for n < len(l.records) && (l.bytes > l.cfg.MaxBytes || now.Sub(l.records[n].Time) >= l.cfg.MaxAge) {
		l.bytes -= int64(len(l.records[n].Body))
		l.records[n] = entry{} // what is behind the slice's start is not collected otherwise
		n++
	}
	l.records = l.records[n:]
}

// First implements broker.Stream.
func (s *Stream) First(ctx context.Context) (broker.Record, error) {
	return s.one(ctx, func(all []entry) entry { return all[0] })
}

// Last implements broker.Stream.
func (s *Stream) Last(ctx context.Context) (broker.Record, error) {
	return s.one(ctx, func(all []entry) entry { return all[len(all)-1] })
}

func (s *Stream) one(ctx context.Context, of func(all []entry) entry) (broker.Record, error) {
	if err := s.check(ctx); err != nil {
		return broker.Record{}, err
	}
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trim(time.Now())
	if len(l.records) == 0 {
		return broker.Record{Number: l.last}, broker.ErrNoRecord
	}
	return of(l.records).copy(), nil
}

func (e entry) copy() broker.Record {
	r := e.Record
	r.Body = bytes.Clone(r.Body)
	return r
}

// Close implements broker.Stream.
func (s *Stream) Close() error {
	s.once.Do(func() { close(s.ended) })
	return nil
}

// Reader implements broker.Stream.
func (s *Stream) Reader(ctx context.Context, from uint64) (broker.Reader, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	return &reader{stream: s, next: from, ended: make(chan struct{})}, nil
}

// reader reads a log. It has seen the record before next once seen is set: by is
// the call that brought that one.
type reader struct {
	stream *Stream
	next   uint64
	seen   bool
	by     uint64
	lost   bool
	ended  chan struct{}
	once   sync.Once
}

// Next implements broker.Reader.
func (r *reader) Next(ctx context.Context) (broker.Record, error) {
	for {
		if err := r.check(ctx); err != nil {
			return broker.Record{}, err
		}
		record, changed, err := r.take()
		if changed == nil {
			return record, err
		}
		select {
		case <-changed:
		case <-r.ended:
		case <-r.stream.ended:
		case <-ctx.Done():
		}
	}
}

func (r *reader) check(ctx context.Context) error {
	select {
	case <-r.ended:
		return broker.ErrClosed
	default:
		return r.stream.check(ctx)
	}
}

// take returns the next record, or what is closed when there may be one.
func (r *reader) take() (broker.Record, <-chan struct{}, error) {
	l := r.stream.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trim(time.Now())
	first := l.last + 1 - uint64(len(l.records))
	if r.next == 0 && len(l.records) > 0 {
		r.next = first
	}
	if r.lost || r.void(first) {
		r.lost = true
		return broker.Record{}, nil, fmt.Errorf("read record %d: %w", r.next, broker.ErrTrimmed)
	}
	if r.next == 0 || r.next > l.last {
		return broker.Record{}, l.changed, nil
	}
	e := l.records[r.next-first]
	r.next, r.seen, r.by = r.next+1, true, e.by
	return e.copy(), nil, nil
}

// void tells whether the records from next on do not follow on the one that was
// read last. The mutex is held.
func (r *reader) void(first uint64) bool {
	l := r.stream.log
	switch {
	case r.next == 0:
		return false
	case r.next < first:
		return true
	case !r.seen:
		return false
	case r.next <= l.last:
		return l.records[r.next-first].before != r.by
	default:
		return r.next > l.last+1 || l.by != r.by
	}
}

// Close implements broker.Reader.
func (r *reader) Close() error {
	r.once.Do(func() { close(r.ended) })
	return nil
}
