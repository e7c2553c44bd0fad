// Package redis connects to Redis for package backend.
package redis

import (
	"context"
	"strings"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/broker/redisbroker"
)

// Kind opens URLs like redis://:password@redis.internal:6379/0, rediss:// for TLS;
// several hosts, which share the names, with commas.
func Kind() backend.Kind {
	return backend.Kind{Schemes: []string{"redis", "rediss", "unix"}, Broker: open}
}

func open(_ context.Context, s backend.Settings) (backend.Broker, error) {
	b, err := redisbroker.New(redisbroker.Config{
		Config: s.Layer(), Hosts: strings.Split(s.Broker, ","), Prefix: s.Namespace, Logger: s.Log,
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}
