package brokertest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/broker"
)

// StreamHarness is what the suite needs of one stream, which is new and empty.
type StreamHarness struct {
	// Open returns a Stream of it, closed by the suite. Opened again it is another
	// Stream of the same records, as another process has one.
	Open func(cfg broker.StreamConfig) broker.Stream
	// Wipe has the broker lose the stream, while Streams are open.
	Wipe func()
	// Save returns a function that brings the stream back as it is now, as an
	// operator does with a backup; nil where that cannot be done.
	Save func() (restore func())
	// Lose makes the broker unreachable for all Streams, until Find; nil where it
	// cannot get lost. What was appended is kept.
	Lose, Find func()
	// Age is a MaxAge that the suite may wait for.
	Age time.Duration
}

// RunStream runs the suite of streams, or only the cases that are named; create
// makes a new stream for each. A backend whose stream can live in a synctest
// bubble, having no goroutine and no socket, says so: its clock costs no time.
func RunStream(t *testing.T, bubble bool, create func(t testing.TB) StreamHarness, only ...string) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*streamKit)
	}{
		{"Numbers", (*streamKit).numbers},
		{"Empty", (*streamKit).empty},
		{"Stale", (*streamKit).stale},
		{"TwoWriters", (*streamKit).twoWriters},
		{"Sizes", (*streamKit).sizes},
		{"Copies", (*streamKit).copies},
		{"ReadFrom", (*streamKit).readFrom},
		{"ReadPastTheEnd", (*streamKit).readPastTheEnd},
		{"WaitingReader", (*streamKit).waitingReader},
		{"ManyReaders", (*streamKit).manyReaders},
		{"NextEnds", (*streamKit).nextEnds},
		{"TrimmedBySize", (*streamKit).trimmedBySize},
		{"TrimmedByAge", (*streamKit).trimmedByAge},
		{"TrimmedUnderAReader", (*streamKit).trimmedUnder},
		{"Wiped", (*streamKit).wiped},
		{"Replaced", (*streamKit).replaced},
		{"Restored", (*streamKit).restored},
		{"RestoredAndOverrun", (*streamKit).overrun},
		{"Lost", (*streamKit).lost},
		{"Close", (*streamKit).closed},
	} {
		if len(only) > 0 && !slices.Contains(only, c.name) {
			continue
		}
		run := func(t *testing.T) { c.test(&streamKit{T: t, h: create(t)}) }
		if bubble {
			t.Run(c.name, func(t *testing.T) { synctest.Test(t, run) })
		} else {
			t.Run(c.name, run)
		}
	}
}

// noticed is how long it may take until a broker that is lost, or a stream that
// is another one, is noticed: "about a second", on a machine that is busy.
const noticed = 4 * time.Second

// streamKit is one test with its stream.
type streamKit struct {
	*testing.T

	h StreamHarness
}

func (k *streamKit) open() broker.Stream {
	k.Helper()
	return k.openWith(broker.StreamConfig{})
}

func (k *streamKit) openWith(cfg broker.StreamConfig) broker.Stream {
	k.Helper()
	s := k.h.Open(cfg)
	k.Cleanup(func() { s.Close() })
	return s
}

// append appends and wants it to succeed; it returns the last number.
func (k *streamKit) append(s broker.Stream, after uint64, bodies ...string) uint64 {
	k.Helper()
	records := make([][]byte, len(bodies))
	for i, body := range bodies {
		records[i] = []byte(body)
	}
	last, err := s.Append(k.Context(), after, records...)
	if err != nil {
		k.Fatalf("append %d records after %d: %v", len(bodies), after, err)
	}
	if want := after + uint64(len(bodies)); last != want {
		k.Fatalf("append %d records after %d: the last is %d, want %d", len(bodies), after, last, want)
	}
	return last
}

// refused appends and wants it to be stale.
func (k *streamKit) refused(s broker.Stream, after uint64) {
	k.Helper()
	if last, err := s.Append(k.Context(), after, []byte("refused"), []byte("too")); !errors.Is(err, broker.ErrStale) {
		k.Fatalf("append after %d: %d, %v, want ErrStale", after, last, err)
	}
}

func (k *streamKit) reader(s broker.Stream, from uint64) broker.Reader {
	k.Helper()
	r, err := s.Reader(k.Context(), from)
	if err != nil {
		k.Fatalf("reader from %d: %v", from, err)
	}
	k.Cleanup(func() { r.Close() })
	return r
}

func (k *streamKit) next(r broker.Reader) broker.Record {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), patience)
	defer cancel()
	record, err := r.Next(ctx)
	if err != nil {
		k.Fatalf("read the next record: %v", err)
	}
	return record
}

// want reads records that are numbered from a number on.
func (k *streamKit) want(r broker.Reader, from uint64, bodies ...string) {
	k.Helper()
	for i, body := range bodies {
		if got := k.next(r); got.Number != from+uint64(i) || string(got.Body) != body {
			k.Fatalf("read record %d, %.20q, want %d, %q", got.Number, got.Body, from+uint64(i), body)
		}
	}
}

func (k *streamKit) nothing(r broker.Reader) {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), silence)
	defer cancel()
	if got, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		k.Fatalf("read record %d, %.20q, %v, want nothing yet", got.Number, got.Body, err)
	}
}

// hole wants a reader to tell of a hole, now and when it is asked again.
func (k *streamKit) hole(r broker.Reader) {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), noticed)
	defer cancel()
	for range 2 {
		for {
			got, err := r.Next(ctx)
			if errors.Is(err, broker.ErrTrimmed) {
				break
			}
			if err == nil || ctx.Err() != nil {
				k.Fatalf("read record %d, %.20q, %v, want ErrTrimmed", got.Number, got.Body, err)
			}
			k.Logf("before ErrTrimmed: %v", err) // the broker may have been unreachable meanwhile
			<-time.After(silence / 10)
		}
	}
}

// waiting calls Next, and returns once that waits, as well as can be told.
func (k *streamKit) waiting(r broker.Reader) <-chan result {
	got := make(chan result, 1)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		record, err := r.Next(ctx)
		got <- result{record, err, time.Now()}
	})
	k.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	select {
	case early := <-got:
		k.Fatalf("read record %d, %.20q, %v, want it to wait", early.Number, early.Body, early.err)
	case <-time.After(silence):
	}
	return got
}

type result struct {
	broker.Record

	err error
	at  time.Time
}

func (k *streamKit) numbers() {
	s := k.open()
	before := time.Now()
	last := k.append(s, 0, "one")
	last = k.append(s, last, "two", "three", "four")
	k.append(s, last, "five")
	first, err := s.First(k.Context())
	if err != nil || first.Number != 1 || string(first.Body) != "one" {
		k.Errorf("the first record is %d, %q, %v", first.Number, first.Body, err)
	}
	newest, err := s.Last(k.Context())
	if err != nil || newest.Number != 5 || string(newest.Body) != "five" {
		k.Errorf("the last record is %d, %q, %v", newest.Number, newest.Body, err)
	}
	r := k.reader(s, 0)
	stored := before.Add(-patience)
	for i, body := range []string{"one", "two", "three", "four", "five"} {
		got := k.next(r)
		if got.Number != uint64(i)+1 || string(got.Body) != body {
			k.Fatalf("read record %d, %q, want %d, %q", got.Number, got.Body, i+1, body)
		}
		if got.Time.Before(stored) || got.Time.After(time.Now().Add(patience)) {
			k.Errorf("record %d was stored at %s, the one before at %s", got.Number, got.Time, stored)
		}
		stored = got.Time
	}
	k.nothing(r)
	if last, err := s.Append(k.Context(), 5); last != 5 || err != nil {
		k.Errorf("append nothing: %d, %v", last, err)
	}
}

func (k *streamKit) empty() {
	s := k.open()
	k.noRecord(s, 0)
	r := k.reader(s, 0)
	k.nothing(r)
	k.refused(s, 1)
	k.noRecord(s, 0)
	k.append(s, 0, "one")
	k.want(r, 1, "one")
}

// noRecord wants a stream to be empty that has counted to last.
func (k *streamKit) noRecord(s broker.Stream, last uint64) {
	k.Helper()
	for name, ask := range map[string]func(context.Context) (broker.Record, error){"first": s.First, "last": s.Last} {
		if got, err := ask(k.Context()); !errors.Is(err, broker.ErrNoRecord) || got.Number != last || got.Body != nil {
			k.Errorf("the %s record of an empty stream is %d, %q, %v, want ErrNoRecord and number %d", name, got.Number, got.Body, err, last)
		}
	}
}

func (k *streamKit) stale() {
	s := k.open()
	other := k.open()
	k.append(s, 0, "one", "two")
	for _, after := range []uint64{0, 1, 3, 1000} {
		k.refused(s, after)
		k.refused(other, after)
	}
	k.append(other, 2, "three")
	k.refused(s, 2)
	r := k.reader(s, 1)
	k.want(r, 1, "one", "two", "three")
	k.nothing(r)
}

// twoWriters has two append after the same record at once: one of them wins.
func (k *streamKit) twoWriters() {
	const rounds = 25
	writers := []broker.Stream{k.open(), k.open()}
	last := uint64(0)
	var want []string
	for i := range rounds {
		won := make(chan string, len(writers))
		var wg sync.WaitGroup
		for w, s := range writers {
			wg.Go(func() {
				body := strconv.Itoa(i) + " of " + strconv.Itoa(w)
				switch got, err := s.Append(k.Context(), last, []byte(body), []byte(body)); {
				case err == nil && got == last+2:
					won <- body
				case !errors.Is(err, broker.ErrStale):
					k.Errorf("append after %d: %d, %v, want it to succeed or to be stale", last, got, err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			k.Fatalf("round %d: %d writers have won", i, len(won))
		}
		body := <-won
		want = append(want, body, body)
		last += 2
	}
	k.want(k.reader(writers[0], 1), 1, want...)
}

func (k *streamKit) sizes() {
	s := k.open()
	large := bytes.Repeat([]byte("x"), broker.MaxRecord)
	over := append(bytes.Clone(large), 'x')
	if _, err := s.Append(k.Context(), 0, []byte("one"), over); !errors.Is(err, broker.ErrMessageTooLarge) {
		k.Errorf("a record over MaxRecord: %v", err)
	}
	k.noRecord(s, 0)
	if _, err := s.Append(k.Context(), 0, large, nil, large, []byte("small")); err != nil {
		k.Fatalf("records of MaxRecord: %v", err)
	}
	r := k.reader(s, 1)
	for i, want := range [][]byte{large, {}, large, []byte("small")} {
		if got := k.next(r); got.Number != uint64(i)+1 || !bytes.Equal(got.Body, want) {
			k.Errorf("record %d has %d bytes as record %d, want %d", i+1, len(got.Body), got.Number, len(want))
		}
	}
}

// copies has neither the writer nor a reader change what others read.
func (k *streamKit) copies() {
	s := k.open()
	body := []byte("sent")
	if _, err := s.Append(k.Context(), 0, body); err != nil {
		k.Fatal(err)
	}
	copy(body, "XXXX")
	one, two := k.reader(s, 1), k.reader(s, 1)
	got := k.next(one)
	if string(got.Body) != "sent" {
		k.Errorf("a change after Append is read as %q", got.Body)
	}
	copy(got.Body, "YYYY")
	k.want(two, 1, "sent")
	k.want(k.reader(s, 1), 1, "sent")
}

func (k *streamKit) readFrom() {
	s := k.open()
	k.append(s, 0, "1", "2", "3", "4")
	for _, from := range []uint64{0, 1, 3, 4, 5} {
		r := k.reader(s, from)
		if from == 0 {
			from = 1
		}
		k.want(r, from, []string{"1", "2", "3", "4"}[from-1:]...)
		k.nothing(r)
	}
}

func (k *streamKit) readPastTheEnd() {
	s := k.open()
	k.append(s, 0, "1", "2")
	r := k.reader(s, 5)
	k.nothing(r)
	last := k.append(s, 2, "3", "4")
	k.nothing(r)
	k.append(s, last, "5", "6")
	k.want(r, 5, "5", "6")
	k.nothing(r)
}

func (k *streamKit) waitingReader() {
	s, other := k.open(), k.open()
	last := k.append(s, 0, "1")
	fresh, from := k.reader(s, 2), k.reader(s, 0)
	k.want(from, 1, "1")
	got := []<-chan result{k.waiting(fresh), k.waiting(from)}
	k.append(other, last, "2", "3")
	for _, waited := range got {
		select {
		case m := <-waited:
			if m.err != nil || m.Number != 2 || string(m.Body) != "2" {
				k.Errorf("who waits got record %d, %q, %v", m.Number, m.Body, m.err)
			}
		case <-time.After(patience):
			k.Fatal("who waits is not woken")
		}
	}
	k.want(fresh, 3, "3")
	k.want(from, 3, "3")
}

// manyReaders has several follow while records come, on two Streams.
func (k *streamKit) manyReaders() {
	const records, readers = 200, 6
	streams := []broker.Stream{k.open(), k.open()}
	var wg sync.WaitGroup
	for i := range readers {
		r := k.reader(streams[i%2], uint64(i%2))
		wg.Go(func() {
			for n := uint64(1); n <= records; n++ {
				got, err := r.Next(k.Context())
				if err != nil || got.Number != n || string(got.Body) != strconv.FormatUint(n, 10) {
					k.Errorf("reader %d: read record %d, %q, %v, want %d", i, got.Number, got.Body, err, n)
					return
				}
			}
		})
	}
	for n := uint64(0); n < records; {
		some := make([]string, 1+n%3)
		for i := range some {
			some[i] = strconv.FormatUint(n+uint64(i)+1, 10)
		}
		n = k.append(streams[0], n, some...)
	}
	wg.Wait()
}

// nextEnds ends calls of Next: the record that they wait for comes to the next
// call.
func (k *streamKit) nextEnds() {
	s := k.open()
	r := k.reader(s, 0)
	ended, cancel := context.WithCancel(k.Context())
	cancel()
	if _, err := r.Next(ended); !errors.Is(err, context.Canceled) {
		k.Errorf("next with an ended context: %v", err)
	}
	const rounds = 20
	for n := range uint64(rounds) {
		ctx, cancel := context.WithCancel(k.Context())
		got := make(chan result, 1)
		var wg sync.WaitGroup
		wg.Go(func() {
			record, err := r.Next(ctx)
			got <- result{Record: record, err: err}
		})
		wg.Go(func() { k.append(s, n, strconv.FormatUint(n, 10)) })
		if n%2 == 0 {
			cancel()
		}
		wg.Wait()
		cancel()
		first := <-got
		if errors.Is(first.err, context.Canceled) {
			first.Record, first.err = k.next(r), nil
		}
		if first.err != nil || first.Number != n+1 || string(first.Body) != strconv.FormatUint(n, 10) {
			k.Fatalf("read record %d, %q, %v, want %d", first.Number, first.Body, first.err, n+1)
		}
	}
}

// closed ends what waits; another Stream of the same records goes on.
func (k *streamKit) closed() {
	s, other := k.open(), k.open()
	k.append(s, 0, "1")
	own := k.reader(other, 2)
	own.Close()
	if _, err := own.Next(k.Context()); !errors.Is(err, broker.ErrClosed) {
		k.Errorf("next of a closed reader: %v", err)
	}
	r := k.reader(s, 2)
	got := k.waiting(r)
	if err := s.Close(); err != nil {
		k.Fatal(err)
	}
	select {
	case m := <-got:
		if !errors.Is(m.err, broker.ErrClosed) {
			k.Errorf("who waits got %v", m.err)
		}
	case <-time.After(patience):
		k.Fatal("who waits is not told")
	}
	ctx := k.Context()
	_, appended := s.Append(ctx, 1, []byte("2"))
	_, first := s.First(ctx)
	_, last := s.Last(ctx)
	_, reader := s.Reader(ctx, 1)
	_, next := r.Next(ctx)
	for op, err := range map[string]error{"append": appended, "first": first, "last": last, "reader": reader, "next": next} {
		if !errors.Is(err, broker.ErrClosed) {
			k.Errorf("%s after Close: %v", op, err)
		}
	}
	if err := errors.Join(s.Close(), r.Close(), r.Close()); err != nil {
		k.Errorf("close twice: %v", err)
	}
	k.append(other, 1, "2")
	k.want(k.reader(other, 1), 1, "1", "2")
}
