// Package mongo connects to MongoDB for package backend.
package mongo

import (
	"context"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/mongocache"
)

// Kind opens URLs like mongodb://user:password@mongo.internal:27017/board and
// mongodb+srv://…; without a database in it, the one called pando is taken. An app
// starts also while the server is not there.
func Kind() backend.Kind {
	return backend.Kind{Schemes: []string{"mongodb", "mongodb+srv"}, Cache: open}
}

func open(_ context.Context, s backend.Settings) (cache.Store, error) {
	store, err := mongocache.New(mongocache.Config{URI: s.Cache, Prefix: s.Namespace, Logger: s.Log})
	if err != nil {
		return nil, err
	}
	return store, nil
}
