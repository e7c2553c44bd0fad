package natsbroker_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/internal/group"
)

// listener is a member of a node's groups.
type listener struct {
	got  chan string
	gaps chan struct{}
}

func newListener() *listener {
	return &listener{make(chan string, 100), make(chan struct{}, 100)}
}

func (l *listener) Deliver(_ string, m *group.Message) { l.got <- m.Type }

func (l *listener) Gap() { l.gaps <- struct{}{} }

func (l *listener) Closed() bool { return false }

// TestNodes has the groups of two nodes lose the server: their members are told,
// and are in their groups when it is back.
func TestNodes(t *testing.T) {
	server := serve(t)
	cfg := config(server.URL())
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	nodes, members := make([]*group.Groups, 2), []*listener{newListener(), newListener()}
	for i := range nodes {
		nodes[i] = group.New(group.Config{Broker: open(t, cfg), Logger: slog.New(slog.DiscardHandler)})
		if err := nodes[i].Open(ctx); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { nodes[i].Run(ctx) })
		if err := nodes[i].Add(ctx, "news", members[i]); err != nil {
			t.Fatal(err)
		}
	}
	say(t, nodes[0], members, "before")
	server.Kill()
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		select {
		case <-m.gaps:
		case <-time.After(patience):
			t.Fatal("a member is not told of the gap")
		}
	}
	say(t, nodes[1], members, "after")
	if err := nodes[0].Discard(ctx, "news", members[0]); err != nil {
		t.Error(err)
	}
	say(t, nodes[0], members[1:], "to who is left")
	if len(members[0].got) > 0 {
		t.Errorf("who has left is told %q", <-members[0].got)
	}
}

// say sends a message, as soon as it can be sent, and wants it to come to all.
func say(t *testing.T, from *group.Groups, to []*listener, what string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		err := from.Send(t.Context(), "news", &group.Message{Type: what})
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
	for _, m := range to {
		select {
		case got := <-m.got:
			if got != what {
				t.Errorf("received %q, want %q", got, what)
			}
		case <-time.After(patience):
			t.Fatalf("%q does not come", what)
		}
	}
}
