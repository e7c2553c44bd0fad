package main

import (
	"testing"
	"time"

	"github.com/pando-sync/pando/manage"
)

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		given    manage.Settings
		broker   string
		capacity int
		expiry   time.Duration
	}{
		{manage.Settings{}, "", 200, 10 * time.Second},
		{manage.Settings{Broker: "redis://a", Capacity: 7, Expiry: time.Minute}, "redis://a", 7, time.Minute},
	} {
		if got := settings(c.given); got.Broker != c.broker || got.Capacity != c.capacity || got.Expiry != c.expiry {
			t.Errorf("%+v: got %+v", c.given, got)
		}
	}
}
