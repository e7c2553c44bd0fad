package main

import (
	"cmp"
	"time"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/backend/postgres"
	"github.com/pando-sync/pando/backend/redis"
	"github.com/pando-sync/pando/backend/sqlite"
	"github.com/pando-sync/pando/manage"
)

// settings are what CHANNEL_LAYERS['default'] and DATABASES['default'] are in
// Django. What differs from one machine to another is a variable:
//
//	PANDO_BROKER                     BACKEND
//	  unset                            asgiref.inmemory.ChannelLayer: this process alone
//	  redis://localhost:6379           asgi_redis.RedisChannelLayer, and its hosts: several have commas between them
//	PANDO_CAPACITY, PANDO_EXPIRY     CONFIG: 200 and 10s unless set
//	PANDO_DB                         DATABASES: a file, or postgres://…; mux.db unless set
//
// ROUTING is in routing.go.
func settings(s manage.Settings) backend.Settings {
	b := s.Backend()
	b.Capacity = cmp.Or(b.Capacity, 200)
	b.Expiry = cmp.Or(b.Expiry, 10*time.Second)
	return b
}

// kinds are the databases and channel layers that are linked.
func kinds() []backend.Kind {
	return []backend.Kind{sqlite.Kind(), postgres.Kind(), redis.Kind()}
}
