package brokertest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/pando-sync/pando/broker"
)

// Sizes of a stream that is trimmed: what is appended is far above what is kept.
const (
	keptBytes   = 4 << 20
	recordBytes = 64 << 10
	manyRecords = 3 * keptBytes / recordBytes
)

// fill appends records of recordBytes until the stream has manyRecords, and
// returns the first that is kept.
func (k *streamKit) fill(s broker.Stream, last uint64) broker.Record {
	k.Helper()
	body := strings.Repeat("x", recordBytes)
	for last < manyRecords {
		last = k.append(s, last, body, body)
	}
	first, err := s.First(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	return first
}

func (k *streamKit) trimmedBySize() {
	s := k.openWith(broker.StreamConfig{MaxBytes: keptBytes})
	first := k.fill(s, 0)
	kept := (manyRecords - first.Number + 1) * recordBytes
	if kept > keptBytes || kept < keptBytes/2 {
		k.Errorf("records from %d to %d are kept, %d bytes, want %d at most and not much less", first.Number, manyRecords, kept, keptBytes)
	}
	if first.Number <= 1 {
		k.Fatal("nothing was trimmed")
	}
	r := k.reader(s, 0)
	for n := first.Number; n <= manyRecords; n++ {
		if got := k.next(r); got.Number != n || len(got.Body) != recordBytes {
			k.Fatalf("read record %d of %d bytes, want %d", got.Number, len(got.Body), n)
		}
	}
	k.hole(k.reader(s, 1))
	k.hole(k.reader(s, first.Number-1))
	if got := k.next(k.reader(s, first.Number)); got.Number != first.Number {
		k.Errorf("read record %d, want %d, the first", got.Number, first.Number)
	}
	k.refused(s, first.Number-1)
	k.append(s, manyRecords, "next")
}

func (k *streamKit) trimmedByAge() {
	s := k.openWith(broker.StreamConfig{MaxAge: k.h.Age})
	k.append(s, 0, "1", "2", "3")
	r, behind := k.reader(s, 1), k.reader(s, 1)
	k.want(r, 1, "1", "2", "3")
	<-time.After(k.h.Age + k.h.Age/2)
	// What is too old may be gone already, or go with the next Append.
	last, err := s.Last(k.Context())
	if last.Number != 3 || err != nil && !errors.Is(err, broker.ErrNoRecord) {
		k.Errorf("the last record of those that are too old is %d, %v", last.Number, err)
	}
	k.refused(s, 0)
	k.refused(s, 2)
	k.append(s, 3, "4")
	first, err := s.First(k.Context())
	if err != nil || first.Number != 4 || string(first.Body) != "4" {
		k.Errorf("the first record is %d, %q, %v, want the one that is young", first.Number, first.Body, err)
	}
	k.want(r, 4, "4")
	k.want(k.reader(s, 0), 4, "4")
	k.hole(k.reader(s, 3))
	k.readOn(behind, 1)
}

// trimmedUnder trims what a reader has not read yet: what it does read is without
// a hole.
func (k *streamKit) trimmedUnder() {
	s := k.openWith(broker.StreamConfig{MaxBytes: keptBytes})
	body := strings.Repeat("x", recordBytes)
	last := k.append(s, 0, body, body, body)
	r := k.reader(s, 1)
	k.next(r)
	k.fill(s, last)
	k.readOn(r, 2)
}

// readOn reads what a backend has fetched before it was trimmed: all that comes,
// comes in order, up to ErrTrimmed or the end.
func (k *streamKit) readOn(r broker.Reader, n uint64) {
	k.Helper()
	for {
		ctx, cancel := context.WithTimeout(k.Context(), 10*silence)
		got, err := r.Next(ctx)
		cancel()
		switch {
		case errors.Is(err, broker.ErrTrimmed), errors.Is(err, context.DeadlineExceeded):
			return
		case err != nil || got.Number != n:
			k.Fatalf("read record %d, %v, want %d or ErrTrimmed", got.Number, err, n)
		}
		n++
	}
}

// wiped has the broker lose all records, and another stream take their place.
func (k *streamKit) wiped() {
	s := k.open()
	k.append(s, 0, "1", "2", "3")
	idle, waits, behind := k.reader(s, 1), k.reader(s, 1), k.reader(s, 1)
	k.want(idle, 1, "1", "2", "3")
	k.want(waits, 1, "1", "2", "3")
	k.want(behind, 1, "1")
	got := k.waiting(waits)
	k.h.Wipe()
	k.toldOfHole(got)
	k.hole(waits)
	k.hole(idle)
	k.noRecord(s, 0)
	k.refused(s, 3)
	last := k.append(s, 0, "one")
	k.append(s, last, "two")
	k.want(k.reader(s, 0), 1, "one", "two")
	k.want(k.reader(k.open(), 1), 1, "one", "two")
	k.onlyOld(behind, "2", "3")
}

// toldOfHole wants a call of Next that waits to return ErrTrimmed soon; other
// errors may come where the broker was gone meanwhile.
func (k *streamKit) toldOfHole(got <-chan result) {
	k.Helper()
	select {
	case m := <-got:
		if m.err == nil {
			k.Fatalf("who waits got record %d, %.20q, want ErrTrimmed", m.Number, m.Body)
		}
	case <-time.After(noticed):
		k.Fatal("who waits is not told")
	}
}

// onlyOld reads on what a backend may have fetched of a stream that is gone:
// nothing of the stream in its place may come.
func (k *streamKit) onlyOld(r broker.Reader, bodies ...string) {
	k.Helper()
	for _, body := range bodies {
		ctx, cancel := context.WithTimeout(k.Context(), noticed)
		got, err := r.Next(ctx)
		cancel()
		if errors.Is(err, broker.ErrTrimmed) {
			return
		}
		if err != nil || string(got.Body) != body {
			k.Fatalf("read record %d, %q, %v, want %q of the stream that is gone, or ErrTrimmed", got.Number, got.Body, err, body)
		}
	}
	k.hole(r)
}

// replaced has another stream take the place and grow past it before a reader
// looks.
func (k *streamKit) replaced() {
	s := k.open()
	k.append(s, 0, "1", "2", "3")
	r, behind := k.reader(s, 1), k.reader(s, 1)
	k.want(r, 1, "1", "2", "3")
	k.want(behind, 1, "1")
	k.h.Wipe()
	k.append(s, 0, "one", "two", "three", "four", "five")
	k.hole(r)
	k.onlyOld(behind, "2", "3")
}

// restored brings the stream back as it was before some records came.
func (k *streamKit) restored() {
	if k.h.Save == nil {
		return
	}
	s := k.open()
	k.append(s, 0, "1", "2")
	restore := k.h.Save()
	k.append(s, 2, "3", "4")
	r, old := k.reader(s, 1), k.reader(s, 1)
	k.want(r, 1, "1", "2", "3", "4")
	k.want(old, 1, "1", "2")
	got := k.waiting(r)
	restore()
	k.toldOfHole(got)
	k.hole(r)
	k.refused(s, 4)
	k.append(s, 2, "three")
	k.want(k.reader(s, 1), 1, "1", "2", "three")
}

// overrun brings the stream back and appends past where a reader stands: the
// record that it waits for is another one now.
func (k *streamKit) overrun() {
	if k.h.Save == nil {
		return
	}
	s := k.open()
	k.append(s, 0, "1", "2")
	restore := k.h.Save()
	k.append(s, 2, "3", "4")
	r := k.reader(s, 1)
	k.want(r, 1, "1", "2", "3", "4")
	restore()
	k.append(s, 2, "three", "four", "five", "six")
	k.hole(r)
}

// lost has the broker be unreachable for a while.
func (k *streamKit) lost() {
	if k.h.Lose == nil {
		return
	}
	s := k.open()
	last := k.append(s, 0, "1", "2", "3")
	waits, idle := k.reader(s, 1), k.reader(s, 1)
	k.want(waits, 1, "1", "2", "3")
	k.want(idle, 1, "1")
	got := k.waiting(waits)
	lost := time.Now()
	k.h.Lose()
	select {
	case m := <-got:
		if m.err == nil || errors.Is(m.err, broker.ErrTrimmed) {
			k.Fatalf("who waits got record %d, %v, want an error that tells of the loss", m.Number, m.err)
		}
		k.Logf("noticed after %s: %v", m.at.Sub(lost), m.err)
	case <-time.After(noticed):
		k.Fatal("who waits is not told that the broker is lost")
	}
	ctx, cancel := context.WithTimeout(k.Context(), patience)
	defer cancel()
	if _, err := s.Append(ctx, last, []byte("while lost")); err == nil || errors.Is(err, broker.ErrStale) || ctx.Err() != nil {
		k.Errorf("append to a broker that is lost: %v, want an error before the caller gives up", err)
	}
	k.h.Find()
	want := []string{"1", "2", "3"}
	last = k.appendAgain(s, last, &want, "4")
	k.append(s, last, "5")
	want = append(want, "5")
	k.readAgain(waits, want, 3)
	k.readAgain(idle, want, 1)
}

// appendAgain appends to a broker that is found again: what failed before may
// have been stored all the same, and is put into want then.
func (k *streamKit) appendAgain(s broker.Stream, last uint64, want *[]string, body string) uint64 {
	k.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(silence / 10) {
		next, err := s.Append(k.Context(), last, []byte(body))
		switch {
		case err == nil:
			*want = append(*want, body)
			return next
		case errors.Is(err, broker.ErrStale):
			newest, err := s.Last(k.Context())
			if err != nil || newest.Number <= last {
				k.Logf("after a stale append the last record is %d: %v", newest.Number, err)
				continue
			}
			*want = append(*want, string(newest.Body))
			last = newest.Number
		default:
			k.Logf("not found yet: %v", err)
		}
	}
	k.Fatal("the broker is not found again")
	return 0
}

// readAgain reads what is left of want, trying again while the broker is not
// reached.
func (k *streamKit) readAgain(r broker.Reader, want []string, n int) {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), patience)
	defer cancel()
	for n < len(want) {
		got, err := r.Next(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, broker.ErrTrimmed):
			k.Fatalf("read record %d: %v", n+1, err)
		case err != nil:
			k.Logf("not found yet: %v", err)
			<-time.After(silence / 10)
		case got.Number != uint64(n)+1 || string(got.Body) != want[n]:
			k.Fatalf("read record %d, %q, want %d, %q", got.Number, got.Body, n+1, want[n])
		default:
			n++
		}
	}
}
