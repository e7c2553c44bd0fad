package mongo_test

import (
	"sync"
	"testing"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/cachetest"
	"github.com/pando-sync/pando/cache/mongocache"
)

func TestConformance(t *testing.T) {
	var configs sync.Map // of each Store
	cachetest.Run(t, cachetest.Harness{
		New: func(t testing.TB) cache.Store {
			cfg := fresh(t)
			s := open(t, cfg)
			configs.Store(s, cfg)
			return s
		},
		Join: func(t testing.TB, s cache.Store) cache.Store {
			cfg, _ := configs.Load(s)
			return open(t, cfg.(mongocache.Config))
		},
		TooLarge: mongocache.MaxData + 1,
	})
}
