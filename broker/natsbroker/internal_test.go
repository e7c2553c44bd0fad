package natsbroker

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"github.com/pando-sync/pando/broker"
	_ "github.com/pando-sync/pando/internal/seeds"
	"github.com/pando-sync/pando/internal/servers"
)

// TestSubjects writes names as subjects and reads them back.
func TestSubjects(t *testing.T) {
	s := subjects{"app"}
	for name, want := range map[string]string{
		"mail": "app.channel.mail", "node.ab!": "app.channel.node=ab.!", "node.ab!x.y": "app.channel.node=ab.!x=y", "..!..": "app.channel.==.!==",
	} {
		if got := s.channel(name); got != want {
			t.Errorf("channel %s is %s, want %s", name, got, want)
		}
	}
	if got := s.queue("node.ab!"); got != "app.channel.node=ab.*" {
		t.Errorf("a process subscribes to %s", got)
	}
	letters := rapid.StringMatching(`[A-Za-z0-9._-]{1,40}`)
	rapid.Check(t, func(t *rapid.T) {
		name := letters.Draw(t, "name")
		if rapid.Bool().Draw(t, "process") {
			name += "!" + rapid.StringMatching(`[A-Za-z0-9._-]{0,40}`).Draw(t, "part")
		}
		if kind, back := s.parse(s.channel(name)); kind != kindChannel || back != name {
			t.Fatalf("channel %s comes back as %s %s", name, kind, back)
		}
		group := letters.Draw(t, "group")
		if kind, back := s.parse(s.group(group)); kind != kindGroup || back != group {
			t.Fatalf("group %s comes back as %s %s", group, kind, back)
		}
	})
}

func openInside(t *testing.T) *Broker {
	t.Helper()
	b, err := New(Config{URL: servers.SharedNATS(t).URL(), Prefix: rand.Text(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// connect returns a connection that knows nothing of brokers.
func connect(t *testing.T) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(servers.SharedNATS(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func receive(t *testing.T, b *Broker, channel string) broker.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	m, err := b.Receive(ctx, channel)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMissedBeat has a beat of another process get lost on its way, and one end
// in order.
func TestMissedBeat(t *testing.T) {
	b := openInside(t)
	name, err := b.NewChannel(t.Context(), "node")
	if err != nil {
		t.Fatal(err)
	}
	nc := connect(t)
	beat := func(peer, life string, count int) {
		if err := nc.Publish(b.subjects.of(kindBeat, peer), fmt.Appendf(nil, "%s %d server", life, count)); err != nil {
			t.Fatal(err)
		}
	}
	say := func(body string) {
		if err := nc.Publish(b.subjects.channel(name), []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	beat("one", "a", 7)
	beat("two", "a", 1)
	beat("one", "a", 8)
	beat("one", "b", 1) // it has connected again
	beat("one", "b", 2)
	beat("none", "a", -1)
	beat("none", "too many", 1)
	say("well")
	if m := receive(t, b, name); string(m.Body) != "well" || m.Gap {
		t.Errorf("received %+v", m)
	}
	beat("two", "a", 2)
	beat("one", "b", 4)
	say("not well")
	if m := receive(t, b, name); !m.Gap {
		t.Errorf("received %+v, want word of a gap", m)
	}
}

// TestBeats has two processes beat: nothing is missing.
func TestBeats(t *testing.T) {
	b := openInside(t)
	other, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	name, err := b.NewChannel(t.Context(), "node")
	if err != nil {
		t.Fatal(err)
	}
	known := func() (beats uint64) {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, p := range b.peers.known {
			beats += p.count
		}
		return beats
	}
	for deadline := time.Now().Add(10 * time.Second); known() < 3; {
		if time.Now().After(deadline) {
			t.Fatal("no beats come")
		}
		<-time.After(10 * time.Millisecond)
	}
	if err := b.Send(t.Context(), name, []byte("well")); err != nil {
		t.Fatal(err)
	}
	if m := receive(t, b, name); m.Gap {
		t.Errorf("received %+v", m)
	}
	b.sweep(time.Now().Add(peerExpiry))
	if n := known(); n != 0 {
		t.Errorf("a day later %d beats are known", n)
	}
}

// TestOverrun has messages come faster than they are taken: NATS drops them, and
// readers are told.
func TestOverrun(t *testing.T) {
	b := openInside(t)
	name, err := b.NewChannel(t.Context(), "node")
	if err != nil {
		t.Fatal(err)
	}
	nc := connect(t)
	b.mu.Lock() // nothing is taken in the meantime
	for range arrivals + 10 {
		if err := nc.Publish(b.subjects.channel(name), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	err = nc.Flush()
	// What the server had sent before this answer has arrived.
	if err := b.link.confirm(t.Context()); err != nil {
		t.Error(err)
	}
	b.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		if m := receive(t, b, name); m.Gap {
			break
		}
		if n > arrivals {
			t.Fatal("all have come, and no gap is told")
		}
	}
}

// TestMembersAreForgotten looks at what is left of groups and channels.
func TestMembersAreForgotten(t *testing.T) {
	b := openInside(t)
	for i := range 10 {
		name := fmt.Sprintf("channel.%d", i)
		if err := b.GroupAdd(t.Context(), "group", name); err != nil {
			t.Fatal(err)
		}
		if err := b.GroupAdd(t.Context(), name, name); err != nil {
			t.Fatal(err)
		}
	}
	if groups, subs := len(b.groups), b.link.nc.NumSubscriptions(); groups != 11 || subs != 14 {
		t.Errorf("%d groups and %d subscriptions, want 11 and three more", groups, subs)
	}
	b.sweep(time.Now().Add(b.cfg.Limits.GroupExpiry))
	if len(b.groups) != 0 || len(b.queues) != 0 || b.link.nc.NumSubscriptions() != 3 {
		t.Errorf("a day later %d groups, %d channels and %d subscriptions are left", len(b.groups), len(b.queues), b.link.nc.NumSubscriptions())
	}
}

// TestFailedAddIsUndone adds a member by a call that nobody waits for.
func TestFailedAddIsUndone(t *testing.T) {
	b := openInside(t)
	ended, cancel := context.WithDeadline(t.Context(), time.Now().Add(10*time.Second))
	b.takeBack("group", "mail", time.Now()) // none is there
	now := time.Now()
	if _, _, err := b.enter("group", "mail", now); err != nil {
		t.Fatal(err)
	}
	if err := b.GroupAdd(ended, "group", "mail"); err != nil { // again, by another
		t.Fatal(err)
	}
	cancel()
	b.takeBack("group", "mail", now)
	if g := b.groups["group"]; g == nil || len(g.members) != 1 {
		t.Error("who failed has taken back what another has added")
	}
	if err := b.GroupDiscard(t.Context(), "group", "mail"); err != nil || len(b.groups) != 0 {
		t.Errorf("%d groups are left, %v", len(b.groups), err)
	}
}

// leaky leaves out some records.
type leaky struct {
	jetstream.MessagesContext

	drop int
}

func (l *leaky) Next(opts ...jetstream.NextOpt) (jetstream.Msg, error) {
	for ; l.drop > 0; l.drop-- {
		if _, err := l.MessagesContext.Next(opts...); err != nil {
			return nil, err
		}
	}
	return l.MessagesContext.Next(opts...)
}

// TestDroppedOnTheWay has records get lost between server and reader, as they do
// when nobody takes them for long: they are asked for again.
func TestDroppedOnTheWay(t *testing.T) {
	b := openInside(t)
	s, err := b.Stream("commits", broker.StreamConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []uint64{0, 1} {
		r := newReader(s, from)
		defer r.Close()
		if err := r.begin(t.Context()); err != nil { // before there is a record
			t.Fatal(err)
		}
		r.records = &leaky{r.records, 2}
		if from == 0 {
			if _, err := s.Append(t.Context(), 0, []byte("1"), []byte("2"), []byte("3"), []byte("4")); err != nil {
				t.Fatal(err)
			}
		}
		for n := uint64(1); n <= 4; n++ {
			if n == 3 {
				r.records = &leaky{r.records, 1}
			}
			if got, err := r.Next(t.Context()); err != nil || got.Number != n {
				t.Fatalf("from %d: read record %d, %v, want %d", from, got.Number, err, n)
			}
		}
	}
}
