package natsbroker_test

import (
	"crypto/rand"
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/brokertest"
	"github.com/pando-sync/pando/broker/natsbroker"
	"github.com/pando-sync/pando/internal/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

// config is that of an app of its own on a server.
func config(url string) natsbroker.Config {
	return natsbroker.Config{URL: url, Prefix: rand.Text(), Logger: slog.New(slog.DiscardHandler)}
}

func open(t testing.TB, cfg natsbroker.Config) *natsbroker.Broker {
	t.Helper()
	b, err := natsbroker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestConformanceOfNATS has it pass the suite, but for what it cannot do.
func TestConformanceOfNATS(t *testing.T) {
	url := servers.SharedNATS(t).URL()
	layers := map[broker.Broker]natsbroker.Config{}
	brokertest.Run(t, brokertest.Harness{
		New: func(t testing.TB, limits broker.Config) broker.Broker {
			cfg := config(url)
			cfg.Limits = limits
			b := open(t, cfg)
			layers[b] = cfg
			return b
		},
		Join:     func(t testing.TB, b broker.Broker) broker.Broker { return open(t, layers[b]) },
		Features: brokertest.Features{Expiry: true, GroupExpiry: true},
	})
}

// TestNATSCoreHasNoCapacity sends far more to a channel than it would hold, and than
// anybody reads: Send refuses nothing, which is why the suite is told so.
func TestNATSCoreHasNoCapacity(t *testing.T) {
	cfg := config(servers.SharedNATS(t).URL())
	cfg.Limits.Capacity = 1
	b := open(t, cfg)
	for i := range 10 * broker.DefaultCapacity {
		if err := b.Send(t.Context(), "mail", nil); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
}
