package natsbroker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pando-sync/pando/broker"
)

// What may be on its way at once, in records and in bytes.
const (
	windowRecords = 256
	windowBytes   = 4 << 20
)

// Append implements broker.Stream. Records are sent without waiting for those
// before. Each is stored on two conditions: that the stream ends with the number
// before its own, and that the record there is this call's. So one that is refused
// takes all after it along, even when others append in between.
func (s *Stream) Append(ctx context.Context, after uint64, records ...[]byte) (uint64, error) {
	if err := broker.CheckRecords(records); err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	if err := s.check(ctx); err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	if len(records) == 0 {
		return after, nil
	}
	ctx, cancel := s.link.during(ctx)
	defer cancel()
	if err := s.append(ctx, after, records); err != nil {
		return 0, fmt.Errorf("append after record %d: %w", after, s.link.why(ctx, err))
	}
	return after + uint64(len(records)), nil
}

func (s *Stream) append(ctx context.Context, after uint64, records [][]byte) error {
	subject, seen := s.subject.Load().(string)
	if !seen {
		found, err := s.look(ctx)
		if err != nil {
			return err
		}
		subject = subjectOf(found)
	}
	a := &appending{js: s.js, subject: subject, call: rand.Text(), after: after}
	if err := a.run(ctx, records); !errors.Is(err, jetstream.ErrNoStreamResponse) || a.stored > 0 {
		return err
	}
	// Nobody listens to the subject: the stream is gone, or has no leader now.
	found, err := s.look(ctx)
	switch {
	case err != nil:
		return err
	case subjectOf(found) == subject:
		return jetstream.ErrNoStreamResponse
	case after > 0:
		return fmt.Errorf("the stream was made anew: %w", broker.ErrStale)
	}
	a = &appending{js: s.js, subject: subjectOf(found), call: a.call}
	return a.run(ctx, records)
}

// appending is one call of Append.
type appending struct {
	js      jetstream.JetStream
	subject string
	// call names the call; its records are named by it and their index.
	call  string
	after uint64
	// waiting are the records that are on their way, of which the first is the one
	// after those that are stored.
	waiting []jetstream.PubAckFuture
	bytes   int
	stored  int
}

func (a *appending) run(ctx context.Context, records [][]byte) error {
	for i, body := range records {
		for len(a.waiting) > 0 && (len(a.waiting) == windowRecords || a.bytes+len(body) > windowBytes) {
			if err := a.settle(ctx); err != nil {
				return err
			}
		}
		if err := a.send(i, body); err != nil {
			return err
		}
	}
	for len(a.waiting) > 0 {
		if err := a.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *appending) name(i int) string { return a.call + "." + strconv.Itoa(i) }

func (a *appending) send(i int, body []byte) error {
	m := nats.NewMsg(a.subject)
	m.Data = body
	m.Header.Set(jetstream.MsgIDHeader, a.name(i))
	m.Header.Set(jetstream.ExpectedLastSeqHeader, strconv.FormatUint(a.after+uint64(i), 10))
	if i > 0 {
		m.Header.Set(jetstream.ExpectedLastMsgIDHeader, a.name(i-1))
	}
	// One that finds nobody is not sent again: those after it would come before.
	ack, err := a.js.PublishMsgAsync(m, jetstream.WithRetryAttempts(0), jetstream.WithStallWait(answerTimeout))
	if err != nil {
		return err
	}
	a.waiting, a.bytes = append(a.waiting, ack), a.bytes+len(body)
	return nil
}

// settle waits until the oldest record that is on its way is stored.
func (a *appending) settle(ctx context.Context) error {
	first := a.waiting[0]
	select {
	case ack := <-first.Ok():
		if want := a.after + uint64(a.stored) + 1; ack.Sequence != want || ack.Duplicate {
			return fmt.Errorf("record %d was stored as %d", want, ack.Sequence)
		}
	case err := <-first.Err():
		return a.refused(err)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	a.waiting, a.bytes, a.stored = a.waiting[1:], a.bytes-len(first.Msg().Data), a.stored+1
	return nil
}

// refused says what it means that a record was not stored.
func (a *appending) refused(err error) error {
	var coded *jetstream.APIError
	if !errors.As(err, &coded) {
		return err
	}
	switch coded.ErrorCode {
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant, codeWrongID:
		if a.stored == 0 {
			return fmt.Errorf("%w: %w", broker.ErrStale, err)
		}
		return fmt.Errorf("after %d of the records somebody else has appended: %w", a.stored, err)
	default:
		return err
	}
}
