// Package brokertest is the conformance suite of brokers: every implementation
// of broker.Broker passes it.
package brokertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
)

// Harness is what the suite needs of an implementation.
type Harness struct {
	// New returns a broker of an empty layer, closed by the suite.
	New func(t testing.TB, cfg broker.Config) broker.Broker
	// Join returns another broker of b's layer, as another process has one; nil
	// where a layer lives in one Broker, which then stands for all.
	Join     func(t testing.TB, b broker.Broker) broker.Broker
	Features Features
}

// Features is what a backend can do. What it cannot, the suite leaves out.
type Features struct {
	// Capacity: a full channel refuses messages.
	Capacity bool
	// Expiry: unread messages are forgotten, GroupExpiry: members that died are.
	Expiry, GroupExpiry bool
	// Kept: messages wait for a reader that comes later. Where they do not, only
	// what is sent while somebody reads is received.
	Kept bool
	// Bubble: the broker has no goroutine and no socket outside of the test, so
	// that it can live in a synctest bubble, whose clock costs no time.
	Bubble bool
}

// patience is how long a step may take before the test fails, silence how long
// is waited for what must not come.
const (
	patience = 10 * time.Second
	silence  = 100 * time.Millisecond
)

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, c := range h.Features.tests() {
		if c.can {
			t.Run(c.name, func(t *testing.T) { c.test(&kit{T: t, h: h}) })
		}
	}
	runExpiry(t, h)
}

// test is one of the suite, for backends that can do what it is of.
type test struct {
	name string
	can  bool
	test func(*kit)
}

func (f Features) tests() []test {
	return []test{
		{"first in first out per channel", f.Kept, (*kit).order},
		{"at most once", f.Kept, (*kit).oneReader},
		{"one reader per message", f.Kept, (*kit).waitingReaders},
		{"Receive of several channels", f.Kept, (*kit).severalChannels},
		{"NewChannel of a prefix", true, (*kit).newChannel},
		{"a process receives all parts of its channel", true, (*kit).processChannels},
		{"capacity is 100 by default, Send on a full channel returns ErrChannelFull", f.Capacity && f.Kept, (*kit).capacity},
		{"capacity by channel name or pattern, first match wins", f.Capacity && f.Kept, (*kit).capacityByPattern},
		{"for process channels capacity counts per process part", f.Capacity && f.Kept, (*kit).capacityOfProcess},
		{"names of other characters, of 100, groups with an exclamation mark are an error", true, (*kit).names},
		{"messages of 1 MB pass, larger ones return ErrMessageTooLarge", true, (*kit).sizes},
		{"a message is copied, changing it after sending changes nothing", true, (*kit).copies},
		{"GroupSend reaches who was added by GroupAdd, until GroupDiscard", true, (*kit).groups},
		{"a group has members of two processes", true, (*kit).twoProcesses},
		{"GroupSend never fails for a full channel, it drops for that member and counts the drop", f.Capacity && f.Kept, (*kit).groupDrops},
		{"Receive ends with its context", true, (*kit).receiveEnds},
		{"a cancelled Receive loses nothing", f.Kept, (*kit).cancelled},
		{"Flush forgets channels and groups", true, (*kit).flush},
		{"Close ends who waits", true, (*kit).closed},
		{"many senders at once lose nothing", true, (*kit).concurrency},
	}
}

// kit is one test with its broker.
type kit struct {
	*testing.T

	h Harness
}

func (k *kit) open(cfg broker.Config) broker.Broker {
	k.Helper()
	b := k.h.New(k, cfg)
	k.Cleanup(func() { b.Close() })
	return b
}

func (k *kit) join(b broker.Broker) broker.Broker {
	k.Helper()
	if k.h.Join == nil {
		return b
	}
	other := k.h.Join(k, b)
	k.Cleanup(func() { other.Close() })
	return other
}

func (k *kit) send(b broker.Broker, channel, body string) {
	k.Helper()
	if err := b.Send(k.Context(), channel, []byte(body)); err != nil {
		k.Fatalf("send %s to %s: %v", body, channel, err)
	}
}

func (k *kit) groupSend(b broker.Broker, group, body string) {
	k.Helper()
	if err := b.GroupSend(k.Context(), group, []byte(body)); err != nil {
		k.Fatalf("send %s to group %s: %v", body, group, err)
	}
}

func (k *kit) groupAdd(b broker.Broker, group, channel string) {
	k.Helper()
	if err := b.GroupAdd(k.Context(), group, channel); err != nil {
		k.Fatalf("add %s to group %s: %v", channel, group, err)
	}
}

// receive returns the next message, without telling of gaps.
func (k *kit) receive(b broker.Broker, channels ...string) broker.Message {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), patience)
	defer cancel()
	m, err := b.Receive(ctx, channels...)
	if err != nil {
		k.Fatalf("receive from %q: %v", channels, err)
	}
	return m
}

// want receives a message that was sent to the channel itself.
func (k *kit) want(b broker.Broker, channel, body string) {
	k.Helper()
	if m := k.receive(b, channel); m.Channel != channel || string(m.Body) != body || m.Group != "" || m.Gap {
		k.Fatalf("received %s, want %s of %s", show(m), body, channel)
	}
}

// nothing checks that nothing comes.
func (k *kit) nothing(b broker.Broker, channels ...string) {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), silence)
	defer cancel()
	if m, err := b.Receive(ctx, channels...); !errors.Is(err, context.DeadlineExceeded) {
		k.Fatalf("received %s, %v, want nothing", show(m), err)
	}
}

func show(m broker.Message) string {
	return fmt.Sprintf("{%s %s %.20q gap=%t}", m.Channel, m.Group, m.Body, m.Gap)
}

// reader is a channel that is read before anything is sent to it, as backends
// that keep nothing need it.
type reader struct {
	k       *kit
	channel string
	got     chan broker.Message
	ended   chan error // has why Receive ended
}

// probe is sent until a reader hears it, where messages do not wait for it.
const probe = "is anybody there?"

// listen reads a channel until the test ends, and returns when it does.
func (k *kit) listen(b broker.Broker, channel string) *reader {
	k.Helper()
	r := &reader{k, channel, make(chan broker.Message, 1000), make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	heard := make(chan struct{}, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			m, err := b.Receive(ctx, channel)
			switch {
			case err != nil:
				r.ended <- err
				return
			case string(m.Body) != probe:
				r.got <- m
			default:
				select {
				case heard <- struct{}{}:
				default:
				}
			}
		}
	})
	k.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	for deadline := time.Now().Add(patience); ; {
		k.send(b, channel, probe)
		select {
		case <-heard:
			return r
		case <-time.After(silence / 10):
		}
		if time.Now().After(deadline) {
			k.Fatalf("%s is read, but nothing comes of it", channel)
		}
	}
}

func (r *reader) next() broker.Message {
	r.k.Helper()
	select {
	case m := <-r.got:
		return m
	case <-time.After(patience):
		r.k.Fatalf("nothing comes from %s", r.channel)
		return broker.Message{}
	}
}

func (r *reader) want(bodies ...string) {
	r.k.Helper()
	for _, body := range bodies {
		if m := r.next(); string(m.Body) != body {
			r.k.Fatalf("%s: received %s, want %s", r.channel, show(m), body)
		}
	}
}

func (k *kit) order() {
	b := k.open(broker.Config{})
	var want []string
	for i := range 50 {
		body := strconv.Itoa(i)
		want = append(want, body)
		k.send(b, "mail", body)
	}
	for _, body := range want {
		k.want(b, "mail", body)
	}
}

func (k *kit) oneReader() {
	b := k.open(broker.Config{})
	other := k.join(b)
	k.send(b, "mail", "one")
	k.want(other, "mail", "one")
	k.nothing(b, "mail")
}

// waitingReaders has two wait for a channel: each message reaches one of them.
func (k *kit) waitingReaders() {
	b := k.open(broker.Config{})
	got := make(chan string, 2)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			m, err := b.Receive(k.Context(), "mail")
			got <- fmt.Sprint(string(m.Body), err)
		})
	}
	k.send(b, "mail", "one")
	k.send(b, "mail", "two")
	wg.Wait()
	all := []string{<-got, <-got}
	if slices.Sort(all); !slices.Equal(all, []string{"one<nil>", "two<nil>"}) {
		k.Errorf("received %q", all)
	}
}

func (k *kit) severalChannels() {
	b := k.open(broker.Config{})
	k.send(b, "first", "1")
	k.send(b, "second", "2")
	k.send(b, "first", "3")
	var got []string
	for range 3 {
		m := k.receive(b, "second", "first")
		got = append(got, m.Channel+string(m.Body))
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"first1", "first3", "second2"}) {
		k.Errorf("received %q", got)
	}
	k.nothing(b, "first", "second")
}

func (k *kit) newChannel() {
	b := k.open(broker.Config{})
	seen := map[string]bool{}
	for range 20 {
		name, err := b.NewChannel(k.Context(), "test.node")
		if err != nil {
			k.Fatal(err)
		}
		if seen[name] || !strings.HasPrefix(name, "test.node") || !strings.HasSuffix(name, "!") || broker.CheckChannel(name) != nil {
			k.Fatalf("a new channel is called %q", name)
		}
		seen[name] = true
	}
	for name := range seen {
		r := k.listen(b, name)
		k.send(b, name, "hello")
		r.want("hello")
	}
	if _, err := b.NewChannel(k.Context(), "no spaces"); !errors.Is(err, broker.ErrBadName) {
		k.Errorf("a bad prefix: %v", err)
	}
}

// processChannels reads all parts of a process together, in order.
func (k *kit) processChannels() {
	b := k.open(broker.Config{})
	name, err := b.NewChannel(k.Context(), "test")
	if err != nil {
		k.Fatal(err)
	}
	r := k.listen(b, name)
	for _, part := range []string{"a", "b", "", "a"} {
		k.send(b, name+part, "to "+part)
	}
	for _, part := range []string{"a", "b", "", "a"} {
		if m := r.next(); m.Channel != name+part || string(m.Body) != "to "+part {
			k.Errorf("received %s, want one for part %q", show(m), part)
		}
	}
	if _, err := b.Receive(k.Context(), name+"a"); !errors.Is(err, broker.ErrBadName) {
		k.Errorf("a part is received alone: %v", err)
	}
}

func (k *kit) names() {
	b := k.open(broker.Config{})
	long := strings.Repeat("x", 100)
	ctx := k.Context()
	for _, name := range []string{"", "two words", "a/b", "é", "a!b!c", "!a", long, "a\n"} {
		if err := b.Send(ctx, name, nil); !errors.Is(err, broker.ErrBadName) {
			k.Errorf("send to %q: %v", name, err)
		}
		if _, err := b.Receive(ctx, name); !errors.Is(err, broker.ErrBadName) {
			k.Errorf("receive from %q: %v", name, err)
		}
		if err := b.GroupAdd(ctx, "group", name); !errors.Is(err, broker.ErrBadName) {
			k.Errorf("add %q: %v", name, err)
		}
	}
	for _, name := range []string{"", "two words", "a!b", long} {
		if err := b.GroupSend(ctx, name, nil); !errors.Is(err, broker.ErrBadName) {
			k.Errorf("send to group %q: %v", name, err)
		}
		if err := b.GroupAdd(ctx, name, "channel"); !errors.Is(err, broker.ErrBadName) {
			k.Errorf("add to group %q: %v", name, err)
		}
		if err := b.GroupDiscard(ctx, name, "channel"); !errors.Is(err, broker.ErrBadName) {
			k.Errorf("discard from group %q: %v", name, err)
		}
	}
	if _, err := b.Receive(ctx); !errors.Is(err, broker.ErrBadName) {
		k.Errorf("receive from no channel: %v", err)
	}
	for _, name := range []string{"Az09._-", long[:99], "node!part"} {
		if err := b.Send(ctx, name, []byte("x")); err != nil {
			k.Errorf("send to %q: %v", name, err)
		}
	}
}

func (k *kit) sizes() {
	b := k.open(broker.Config{})
	large := bytes.Repeat([]byte("x"), broker.MaxMessage)
	r := k.listen(b, "mail")
	if err := b.Send(k.Context(), "mail", large); err != nil {
		k.Fatalf("a message of 1 MB: %v", err)
	}
	if m := r.next(); !bytes.Equal(m.Body, large) {
		k.Errorf("a message of 1 MB came with %d bytes", len(m.Body))
	}
	large = append(large, 'x')
	if err := b.Send(k.Context(), "mail", large); !errors.Is(err, broker.ErrMessageTooLarge) {
		k.Errorf("a larger one: %v", err)
	}
	if err := b.GroupSend(k.Context(), "group", large); !errors.Is(err, broker.ErrMessageTooLarge) {
		k.Errorf("a larger one to a group: %v", err)
	}
}

// copies has neither senders nor readers change what others read.
func (k *kit) copies() {
	b := k.open(broker.Config{})
	one, two := k.listen(b, "one"), k.listen(b, "two")
	k.groupAdd(b, "group", "one")
	k.groupAdd(b, "group", "two")
	body := []byte("sent")
	if err := b.GroupSend(k.Context(), "group", body); err != nil {
		k.Fatal(err)
	}
	copy(body, "XXXX")
	m := one.next()
	if string(m.Body) != "sent" {
		k.Errorf("a change after sending came as %q", m.Body)
	}
	copy(m.Body, "YYYY")
	two.want("sent")
	copy(body, "sent")
	if k.h.Features.Kept {
		if err := b.Send(k.Context(), "mail", body); err != nil {
			k.Fatal(err)
		}
		copy(body, "XXXX")
		k.want(b, "mail", "sent")
	}
}

func (k *kit) receiveEnds() {
	b := k.open(broker.Config{})
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	if _, err := b.Receive(ctx, "mail"); !errors.Is(err, context.Canceled) {
		k.Errorf("receive with an ended context: %v", err)
	}
	k.nothing(b, "mail")
}

// cancelled ends many calls of Receive while messages come: each of those is
// received by somebody.
func (k *kit) cancelled() {
	const n = 50
	b := k.open(broker.Config{})
	got := make(chan string, n)
	for i := range n {
		ctx, cancel := context.WithCancel(k.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if m, err := b.Receive(ctx, "mail"); err == nil {
				got <- string(m.Body)
			}
		})
		for range i % 10 {
			runtime.Gosched() // it may wait, or be about to
		}
		if i%2 == 0 {
			cancel() // the message may still be handed to who is about to leave
		}
		k.send(b, "mail", strconv.Itoa(i))
		cancel()
		wg.Wait()
	}
	for len(got) < n {
		got <- string(k.receive(b, "mail").Body)
	}
	seen := map[string]bool{}
	for range n {
		seen[<-got] = true
	}
	if len(seen) != n {
		k.Errorf("%d messages of %d were received", len(seen), n)
	}
}

func (k *kit) flush() {
	b := k.open(broker.Config{})
	if k.h.Features.Kept {
		k.send(b, "mail", "old")
	}
	r := k.listen(b, "mine")
	k.groupAdd(b, "group", "mine")
	k.groupSend(b, "group", "before")
	r.want("before")
	if err := b.Flush(k.Context()); err != nil {
		k.Fatal(err)
	}
	if m := r.next(); !m.Gap || len(m.Body) != 0 {
		k.Errorf("who waits got %s, want word of a gap", show(m))
	}
	k.groupSend(b, "group", "to nobody")
	k.groupAdd(b, "group", "mine")
	k.groupSend(b, "group", "again")
	r.want("again")
	if k.h.Features.Kept {
		k.nothing(b, "mail")
	}
}

func (k *kit) closed() {
	b := k.open(broker.Config{})
	var readers []*reader
	for i := range 8 {
		readers = append(readers, k.listen(b, "mail"+strconv.Itoa(i)))
	}
	if err := b.Close(); err != nil {
		k.Fatal(err)
	}
	for _, r := range readers {
		select {
		case err := <-r.ended:
			if !errors.Is(err, broker.ErrClosed) {
				k.Errorf("who waits got %v", err)
			}
		case <-time.After(patience):
			k.Fatal("who waits is not told")
		}
	}
	ctx := k.Context()
	_, received := b.Receive(ctx, "mail")
	for op, err := range map[string]error{
		"send": b.Send(ctx, "mail", nil), "receive": received, "group send": b.GroupSend(ctx, "group", nil),
		"group add": b.GroupAdd(ctx, "group", "mail"), "group discard": b.GroupDiscard(ctx, "group", "mail"), "flush": b.Flush(ctx),
	} {
		if !errors.Is(err, broker.ErrClosed) {
			k.Errorf("%s after Close: %v", op, err)
		}
	}
	if err := b.Close(); err != nil {
		k.Errorf("close twice: %v", err)
	}
}

// concurrency has many send and read at once: nothing is lost or comes twice,
// and what one has sent is in order.
func (k *kit) concurrency() {
	const senders, each = 4, 100
	b := k.open(broker.Config{Capacity: senders * each})
	r := k.listen(b, "mail")
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				if err := b.Send(k.Context(), "mail", fmt.Appendf(nil, "%d %d", s, i)); err != nil {
					k.Error(err)
				}
			}
		})
	}
	next := make([]int, senders)
	for range senders * each {
		var s, i int
		if _, err := fmt.Sscanf(string(r.next().Body), "%d %d", &s, &i); err != nil {
			k.Fatal(err)
		}
		if next[s] != i {
			k.Fatalf("sender %d: message %d comes in the place of %d", s, i, next[s])
		}
		next[s]++
	}
	wg.Wait()
}
