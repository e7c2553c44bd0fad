package faults_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/natsbroker"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// carrier is a broker's server.
type carrier interface {
	URL() string
	Start(ctx context.Context) error
	Kill()
	Clear() error
	Pause()
	Resume()
	Close() error
}

// carriers start servers, and connect to them.
var carriers = map[string]struct {
	start   func(ctx context.Context) (carrier, error)
	connect func(url string, cfg broker.StreamConfig) (broker.Broker, broker.Stream, error)
}{
	"nats": {
		func(ctx context.Context) (carrier, error) { return servers.NATS(ctx, servers.NATSOptions{}) },
		func(url string, cfg broker.StreamConfig) (broker.Broker, broker.Stream, error) {
			b, err := natsbroker.New(natsbroker.Config{URL: url, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				return nil, nil, err
			}
			stream, err := b.Stream("commits", cfg)
			return b, stream, err
		},
	},
	"redis": {
		func(ctx context.Context) (carrier, error) { return servers.Redis(ctx, servers.RedisOptions{}) },
		func(url string, cfg broker.StreamConfig) (broker.Broker, broker.Stream, error) {
			b, err := redisbroker.New(redisbroker.Config{Hosts: []string{url}, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				return nil, nil, err
			}
			stream, err := b.Stream("commits", cfg)
			return b, stream, err
		},
	},
}

// onCarriers runs a test on PostgreSQL with each broker, whose nodes are made by
// join from the URLs of the broker and the database.
func onCarriers(t *testing.T, cfg broker.StreamConfig, run func(t *testing.T, b *books, server carrier, join func(broker, database string) parts)) {
	postgres := private(t, map[string]string{"wal_sender_timeout": "2s"})
	for name, c := range carriers {
		t.Run(name, func(t *testing.T) {
			servers.Need(t, name)
			server, err := c.start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			atEnd(t, server.Close)
			run(t, newBooks(t, postgres), server, func(url, database string) parts {
				opened, stream, err := c.connect(url, cfg)
				if err != nil {
					t.Fatal(err)
				}
				atEnd(t, opened.Close)
				return parts{handle: database, replication: database, stream: stream, broker: opened}
			})
		})
	}
}

// TestTrimmedUnderANode freezes a node before the broker for longer than the
// stream keeps records: it reads all anew when it wakes up.
func TestTrimmedUnderANode(t *testing.T) {
	kept := 2 * time.Second
	onCarriers(t, broker.StreamConfig{MaxAge: kept}, func(t *testing.T, b *books, server carrier, join func(string, string) parts) {
		owner := serve(t, newNode(t, join(server.URL(), b.dsn)).run(t))
		owner.health(t, http.StatusOK)
		url, s := through(t, server.URL())
		sleeper := newNode(t, join(url, b.dsn)).run(t)
		asleep := serve(t, sleeper)
		asleep.health(t, http.StatusOK)
		awake, sleeps := b.watch(t, owner, 1), b.watch(t, asleep, 1)
		awake.shows(t, 0)
		sleeps.shows(t, 0)
		thaw := s.freeze(t)
		frozen := time.Now()
		until(t, "the stream keeps nothing of before", func() bool {
			b.turn(t, 1)
			return time.Since(frozen) > 2*kept
		})
		awake.agrees(t)
		if sleeps.shown() != 0 {
			t.Errorf("the sleeper shows turn %d", sleeps.shown())
		}
		thaw()
		sleeps.agrees(t)
		sleeper.log.tells(t, "feed started anew")
		b.turn(t, 1)
		awake.agrees(t)
		sleeps.agrees(t)
	})
}

// TestBrokerFails pauses, kills and wipes the broker of two nodes: each says that
// the feed stands still, and the clients of both have what is when it is back.
func TestBrokerFails(t *testing.T) {
	onCarriers(t, broker.StreamConfig{}, func(t *testing.T, b *books, server carrier, join func(string, string) parts) {
		var fronts []*front
		var watchers []*watcher
		for range 2 {
			f := serve(t, newNode(t, join(server.URL(), b.dsn)).run(t))
			f.health(t, http.StatusOK)
			fronts = append(fronts, f)
			watchers = append(watchers, b.watch(t, f, 1))
		}
		all := func() {
			t.Helper()
			for _, w := range watchers {
				w.agrees(t)
			}
		}
		all()
		start := func() {
			t.Helper()
			if err := server.Start(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		for _, fault := range []struct {
			name string
			down func()
			up   func()
		}{
			{"paused", server.Pause, server.Resume},
			{"killed", server.Kill, start},
			{"wiped", func() {
				server.Kill()
				if err := server.Clear(); err != nil {
					t.Error(err)
				}
			}, start},
		} {
			t.Logf("the broker is %s", fault.name)
			fault.down()
			b.turn(t, 1)
			for _, f := range fronts {
				f.health(t, http.StatusServiceUnavailable)
			}
			fault.up()
			for _, f := range fronts {
				f.health(t, http.StatusOK)
			}
			all()
			b.turn(t, 1)
			all()
		}
	})
}

// TestOwnerWakes freezes the node that reads the log before the database, until
// another one does; then it wakes up, with what it had read before.
func TestOwnerWakes(t *testing.T) {
	onCarriers(t, broker.StreamConfig{}, func(t *testing.T, b *books, server carrier, join func(string, string) parts) {
		url, s := through(t, b.dsn)
		first := serve(t, newNode(t, join(server.URL(), url)).run(t))
		first.health(t, http.StatusOK)
		second := serve(t, newNode(t, join(server.URL(), b.dsn)).run(t))
		second.health(t, http.StatusOK)
		watchers := []*watcher{b.watch(t, first, 1), b.watch(t, second, 1), b.watch(t, second, 2)}
		all := func() {
			t.Helper()
			for _, w := range watchers {
				w.agrees(t)
			}
		}
		all()
		thaw := s.freeze(t)
		b.turn(t, 1)
		b.turn(t, 2)
		watchers[1].agrees(t) // the second one owns the log by now
		b.turn(t, 1)
		watchers[1].agrees(t)
		thaw()
		b.turn(t, 2)
		all()
		first.health(t, http.StatusOK)
		b.turn(t, 1)
		all()
	})
}

// TestLostWhileAsleep freezes a node before the broker until the stream does not
// have any more what it has slept through: it reads all anew when it wakes up.
func TestLostWhileAsleep(t *testing.T) {
	onCarriers(t, broker.StreamConfig{}, func(t *testing.T, b *books, server carrier, join func(string, string) parts) {
		owner := serve(t, newNode(t, join(server.URL(), b.dsn)).run(t))
		owner.health(t, http.StatusOK)
		url, s := through(t, server.URL())
		sleeper := newNode(t, join(url, b.dsn)).run(t)
		asleep := serve(t, sleeper)
		asleep.health(t, http.StatusOK)
		awake, sleeps := b.watch(t, owner, 1), b.watch(t, asleep, 1)
		awake.shows(t, 0)
		sleeps.shows(t, 0)
		thaw := s.freeze(t)
		b.turn(t, 1)
		awake.shows(t, 1)
		asleep.health(t, http.StatusServiceUnavailable)
		server.Kill()
		if err := server.Clear(); err != nil {
			t.Fatal(err)
		}
		if err := server.Start(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		owner.health(t, http.StatusOK)
		b.turn(t, 1)
		awake.agrees(t)
		if sleeps.shown() != 0 {
			t.Errorf("the sleeper shows turn %d", sleeps.shown())
		}
		thaw()
		sleeps.agrees(t)
		sleeper.log.tells(t, "feed started anew")
	})
}
