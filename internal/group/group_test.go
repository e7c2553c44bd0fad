package group

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/membroker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listener is a member that keeps what it is told.
type listener struct {
	mu     sync.Mutex
	got    []string
	gaps   int
	closed atomic.Bool
}

func (l *listener) Deliver(group string, m *Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, group+":"+m.Type+string(m.Body))
}

func (l *listener) Gap() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gaps++
}

func (l *listener) Closed() bool { return l.closed.Load() }

func (l *listener) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got)
}

func newBroker(t *testing.T, cfg broker.Config) broker.Broker {
	t.Helper()
	b, err := membroker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// node returns groups that run until the test ends.
func node(t *testing.T, b broker.Broker) *Groups {
	t.Helper()
	g := New(Config{Broker: b, Logger: slog.New(slog.DiscardHandler)})
	if err := g.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { g.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return g
}

func send(t *testing.T, g *Groups, group, typ string) {
	t.Helper()
	if err := g.Send(t.Context(), group, &Message{Type: typ}); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, g *Groups, group string, m Member) {
	t.Helper()
	if err := g.Add(t.Context(), group, m); err != nil {
		t.Fatal(err)
	}
}

// TestMembers runs once without a broker and once with two nodes of one.
func TestMembers(t *testing.T) {
	for _, nodes := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b broker.Broker
				if nodes > 1 {
					b = newBroker(t, broker.Config{})
				}
				g := node(t, b)
				other := g
				if nodes > 1 {
					other = node(t, b)
				}
				testMembers(t, g, other)
				if b == nil {
					return
				}
				if _, groups := b.(*membroker.Broker).Sizes(); groups != 0 {
					t.Errorf("the nodes are still in %d groups of the broker", groups)
				}
			})
		})
	}
}

func testMembers(t *testing.T, g, other *Groups) {
	t.Helper()
	ada, grace := &listener{}, &listener{}
	add(t, g, "news", ada)
	add(t, g, "news", ada)
	add(t, other, "news", grace)
	add(t, other, "sport", grace)
	for i := range 3 {
		send(t, g, "news", strconv.Itoa(i))
	}
	send(t, g, "sport", "goal")
	synctest.Wait()
	if got, want := ada.heard(), []string{"news:0", "news:1", "news:2"}; !slices.Equal(got, want) {
		t.Errorf("ada was told %q, want %q: once each, in order", got, want)
	}
	if got, want := grace.heard(), []string{"news:0", "news:1", "news:2", "sport:goal"}; !slices.Equal(got, want) {
		t.Errorf("grace was told %q, want %q", got, want)
	}
	if err := g.Discard(t.Context(), "news", ada); err != nil {
		t.Error(err)
	}
	grace.closed.Store(true)
	if err := other.Leave(t.Context(), grace); err != nil {
		t.Error(err)
	}
	send(t, g, "news", "late")
	synctest.Wait()
	if a, b := len(ada.heard()), len(grace.heard()); a != 3 || b != 4 {
		t.Errorf("who has left was told: %q, %q", ada.heard(), grace.heard())
	}
	if err := other.Add(t.Context(), "news", grace); !errors.Is(err, ErrClosed) {
		t.Errorf("who is closed joins: %v", err)
	}
	if len(g.sets) != 0 || len(other.sets) != 0 || len(g.of) != 0 || len(other.of) != 0 {
		t.Errorf("of groups without members %d and %d are left", len(g.sets), len(other.sets))
	}
}

func TestNames(t *testing.T) {
	g := node(t, nil)
	if err := g.Add(t.Context(), "two words", &listener{}); !errors.Is(err, broker.ErrBadName) {
		t.Errorf("a bad name: %v", err)
	}
	if err := g.Send(t.Context(), "a!b", &Message{}); !errors.Is(err, broker.ErrBadName) {
		t.Errorf("a bad name: %v", err)
	}
	large, _ := json.Marshal(string(make([]byte, broker.MaxMessage)))
	if err := g.Send(t.Context(), "news", &Message{Body: large}); !errors.Is(err, broker.ErrMessageTooLarge) {
		t.Errorf("a large message: %v", err)
	}
}

// TestNodeJoinsAndLeaves has the node in the broker's group exactly while it has
// members, whoever comes and goes at the same time.
func TestNodeJoinsAndLeaves(t *testing.T) {
	b := newBroker(t, broker.Config{})
	g := node(t, b)
	other := node(t, b)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				m := &listener{}
				if err := g.Add(t.Context(), "news", m); err != nil {
					t.Error(err)
				}
				if err := other.Send(t.Context(), "news", &Message{Type: "x"}); err != nil {
					t.Error(err)
				}
				if !g.isIn(t, "news") {
					t.Error("the node is not in the group of its member")
				}
				m.closed.Store(true)
				if err := g.Leave(t.Context(), m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(g.sets); n != 0 {
		t.Errorf("%d groups are left", n)
	}
	last := &listener{}
	add(t, g, "news", last)
	if !g.isIn(t, "news") {
		t.Error("the node is not in the group of its member")
	}
}

// isIn tells whether the node is in the broker's group.
func (g *Groups) isIn(t *testing.T, name string) bool {
	s := g.pin(name)
	defer g.unpin(s)
	if err := s.lock(t.Context()); err != nil {
		t.Error(err)
	}
	defer s.unlock()
	return s.joined
}

// TestGaps loses messages of the broker in three ways, each of which members and
// the node's own parts are told of.
func TestGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t, broker.Config{Capacity: 2})
		flaky := &flakyBroker{Broker: b}
		g := New(Config{Broker: flaky, Logger: slog.New(slog.DiscardHandler)})
		told := 0
		g.OnGap(func() { told++ })
		if err := g.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		ada := &listener{}
		add(t, g, "news", ada)
		for range 4 { // nobody reads: two are dropped
			send(t, g, "news", "full")
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go g.Run(ctx)
		synctest.Wait()
		if ada.gaps != 1 || told != 1 || len(ada.got) != 2 {
			t.Errorf("after a full channel: %d gaps, %d messages", ada.gaps, len(ada.got))
		}
		if err := b.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		send(t, g, "news", "after the flush")
		synctest.Wait()
		if ada.gaps != 2 || len(ada.got) != 3 {
			t.Errorf("after a flush: %d gaps, %d messages", ada.gaps, len(ada.got))
		}
		flaky.fail.Store(3)
		send(t, g, "news", "before the failure")
		synctest.Wait()
		// Receive fails next; the clock moves while the node waits to try again.
		<-flaky.recovered(t)
		synctest.Wait()
		if ada.gaps < 3 || told != ada.gaps || len(ada.got) != 4 {
			t.Errorf("after failures: %d gaps, %d messages", ada.gaps, len(ada.got))
		}
	})
}

// flakyBroker is one whose connection fails a few times.
type flakyBroker struct {
	broker.Broker

	fail atomic.Int32
	back chan struct{}
	mu   sync.Mutex
}

func (b *flakyBroker) Receive(ctx context.Context, channels ...string) (broker.Message, error) {
	if n := b.fail.Load(); n > 0 {
		b.fail.Add(-1)
		if n == 1 {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.back == nil {
				b.back = make(chan struct{})
			}
			close(b.back)
		}
		return broker.Message{}, errors.New("the connection is gone")
	}
	return b.Broker.Receive(ctx, channels...)
}

func (b *flakyBroker) recovered(t *testing.T) <-chan struct{} {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.back == nil {
		b.back = make(chan struct{})
	}
	return b.back
}

func TestDecodeOnce(t *testing.T) {
	m := &Message{Body: json.RawMessage(`{}`)}
	calls := 0
	decode := func(json.RawMessage) (any, error) {
		calls++
		return calls, nil
	}
	for range 2 {
		if v, err := m.Decode(reflect.TypeFor[int](), decode); v != 1 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
	}
	if v, _ := m.Decode(reflect.TypeFor[string](), decode); v != 2 {
		t.Errorf("another type got %v", v)
	}
}
