package redisbroker_test

import (
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

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

// TestConformanceOfRedis has it pass the suite, and all of it.
func TestConformanceOfRedis(t *testing.T) { conformance(t, servers.SharedRedis(t).URL()) }

// TestSeveralHostsShareGroupsAndChannels has groups and channels be in different
// hosts; by what they are shared is TestSeveralHostsShareNamesByConsistentHashing.
func TestSeveralHostsShareGroupsAndChannels(t *testing.T) {
	conformance(t, servers.SharedRedis(t).URL(), start(t, servers.RedisOptions{}).URL())
}

// eventually waits until something is the case.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come that %s", what)
		}
	}
}

func TestBadConfig(t *testing.T) {
	const good = "redis://localhost:6379"
	for name, cfg := range map[string]redisbroker.Config{
		"no host":                  {},
		"a host that is no URL":    {Hosts: []string{"localhost:6379"}},
		"an empty host":            {Hosts: []string{""}},
		"a bad database":           {Hosts: []string{good + "/x"}},
		"a sentinel":               {Hosts: []string{good + "?master_set=one"}},
		"several addresses":        {Hosts: []string{good + "?addr=localhost:6380"}},
		"a host twice":             {Hosts: []string{good, "redis://other:secret@localhost:6379/0"}},
		"a prefix with a colon":    {Hosts: []string{good}, Prefix: "a:b"},
		"a bad capacity":           {Hosts: []string{good}, Config: broker.Config{Capacity: -1}},
		"a password in a bad host": {Hosts: []string{"redis://user:secret@local host"}},
	} {
		_, err := redisbroker.New(cfg)
		if err == nil {
			t.Errorf("%s is accepted", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
}
