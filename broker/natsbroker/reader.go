package natsbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/pando-sync/pando/broker"
)

// A reader asks for as many records ahead, up to as many bytes: little enough for
// an answer to a ping not to wait long behind them.
const (
	aheadRecords = 256
	aheadBytes   = 4 << 20
	// heartbeat is how often a server that has no record says so; two that are
	// missing are a loss. Shorter ones the client does not take.
	heartbeat = 500 * time.Millisecond
	// beginTimeout is how long JetStream has to answer: in a cluster it may have given
	// the task to a server that has just died.
	beginTimeout = 2 * time.Second
	// orphaned is when a server forgets a reader that has gone without a word.
	orphaned = 30 * time.Second
)

// reader reads a stream by a consumer that lives as long as the connection.
//
//	idle ──begin──► reading ──connection lost, consumer gone──► idle
//	  └──────────────┴──hole, another stream──► void
//
// On beginning again it looks whether the record that it read last is still
// there, as it was.
type reader struct {
	stream *Stream
	turn   chan struct{}   // held by Next, and by Close at last
	life   context.Context //nolint:containedctx // ends with Close, not with a call
	end    context.CancelCauseFunc
	once   sync.Once

	next  uint64 // 0 for the first that is kept
	first uint64 // the first that was kept when the consumer began
	// at is when the record before next was stored, and subject the stream's when
	// it was read; zero before the first.
	at      time.Time
	subject string
	void    error // what Next returns ever after

	records  jetstream.MessagesContext // nil while idle
	consumer string
	alive    context.Context //nolint:containedctx // ends with the connection of records, not with a call
	watches  []func() bool
}

func newReader(s *Stream, from uint64) *reader {
	r := &reader{stream: s, next: from, turn: make(chan struct{}, 1)}
	r.life, r.end = context.WithCancelCause(context.Background())
	return r
}

// Next implements broker.Reader.
func (r *reader) Next(ctx context.Context) (broker.Record, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-r.life.Done():
	}
	if err := r.check(ctx); err != nil {
		return broker.Record{}, wrap("read", err)
	}
	if r.void != nil {
		return broker.Record{}, r.void
	}
	record, err := r.read(ctx)
	switch {
	case errors.Is(err, broker.ErrTrimmed):
		r.stop()
		r.void = fmt.Errorf("read record %d: %w", r.next, err)
		return broker.Record{}, r.void
	case err != nil:
		return broker.Record{}, fmt.Errorf("read record %d: %w", r.next, err)
	}
	return record, nil
}

func (r *reader) check(ctx context.Context) error {
	if r.life.Err() != nil {
		return broker.ErrClosed
	}
	return r.stream.check(ctx)
}

// errSkipped is of a record that does not follow on the one before: those between
// are trimmed, or were dropped on their way since nobody took them.
var errSkipped = errors.New("a record is missing")

// read returns the next record. A consumer that is gone while the connection
// stands, or has left something out, is replaced, once: a new one begins with the
// record that is asked for, if that is kept.
func (r *reader) read(ctx context.Context) (broker.Record, error) {
	for again := false; ; again = true {
		record, err := r.try(ctx)
		switch {
		case errors.Is(err, errSkipped):
			r.stop()
			if again && r.next > 0 {
				return broker.Record{}, fmt.Errorf("%w: %w", err, broker.ErrTrimmed)
			}
		case again, !errors.Is(err, jetstream.ErrConsumerDeleted) && !errors.Is(err, jetstream.ErrNoHeartbeat):
			return record, err
		}
	}
}

func (r *reader) try(ctx context.Context) (broker.Record, error) {
	if r.alive != nil && r.alive.Err() != nil {
		r.stop()
	}
	if r.records == nil {
		if err := r.begin(ctx); err != nil {
			return broker.Record{}, err
		}
	}
	for {
		m, err := r.records.Next(jetstream.NextContext(ctx))
		if err != nil {
			return broker.Record{}, r.failed(ctx, err)
		}
		record, due, err := r.accept(m)
		if due || err != nil {
			return record, err
		}
	}
}

// failed ends the consumer, unless it was only the caller that did not wait, and
// says what its error means.
func (r *reader) failed(ctx context.Context, err error) error {
	alive := r.alive
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case r.life.Err() != nil:
		return broker.ErrClosed // Close does the rest
	}
	r.stop()
	return r.stream.link.why(alive, err)
}

// accept takes what the consumer has brought; a record before the one that is
// asked for is not due yet.
func (r *reader) accept(m jetstream.Msg) (record broker.Record, due bool, err error) {
	meta, err := m.Metadata()
	if err != nil {
		return broker.Record{}, false, err
	}
	number := meta.Sequence.Stream
	switch {
	case r.next == 0 && number == r.first:
	case number < r.next && r.at.IsZero():
		return broker.Record{}, false, nil
	case number != r.next:
		return broker.Record{}, false, fmt.Errorf("%w before record %d", errSkipped, number)
	}
	r.next, r.at, r.subject = number+1, meta.Timestamp, m.Subject()
	return broker.Record{Number: number, Time: meta.Timestamp, Body: m.Data()}, true, nil
}

// begin makes a consumer.
func (r *reader) begin(ctx context.Context) error {
	alive := r.stream.link.life()
	ctx, stop := r.stream.link.during(ctx, r.life)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, beginTimeout, errSilent)
	defer cancel()
	found, err := r.find(ctx)
	if err != nil {
		return r.stream.link.why(ctx, err)
	}
	cfg := jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverAllPolicy, FilterSubject: subjectOf(found),
		InactiveThreshold: orphaned, Replicas: 1, MemoryStorage: true,
	}
	if r.next > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, r.next
	}
	consumer, err := found.CreateConsumer(ctx, cfg)
	if err != nil {
		return r.stream.link.why(ctx, err)
	}
	records, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(aheadRecords, aheadBytes), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return r.stream.link.why(ctx, err)
	}
	r.records, r.consumer, r.alive, r.first = records, consumer.CachedInfo().Name, alive, firstOf(found)
	// Whoever waits for a record is woken by its end.
	r.watches = []func() bool{context.AfterFunc(alive, records.Stop), context.AfterFunc(r.life, records.Stop)}
	return nil
}

// find finds the stream, and makes sure that it goes on where the reader is.
func (r *reader) find(ctx context.Context) (jetstream.Stream, error) {
	if r.at.IsZero() {
		found, err := r.stream.look(ctx)
		if err == nil && r.next > 0 && r.next < firstOf(found) {
			err = fmt.Errorf("the first is %d: %w", firstOf(found), broker.ErrTrimmed)
		}
		return found, err
	}
	found, err := r.stream.find(ctx)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("the stream is gone: %w", broker.ErrTrimmed)
	case err != nil:
		return nil, err
	case subjectOf(found) != r.subject:
		return nil, fmt.Errorf("the stream was made anew: %w", broker.ErrTrimmed)
	case r.next < firstOf(found):
		return nil, fmt.Errorf("the first is %d: %w", firstOf(found), broker.ErrTrimmed)
	case r.next == firstOf(found):
		return found, nil // the one before is trimmed, and cannot be asked for
	}
	before, err := found.GetMsg(ctx, r.next-1)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, fmt.Errorf("record %d is gone: %w", r.next-1, broker.ErrTrimmed)
	case err != nil:
		return nil, err
	case !before.Time.Equal(r.at):
		return nil, fmt.Errorf("record %d is another one than before: %w", r.next-1, broker.ErrTrimmed)
	}
	return found, nil
}

// firstOf is the number of the first record that is kept, or will come.
func firstOf(found jetstream.Stream) uint64 {
	state := found.CachedInfo().State
	if state.Msgs == 0 {
		return state.LastSeq + 1
	}
	return state.FirstSeq
}

// stop ends the consumer here; the server forgets it in time.
func (r *reader) stop() {
	if r.records != nil {
		r.records.Stop()
	}
	for _, leave := range r.watches {
		leave()
	}
	r.records, r.alive, r.watches = nil, nil, nil
}

// Close implements broker.Reader.
func (r *reader) Close() error {
	r.once.Do(func() {
		r.end(broker.ErrClosed)
		r.turn <- struct{}{}
		if r.records == nil {
			return
		}
		r.stop()
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		defer cancel()
		ctx, end := r.stream.link.during(ctx)
		defer end()
		r.stream.js.DeleteConsumer(ctx, r.stream.id, r.consumer) //nolint:errcheck // what fails the server does in time
	})
	return nil
}
