package redisbroker_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// noticed is how long it may take until a loss is noticed, "within a second", on
// a machine that is busy.
const noticed = 4 * time.Second

// result is what a call of Receive returned.
type result struct {
	broker.Message

	err error
	at  time.Time
}

// receiving reads a channel until the test ends.
func receiving(t testing.TB, b *redisbroker.Broker, channels ...string) <-chan result {
	t.Helper()
	got := make(chan result, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			m, err := b.Receive(ctx, channels...)
			if errors.Is(err, broker.ErrClosed) || ctx.Err() != nil {
				return
			}
			got <- result{m, err, time.Now()}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return got
}

func channelOf(t testing.TB, b *redisbroker.Broker) string {
	t.Helper()
	name, err := b.NewChannel(context.Background(), "node")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// gap waits until a reader is told of a gap, and returns when.
func gap(t testing.TB, got <-chan result) time.Time {
	t.Helper()
	late := time.After(noticed)
	for {
		select {
		case m := <-got:
			if m.Gap {
				return m.at
			}
			if m.err == nil {
				t.Fatalf("received %q, want word of a gap", m.Body)
			}
		case <-late:
			t.Fatal("nobody tells of a gap")
		}
	}
}

// wants waits for a message, whatever comes before of gaps and errors.
func wants(t testing.TB, got <-chan result, body string) result {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case m := <-got:
			switch {
			case m.err != nil || len(m.Body) == 0:
			case string(m.Body) != body:
				t.Fatalf("received %q, want %q", m.Body, body)
			default:
				return m
			}
		case <-late:
			t.Fatalf("%q does not come", body)
		}
	}
}

// TestLoss has a server crash, or stand still, under two processes: readers are
// told within a second, calls fail, and all goes on once the server is back.
func TestLoss(t *testing.T) {
	for name, c := range map[string]struct {
		lose, find func(t testing.TB, s *servers.RedisServer)
	}{
		"killed": {func(_ testing.TB, s *servers.RedisServer) { s.Kill() }, again},
		"paused": {func(_ testing.TB, s *servers.RedisServer) { s.Pause() }, func(_ testing.TB, s *servers.RedisServer) { s.Resume() }},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, servers.RedisOptions{})
			a, b := open(t, redisbroker.Config{Hosts: []string{server.URL()}}), open(t, redisbroker.Config{Hosts: []string{server.URL()}})
			mine := channelOf(t, a)
			own, other := receiving(t, a, mine), receiving(t, b, "mail")
			join := func() bool {
				return errors.Join(a.GroupAdd(t.Context(), "group", mine+"part"), b.GroupAdd(t.Context(), "group", "mail")) == nil
			}
			if !join() {
				t.Fatal("cannot join")
			}
			send := func(body string) bool { return b.GroupSend(t.Context(), "group", []byte(body)) == nil }
			if !send("before") {
				t.Fatal("cannot send")
			}
			wants(t, own, "before")
			wants(t, other, "before")

			lost := time.Now()
			c.lose(t, server)
			t.Logf("own channel told after %s", gap(t, own).Sub(lost))
			t.Logf("other channel told after %s", gap(t, other).Sub(lost))
			fails(t, a)
			c.find(t, server)
			back := gap(t, own)
			gap(t, other)
			t.Logf("back after %s", back.Sub(lost))
			eventually(t, "they can join again", join)
			eventually(t, "they can send again", func() bool { return send("after") })
			wants(t, own, "after")
			wants(t, other, "after")
		})
	}
}

// fails wants every operation to fail soon, with an error that helps.
func fails(t testing.TB, b *redisbroker.Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for op, call := range map[string]func() error{
		"send":          func() error { return b.Send(ctx, "mail", nil) },
		"group send":    func() error { return b.GroupSend(ctx, "group", nil) },
		"group add":     func() error { return b.GroupAdd(ctx, "group", "mail") },
		"group discard": func() error { return b.GroupDiscard(ctx, "group", "mail") },
		"flush":         func() error { return b.Flush(ctx) },
		"new channel": func() error {
			_, err := b.NewChannel(ctx, "node")
			return err
		},
		"receive": func() error {
			_, err := b.Receive(ctx, "nobody.else")
			return err
		},
	} {
		wg.Go(func() {
			if err := call(); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "is it running") {
				t.Errorf("%s while the server is lost: %v", op, err)
			}
		})
	}
	wg.Wait()
}

// TestALostConnectionIsNoticedAndToldAsAGapNeverHidden cuts the connection of the
// subscriptions: who reads is told, and is in its groups again without doing anything.
func TestALostConnectionIsNoticedAndToldAsAGapNeverHidden(t *testing.T) {
	server := start(t, servers.RedisOptions{})
	cfg := redisbroker.Config{Hosts: []string{server.URL()}}
	a, b := open(t, cfg), open(t, cfg)
	mine := channelOf(t, a)
	got := receiving(t, a, mine)
	ctx := t.Context()
	if err := a.GroupAdd(ctx, "group", mine); err != nil {
		t.Fatal(err)
	}
	c := console(t, server.URL())
	for range 3 {
		if n, err := c.Do(ctx, c.B().ClientKill().TypePubsub().Build()).AsInt64(); err != nil || n == 0 { // the other may not be back yet
			t.Fatalf("%d connections were cut: %v", n, err)
		}
		gap(t, got) // it is lost
		gap(t, got) // it is back
		for _, send := range []func() error{
			func() error { return b.Send(ctx, mine+"part", []byte("hello")) },
			func() error { return b.GroupSend(ctx, "group", []byte("hello")) },
		} {
			eventually(t, "a message can be sent", func() bool { return send() == nil })
			wants(t, got, "hello")
		}
		// What was sent while nobody heard waits in the server.
		eventually(t, "the other is back, too", func() bool { return b.Send(ctx, mine, []byte("again")) == nil })
		wants(t, got, "again")
	}
}

// TestServerThatComesLater starts the server after the broker.
func TestServerThatComesLater(t *testing.T) {
	server := start(t, servers.RedisOptions{})
	server.Stop()
	b := open(t, redisbroker.Config{Hosts: []string{server.URL()}})
	fails(t, b)
	again(t, server)
	eventually(t, "it can be used", func() bool { return b.Send(t.Context(), "mail", []byte("hello")) == nil })
	wants(t, receiving(t, b, "mail"), "hello")
}

// TestCloseWhileLost closes brokers whose server does not answer.
func TestCloseWhileLost(t *testing.T) {
	server := start(t, servers.RedisOptions{})
	b := open(t, redisbroker.Config{Hosts: []string{server.URL()}})
	mine := channelOf(t, b)
	ended := make(chan error, 2)
	server.Pause()
	defer server.Resume()
	go func() {
		_, err := b.Receive(context.Background(), mine)
		ended <- err
	}()
	go func() { ended <- b.Send(context.Background(), "mail", nil) }()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-ended; !errors.Is(err, broker.ErrClosed) {
			t.Errorf("who waits got %v", err)
		}
	}
}

// TestOneOfTwoHostsLost has a host crash: names of the other one go on.
func TestOneOfTwoHostsLost(t *testing.T) {
	stays, goes := start(t, servers.RedisOptions{}), start(t, servers.RedisOptions{})
	b := open(t, redisbroker.Config{Hosts: []string{stays.URL(), goes.URL()}})
	ctx := t.Context()
	c := console(t, stays.URL())
	// The names that the host that stays has.
	var names []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		if err := b.Send(ctx, name, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Do(ctx, c.B().Exists().Key("pando:q:"+name).Build()).AsInt64(); err != nil {
			t.Fatal(err)
		} else if n == 1 {
			names = append(names, name)
		}
	}
	if len(names) == 0 || len(names) == 10 {
		t.Fatalf("of ten names one host has %d", len(names))
	}
	goes.Kill()
	for _, name := range names {
		if m, err := b.Receive(ctx, name); err != nil || string(m.Body) != "hello" || m.Gap {
			t.Errorf("received %q, %v", m.Body, err)
		}
		if err := b.Send(ctx, name, nil); err != nil {
			t.Error(err)
		}
	}
}

// TestBeforeTheServer begins while no server answers: what needs one fails until
// it is there, and then all is as if it had been.
func TestBeforeTheServer(t *testing.T) {
	server := start(t, servers.RedisOptions{})
	server.Stop()
	b := open(t, redisbroker.Config{Hosts: []string{server.URL()}})
	s, err := b.Stream("commits", broker.StreamConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if name, err := b.NewChannel(t.Context(), "node"); err == nil || errors.Is(err, broker.ErrClosed) {
		t.Errorf("new channel %s: %v", name, err)
	}
	if _, err := s.Append(t.Context(), 0, []byte("early")); err == nil || errors.Is(err, broker.ErrStale) {
		t.Errorf("append: %v", err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var channel string
	for channel == "" { // each attempt waits for the connection
		if channel, err = b.NewChannel(t.Context(), "node"); errors.Is(err, broker.ErrClosed) {
			t.Fatal(err)
		}
	}
	if err := b.Send(t.Context(), channel, []byte("later")); err != nil {
		t.Fatal(err)
	}
	if m, err := b.Receive(t.Context(), channel); err != nil || string(m.Body) != "later" {
		t.Errorf("received %+v, %v", m, err)
	}
	if last, err := s.Append(t.Context(), 0, []byte("first")); err != nil || last != 1 {
		t.Errorf("the first record is number %d, %v", last, err)
	}
}
