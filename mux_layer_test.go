package pando_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/pandotest"
)

// shared is a source that another server follows, too.
type shared struct{ *sqlitefeed.Source }

func (shared) Sharers(context.Context) (int, error) { return 1, nil }

// TestTheMemoryLayerDoesNotCrossProcesses, which a check tells of wherever something
// is broadcast, and the start where there may be another process; what bindings tell
// comes by the database. TestStandAlone has the second process, which ends.
func TestTheMemoryLayerDoesNotCrossProcesses(t *testing.T) {
	const warning = "what is broadcast stay in this process: set Config.Broker"
	onlyPins := func(b *booth, cfg *pando.Config) []mux.Entry {
		cfg.Source = shared{cfg.Source.(*sqlitefeed.Source)}
		entries := bindPins(b, cfg)
		d := b.lobby()
		d.Consumers = map[string]mux.Consumer{"pins": pins()}
		return append(entries[:0], mux.RouteClass(d, hallPath))
	}
	t.Run("check warns", func(t *testing.T) {
		b := newBooth(t, routeHall)
		faults, hints, err := b.app.Check(t.Context())
		if err != nil || len(faults) > 0 {
			t.Fatal(faults, err)
		}
		if !strings.Contains(strings.Join(hints, "\n"), "what is broadcast, stay in the process that sends them: set Config.Broker") {
			t.Errorf("got %q", hints)
		}
	})
	t.Run("start-up warns", func(t *testing.T) {
		b := serveBooth(t, onlyPins)
		if b.log.count(warning) != 1 {
			t.Error("the start does not warn")
		}
		s := b.plain("/hall/a/", "")
		exec(t, b.db, `UPDATE pins SET text = 'second' WHERE id = 1`)
		s.Want(`"action":"update","pk":1`)
	})
	t.Run("a layer that is given is not warned of", func(t *testing.T) {
		b := newBooth(t, func(b *booth, cfg *pando.Config) []mux.Entry {
			cfg.Broker, cfg.Source = memory(t), shared{cfg.Source.(*sqlitefeed.Source)}
			return routeHall(b, cfg)
		})
		_, hints, err := b.app.Check(t.Context())
		if err != nil || strings.Contains(strings.Join(hints, "\n"), "Config.Broker") {
			t.Errorf("got %q, %v", hints, err)
		}
		b.server = pandotest.Serve(t, b.app)
		if b.log.count(warning) != 0 {
			t.Error("the start warns")
		}
	})
}

// TestRedisIsTheLayerThatCrossesProcesses broadcasts at each of two nodes.
func TestRedisIsTheLayerThatCrossesProcesses(t *testing.T) {
	for name, layers := range map[string]func(t *testing.T) []broker.Broker{
		"in memory each": func(t *testing.T) []broker.Broker { return []broker.Broker{memory(t), memory(t)} },
		"on Redis":       func(t *testing.T) []broker.Broker { return onRedis(t, servers.SharedRedis(t), 2) },
	} {
		t.Run(name, func(t *testing.T) {
			crosses := name == "on Redis"
			nodes := serveNodes(t, layers(t)...)
			here, there := nodes[0].plain("/hall/a/", ""), nodes[1].plain("/hall/a/", "")
			for n, node := range nodes {
				if err := node.app.Broadcast(t.Context(), "room.a", "echo", spoken{N: n + 1}); err != nil {
					t.Fatal(err)
				}
				if n == 0 || crosses {
					here.Want(fmt.Sprintf(`"n":%d`, n+1))
				}
				if n == 1 || crosses {
					there.Want(fmt.Sprintf(`"n":%d`, n+1))
				}
			}
		})
	}
}
