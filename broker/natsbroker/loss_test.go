package natsbroker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/natsbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// noticed is how long it may take until a server that is silent is given up:
// "within a second", on a machine that is busy.
const noticed = 4 * time.Second

// received is what a call of Receive returned.
type received struct {
	broker.Message

	err error
}

// listen receives until the test ends.
func listen(t *testing.T, b broker.Broker, channel string) <-chan received {
	t.Helper()
	got := make(chan received, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			m, err := b.Receive(ctx, channel)
			if ctx.Err() == nil {
				got <- received{m, err}
			}
			if errors.Is(err, broker.ErrClosed) {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return got
}

func next(t *testing.T, got <-chan received) received {
	t.Helper()
	select {
	case m := <-got:
		return m
	case <-time.After(patience):
		t.Fatal("nothing comes")
		return received{}
	}
}

// want receives messages, and nothing between them.
func want(t *testing.T, got <-chan received, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if m := next(t, got); m.err != nil || string(m.Body) != body || m.Gap {
			t.Fatalf("received %.20q, gap %t, %v, want %q", m.Body, m.Gap, m.err, body)
		}
	}
}

// member makes a channel, listens to it, and adds it to a group.
func member(t *testing.T, b *natsbroker.Broker, group string) (string, <-chan received) {
	t.Helper()
	name, err := b.NewChannel(t.Context(), "node")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.GroupAdd(t.Context(), group, name); err != nil {
		t.Fatal(err)
	}
	return name, listen(t, b, name)
}

func groupSend(t *testing.T, b broker.Broker, group, body string) {
	t.Helper()
	if err := b.GroupSend(t.Context(), group, []byte(body)); err != nil {
		t.Fatalf("send %q: %v", body, err)
	}
}

// TestLoss loses the server under two processes: both are told, what is sent
// meanwhile is refused, and when it is back their memberships are, too.
func TestLoss(t *testing.T) {
	for _, c := range []struct {
		name       string
		lose, find func(s *servers.NATSServer) error
	}{
		{"Killed", func(s *servers.NATSServer) error { s.Kill(); return nil },
			func(s *servers.NATSServer) error { return s.Start(context.Background()) }},
		{"Stopped", func(s *servers.NATSServer) error { s.Stop(); return nil },
			func(s *servers.NATSServer) error { return s.Start(context.Background()) }},
		{"Paused", func(s *servers.NATSServer) error { s.Pause(); return nil },
			func(s *servers.NATSServer) error { s.Resume(); return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t)
			cfg := config(server.URL())
			one, two := open(t, cfg), open(t, cfg)
			_, first := member(t, one, "news")
			_, second := member(t, two, "news")
			idle, err := one.NewChannel(t.Context(), "idle")
			if err != nil {
				t.Fatal(err)
			}
			groupSend(t, one, "news", "before")
			want(t, first, "before")
			want(t, second, "before")
			began := time.Now()
			if err := c.lose(server); err != nil {
				t.Fatal(err)
			}
			for _, got := range []<-chan received{first, second} {
				if m := next(t, got); m.err == nil || errors.Is(m.err, broker.ErrClosed) {
					t.Errorf("who waits received %+v, want word of the loss", m)
				}
			}
			if took := time.Since(began); took > noticed {
				t.Errorf("the loss was noticed after %s", took)
			}
			for name, err := range map[string]error{
				"send": one.Send(t.Context(), idle, []byte("lost")), "group send": one.GroupSend(t.Context(), "news", []byte("lost")),
				"group add": one.GroupAdd(t.Context(), "other", idle), "flush": one.Flush(t.Context()),
			} {
				if err == nil || errors.Is(err, broker.ErrClosed) {
					t.Errorf("%s while the server is lost: %v", name, err)
				}
			}
			if name, err := one.NewChannel(t.Context(), "lost"); err == nil {
				t.Errorf("new channel while the server is lost: %s", name)
			}
			if err := c.find(server); err != nil {
				t.Fatal(err)
			}
			for _, got := range []<-chan received{first, second} {
				if m := next(t, got); m.err != nil || !m.Gap || len(m.Body) > 0 {
					t.Errorf("when the server is back, received %+v, want word of a gap", m)
				}
			}
			groupSend(t, two, "news", "after")
			want(t, first, "after")
			want(t, second, "after")
			if m, err := one.Receive(t.Context(), idle); err != nil || !m.Gap {
				t.Errorf("who reads later received %+v, %v, want word of a gap", m, err)
			}
		})
	}
}

// TestSilentServer sends to a server that stands still: it is told before its
// patience ends, and not that it has succeeded.
func TestSilentServer(t *testing.T) {
	server := serve(t)
	b := open(t, config(server.URL()))
	_, got := member(t, b, "news")
	server.Pause()
	began := time.Now()
	// More than the system's buffers hold.
	large := bytes.Repeat([]byte("x"), broker.MaxMessage)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if err := b.GroupSend(t.Context(), "news", large); err == nil {
				t.Error("a message to a server that stands still is sent")
			}
		})
	}
	wg.Wait()
	if took := time.Since(began); took > noticed {
		t.Errorf("it took %s", took)
	}
	server.Resume()
	gap(t, got)
	groupSend(t, b, "news", "after")
	for { // what the server had of the lost connection may come as late as this
		if m := next(t, got); string(m.Body) == "after" {
			return
		}
	}
}

// TestCloseWhileLost closes a broker that looks for its server.
func TestCloseWhileLost(t *testing.T) {
	server := serve(t)
	b := open(t, config(server.URL()))
	s, err := b.Stream("commits", broker.StreamConfig{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Reader(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	_, got := member(t, b, "news")
	server.Kill()
	if m := next(t, got); m.err == nil {
		t.Errorf("received %+v", m)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if m := next(t, got); !errors.Is(m.err, broker.ErrClosed) {
		t.Errorf("who waits received %+v", m)
	}
	if _, err := r.Next(t.Context()); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("a reader of the broker's stream got %v", err)
	}
	if _, err := b.Stream("commits", broker.StreamConfig{}); err == nil {
		t.Error("a broker that is closed opens a stream")
	}
}

// TestAddedBeforeSent sends from one process right after another has been added.
func TestAddedBeforeSent(t *testing.T) {
	cfg := config(servers.SharedNATS(t).URL())
	one, two := open(t, cfg), open(t, cfg)
	name, err := one.NewChannel(t.Context(), "node")
	if err != nil {
		t.Fatal(err)
	}
	got := listen(t, one, name)
	for i := range 200 {
		group := fmt.Sprintf("group.%d", i)
		if err := one.GroupAdd(t.Context(), group, name); err != nil {
			t.Fatal(err)
		}
		groupSend(t, two, group, group)
		want(t, got, group)
	}
}

// TestFull sends a channel more than it holds: what is above is dropped and
// counted, and told behind what was kept.
func TestFull(t *testing.T) {
	cfg := config(servers.SharedNATS(t).URL())
	cfg.Limits.Capacity = 3
	b, other := open(t, cfg), open(t, cfg)
	name, err := b.NewChannel(t.Context(), "node")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := other.Send(t.Context(), name+"part", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(patience); b.Dropped() < 2 && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
	if n, o := b.Dropped(), other.Dropped(); n != 2 || o != 0 {
		t.Errorf("%d and %d messages were dropped, want 2 where they are read", n, o)
	}
	got := listen(t, b, name)
	want(t, got, "0", "1", "2")
	if m := next(t, got); !m.Gap || len(m.Body) > 0 {
		t.Errorf("received %+v, want word of a gap", m)
	}
}

// TestWorkers has two processes read one channel: each message reaches one.
func TestWorkers(t *testing.T) {
	cfg := config(servers.SharedNATS(t).URL())
	one, two := open(t, cfg), open(t, cfg)
	first, second := listen(t, one, "work"), listen(t, two, "work")
	sender := open(t, cfg)
	heard := map[string]int{}
	for deadline := time.Now().Add(patience); len(heard) < 2; { // until both are heard of
		if time.Now().After(deadline) {
			t.Fatalf("only %v read", heard)
		}
		if err := sender.Send(t.Context(), "work", []byte("probe")); err != nil {
			t.Fatal(err)
		}
		select {
		case <-first:
			heard["one"]++
		case <-second:
			heard["two"]++
		case <-time.After(10 * time.Millisecond): // nobody reads yet
		}
	}
	seen := map[string]int{}
	for i := range 50 {
		if err := sender.Send(t.Context(), "work", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-first:
			seen[string(m.Body)]++
		case m := <-second:
			seen[string(m.Body)]++
		case <-time.After(patience):
			t.Fatal("nothing comes")
		}
	}
	if len(seen) != 50 || len(first)+len(second) > 0 {
		t.Errorf("%d messages of 50 came, %d twice", len(seen), len(first)+len(second))
	}
}

// TestUnread does not read a channel for so long that it is not heard any more:
// who reads it again is told of a gap.
func TestUnread(t *testing.T) {
	cfg := config(servers.SharedNATS(t).URL())
	cfg.Limits.Expiry = 50 * time.Millisecond
	b := open(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if m, err := b.Receive(ctx, "mail"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("received %+v, %v", m, err)
	}
	<-time.After(4 * cfg.Limits.Expiry)
	got := listen(t, b, "mail")
	if m := next(t, got); m.err != nil || !m.Gap {
		t.Fatalf("received %+v, want word of a gap", m)
	}
	if err := b.Send(t.Context(), "mail", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	want(t, got, "hello")
}

// TestFlushOfAnother has all processes forget what one flushes.
func TestFlushOfAnother(t *testing.T) {
	cfg := config(servers.SharedNATS(t).URL())
	one, two := open(t, cfg), open(t, cfg)
	_, got := member(t, one, "news")
	if err := two.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := next(t, got); m.err != nil || !m.Gap {
		t.Errorf("received %+v, want word of a gap", m)
	}
	groupSend(t, two, "news", "to nobody")
	name, again := member(t, one, "news")
	groupSend(t, two, "news", "again")
	want(t, again, "again")
	if err := one.GroupDiscard(t.Context(), "news", name); err != nil {
		t.Error(err)
	}
}

func TestBadConfig(t *testing.T) {
	for name, cfg := range map[string]natsbroker.Config{
		"a negative capacity":  {Limits: broker.Config{Capacity: -1}},
		"a prefix with a dot":  {Prefix: "a.b"},
		"a prefix with a _":    {Prefix: "a_b"},
		"a wildcard":           {Prefix: "*"},
		"no replica":           {Replicas: -1},
		"more than five":       {Replicas: 6},
		"a URL that is no URL": {URL: "http://127.0.0.1:1/\x00"},
	} {
		if b, err := natsbroker.New(cfg); err == nil {
			t.Errorf("%s is accepted", name)
			b.Close()
		}
	}
}
