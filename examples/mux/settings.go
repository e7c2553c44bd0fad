package main

import (
	"context"
	"strings"
	"time"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/backend/postgres"
	"github.com/pando-sync/pando/backend/sqlite"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/redisbroker"
)

// channelLayer is what is under CHANNEL_LAYERS['default']['CONFIG'] in Django.
// The other settings are one variable, as they differ from one machine to
// another:
//
//	PANDO_BROKER=                        asgiref.inmemory.ChannelLayer: this process alone
//	PANDO_BROKER=redis://localhost:6379  asgi_redis.RedisChannelLayer, with its hosts: several have commas between them
//
// ROUTING is in routing.go.
var channelLayer = broker.Config{
	Capacity: 200,
	Expiry:   10 * time.Second,
}

// kinds are the databases and channel layers that this program can run on.
// PANDO_DB names the database: a file, or postgres://….
func kinds() []backend.Kind {
	redis := backend.Kind{Schemes: []string{"redis", "rediss"}, Broker: openRedis}
	return []backend.Kind{sqlite.Kind(), postgres.Kind(), redis}
}

// openRedis opens the channel layer on Redis. Programs that keep to Pando's own
// capacity and expiry take redis.Kind() instead, from package backend/redis.
func openRedis(_ context.Context, s backend.Settings) (backend.Broker, error) {
	layer, err := redisbroker.New(redisbroker.Config{
		Config: channelLayer, Hosts: strings.Split(s.Broker, ","), Prefix: s.Namespace, Logger: s.Log,
	})
	if err != nil {
		return nil, err
	}
	return layer, nil
}
