package broker_test

import (
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
)

func TestCapacityIs100ExpiryIs60sGroupExpiryIs86400sByDefault(t *testing.T) {
	got, err := broker.Config{}.WithDefaults()
	if err != nil || got.Capacity != 100 || got.Expiry != 60*time.Second || got.GroupExpiry != 86400*time.Second {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTheFirstCapacityThatMatchesCounts(t *testing.T) {
	cfg, err := broker.Config{Capacity: 200, Capacities: []broker.Capacity{
		{Pattern: "http.request", Messages: 1}, {Pattern: "http.*", Messages: 2}, {Pattern: "*", Messages: 3},
	}}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for channel, want := range map[string]int{"http.request": 1, "http.response!a": 2, "websocket.send!b": 3} {
		if got := cfg.CapacityOf(channel); got != want {
			t.Errorf("%s: capacity %d, want %d", channel, got, want)
		}
	}
	for name, bad := range map[string]broker.Capacity{"pattern": {Pattern: "[", Messages: 1}, "capacity": {Pattern: "a"}} {
		if _, err := (broker.Config{Capacities: []broker.Capacity{bad}}).WithDefaults(); err == nil {
			t.Errorf("a bad %s is taken", name)
		}
	}
}
