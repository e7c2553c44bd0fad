// Package memory has a cache in the process itself for package backend: to see in
// development what a cache does. It ends with the process, and no other node has
// it.
package memory

import (
	"context"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/memcache"
)

// Kind opens the URL memory:.
func Kind() backend.Kind {
	return backend.Kind{
		Schemes: []string{"memory"},
		Cache: func(context.Context, backend.Settings) (cache.Store, error) {
			return memcache.New(memcache.Config{}), nil
		},
	}
}
