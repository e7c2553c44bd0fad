package natsbroker_test

import (
	"bytes"
	"testing"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/internal/servers"
)

// BenchmarkSend is a message until the server has it.
func BenchmarkSend(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 200)
	send := func(b *testing.B, to broker.Broker) {
		b.Helper()
		if err := to.GroupSend(b.Context(), "news", body); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("one", func(b *testing.B) {
		layer := open(b, config(servers.SharedNATS(b).URL()))
		b.ReportAllocs()
		for b.Loop() {
			send(b, layer)
		}
	})
	b.Run("many", func(b *testing.B) {
		layer := open(b, config(servers.SharedNATS(b).URL()))
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				send(b, layer)
			}
		})
	})
}

// BenchmarkSendReceive is a message from one process to a reader in another.
func BenchmarkSendReceive(b *testing.B) {
	cfg := config(servers.SharedNATS(b).URL())
	one, two := open(b, cfg), open(b, cfg)
	name, err := two.NewChannel(b.Context(), "node")
	if err != nil {
		b.Fatal(err)
	}
	if err := two.GroupAdd(b.Context(), "news", name); err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte("x"), 200)
	b.ReportAllocs()
	for b.Loop() {
		if err := one.GroupSend(b.Context(), "news", body); err != nil {
			b.Fatal(err)
		}
		if m, err := two.Receive(b.Context(), name); err != nil || m.Gap {
			b.Fatal(m, err)
		}
	}
}

// BenchmarkAppend is records until they are stored, by how many go together.
func BenchmarkAppend(b *testing.B) {
	for name, records := range map[string]int{"1": 1, "64": 64, "1024": 1024} {
		b.Run(name, func(b *testing.B) {
			s := stream(b, broker.StreamConfig{})
			batch := make([][]byte, records)
			for i := range batch {
				batch[i] = bytes.Repeat([]byte("x"), 500)
			}
			last := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				last = appendTo(b, s, last, batch...)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*records), "us/record")
		})
	}
}

// BenchmarkAppendNext is a record from one process until another has read it.
func BenchmarkAppendNext(b *testing.B) {
	s := stream(b, broker.StreamConfig{})
	r := reader(b, s, 1)
	body := bytes.Repeat([]byte("x"), 500)
	last := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		last = appendTo(b, s, last, body)
		if got, err := r.Next(b.Context()); err != nil || got.Number != last {
			b.Fatal(got.Number, err)
		}
	}
}

// BenchmarkRead is records that are there already.
func BenchmarkRead(b *testing.B) {
	s := stream(b, broker.StreamConfig{})
	batch := make([][]byte, 10_000)
	for i := range batch {
		batch[i] = bytes.Repeat([]byte("x"), 500)
	}
	last := appendTo(b, s, 0, batch...)
	r := reader(b, s, 1)
	b.ReportAllocs()
	for b.Loop() {
		got, err := r.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if got.Number == last {
			b.StopTimer()
			r = reader(b, s, 1)
			b.StartTimer()
		}
	}
}
