package membroker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/brokertest"
	"github.com/pando-sync/pando/broker/membroker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, cfg broker.Config) broker.Broker {
	t.Helper()
	b, err := membroker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) {
	brokertest.Run(t, brokertest.Harness{
		New:      open,
		Features: brokertest.Features{Capacity: true, Expiry: true, GroupExpiry: true, Kept: true, Bubble: true},
	})
}

// TestForgets sends to channels that nobody ever reads: what they hold is
// forgotten in time.
func TestForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := membroker.New(broker.Config{Expiry: time.Minute, GroupExpiry: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			name := fmt.Sprintf("nobody.%d", i)
			if err := errors.Join(b.Send(t.Context(), name, []byte("hello")), b.GroupAdd(t.Context(), name, name)); err != nil {
				t.Fatal(err)
			}
		}
		if channels, groups := b.Sizes(); channels != 100 || groups != 100 {
			t.Errorf("%d channels and %d groups", channels, groups)
		}
		<-time.After(2 * time.Minute)
		if err := b.Send(t.Context(), "mail", nil); err != nil {
			t.Fatal(err)
		}
		if channels, groups := b.Sizes(); channels != 1 || groups != 0 {
			t.Errorf("later %d channels and %d groups are left, want that of the last message", channels, groups)
		}
	})
}

func TestBadConfig(t *testing.T) {
	for name, cfg := range map[string]broker.Config{
		"a negative capacity": {Capacity: -1},
		"a bad pattern":       {Capacities: []broker.Capacity{{Pattern: "[a", Messages: 1}}},
		"no pattern":          {Capacities: []broker.Capacity{{Messages: 1}}},
		"no messages":         {Capacities: []broker.Capacity{{Pattern: "a"}}},
	} {
		if _, err := membroker.New(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// Parts of a program talk by named channels; whoever reads first gets a message.
func ExampleBroker() {
	b, err := membroker.New(broker.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	ctx := context.Background()
	mine, err := b.NewChannel(ctx, "worker")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := errors.Join(b.GroupAdd(ctx, "news", mine), b.GroupSend(ctx, "news", []byte("hello"))); err != nil {
		fmt.Println(err)
		return
	}
	m, err := b.Receive(ctx, mine)
	fmt.Println(m.Group, string(m.Body), err)
	// Output: news hello <nil>
}
