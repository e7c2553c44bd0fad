package backend_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/backend/memory"
	"github.com/pando-sync/pando/backend/nats"
	"github.com/pando-sync/pando/backend/postgres"
	"github.com/pando-sync/pando/backend/redis"
	"github.com/pando-sync/pando/backend/sqlite"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/feed/relay"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/servers"
)

var kinds = []backend.Kind{sqlite.Kind(), postgres.Kind(), nats.Kind(), redis.Kind(), memory.Kind()}

func TestOpen(t *testing.T) {
	servers.Need(t, "postgres", "redis", "nats")
	file, postgres := filepath.Join(t.TempDir(), "a b?.db"), servers.Database(t)
	redis, nats := servers.SharedRedis(t).URL(), servers.SharedNATS(t).URL()
	for _, c := range []struct {
		name                    string
		database, broker, cache string
		dialect                 backend.Dialect
		source                  func(any) bool
	}{
		{"a file", file, "", "", backend.SQLite, is[*sqlitefeed.Source]},
		{"a file by its URL", "sqlite:" + file, "", "memory:", backend.SQLite, is[*sqlitefeed.Source]},
		{"a file and Redis", file, redis, "", backend.SQLite, is[*sqlitefeed.Source]},
		{"PostgreSQL", postgres, "", "", backend.PostgreSQL, is[*pgfeed.Source]},
		{"PostgreSQL and Redis", postgres, redis, "", backend.PostgreSQL, is[*relay.Source]},
		{"PostgreSQL and NATS", postgres, nats + "?replicas=1", "memory:", backend.PostgreSQL, is[*relay.Source]},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := backend.Open(t.Context(), backend.Settings{
				Database: c.database, Broker: c.broker, Cache: c.cache, Namespace: "opened", Log: slog.New(slog.DiscardHandler),
			}, kinds...)
			if err != nil {
				t.Fatal(err)
			}
			if b.Dialect != c.dialect || !c.source(b.Source) {
				t.Errorf("the dialect is %s, the source a %T", b.Dialect, b.Source)
			}
			if (b.Broker != nil) != (c.broker != "") || (b.Cache != nil) != (c.cache != "") {
				t.Errorf("the broker is %T, the cache %T", b.Broker, b.Cache)
			}
			var one int
			if err := b.DB.QueryRowContext(t.Context(), `SELECT 1 WHERE 1 = $1`, 1).Scan(&one); err != nil {
				t.Error(err)
			}
			if b.Broker != nil {
				if err := b.Broker.GroupSend(t.Context(), "nobody", []byte("{}")); err != nil {
					t.Error(err)
				}
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			if err := b.DB.PingContext(t.Context()); err == nil {
				t.Error("the database is open after Close")
			}
			if err := b.Close(); err != nil {
				t.Errorf("closed again: %v", err)
			}
		})
	}
}

func is[T any](v any) bool { _, ok := v.(T); return ok }

// TestOpenFile creates the file that the path names, whatever its characters.
func TestOpenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?&#%41.db")
	b, err := backend.Open(t.Context(), backend.Settings{Database: path}, sqlite.Kind())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var file string
	if err := b.DB.QueryRowContext(t.Context(), `SELECT file FROM pragma_database_list`).Scan(&file); err != nil || filepath.Base(file) != filepath.Base(path) {
		t.Errorf("the file is %q, want %q: %v", file, path, err)
	}
}

func TestOpenFaults(t *testing.T) {
	const secret = "hunter2"
	for _, c := range []struct {
		settings backend.Settings
		want     string
	}{
		{backend.Settings{}, "set PANDO_DB"},
		{backend.Settings{Database: "mysql://u:" + secret + "@h/d"}, "(PANDO_DB): its URL begins with mysql:, and this program knows a path, sqlite:, postgres:, postgresql:"},
		{backend.Settings{Database: "postgres://u:" + secret + "@h:x/d"}, "(PANDO_DB): the URL cannot be read: want one like postgres://"},
		{backend.Settings{Database: "a.db", Namespace: "My App"}, "PANDO_NAMESPACE"},
		{backend.Settings{Database: "a.db", Broker: "localhost"}, "(PANDO_BROKER): its URL has no scheme, and this program knows nats:, tls:, redis:"},
		{backend.Settings{Database: "a.db", Broker: "redis://:" + secret + "@h:x:y"}, "(PANDO_BROKER): redisbroker: Config.Hosts"},
		{backend.Settings{Database: "a.db", Broker: "nats://h?replicas=all"}, "replicas=all: want a number"},
		{backend.Settings{Database: "a.db", Capacity: -1}, "(PANDO_CAPACITY)"},
		{backend.Settings{Database: "a.db", Cache: "redis://h"}, "(PANDO_CACHE): its URL begins with redis:, and this program knows memory:"},
	} {
		b, err := backend.Open(t.Context(), c.settings, kinds...)
		if err == nil {
			t.Errorf("%+v: opened %v", c.settings, b.Close())
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%+v: %v, want …%s", c.settings, err, c.want)
		}
	}
	_, err := backend.Open(t.Context(), backend.Settings{Database: "a.db", Cache: "memory:"}, sqlite.Kind())
	if err == nil || !strings.Contains(err.Error(), "links none") {
		t.Errorf("a kind that is not linked: %v", err)
	}
}

// TestOpenCloses what was opened before a failure.
func TestOpenCloses(t *testing.T) {
	servers.Need(t, "redis")
	var opened broker.Broker
	counted := redis.Kind()
	connect := counted.Broker
	counted.Broker = func(ctx context.Context, s backend.Settings) (backend.Broker, error) {
		b, err := connect(ctx, s)
		opened = b
		return b, err
	}
	refused := errors.New("refused")
	broken := backend.Kind{
		Schemes: []string{"broken"}, Shares: true,
		Database: func(context.Context, backend.Settings, broker.Stream) (*backend.Database, error) { return nil, refused },
	}
	_, err := backend.Open(t.Context(), backend.Settings{Database: "broken:", Broker: servers.SharedRedis(t).URL()}, broken, counted)
	if !errors.Is(err, refused) {
		t.Errorf("got %v, want the database's error", err)
	}
	if err := opened.GroupSend(t.Context(), "g", nil); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("the broker is not closed: %v", err)
	}
}

func TestParameter(t *testing.T) {
	for _, c := range [][3]string{
		{"nats://a,nats://b?replicas=3", "nats://a,nats://b", "3"},
		{"nats://a?replicas=3&x=1", "nats://a?x=1", "3"},
		{"nats://a?x=1", "nats://a?x=1", ""},
		{"nats://a", "nats://a", ""},
	} {
		if rest, value := backend.Parameter(c[0], "replicas"); rest != c[1] || value != c[2] {
			t.Errorf("%s: %q and %q, want %q and %q", c[0], rest, value, c[1], c[2])
		}
	}
}

func TestSchemeOf(t *testing.T) {
	for address, want := range map[string]string{
		"board.db": "", "./a:b.db": "", "/var/lib/x:y": "", `C:\board.db`: "", "c:board.db": "",
		"POSTGRES://h": "postgres", "sqlite:board.db": "sqlite", "memory:": "memory",
	} {
		if got := backend.SchemeOf(address); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

func TestFromEnv(t *testing.T) {
	for _, name := range []string{"DB", "REPLICATION", "BROKER", "CACHE", "NAMESPACE"} {
		t.Setenv("PANDO_"+name, name)
	}
	t.Setenv("PANDO_CAPACITY", "200")
	t.Setenv("PANDO_EXPIRY", "10s")
	want := backend.Settings{
		Database: "DB", Replication: "REPLICATION", Broker: "BROKER", Capacity: 200, Expiry: 10 * time.Second,
		Cache: "CACHE", Namespace: "NAMESPACE",
	}
	if got, err := backend.FromEnv(); got != want || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	if got := want.Layer(); got.Capacity != 200 || got.Expiry != 10*time.Second {
		t.Errorf("the layer is %+v", got)
	}
	t.Setenv("PANDO_CAPACITY", "many")
	t.Setenv("PANDO_EXPIRY", "10")
	if _, err := backend.FromEnv(); err == nil || !strings.Contains(err.Error(), "PANDO_CAPACITY=many") || !strings.Contains(err.Error(), "PANDO_EXPIRY=10") {
		t.Errorf("what cannot be read: %v", err)
	}
}
