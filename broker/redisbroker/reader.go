package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/pando-sync/pando/broker"
)

// A fetch waits for blockTime, and brings about fetchBytes, fetchRecords at most.
const (
	blockTime    = 400 * time.Millisecond
	fetchBytes   = 4 << 20
	fetchRecords = 500
	firstFetch   = 16
)

// recordReader reads a stream by fetches that block, on a connection that it has
// for itself meanwhile. Between them it looks whether the stream is still the one
// that it has read.
type recordReader struct {
	s *stream
	// next is the number of the record that comes next, 0 for the first that is
	// kept; tag is the one of the record before, "" while none was read.
	next uint64
	tag  string
	// fetched are the records from next on, those that were not taken yet.
	fetched []broker.Record
	// count is how many are fetched at once, by the sizes of those before.
	count int64
	// missed tells that the last fetch did not find what should have been there.
	missed bool
	lost   error

	ended context.Context //nolint:containedctx // it is the life of the reader
	end   context.CancelFunc
	once  sync.Once
}

var _ broker.Reader = (*recordReader)(nil)

// Reader implements broker.Stream.
func (s *stream) Reader(ctx context.Context, from uint64) (broker.Reader, error) {
	if s.ctx.Err() != nil {
		return nil, broker.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &recordReader{s: s, next: from, count: firstFetch}
	r.ended, r.end = context.WithCancel(s.ctx) //nolint:gosec // Close calls it
	return r, nil
}

// Close implements broker.Reader.
func (r *recordReader) Close() error {
	r.once.Do(r.end)
	return nil
}

// Next implements broker.Reader.
func (r *recordReader) Next(ctx context.Context) (broker.Record, error) {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(r.ended, cancel)
	defer stop()
	for {
		switch {
		case r.ended.Err() != nil:
			return broker.Record{}, broker.ErrClosed
		case ctx.Err() != nil:
			return broker.Record{}, ctx.Err()
		case len(r.fetched) > 0:
			record := r.fetched[0]
			r.fetched = r.fetched[1:]
			return record, nil
		case r.lost != nil:
			return broker.Record{}, r.lost
		}
		if err := r.fetch(own); err != nil && own.Err() == nil {
			return broker.Record{}, err
		}
	}
}

// fetch waits for records, for a while, or finds that there is a hole.
func (r *recordReader) fetch(ctx context.Context) error {
	// An id is a number and a time: this one is behind all with the number before.
	after := "0-0"
	if r.next > 0 {
		after = strconv.FormatUint(r.next-1, 10) + "-" + strconv.FormatUint(math.MaxUint64, 10)
	}
	var found []rueidis.XRangeEntry
	err := r.s.do(ctx, "read", blockTime+opTime, func(ctx context.Context) error {
		c := r.s.h.client
		all, err := c.Do(ctx, c.B().Xread().Count(r.count).Block(blockTime.Milliseconds()).Streams().Key(r.s.records).Id(after).Build()).AsXRead()
		if rueidis.IsRedisNil(err) {
			return nil
		}
		found = all[r.s.records]
		return err
	})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return r.look(ctx)
	}
	return r.take(found)
}

// take keeps what was fetched, as far as it follows on what was read.
func (r *recordReader) take(found []rueidis.XRangeEntry) error {
	size := 0
	for _, one := range found {
		e, err := decode(one)
		switch {
		case err != nil:
			return fmt.Errorf("read stream %s: %w", r.s.name, err)
		case r.next != 0 && e.Number != r.next:
			r.hole(fmt.Sprintf("record %d is the next", e.Number))
			return nil
		case r.tag != "" && e.before != r.tag:
			r.hole("the record before is another one now")
			return nil
		}
		size += len(e.Body)
		r.fetched = append(r.fetched, e.Record)
		r.next, r.tag, r.missed = e.Number+1, e.tag, false
	}
	r.count = min(max(1, fetchBytes*int64(len(found))/int64(size+1)), 2*r.count, fetchRecords)
	return nil
}

// hole notes why nothing more can be read.
func (r *recordReader) hole(why string) {
	r.lost = fmt.Errorf("read record %d of stream %s: %w: %s", r.next, r.s.name, broker.ErrTrimmed, why)
}

// look finds out whether the stream still ends where the reader stands.
func (r *recordReader) look(ctx context.Context) error {
	var last uint64
	var tag string
	err := r.s.do(ctx, "read", opTime, func(ctx context.Context) error {
		c := r.s.h.client
		info, err := c.Do(ctx, c.B().Hmget().Key(r.s.info).Field("last", "tag").Build()).ToArray()
		if err != nil {
			return err
		}
		if len(info) != 2 {
			return errors.New("the answer is no pair")
		}
		if info[0].IsNil() {
			return nil
		}
		if last, err = info[0].AsUint64(); err != nil {
			return err
		}
		tag, err = info[1].ToString()
		return err
	})
	switch {
	case err != nil:
		return err
	case r.next > 0 && last >= r.next:
		// It came after the fetch; when the next one does not find it either, it is
		// not there.
		if r.missed {
			r.hole("it is not there")
		}
		r.missed = true
	case r.tag != "" && r.tag != tag:
		r.hole(fmt.Sprintf("the stream ends at %d, and not with the record that was read", last))
	}
	return nil
}
