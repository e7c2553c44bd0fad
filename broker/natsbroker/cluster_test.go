package natsbroker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/natsbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// cluster starts three servers that know each other.
func cluster(t *testing.T) []*servers.NATSServer {
	t.Helper()
	servers.Need(t, "nats")
	routes, taken := make([]string, 3), make([]net.Listener, 3)
	for i := range routes {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		routes[i], taken[i] = "nats://"+l.Addr().String(), l
	}
	for _, l := range taken { // given back just before the servers take them
		l.Close()
	}
	all := make([]*servers.NATSServer, len(routes))
	for i, route := range routes {
		conf := fmt.Sprintf("cluster { name: test, listen: %q, routes: [ %s ] }", strings.TrimPrefix(route, "nats://"), strings.Join(routes, ", "))
		var err error
		if all[i], err = servers.NATS(t.Context(), servers.NATSOptions{Conf: conf}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { all[i].Close() })
	}
	return all
}

// openStream opens a stream as soon as the cluster has a leader.
func openStream(t *testing.T, b *natsbroker.Broker) broker.Stream {
	t.Helper()
	for deadline := time.Now().Add(6 * patience); ; {
		s, err := b.Stream("commits", broker.StreamConfig{})
		if err == nil {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("the cluster has no leader: %v", err)
		}
		<-time.After(100 * time.Millisecond)
	}
}

// TestCluster has three processes, each with a server of its own first, and three
// servers that keep the stream: one of them dies, which loses nothing.
func TestCluster(t *testing.T) {
	all := cluster(t)
	cfg := config("")
	cfg.Replicas = 3
	brokers := make([]*natsbroker.Broker, len(all))
	for i, s := range all {
		cfg.URL = s.URL()
		brokers[i] = open(t, cfg)
	}
	_, got := member(t, brokers[0], "news")
	heard(t, brokers[2], got)
	writer, other := openStream(t, brokers[0]), openStream(t, brokers[1])
	last := appendTo(t, writer, 0, bodies(1000)...)
	for _, after := range []uint64{0, 1, last - 1, last + 1} {
		if n, err := other.Append(t.Context(), after, []byte("no"), []byte("nor this")); !errors.Is(err, broker.ErrStale) {
			t.Errorf("append after %d: %d, %v", after, n, err)
		}
	}
	r := reader(t, other, 1)
	for n := uint64(1); n <= last; n++ {
		if got := read(t, r); got.Number != n || string(got.Body) != strconv.FormatUint(n, 10) {
			t.Fatalf("read record %d, %q, want %d", got.Number, got.Body, n)
		}
	}
	all[0].Kill()
	last = appendAgain(t, other, last, "after a death")
	if got := readAgain(t, r); got.Number != last || string(got.Body) != "after a death" {
		t.Errorf("read record %d, %q", got.Number, got.Body)
	}
	last = appendAgain(t, writer, last, "by the other")
	if got := readAgain(t, r); got.Number != last || string(got.Body) != "by the other" {
		t.Errorf("read record %d, %q", got.Number, got.Body)
	}
	gap(t, got)
	heard(t, brokers[2], got)
}

// TestAddedBeforeSentInACluster adds at one server and sends from another at once.
func TestAddedBeforeSentInACluster(t *testing.T) {
	all := cluster(t)
	cfg := config("")
	brokers := make([]*natsbroker.Broker, len(all))
	for i, s := range all {
		cfg.URL = s.URL()
		brokers[i] = open(t, cfg)
	}
	name, got := member(t, brokers[0], "news")
	for _, from := range brokers[1:] { // the servers know each other then
		heard(t, from, got)
	}
	probes(t, brokers[0], name, got)
	late := open(t, cfg) // at the last server
	for i := range 20 {
		name, err := late.NewChannel(t.Context(), "late")
		if err != nil {
			t.Fatal(err)
		}
		if err := brokers[i%2].Send(t.Context(), name, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if m, err := late.Receive(ctx, name); err != nil || string(m.Body) != "hello" {
			t.Fatalf("received %q, %v", m.Body, err)
		}
		cancel()
	}
	for i := range 500 {
		group := fmt.Sprintf("group.%d", i)
		if err := brokers[0].GroupAdd(t.Context(), group, name); err != nil {
			t.Fatal(err)
		}
		groupSend(t, brokers[1+i%2], group, group)
		want(t, got, group)
	}
}

// probes takes those that are still to come.
func probes(t *testing.T, b *natsbroker.Broker, name string, got <-chan received) {
	t.Helper()
	<-time.After(500 * time.Millisecond) // two beats
	if err := b.Send(t.Context(), name, []byte("last")); err != nil {
		t.Fatal(err)
	}
	for string(next(t, got).Body) != "last" {
	}
}

// heard sends until a member of another server hears it: routes take their time.
func heard(t *testing.T, from *natsbroker.Broker, got <-chan received) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if err := from.GroupSend(t.Context(), "news", []byte("probe")); err != nil {
			t.Logf("not sent yet: %v", err)
		}
		select {
		case m := <-got:
			if string(m.Body) == "probe" {
				return
			}
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("a member of another server hears nothing")
}

// gap waits for word of one.
func gap(t *testing.T, got <-chan received) {
	t.Helper()
	for !next(t, got).Gap {
	}
}

// appendAgain appends when the cluster has a leader again.
func appendAgain(t *testing.T, s broker.Stream, after uint64, body string) uint64 {
	t.Helper()
	for deadline := time.Now().Add(6 * patience); ; {
		last, err := s.Append(t.Context(), after, []byte(body))
		if err == nil {
			return last
		}
		newest, lastErr := s.Last(t.Context())
		if lastErr == nil && newest.Number == after+1 && string(newest.Body) == body {
			return newest.Number // it was stored, and the answer was lost
		}
		if time.Now().After(deadline) {
			t.Fatalf("append after %d: %v; the last record is %d, %v", after, err, newest.Number, lastErr)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// readAgain reads while the cluster may look for a leader.
func readAgain(t *testing.T, r broker.Reader) broker.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	defer cancel()
	for {
		got, err := r.Next(ctx)
		if err == nil {
			return got
		}
		if ctx.Err() != nil || errors.Is(err, broker.ErrTrimmed) {
			t.Fatal(err)
		}
		t.Logf("not there yet: %v", err)
		<-time.After(50 * time.Millisecond)
	}
}
