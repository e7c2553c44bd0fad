package hub

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ear counts how often it was told.
type ear struct{ told int }

func (e *ear) Ready() { e.told++ }

func frame(version uint64) *wire.Frame {
	return &wire.Frame{Version: version, Bytes: fmt.Appendf(nil, "%08d", version)}
}

func subscribe(t *testing.T, l *Log, s Subscriber, version uint64) *Cursor {
	t.Helper()
	c, ok := l.Subscribe(s, version)
	if !ok {
		t.Fatalf("the log goes back to %d, and not to %d", l.From(), version)
	}
	return c
}

// take takes all that a cursor may have.
func take(c *Cursor, upto uint64) (versions []uint64, lost bool) {
	for {
		f, lost := c.Peek(upto)
		if f == nil {
			return versions, lost
		}
		versions = append(versions, f.Version)
		c.Take()
	}
}

func expect(t *testing.T, c *Cursor, upto uint64, want ...uint64) {
	t.Helper()
	got, lost := take(c, upto)
	if lost || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("up to %d: got %v, lost %v; want %v", upto, got, lost, want)
	}
}

func TestCursorsReadAtTheirOwnPace(t *testing.T) {
	h := New(1 << 10)
	l := h.NewLog(4)
	var a, b ear
	fast := subscribe(t, l, &a, 4)
	for v := uint64(5); v <= 7; v++ {
		l.Append(frame(v))
		h.Publish(v)
		expect(t, fast, h.Watermark(), v)
	}
	slow := subscribe(t, l, &b, 4)
	expect(t, slow, h.Watermark(), 5, 6, 7)
	expect(t, fast, h.Watermark())
	if fast.Version() != 7 || slow.Version() != 7 {
		t.Errorf("the cursors stand at %d and %d, want 7", fast.Version(), slow.Version())
	}
	if a.told != 3 || b.told != 0 {
		t.Errorf("told %d and %d times, want 3 and 0: only who was there when it was published", a.told, b.told)
	}
}

func TestPeekDoesNotTake(t *testing.T) {
	h := New(1 << 10)
	l := h.NewLog(0)
	c := subscribe(t, l, &ear{}, 0)
	l.Append(frame(1))
	h.Publish(1)
	first, _ := c.Peek(1)
	second, _ := c.Peek(1)
	if first == nil || first != second || c.Version() != 0 {
		t.Fatalf("peeked %v and %v, and stand at %d", first, second, c.Version())
	}
}

func TestNothingPastTheWatermark(t *testing.T) {
	h := New(1 << 10)
	one, two := h.NewLog(0), h.NewLog(0)
	var e ear
	a, b := subscribe(t, one, &e, 0), subscribe(t, two, &e, 0)
	one.Append(frame(1))
	expect(t, a, h.Watermark())
	two.Append(frame(1))
	if e.told != 0 {
		t.Error("told before the commit was whole")
	}
	h.Publish(1)
	expect(t, a, h.Watermark(), 1)
	expect(t, b, h.Watermark(), 1)
	if e.told != 2 {
		t.Errorf("told %d times, want once for each log", e.told)
	}
	h.Publish(2)
	if e.told != 2 {
		t.Error("told of nothing")
	}
}

func TestSubscribeFromAVersion(t *testing.T) {
	h := New(1 << 10)
	l := h.NewLog(10)
	for _, v := range []uint64{12, 15, 15, 20} {
		l.Append(frame(v))
	}
	h.Publish(20)
	for _, tt := range []struct {
		version uint64
		want    []uint64
	}{
		{10, []uint64{12, 15, 15, 20}},
		{11, []uint64{12, 15, 15, 20}},
		{12, []uint64{15, 15, 20}},
		{15, []uint64{20}},
		{20, nil},
		{30, nil},
	} {
		expect(t, subscribe(t, l, &ear{}, tt.version), h.Watermark(), tt.want...)
	}
	if _, ok := l.Subscribe(&ear{}, 9); ok {
		t.Error("version 9 is before the log, and was accepted")
	}
}

func TestDroppedFramesAreLost(t *testing.T) {
	h := New(24) // three frames
	l := h.NewLog(0)
	slow, middle := subscribe(t, l, &ear{}, 0), subscribe(t, l, &ear{}, 0)
	for v := uint64(1); v <= 5; v++ {
		l.Append(frame(v))
		h.Publish(v)
		if v <= 2 {
			expect(t, middle, v, v)
		}
	}
	if l.From() != 2 {
		t.Fatalf("the log goes back to %d, want 2", l.From())
	}
	expect(t, middle, h.Watermark(), 3, 4, 5)
	if got, lost := take(slow, h.Watermark()); !lost || got != nil {
		t.Fatalf("got %v, lost %v; want a loss", got, lost)
	}
	l.Reseat(slow, 5)
	expect(t, slow, h.Watermark())
	l.Append(frame(6))
	h.Publish(6)
	expect(t, slow, h.Watermark(), 6)
}

func TestTakeAFrameThatWasDroppedMeanwhile(t *testing.T) {
	h := New(8)
	l := h.NewLog(0)
	c := subscribe(t, l, &ear{}, 0)
	l.Append(frame(1))
	h.Publish(1)
	f, _ := c.Peek(1)
	for v := uint64(2); v <= 3; v++ {
		l.Append(frame(v))
		h.Publish(v)
	}
	c.Take()
	if f.Version != 1 || c.Version() != 1 {
		t.Fatalf("took %d and stand at %d, want 1", f.Version, c.Version())
	}
	if _, lost := c.Peek(3); !lost {
		t.Error("version 2 was dropped, and is not missed")
	}
}

func TestTheNewestFrameIsKeptWhateverItsSize(t *testing.T) {
	h := New(4)
	l := h.NewLog(0)
	c := subscribe(t, l, &ear{}, 0)
	l.Append(frame(1))
	h.Publish(1)
	expect(t, c, h.Watermark(), 1)
}

func TestCancel(t *testing.T) {
	h := New(1 << 10)
	l := h.NewLog(0)
	ears := make([]ear, 3)
	var cursors []*Cursor
	for i := range ears {
		cursors = append(cursors, subscribe(t, l, &ears[i], 0))
	}
	cursors[0].Cancel()
	cursors[0].Cancel()
	if n := l.Subscribers(); n != 2 {
		t.Fatalf("%d subscribers, want 2", n)
	}
	cursors[2].Cancel()
	l.Append(frame(1))
	h.Publish(1)
	if ears[0].told+ears[2].told != 0 || ears[1].told != 1 {
		t.Errorf("told %v, want only the one that is left", ears)
	}
}

// TestReadersWhileWritten has cursors read while frames come and are dropped:
// what they get is in order and without holes, or they are told of a loss.
func TestReadersWhileWritten(t *testing.T) {
	h := New(160)
	l := h.NewLog(0)
	var reading sync.WaitGroup
	const last = 2000
	for range 4 {
		bell := make(chan struct{}, 1)
		c := subscribe(t, l, ringer(bell), 0)
		reading.Go(func() {
			for c.Version() < last {
				next := c.Version() + 1
				f, lost := c.Peek(h.Watermark())
				switch {
				case lost:
					return
				case f == nil:
					<-bell
				case f.Version != next:
					t.Errorf("got %d after %d", f.Version, next-1)
					return
				default:
					c.Take()
				}
			}
		})
	}
	for v := uint64(1); v <= last; v++ {
		l.Append(frame(v))
		h.Publish(v)
	}
	reading.Wait()
}

type ringer chan struct{}

func (r ringer) Ready() {
	select {
	case r <- struct{}{}:
	default:
	}
}

func TestDeliveryDoesNotAllocate(t *testing.T) {
	h := New(1 << 10)
	l := h.NewLog(0)
	var told atomic.Int64
	cursors := make([]*Cursor, 1000)
	for i := range cursors {
		cursors[i] = subscribe(t, l, (*count)(&told), 0)
	}
	frames := make([]*wire.Frame, 201)
	for i := range frames {
		frames[i] = frame(uint64(i + 1))
	}
	// The log takes one node for a frame; its thousand deliveries take nothing.
	next := 0
	allocs := testing.AllocsPerRun(len(frames)-1, func() {
		l.Append(frames[next])
		next++
		h.Publish(uint64(next))
		for _, c := range cursors {
			if f, _ := c.Peek(h.Watermark()); f == nil {
				t.Fatal("nothing to take")
			}
			c.Take()
		}
	})
	if allocs > 1 {
		t.Errorf("%v allocations for 1,000 deliveries of one frame, want 1 for the frame", allocs)
	}
	if told.Load() != int64(len(frames)*len(cursors)) {
		t.Errorf("told %d times, want %d", told.Load(), len(frames)*len(cursors))
	}
}

type count atomic.Int64

func (c *count) Ready() { (*atomic.Int64)(c).Add(1) }
