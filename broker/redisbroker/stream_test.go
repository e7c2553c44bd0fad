package redisbroker_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/brokertest"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// console is a plain connection to a server, for what operators do.
func console(t testing.TB, url string) rueidis.Client {
	t.Helper()
	opts := rueidis.MustParseURL(url)
	opts.DisableCache, opts.ForceSingleClient = true, true
	c, err := rueidis.NewClient(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func openStream(t testing.TB, b *redisbroker.Broker, name string, cfg broker.StreamConfig) broker.Stream {
	t.Helper()
	s, err := b.Stream(name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keysOf are the keys with a prefix.
func keysOf(t testing.TB, c rueidis.Client, prefix string) []string {
	t.Helper()
	keys, err := c.Do(context.Background(), c.B().Keys().Pattern(prefix+":*").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// wipe removes all keys with a prefix.
func wipe(t testing.TB, c rueidis.Client, prefix string) {
	t.Helper()
	if err := c.Do(context.Background(), c.B().Del().Key(keysOf(t, c, prefix)...).Build()).Error(); err != nil {
		t.Fatal(err)
	}
}

// save returns a function that brings back what the keys with a prefix are now,
// without a connection being lost.
func save(t testing.TB, c rueidis.Client, prefix string) (restore func()) {
	t.Helper()
	ctx := context.Background()
	dumps := map[string]string{}
	for _, key := range keysOf(t, c, prefix) {
		dump, err := c.Do(ctx, c.B().Dump().Key(key).Build()).ToString()
		if err != nil {
			t.Fatal(err)
		}
		dumps[key] = dump
	}
	return func() {
		for key, dump := range dumps {
			if err := c.Do(ctx, c.B().Restore().Key(key).Ttl(0).SerializedValue(dump).Replace().Build()).Error(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestStreamConformance(t *testing.T) {
	shared := servers.SharedRedis(t)
	brokertest.RunStream(t, false, func(t testing.TB) brokertest.StreamHarness {
		prefix := rand.Text()
		c := console(t, shared.URL())
		h := brokertest.StreamHarness{
			Open: func(cfg broker.StreamConfig) broker.Stream {
				return openStream(t, open(t, redisbroker.Config{Hosts: []string{shared.URL()}, Prefix: prefix}), "log", cfg)
			},
			Wipe: func() { wipe(t, c, prefix) },
			Save: func() func() { return save(t, c, prefix) },
			Age:  500 * time.Millisecond,
		}
		return h
	})
}
