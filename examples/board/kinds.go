//go:build !small

package main

import (
	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/backend/memory"
	"github.com/pando-sync/pando/backend/mongo"
	"github.com/pando-sync/pando/backend/nats"
	"github.com/pando-sync/pando/backend/postgres"
	"github.com/pando-sync/pando/backend/redis"
	"github.com/pando-sync/pando/backend/sqlite"
)

// kinds are the databases, brokers and caches that this program can run on.
func kinds() []backend.Kind {
	return []backend.Kind{sqlite.Kind(), postgres.Kind(), nats.Kind(), redis.Kind(), mongo.Kind(), memory.Kind()}
}
