package redisbroker_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// cutting cuts connections of a server at random until it is called again.
func cutting(t testing.TB, server *servers.RedisServer) (stop func()) {
	t.Helper()
	c := console(t, server.URL())
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Duration(rand.IntN(40)) * time.Millisecond):
			}
			kill := c.B().ClientKill().TypePubsub().Build()
			if rand.IntN(2) == 0 {
				kill = c.B().ClientKill().TypeNormal().SkipmeYes().Build()
			}
			if err := c.Do(context.Background(), kill).Error(); err != nil {
				t.Error(err)
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// sent notes, by their numbers, which messages were sent for sure.
type sent struct {
	mu   sync.Mutex
	sure []bool // guarded by mu
}

func (s *sent) add(sure bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sure = append(s.sure, sure)
}

func (s *sent) between(from, to int) (lost []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := from; n < min(to, len(s.sure)); n++ {
		if s.sure[n] {
			lost = append(lost, n)
		}
	}
	return lost
}

// TestCutConnections sends numbered messages while connections are cut: no reader
// gets one twice or out of order, and of what is missing they are told.
func TestCutConnections(t *testing.T) {
	server := start(t, servers.RedisOptions{})
	cfg := redisbroker.Config{Hosts: []string{server.URL()}, Config: broker.Config{Capacity: 10000}}
	reader, sender := open(t, cfg), open(t, cfg)
	ctx := t.Context()
	mine := channelOf(t, reader)
	for _, channel := range []string{mine, "mail"} {
		send(t, reader.GroupAdd(ctx, "group", channel))
	}
	ways := map[string]func(ctx context.Context, body []byte) error{
		mine:   func(ctx context.Context, body []byte) error { return sender.Send(ctx, mine, body) },
		"mail": func(ctx context.Context, body []byte) error { return sender.Send(ctx, "mail", body) },
		"group": func(ctx context.Context, body []byte) error {
			return sender.GroupSend(ctx, "group", body)
		},
	}
	stop := cutting(t, server)
	until := time.Now().Add(2 * time.Second)
	var wg sync.WaitGroup
	all := map[string]*sent{}
	for name, way := range ways {
		s := &sent{}
		all[name] = s
		wg.Go(func() {
			for n := 0; time.Now().Before(until); n++ {
				s.add(way(ctx, []byte(strconv.Itoa(n))) == nil)
			}
		})
	}
	var readers sync.WaitGroup
	ended, end := context.WithCancel(ctx)
	for _, channel := range []string{mine, "mail"} {
		readers.Go(func() { followAll(ended, t, reader, channel, all) })
	}
	wg.Wait()
	stop()
	// Readers are done once they have met the last message of each way. One may be
	// lost as the others, until all are connected again.
	finished := make(chan struct{})
	go func() {
		readers.Wait()
		close(finished)
	}()
	late := time.After(20 * time.Second)
	for over := false; !over; {
		for _, way := range ways {
			if err := way(ctx, []byte("-1")); err != nil {
				t.Logf("not back yet: %v", err)
			}
		}
		select {
		case <-finished:
			over = true
		case <-late:
			t.Error("the last messages do not come")
			over = true
		case <-time.After(50 * time.Millisecond):
		}
	}
	end()
	<-finished
	for name := range ways {
		t.Logf("%s: %d sent, %d of them for sure", name, len(all[name].sure), len(all[name].between(0, len(all[name].sure))))
	}
}

// followAll reads a channel until the last message of each way has come, and
// checks order and gaps.
func followAll(ctx context.Context, t testing.TB, b *redisbroker.Broker, channel string, all map[string]*sent) {
	next := map[string]int{channel: 0, "group": 0}
	told := map[string]bool{} // a gap was told since the way's last message
	left := map[string]bool{channel: true, "group": true}
	for len(left) > 0 {
		m, err := b.Receive(ctx, channel)
		if ctx.Err() != nil {
			return
		}
		if err != nil || m.Gap {
			told[channel], told["group"] = true, true
		}
		if len(m.Body) == 0 {
			continue
		}
		way := channel
		if m.Group != "" {
			way = "group"
		}
		n, err := strconv.Atoi(string(m.Body))
		if err != nil {
			t.Error(err)
		}
		if n < 0 {
			if !left[way] {
				continue
			}
			delete(left, way)
			n = len(all[way].sure)
		}
		if n < next[way] {
			t.Errorf("%s by %s: %d comes after %d", channel, way, n, next[way]-1)
		}
		if lost := all[way].between(next[way], n); len(lost) > 0 && !told[way] {
			t.Errorf("%s by %s: %d are missing before %d, and nobody tells", channel, way, lost, n)
		}
		next[way], told[way] = n+1, false
	}
}

// TestStreamOverCutConnections appends while connections are cut: the reader gets
// each record once, in order.
func TestStreamOverCutConnections(t *testing.T) {
	server := start(t, servers.RedisOptions{})
	cfg := redisbroker.Config{Hosts: []string{server.URL()}}
	w, r := openStream(t, open(t, cfg), "log", broker.StreamConfig{}), openStream(t, open(t, cfg), "log", broker.StreamConfig{})
	ctx := t.Context()
	reader, err := r.Reader(ctx, 1)
	send(t, err)
	stop := cutting(t, server)
	until := time.Now().Add(2 * time.Second)
	end := make(chan uint64, 1)
	go func() {
		last, failed := uint64(0), 0
		for time.Now().Before(until) {
			n, err := w.Append(ctx, last, []byte("one"), []byte("two"))
			if err == nil {
				last = n
				continue
			}
			failed++
			// Some of it may have been stored: where does the stream end?
			switch newest, err := w.Last(ctx); {
			case err == nil, errors.Is(err, broker.ErrNoRecord):
				last = newest.Number
			}
		}
		stop()
		newest, err := w.Last(ctx)
		if err != nil {
			t.Error(err)
		}
		t.Logf("%d records, %d appends failed", newest.Number, failed)
		end <- newest.Number
	}()
	n := uint64(0)
	for last := uint64(0); last == 0 || n < last; {
		next, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		got, err := reader.Next(next)
		cancel()
		switch {
		case err == nil:
			n++
			if want := []string{"two", "one"}[n%2]; got.Number != n || string(got.Body) != want {
				t.Fatalf("read record %d, %s, want %d, %s", got.Number, got.Body, n, want)
			}
		case errors.Is(err, broker.ErrTrimmed):
			t.Fatal(err)
		}
		select {
		case last = <-end:
		default:
		}
	}
}
