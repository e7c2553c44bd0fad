package redisbroker_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// shared is a configuration of the shared server with a prefix of its own.
func shared(t testing.TB, of broker.Config) redisbroker.Config {
	t.Helper()
	return redisbroker.Config{Config: of, Hosts: []string{servers.SharedRedis(t).URL()}, Prefix: rand.Text()}
}

// heard is the number of processes that hear a topic.
func heard(t testing.TB, cfg redisbroker.Config, topic string) int64 {
	t.Helper()
	c := console(t, cfg.Hosts[0])
	counts, err := c.Do(context.Background(), c.B().PubsubNumsub().Channel(cfg.Prefix+":"+topic).Build()).AsIntMap()
	if err != nil {
		t.Fatal(err)
	}
	return counts[cfg.Prefix+":"+topic]
}

// published is how often anything was published at a server.
func published(t testing.TB, cfg redisbroker.Config) int {
	t.Helper()
	c := console(t, cfg.Hosts[0])
	stats, err := c.Do(context.Background(), c.B().Info().Section("commandstats").Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	_, calls, _ := strings.Cut(stats, "cmdstat_publish:calls=")
	calls, _, _ = strings.Cut(calls, ",")
	n, err := strconv.Atoi(calls)
	if err != nil && calls != "" {
		t.Fatal(err)
	}
	return n
}

func send(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receive returns the next message of a channel.
func receive(t testing.TB, b *redisbroker.Broker, channels ...string) broker.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	m, err := b.Receive(ctx, channels...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestOnePublishServesAWholeGroupAndFanOutIsLocal puts many channels of one process
// into a group: what is sent is published once, as the process hears it once, and
// each channel gets it.
func TestOnePublishServesAWholeGroupAndFanOutIsLocal(t *testing.T) {
	const members = 50
	cfg := redisbroker.Config{Hosts: []string{start(t, servers.RedisOptions{}).URL()}, Prefix: "own"}
	a, b := open(t, cfg), open(t, cfg)
	mine := channelOf(t, a)
	ctx := t.Context()
	for i := range members {
		send(t, a.GroupAdd(ctx, "group", mine+strconv.Itoa(i)))
	}
	if n := heard(t, cfg, "g:group"); n != 1 {
		t.Errorf("the group is heard %d times", n)
	}
	before := published(t, cfg)
	send(t, b.GroupSend(ctx, "group", []byte("hello")))
	if n := published(t, cfg) - before; n != 1 {
		t.Errorf("%d messages were published for one to %d members", n, members)
	}
	seen := map[string]bool{}
	for range members {
		m := receive(t, a, mine)
		if string(m.Body) != "hello" || m.Group != "group" || m.Gap {
			t.Fatalf("received %+v", m)
		}
		seen[m.Channel] = true
	}
	if len(seen) != members {
		t.Errorf("%d of %d members have got it", len(seen), members)
	}
	for i := range members {
		send(t, a.GroupDiscard(ctx, "group", mine+strconv.Itoa(i)))
	}
	eventually(t, "nobody hears the group", func() bool { return heard(t, cfg, "g:group") == 0 })
}

// TestAddedIsHeard sends to a group as soon as GroupAdd has returned, which many
// do at once: it reaches the channel.
func TestAddedIsHeard(t *testing.T) {
	const groups = 200
	cfg := shared(t, broker.Config{Capacity: groups})
	a, b := open(t, cfg), open(t, cfg)
	mine := channelOf(t, a)
	got := receiving(t, a, mine)
	sent := make(chan error, groups)
	for i := range groups {
		go func() {
			name := "group." + strconv.Itoa(i)
			sent <- errors.Join(a.GroupAdd(t.Context(), name, mine), b.GroupSend(t.Context(), name, []byte("hello")))
		}()
	}
	for range groups {
		send(t, <-sent)
	}
	seen := map[string]bool{}
	for range groups {
		seen[wants(t, got, "hello").Group] = true
	}
	if len(seen) != groups {
		t.Errorf("of %d groups were %d heard", groups, len(seen))
	}
}

// TestJoinAndLeaveAtOnce joins and leaves a group at the same time: who is in it
// at the end hears it, and nobody else.
func TestJoinAndLeaveAtOnce(t *testing.T) {
	cfg := shared(t, broker.Config{})
	a, b := open(t, cfg), open(t, cfg)
	mine := channelOf(t, a)
	got := receiving(t, a, mine)
	done := make(chan error, 4)
	for i := range cap(done) {
		go func() {
			var errs []error
			part := mine + strconv.Itoa(i)
			for range 50 {
				errs = append(errs, a.GroupAdd(t.Context(), "group", part), a.GroupDiscard(t.Context(), "group", part))
			}
			done <- errors.Join(errs...)
		}()
	}
	for range cap(done) {
		send(t, <-done)
	}
	eventually(t, "nobody hears the group", func() bool { return heard(t, cfg, "g:group") == 0 })
	send(t, a.GroupAdd(t.Context(), "group", mine+"last"))
	send(t, b.GroupSend(t.Context(), "group", []byte("hello")))
	if m := wants(t, got, "hello"); m.Channel != mine+"last" {
		t.Errorf("%s got it", m.Channel)
	}
}

// TestOrderOfGroupAndChannel sends to a group and to its member in turn: they are
// read in that order, though they come by different ways.
func TestOrderOfGroupAndChannel(t *testing.T) {
	const n = 100
	cfg := shared(t, broker.Config{Capacity: n})
	a, b := open(t, cfg), open(t, cfg)
	mine := channelOf(t, a)
	ctx := t.Context()
	send(t, a.GroupAdd(ctx, "group", mine))
	for _, late := range []bool{false, true} { // read while they come, and when all have
		var got <-chan result
		if !late {
			reading, stop := context.WithCancel(ctx)
			defer stop()
			all := make(chan result, n)
			go func() {
				for range n {
					m, err := a.Receive(reading, mine)
					all <- result{m, err, time.Now()}
				}
			}()
			got = all
		}
		for i := range n {
			body := []byte(strconv.Itoa(i))
			if i%3 == 0 {
				send(t, b.Send(ctx, mine, body))
			} else {
				send(t, b.GroupSend(ctx, "group", body))
			}
		}
		for i := range n {
			var m broker.Message
			if late {
				m = receive(t, a, mine)
			} else {
				r := <-got
				send(t, r.err)
				m = r.Message
			}
			if string(m.Body) != strconv.Itoa(i) || m.Gap || (m.Group == "") != (i%3 == 0) {
				t.Fatalf("message %d is %q of group %q, gap %t", i, m.Body, m.Group, m.Gap)
			}
		}
	}
}

// TestOwnChannelIsFull has nobody read a channel that is in a group: what is
// beyond its capacity is dropped, counted and told.
func TestOwnChannelIsFull(t *testing.T) {
	cfg := shared(t, broker.Config{Capacity: 5})
	a, b := open(t, cfg), open(t, cfg)
	mine, quick := channelOf(t, a), channelOf(t, a)
	got := receiving(t, a, quick)
	ctx := t.Context()
	for _, channel := range []string{mine, quick} {
		send(t, a.GroupAdd(ctx, "group", channel))
	}
	for i := range 8 {
		send(t, b.GroupSend(ctx, "group", []byte(strconv.Itoa(i))))
		wants(t, got, strconv.Itoa(i))
	}
	if n := a.Dropped(); n != 3 {
		t.Errorf("%d messages were dropped, want 3", n)
	}
	for i := range 5 {
		if m := receive(t, a, mine); string(m.Body) != strconv.Itoa(i) || m.Gap {
			t.Errorf("received %q, gap %t, want %d", m.Body, m.Gap, i)
		}
	}
	if m := receive(t, a, mine); !m.Gap || len(m.Body) != 0 {
		t.Errorf("behind the last: received %q, gap %t", m.Body, m.Gap)
	}
	for range 5 {
		send(t, b.Send(ctx, mine+"part", nil))
	}
	if err := b.Send(ctx, mine, nil); !errors.Is(err, broker.ErrChannelFull) {
		t.Errorf("send to an own channel that is full: %v", err)
	}
}

// TestOwnChannelExpires lets messages to a group, and the membership of a channel
// that nobody reads, grow old.
func TestOwnChannelExpires(t *testing.T) {
	cfg := shared(t, broker.Config{Expiry: 200 * time.Millisecond, GroupExpiry: 600 * time.Millisecond})
	a, b := open(t, cfg), open(t, cfg)
	mine, read := channelOf(t, a), channelOf(t, a)
	got := receiving(t, a, read)
	ctx := t.Context()
	for _, channel := range []string{mine, read} {
		send(t, a.GroupAdd(ctx, "of."+channel[:len(channel)-1], channel))
	}
	group, other := "of."+mine[:len(mine)-1], "of."+read[:len(read)-1]
	send(t, b.GroupSend(ctx, group, []byte("old")))
	send(t, b.Send(ctx, mine, []byte("old, too")))
	<-time.After(300 * time.Millisecond)
	send(t, b.GroupSend(ctx, group, []byte("young")))
	var last broker.Message
	gaps := 0
	for string(last.Body) != "young" {
		last = receive(t, a, mine)
		if last.Gap {
			gaps++
		}
		if len(last.Body) != 0 && string(last.Body) != "young" {
			t.Fatalf("received %q", last.Body)
		}
	}
	if gaps == 0 {
		t.Error("nobody tells of what has expired")
	}
	eventually(t, "who does not read has left", func() bool { return heard(t, cfg, "g:"+group) == 0 })
	send(t, b.GroupSend(ctx, other, []byte("hello")))
	wants(t, got, "hello")
}

// TestMemberOfAnotherProcess has a process put another's channel into a group.
func TestMemberOfAnotherProcess(t *testing.T) {
	cfg := shared(t, broker.Config{})
	a, b := open(t, cfg), open(t, cfg)
	mine := channelOf(t, a)
	got := receiving(t, a, mine)
	ctx := t.Context()
	send(t, b.GroupAdd(ctx, "group", mine+"part"))
	send(t, b.GroupSend(ctx, "group", []byte("hello")))
	if m := wants(t, got, "hello"); m.Channel != mine+"part" || m.Group != "group" {
		t.Errorf("received %+v", m)
	}
	send(t, b.GroupDiscard(ctx, "group", mine+"part"))
	send(t, b.GroupSend(ctx, "group", []byte("nobody")))
	send(t, b.Send(ctx, mine, []byte("last")))
	wants(t, got, "last")
}

// TestSeveralOwnChannels reads two channels at once that both have messages.
func TestSeveralOwnChannels(t *testing.T) {
	const n = 10
	cfg := shared(t, broker.Config{})
	a, b := open(t, cfg), open(t, cfg)
	one, two := channelOf(t, a), channelOf(t, a)
	for i := range n {
		send(t, b.Send(t.Context(), one, []byte(strconv.Itoa(i))))
		send(t, b.Send(t.Context(), two, []byte(strconv.Itoa(i))))
	}
	next := map[string]int{}
	for range 2 * n {
		m := receive(t, a, one, two)
		if string(m.Body) != strconv.Itoa(next[m.Channel]) || m.Gap {
			t.Fatalf("received %q of %s, want %d", m.Body, m.Channel, next[m.Channel])
		}
		next[m.Channel]++
	}
}

// TestKeysExpire has the server remove a channel's messages before anybody looks:
// who reads, or sends the next one, knows all the same.
func TestKeysExpire(t *testing.T) {
	cfg := shared(t, broker.Config{Expiry: 50 * time.Millisecond})
	b := open(t, cfg)
	ctx := t.Context()
	c := console(t, cfg.Hosts[0])
	for _, again := range []bool{true, false} {
		send(t, b.Send(ctx, "mail", []byte("old")))
		eventually(t, "the messages are gone", func() bool {
			n, err := c.Do(ctx, c.B().Exists().Key(cfg.Prefix+":q:mail").Build()).AsInt64()
			return n == 0 && err == nil
		})
		want := ""
		if again {
			want = "young"
			send(t, b.Send(ctx, "mail", []byte(want)))
		}
		// The young one may have grown old, too.
		if m := receive(t, b, "mail"); !m.Gap || string(m.Body) != want && len(m.Body) != 0 {
			t.Errorf("received %q, gap %t, want %q and word of a gap", m.Body, m.Gap, want)
		}
	}
}

// TestFlushReachesOthers forgets all in another process, once, though each host
// tells of it.
func TestFlushReachesOthers(t *testing.T) {
	cfg := shared(t, broker.Config{})
	cfg.Hosts = append(cfg.Hosts, start(t, servers.RedisOptions{}).URL())
	a, b := open(t, cfg), open(t, cfg)
	mine := channelOf(t, a)
	got := receiving(t, a, mine)
	ctx := t.Context()
	s := openStream(t, b, "log", broker.StreamConfig{})
	if _, err := s.Append(ctx, 0, []byte("kept")); err != nil {
		t.Fatal(err)
	}
	for i := range 20 { // some of them are in each host
		name := "group." + strconv.Itoa(i)
		send(t, a.GroupAdd(ctx, name, mine))
		send(t, b.Flush(ctx))
		gap(t, got)
		send(t, a.GroupAdd(ctx, name, mine))
		send(t, b.GroupSend(ctx, name, []byte("again")))
		if m := <-got; string(m.Body) != "again" || m.Gap || m.err != nil {
			t.Fatalf("%s: received %q, gap %t, %v", name, m.Body, m.Gap, m.err)
		}
	}
	if n := len(got); n != 0 {
		t.Errorf("%d messages come besides", n)
	}
	if last, err := s.Last(ctx); last.Number != 1 || err != nil {
		t.Errorf("the last record of a stream is %d, %v", last.Number, err)
	}
}

// TestNothingStays has channels and groups that nobody reads leave no key behind.
func TestNothingStays(t *testing.T) {
	cfg := shared(t, broker.Config{Expiry: 100 * time.Millisecond, GroupExpiry: 100 * time.Millisecond})
	b := open(t, cfg)
	ctx := t.Context()
	for i := range 20 {
		name := "nobody." + strconv.Itoa(i)
		send(t, errors.Join(b.Send(ctx, name, []byte("hello")), b.GroupAdd(ctx, name, name), b.GroupSend(ctx, name, nil)))
	}
	c := console(t, cfg.Hosts[0])
	if n := len(keysOf(t, c, cfg.Prefix)); n == 0 {
		t.Error("no key was made")
	}
	eventually(t, "all keys are gone", func() bool { return len(keysOf(t, c, cfg.Prefix)) == 0 })
}

// TestSeveralReadersOfProcesses has readers of many processes wait for one
// channel: each message comes to one of them, and all come.
func TestSeveralReadersOfProcesses(t *testing.T) {
	const n = 100
	cfg := shared(t, broker.Config{Capacity: n})
	sender := open(t, cfg)
	all := make(chan string, n)
	for range 4 {
		b := open(t, cfg)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				m, err := b.Receive(ctx, "work", "rest")
				if err != nil {
					return
				}
				all <- m.Channel + string(m.Body)
			}
		}()
		t.Cleanup(func() {
			cancel()
			<-done
		})
	}
	want := map[string]bool{}
	for i := range n / 2 {
		body := strconv.Itoa(i)
		send(t, errors.Join(sender.Send(t.Context(), "work", []byte(body)), sender.Send(t.Context(), "rest", []byte(body))))
		want["work"+body], want["rest"+body] = true, true
	}
	for range n {
		select {
		case got := <-all:
			if !want[got] {
				t.Fatalf("%q comes twice, or was never sent", got)
			}
			delete(want, got)
		case <-time.After(20 * time.Second):
			t.Fatalf("%d messages do not come", len(want))
		}
	}
}
