// Package mongo_test holds mongocache against the conformance suite, and against
// nodes that share it, over FerretDB, or over the MongoDB that
// PANDO_TEST_MONGODB_URL names.
package mongo_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/pando-sync/pando/cache/mongocache"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/test/ferret"
)

func TestMain(m *testing.M) {
	code := servers.Main(m).Run()
	if err := ferret.CloseShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

const patience = 30 * time.Second

// realURI is a MongoDB, if there is one.
var realURI = os.Getenv("PANDO_TEST_MONGODB_URL")

// fresh returns a configuration of a Store over an empty database, which is
// dropped after the test.
func fresh(t testing.TB) mongocache.Config {
	t.Helper()
	cfg := mongocache.Config{URI: realURI, Database: "pando_test_" + strings.ToLower(rand.Text()[:8]), Timeout: 4 * patience}
	var server *ferret.Server
	if realURI == "" {
		servers.Need(t, "postgres")
		var err error
		if server, err = ferret.Shared(t.Context()); err != nil {
			t.Fatal(err)
		}
		cfg.URI = server.URI()
	}
	t.Cleanup(func() { dropDatabase(t, cfg) })
	s := open(t, cfg)
	defer s.Close()
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if server != nil {
		if err := server.Tune(t.Context(), cfg.Database, "of"); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

func open(t testing.TB, cfg mongocache.Config) *mongocache.Store {
	t.Helper()
	s, err := mongocache.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// database is a way to a Store's collections beside it.
func database(t testing.TB, cfg mongocache.Config) *mongo.Database {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(cfg.URI))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return client.Database(cfg.Database)
}

func dropDatabase(t testing.TB, cfg mongocache.Config) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(cfg.URI))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(client.Database(cfg.Database).Drop(ctx), client.Disconnect(ctx)); err != nil {
		t.Error(err)
	}
}
