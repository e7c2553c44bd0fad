package redisbroker_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"

	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/internal/group"
	"github.com/pando-sync/pando/internal/servers"
)

// member is somebody in groups of a node.
type member struct{ got chan string }

func (m *member) Deliver(_ string, msg *group.Message) { m.got <- string(msg.Body) }
func (m *member) Gap()                                 { m.got <- "gap" }
func (m *member) Closed() bool                         { return false }

// node is an app's groups over a broker of their own, until the test ends.
func node(t testing.TB, cfg redisbroker.Config) *group.Groups {
	t.Helper()
	g := group.New(group.Config{Broker: open(t, cfg), Logger: slog.New(slog.DiscardHandler)})
	if err := g.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { g.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return g
}

// TestGroupsOfApps has members in the groups of two apps while the server crashes:
// they are told of a gap, and then hear what is sent.
func TestGroupsOfApps(t *testing.T) {
	server := start(t, servers.RedisOptions{})
	cfg := redisbroker.Config{Hosts: []string{server.URL()}}
	one, two := node(t, cfg), node(t, cfg)
	here, there := &member{make(chan string, 1000)}, &member{make(chan string, 1000)}
	send(t, one.Add(t.Context(), "news", here))
	send(t, two.Add(t.Context(), "news", there))
	tell := func(body string) bool {
		return one.Send(t.Context(), "news", &group.Message{Body: json.RawMessage(body)}) == nil
	}
	if !tell(`"before"`) {
		t.Fatal("cannot send")
	}
	for _, m := range []*member{here, there} {
		if got := <-m.got; got != `"before"` {
			t.Errorf("got %s", got)
		}
	}
	server.Kill()
	again(t, server)
	for _, m := range []*member{here, there} {
		if got := <-m.got; got != "gap" {
			t.Errorf("got %s, want word of a gap", got)
		}
	}
	eventually(t, "a message can be sent", func() bool { return tell(`"after"`) })
	for _, m := range []*member{here, there} {
		for got := range m.got {
			if got == `"after"` {
				break
			}
		}
	}
}
