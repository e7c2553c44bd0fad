package redisbroker_test

import (
	"crypto/rand"
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/brokertest"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/internal/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

// open returns a broker that is closed at the test's end.
func open(t testing.TB, cfg redisbroker.Config) *redisbroker.Broker {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	b, err := redisbroker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// conformance runs the suite on servers that all its brokers share.
func conformance(t *testing.T, hosts ...string) {
	var of redisbroker.Config // of the broker that was opened last
	brokertest.Run(t, brokertest.Harness{
		New: func(t testing.TB, cfg broker.Config) broker.Broker {
			of = redisbroker.Config{Config: cfg, Hosts: hosts, Prefix: rand.Text()}
			return open(t, of)
		},
		Join:     func(t testing.TB, _ broker.Broker) broker.Broker { return open(t, of) },
		Features: brokertest.Features{Capacity: true, Expiry: true, GroupExpiry: true, Kept: true},
	})
}

func TestConformance(t *testing.T) { conformance(t, servers.SharedRedis(t).URL()) }
