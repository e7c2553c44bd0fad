package pando_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/membroker"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/pandotest"
)

// serveNodes runs nodes of one app that share a broker, each over the same database.
func serveNodes(t *testing.T, layers ...broker.Broker) []*booth {
	t.Helper()
	db := pandotest.Database(t)
	exec(t, db, docs)
	nodes := make([]*booth, len(layers))
	for i := range nodes {
		b := &booth{t: t, db: db}
		source := sqlitefeed.New(db)
		t.Cleanup(func() { source.Close() })
		app, err := pando.New(pando.Config{
			Source: source, Auth: names{}, Broker: layers[i], Logger: slog.New(slog.NewTextHandler(&b.log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		app.Mux(mux.RouteClass(b.lobby(), hallPath))
		b.app = app
		b.server = pandotest.Serve(t, app)
		nodes[i] = b
	}
	return nodes
}

func memory(t *testing.T) broker.Broker {
	t.Helper()
	return memoryOf(t, broker.Config{})
}

func memoryOf(t *testing.T, cfg broker.Config) broker.Broker {
	t.Helper()
	layer, err := membroker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { layer.Close() })
	return layer
}

// onRedis returns a broker for each of several nodes.
func onRedis(t *testing.T, server *servers.RedisServer, nodes int) []broker.Broker {
	t.Helper()
	prefix := strings.ReplaceAll(t.Name(), "/", ".")
	layers := make([]broker.Broker, nodes)
	for i := range layers {
		layer, err := redisbroker.New(redisbroker.Config{
			Hosts: []string{server.URL()}, Prefix: prefix[max(0, len(prefix)-60):], Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { layer.Close() })
		layers[i] = layer
	}
	return layers
}

// TestFiveHundredSocketsLoseNothing broadcasts 100 messages to 500 sockets of one
// group, which makes 50,000 deliveries.
func TestFiveHundredSocketsLoseNothing(t *testing.T) {
	for name, layers := range map[string]func(t *testing.T) []broker.Broker{
		"in the process": func(*testing.T) []broker.Broker { return []broker.Broker{nil} },
		"in memory":      func(t *testing.T) []broker.Broker { layer := memory(t); return []broker.Broker{layer, layer} },
		"on Redis": func(t *testing.T) []broker.Broker {
			servers.Need(t, "redis")
			return onRedis(t, servers.SharedRedis(t), 2)
		},
	} {
		t.Run(name, func(t *testing.T) { crowd(t, serveNodes(t, layers(t)...)) })
	}
}

func crowd(t *testing.T, nodes []*booth) {
	t.Helper()
	const sockets, sends = 500, 100
	all := make([]*wiretest.Socket, sockets)
	for i := range all {
		all[i] = nodes[i%len(nodes)].plain("/hall/crowd/", "")
	}
	var readers sync.WaitGroup
	for _, s := range all {
		readers.Go(func() {
			for n := range sends {
				want := fmt.Sprintf(`{"stream":"echo","payload":{"n":%d}}`, n+1)
				if got := s.Read(); got != want {
					t.Errorf("got %s, want %s", got, want)
					return
				}
			}
		})
	}
	for n := range sends {
		if err := nodes[0].app.Broadcast(t.Context(), "room.crowd", "echo", spoken{N: n + 1}); err != nil {
			t.Fatal(err)
		}
	}
	readers.Wait()
}

// TestALostConnectionOfTheLayerIsReportedToStreamsAsAGap has Redis be away for a
// moment, in which nobody knows what was broadcast.
func TestALostConnectionOfTheLayerIsReportedToStreamsAsAGap(t *testing.T) {
	servers.Need(t, "redis")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := servers.Redis(ctx, servers.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	b := serveNodes(t, onRedis(t, server, 1)...)[0]
	plain, protocol := b.plain("/hall/a/", "ada"), b.session("/hall/a/", "ada")
	open(protocol, "s1", "", "echo")
	if err := server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	const plainGap, gap = `"payload":{"type":"error","code":"gap","status":503`, `{"stream":"s1","payload":{"type":"gap"}}`
	plain.Want(plainGap)
	protocol.Want(gap)
	if err := b.app.Broadcast(ctx, "room.a", "echo", spoken{Say: "again"}); err != nil {
		t.Fatal(err)
	}
	// There may be more gaps, as there are several streams, and attempts to connect.
	after(t, plain, plainGap, `{"stream":"echo","payload":{"say":"again"}}`)
	after(t, protocol, gap, `{"stream":"s1","payload":{"type":"message","data":{"say":"again"}}}`)
}

// after reads a message behind others that have a part.
func after(t *testing.T, s *wiretest.Socket, part, want string) {
	t.Helper()
	for {
		switch got := s.Read(); {
		case got == want:
			return
		case !strings.Contains(got, part):
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}
