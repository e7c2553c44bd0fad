package redisbroker_test

import (
	"bytes"
	"context"
	"strconv"
	"testing"

	"github.com/pando-sync/pando/broker"
)

// BenchmarkGroup sends to a group whose members are in as many processes, and
// waits until all have received it.
func BenchmarkGroup(b *testing.B) {
	for _, processes := range []int{1, 4} {
		b.Run(strconv.Itoa(processes)+"_processes", func(b *testing.B) {
			cfg := shared(b, broker.Config{})
			sender := open(b, cfg)
			var all []<-chan result
			for range processes {
				node := open(b, cfg)
				mine := channelOf(b, node)
				send(b, node.GroupAdd(b.Context(), "group", mine))
				all = append(all, receiving(b, node, mine))
			}
			body := bytes.Repeat([]byte("x"), 200)
			b.ReportAllocs()
			for b.Loop() {
				send(b, sender.GroupSend(b.Context(), "group", body))
				for _, got := range all {
					<-got
				}
			}
		})
	}
}

// BenchmarkPublish sends to a group in which nobody is.
func BenchmarkPublish(b *testing.B) {
	cfg := shared(b, broker.Config{})
	sender := open(b, cfg)
	body := bytes.Repeat([]byte("x"), 200)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := sender.GroupSend(context.Background(), "group", body); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkSend sends to a channel that another process reads.
func BenchmarkSend(b *testing.B) {
	cfg := shared(b, broker.Config{})
	sender, reader := open(b, cfg), open(b, cfg)
	for name, channel := range map[string]string{"own": channelOf(b, reader), "other": "mail"} {
		b.Run(name, func(b *testing.B) {
			got := receiving(b, reader, channel)
			body := bytes.Repeat([]byte("x"), 200)
			b.ReportAllocs()
			for b.Loop() {
				send(b, sender.Send(b.Context(), channel, body))
				<-got
			}
		})
	}
}

// BenchmarkStream appends records of several sizes, some at a time, and waits
// until a reader has them.
func BenchmarkStream(b *testing.B) {
	for _, c := range []struct {
		size, atOnce int
	}{{200, 1}, {200, 50}, {16 << 10, 1}, {broker.MaxRecord, 1}} {
		b.Run(strconv.Itoa(c.size)+"_bytes_"+strconv.Itoa(c.atOnce)+"_at_once", func(b *testing.B) {
			cfg := shared(b, broker.Config{})
			writer := openStream(b, open(b, cfg), "log", broker.StreamConfig{MaxBytes: 64 << 20})
			reader, err := openStream(b, open(b, cfg), "log", broker.StreamConfig{}).Reader(b.Context(), 1)
			if err != nil {
				b.Fatal(err)
			}
			defer reader.Close()
			records := make([][]byte, c.atOnce)
			for i := range records {
				records[i] = bytes.Repeat([]byte("x"), c.size)
			}
			last := uint64(0)
			b.SetBytes(int64(c.size * c.atOnce))
			b.ReportAllocs()
			for b.Loop() {
				if last, err = writer.Append(b.Context(), last, records...); err != nil {
					b.Fatal(err)
				}
				for range records {
					if _, err := reader.Next(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
