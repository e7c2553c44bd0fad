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

// TestConformanceInMemory passes the suite, and all of it.
func TestConformanceInMemory(t *testing.T) {
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

// late is a context that ends in the moment in which its end is first waited
// for; at is called just before.
type late struct {
	context.Context

	at    func()
	ended bool
}

func (c *late) Done() <-chan struct{} {
	if !c.ended {
		c.at()
		c.ended = true
	}
	done := make(chan struct{})
	close(done)
	return done
}

func (c *late) Err() error {
	if c.ended {
		return context.Canceled
	}
	return nil
}

// TestMessageForWhoLeaves sends a message to a reader that is about to give up:
// either it gets the message, or the next one does.
func TestMessageForWhoLeaves(t *testing.T) {
	b := open(t, broker.Config{})
	for range 50 { // which of two ready cases is taken is chance
		ctx := &late{Context: t.Context(), at: func() {
			if err := b.Send(t.Context(), "mail", []byte("hello")); err != nil {
				t.Error(err)
			}
		}}
		m, err := b.Receive(ctx, "mail")
		if err != nil {
			t.Fatalf("the message that was handed to the reader is lost: %v", err)
		}
		if string(m.Body) != "hello" {
			t.Errorf("received %q", m.Body)
		}
	}
}

// TestCloseUnderWhoLeaves closes the broker under a reader that is about to give
// up: it learns one or the other.
func TestCloseUnderWhoLeaves(t *testing.T) {
	for range 50 { // which of two ready cases is taken is chance
		b := open(t, broker.Config{})
		ctx := &late{Context: t.Context(), at: func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}}
		if _, err := b.Receive(ctx, "mail"); !errors.Is(err, broker.ErrClosed) && !errors.Is(err, context.Canceled) {
			t.Fatalf("error is %v", err)
		}
	}
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
