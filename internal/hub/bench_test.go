package hub

import (
	"sync/atomic"
	"testing"
)

// BenchmarkDelivery takes one frame by each of 5,000 cursors: one delivery is
// one operation.
func BenchmarkDelivery(b *testing.B) {
	h := New(1 << 20)
	l := h.NewLog(0)
	var told atomic.Int64
	cursors := make([]*Cursor, 5000)
	for i := range cursors {
		cursors[i], _ = l.Subscribe((*count)(&told), 0)
	}
	b.ReportAllocs()
	version := uint64(0)
	for i := 0; b.Loop(); i++ {
		at := i % len(cursors)
		if at == 0 {
			version++
			l.Append(frame(version))
			h.Publish(version)
		}
		if f, _ := cursors[at].Peek(h.Watermark()); f == nil {
			b.Fatal("nothing to take")
		}
		cursors[at].Take()
	}
}

// BenchmarkPublish wakes 5,000 subscribers for one frame.
func BenchmarkPublish(b *testing.B) {
	h := New(1 << 10)
	l := h.NewLog(0)
	var told atomic.Int64
	for range 5000 {
		l.Subscribe((*count)(&told), 0)
	}
	f := frame(1)
	b.ReportAllocs()
	for b.Loop() {
		l.Append(f)
		h.Publish(1)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5000, "ns/subscriber")
}
