package membroker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/brokertest"
	"github.com/pando-sync/pando/broker/membroker"
)

func openStream(t testing.TB, cfg broker.StreamConfig) *membroker.Stream {
	t.Helper()
	s, err := membroker.NewStream(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStreamConformance(t *testing.T) {
	brokertest.RunStream(t, true, func(t testing.TB) brokertest.StreamHarness {
		var s *membroker.Stream
		return brokertest.StreamHarness{
			Open: func(cfg broker.StreamConfig) broker.Stream {
				if s == nil {
					s = openStream(t, cfg)
				}
				return s.Join()
			},
			Wipe: func() { s.Wipe() },
			Save: func() func() { return s.Save() },
			Age:  time.Minute,
		}
	})
}

func TestBadStreamConfig(t *testing.T) {
	for name, cfg := range map[string]broker.StreamConfig{
		"a negative age":            {MaxAge: -1},
		"a negative size":           {MaxBytes: -1},
		"less than the two records": {MaxBytes: broker.MaxRecord},
	} {
		if _, err := membroker.NewStream(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// A stream is a log: who appends says where they believe it ends, who reads
// begins anywhere and waits for what comes.
func ExampleStream() {
	s, err := membroker.NewStream(broker.StreamConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	ctx := context.Background()
	last, err := s.Append(ctx, 0, []byte("one"), []byte("two"))
	fmt.Println(last, err)
	_, err = s.Append(ctx, 1, []byte("late"))
	fmt.Println(err)
	r, err := s.Reader(ctx, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	record, err := r.Next(ctx)
	fmt.Println(record.Number, string(record.Body), err)
	// Output:
	// 2 <nil>
	// append after record 1, the last is 2: broker: the stream does not end there
	// 2 two <nil>
}
