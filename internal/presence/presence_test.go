package presence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/membroker"
	"github.com/pando-sync/pando/internal/group"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// window is a stream.
type window struct{ closed atomic.Bool }

func (*window) Deliver(string, *group.Message) {}
func (*window) Gap()                           {}
func (w *window) Closed() bool                 { return w.closed.Load() }

// node is one process with its rosters.
type node struct {
	t       *testing.T
	groups  *group.Groups
	rosters *Rosters
	changes atomic.Int32
	stop    func()
}

func start(t *testing.T, b broker.Broker) *node {
	t.Helper()
	n := &node{t: t, groups: group.New(group.Config{Broker: b, Logger: slog.New(slog.DiscardHandler)})}
	n.rosters = New(Config{Groups: n.groups, Logger: slog.New(slog.DiscardHandler), Changed: func(string) { n.changes.Add(1) }})
	if err := n.groups.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { n.groups.Run(ctx) })
	wg.Go(func() { n.rosters.Run(ctx) })
	n.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	t.Cleanup(n.stop)
	return n
}

func layer(t *testing.T) broker.Broker {
	t.Helper()
	b, err := membroker.New(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// enter opens a window of a user.
func (n *node) enter(user, info string) *window {
	n.t.Helper()
	w := &window{}
	if err := n.groups.Add(n.t.Context(), "room", w); err != nil {
		n.t.Fatal(err)
	}
	text, err := json.Marshal(info)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.rosters.Enter("room", w, user, text); err != nil {
		n.t.Fatal(err)
	}
	return w
}

// follow opens a window that looks on.
func (n *node) follow() *window {
	n.t.Helper()
	w := &window{}
	if err := n.groups.Add(n.t.Context(), "room", w); err != nil {
		n.t.Fatal(err)
	}
	if err := n.rosters.Follow("room", w); err != nil {
		n.t.Fatal(err)
	}
	return w
}

func (n *node) leave(w *window) {
	n.t.Helper()
	w.closed.Store(true)
	n.rosters.LeaveAll(w)
	if err := n.groups.Leave(n.t.Context(), w); err != nil {
		n.t.Fatal(err)
	}
}

// want waits until nothing moves, and compares who is there.
func (n *node) want(what, people string) {
	n.t.Helper()
	synctest.Wait()
	if got := show(n.rosters.Of("room").People); got != people {
		n.t.Errorf("%s: there are %q, want %q", what, got, people)
	}
}

func show(people []*Person) string {
	var all []string
	for _, p := range people {
		all = append(all, fmt.Sprintf("%s %s %d", p.User, p.Info, p.Connections))
	}
	return strings.Join(all, ", ")
}

func TestWindowsOfOneUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.follow()
		one := n.enter("ada", "Ada")
		n.want("the first window", `ada "Ada" 1`)
		if err := n.rosters.Enter("room", one, "ada", json.RawMessage(`"Ada!"`)); err != nil {
			t.Fatal(err)
		}
		n.want("another info of the same window", `ada "Ada!" 1`)
		two := n.enter("ada", "Ada L.")
		n.enter("grace", "Grace")
		n.want("the second window", `ada "Ada L." 2, grace "Grace" 1`)
		n.leave(one)
		n.want("one window less", `ada "Ada L." 1, grace "Grace" 1`)
		n.leave(two)
		n.leave(two)
		if err := n.rosters.Enter("room", two, "ada", nil); !errors.Is(err, group.ErrClosed) {
			t.Errorf("a closed window enters: %v", err)
		}
		n.want("in the grace", `ada "Ada L." 0, grace "Grace" 1`)
		<-time.After(Grace - time.Second)
		three := n.enter("ada", "Ada")
		<-time.After(2 * Grace)
		n.want("after a reload", `ada "Ada" 1, grace "Grace" 1`)
		n.leave(three)
		<-time.After(Grace - time.Millisecond)
		n.want("at the end of the grace", `ada "Ada" 0, grace "Grace" 1`)
		<-time.After(2 * time.Millisecond)
		n.want("after the grace", `grace "Grace" 1`)
	})
}

// TestNothingIsKept has groups without people be forgotten.
func TestNothingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := layer(t)
		one, two := start(t, b), start(t, b)
		ada, grace := one.enter("ada", ""), two.enter("grace", "")
		synctest.Wait()
		one.leave(ada)
		two.leave(grace)
		<-time.After(lease + renewal)
		synctest.Wait()
		for _, n := range []*node{one, two} {
			if r := n.rosters; len(r.rooms) != 0 || len(r.of) != 0 || len(r.telling) != 0 || len(r.leaving) != 0 {
				t.Errorf("%d groups, %d streams, %d to tell, %d leaving are kept", len(r.rooms), len(r.of), len(r.telling), len(r.leaving))
			}
		}
	})
}

func TestSince(t *testing.T) {
	of := func(users ...string) *Roster {
		r := &Roster{}
		for _, u := range users {
			r.People = append(r.People, &Person{User: u})
		}
		return r
	}
	users := func(people []*Person) []string {
		var all []string
		for _, p := range people {
			all = append(all, p.User)
		}
		return all
	}
	for _, c := range []struct{ was, now, joined, left []string }{
		{nil, nil, nil, nil},
		{nil, []string{"a"}, []string{"a"}, nil},
		{[]string{"a"}, nil, nil, []string{"a"}},
		{[]string{"a", "b", "d"}, []string{"b", "c"}, []string{"c"}, []string{"a", "d"}},
		{[]string{"b"}, []string{"a", "b", "c"}, []string{"a", "c"}, nil},
	} {
		joined, left := of(c.now...).Since(of(c.was...))
		if !slices.Equal(users(joined), c.joined) || !slices.Equal(users(left), c.left) {
			t.Errorf("from %q to %q: joined %q, left %q", c.was, c.now, users(joined), users(left))
		}
	}
}

func TestTwoNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := layer(t)
		one := start(t, b)
		one.enter("ada", "Ada")
		two := start(t, b)
		grace := two.enter("grace", "Grace")
		both := `ada "Ada" 1, grace "Grace" 1`
		one.want("who comes later is told", both)
		two.want("who comes later asks", both)
		again := two.enter("ada", "Ada at two")
		synctest.Wait()
		if got := show(two.rosters.Of("room").People); !strings.Contains(got, " 2, grace") {
			t.Errorf("a user of two nodes: %q", got)
		}
		one.want("a user of two nodes", show(two.rosters.Of("room").People))
		two.leave(again)
		two.leave(grace)
		<-time.After(Grace + time.Second)
		one.want("after leaving", `ada "Ada" 1`)
		two.enter("linus", "Linus")
		one.want("after coming", `ada "Ada" 1, linus "Linus" 1`)
		before := one.changes.Load()
		<-time.After(10 * lease)
		one.want("much later", `ada "Ada" 1, linus "Linus" 1`)
		if n := one.changes.Load() - before; n != 0 {
			t.Errorf("renewals brought %d changes", n)
		}
	})
}

// TestNodeDies has a node vanish without a word, and one that says goodbye.
func TestNodeDies(t *testing.T) {
	for _, polite := range []bool{false, true} {
		t.Run(fmt.Sprintf("polite %t", polite), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := layer(t)
				one, two := start(t, b), start(t, b)
				one.follow()
				two.enter("grace", "Grace")
				<-time.After(lease + renewal/4)
				one.want("while the node lives", `grace "Grace" 1`)
				two.stop()
				gone := lease + renewal
				if polite {
					gone = Grace
					two.rosters.Close(t.Context())
				}
				one.want("just after", `grace "Grace" 1`)
				<-time.After(gone + time.Millisecond)
				one.want("after its time", "")
			})
		})
	}
}

// TestGap has two nodes find together again after the broker has forgotten all.
func TestGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := layer(t)
		one, two := start(t, b), start(t, b)
		one.enter("ada", "")
		two.enter("grace", "")
		synctest.Wait()
		if err := b.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		one.enter("linus", "") // two may not hear of it
		two.want("after the gap", `ada "" 1, grace "" 1, linus "" 1`)
	})
}

func TestManyPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := layer(t)
		one := start(t, b)
		for i := range 3*atOnce + 1 {
			one.enter(fmt.Sprintf("u%04d", i), strings.Repeat("x", MaxInfo-2))
		}
		two := start(t, b)
		two.follow()
		synctest.Wait()
		if n := len(two.rosters.Of("room").People); n != 3*atOnce+1 {
			t.Errorf("the other node knows %d people, want %d", n, 3*atOnce+1)
		}
		large, _ := json.Marshal(strings.Repeat("x", MaxInfo))
		if err := one.rosters.Enter("room", &window{}, "u", large); err == nil {
			t.Error("a person of more than MaxInfo may enter")
		}
	})
}

// TestCrowd has many come and go at once on two nodes: in the end both agree.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := layer(t)
		nodes := []*node{start(t, b), start(t, b)}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				n := nodes[i%2]
				for j := range 25 {
					w := n.enter(fmt.Sprintf("u%d", (i+j)%5), "")
					n.rosters.Of("room")
					if j < 24 {
						n.leave(w)
					}
				}
			})
		}
		wg.Wait()
		<-time.After(Grace + renewal)
		synctest.Wait()
		for _, n := range nodes {
			total := 0
			for _, p := range n.rosters.Of("room").People {
				total += p.Connections
			}
			if total != 8 {
				t.Errorf("a node knows %d streams, want 8: %s", total, show(n.rosters.Of("room").People))
			}
		}
		nodes[0].want("both agree", show(nodes[1].rosters.Of("room").People))
	})
}
