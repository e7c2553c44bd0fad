package redisbroker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/pando-sync/pando/broker"
)

// stream is a Redis Stream with what is known of it, all in one host.
type stream struct {
	b    *Broker
	h    *host
	name string
	cfg  broker.StreamConfig
	// Keys: the records; a hash of the last number, the last tag, the sum of the
	// sizes and the last time; a list of times and sizes.
	records, info, sizes string
	// ctx ends with Close, and with the Broker.
	ctx context.Context //nolint:containedctx // it is the life of the stream
	end context.CancelFunc

	mu sync.Mutex // guards what follows
	// known is the newest record that was appended or read here, of which the number
	// and the tag are set: another one with its number is not the same.
	known entry
}

var _ broker.Stream = (*stream)(nil)

// Stream returns the stream of a name, which has the form of a group's. All that
// append to it should be configured alike, as each trims by its own measure. It
// uses the Broker's connections, and is closed with it.
func (b *Broker) Stream(name string, cfg broker.StreamConfig) (broker.Stream, error) {
	if err := broker.CheckGroup(name); err != nil {
		return nil, fmt.Errorf("open a stream: %w", err)
	}
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, err
	}
	key := b.cfg.key(streamKey, name)
	s := &stream{b: b, h: b.hostOf(name), name: name, cfg: cfg, records: key, info: key + ":info", sizes: key + ":sizes"}
	s.ctx, s.end = context.WithCancel(b.ctx)
	return s, nil
}

// Close implements broker.Stream.
func (s *stream) Close() error {
	s.end()
	return nil
}

// do calls fn with a context that also ends with the stream.
func (s *stream) do(ctx context.Context, op string, limit time.Duration, fn func(ctx context.Context) error) error {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(s.ctx, cancel)
	defer stop()
	err := s.h.doFor(own, limit, fn)
	switch {
	case err == nil:
		return nil
	case s.ctx.Err() != nil:
		return broker.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return fmt.Errorf("%s stream %s: %w", op, s.name, err)
	}
}

// What one call of the script appends at most; a record more may make it larger.
const (
	recordsAtOnce = 500
	bytesAtOnce   = 1 << 20
)

// Append implements broker.Stream.
func (s *stream) Append(ctx context.Context, after uint64, records ...[]byte) (uint64, error) {
	if err := broker.CheckRecords(records); err != nil {
		return 0, fmt.Errorf("append to stream %s: %w", s.name, err)
	}
	if s.ctx.Err() != nil {
		return 0, broker.ErrClosed
	}
	last := after
	for len(records) > 0 {
		n := piece(records)
		ends, err := s.append(ctx, last, records[:n])
		if errors.Is(err, broker.ErrStale) && last != after {
			// Somebody has taken up where an earlier piece ended.
			return 0, fmt.Errorf("append to stream %s: records %d to %d were stored, then it ended elsewhere, at %d", s.name, after+1, last, ends)
		}
		if err != nil {
			return 0, err
		}
		last, records = ends, records[n:]
	}
	return last, nil
}

// piece is the number of records that are appended at once.
func piece(records [][]byte) int {
	size := 0
	for i, body := range records {
		if i == recordsAtOnce || size >= bytesAtOnce {
			return i
		}
		size += len(body)
	}
	return len(records)
}

func (s *stream) append(ctx context.Context, after uint64, records [][]byte) (uint64, error) {
	tag := rand.Text()[:tagLength]
	args := make([]string, 0, len(records)+5)
	args = append(args, strconv.FormatUint(after, 10), s.tagOf(after), tag, millis(s.cfg.MaxAge), strconv.FormatInt(s.cfg.MaxBytes, 10))
	for _, body := range records {
		args = append(args, string(body))
	}
	var last uint64
	stale := false
	err := s.do(ctx, "append to", opTime, func(ctx context.Context) error {
		answer, err := appendScript.Exec(ctx, s.h.client, []string{s.records, s.info, s.sizes}, args).ToArray()
		if err != nil {
			return err
		}
		if len(answer) != 2 {
			return fmt.Errorf("the answer has %d parts", len(answer))
		}
		done, err := answer[0].AsBool()
		if err != nil {
			return err
		}
		stale = !done
		last, err = answer[1].AsUint64()
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case stale:
		return last, fmt.Errorf("append to stream %s after record %d, the last is %d: %w", s.name, after, last, broker.ErrStale)
	}
	s.know(last, tag)
	return last, nil
}

// know notes the tag of the newest record.
func (s *stream) know(number uint64, tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.Number, s.known.tag = number, tag
}

// tagOf is the tag of a record, "" if it is not known: a server may have lost
// records that it had confirmed, and others may have appended in their place, so
// that the number alone does not tell where the stream ends.
func (s *stream) tagOf(number uint64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known.Number != number {
		return ""
	}
	return s.known.tag
}

// First implements broker.Stream.
func (s *stream) First(ctx context.Context) (broker.Record, error) {
	e, err := s.one(ctx, s.h.client.B().Xrange().Key(s.records).Start("-").End("+").Count(1).Build())
	return e.Record, err
}

// Last implements broker.Stream.
func (s *stream) Last(ctx context.Context) (broker.Record, error) {
	e, err := s.one(ctx, s.h.client.B().Xrevrange().Key(s.records).End("+").Start("-").Count(1).Build())
	if err == nil {
		s.know(e.Number, e.tag)
	}
	return e.Record, err
}

// one returns the record that a command finds. As the newest is never trimmed, a
// stream without one has never had any.
func (s *stream) one(ctx context.Context, cmd rueidis.Completed) (entry, error) {
	if s.ctx.Err() != nil {
		return entry{}, broker.ErrClosed
	}
	var found []rueidis.XRangeEntry
	err := s.do(ctx, "read", opTime, func(ctx context.Context) (err error) {
		found, err = s.h.client.Do(ctx, cmd).AsXRange()
		return err
	})
	if err != nil {
		return entry{}, err
	}
	if len(found) == 0 {
		return entry{}, broker.ErrNoRecord
	}
	e, err := decode(found[0])
	if err != nil {
		return entry{}, fmt.Errorf("read stream %s: %w", s.name, err)
	}
	return e, nil
}

// tagLength is the length of a tag; by chance two are alike once in 2^50.
const tagLength = 10

// entry is a record with the tag of the call that brought it, and of the one that
// brought the record before.
type entry struct {
	broker.Record

	before, tag string
}

func decode(e rueidis.XRangeEntry) (entry, error) {
	number, millis, ok := strings.Cut(e.ID, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	t, terr := strconv.ParseInt(millis, 10, 64)
	if !ok || err != nil || terr != nil || len(e.FieldValues) != 1 {
		return entry{}, fmt.Errorf("record %s is none of ours: does another program use its key?", e.ID)
	}
	for tags, body := range e.FieldValues {
		before, tag, _ := strings.Cut(tags, ".")
		return entry{broker.Record{Number: n, Time: time.UnixMilli(t), Body: []byte(body)}, before, tag}, nil
	}
	return entry{}, nil
}
