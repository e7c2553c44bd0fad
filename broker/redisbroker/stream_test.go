package redisbroker_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/brokertest"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// console is a plain connection to a server, for what operators do.
func console(t testing.TB, url string) rueidis.Client {
	t.Helper()
	opts := rueidis.MustParseURL(url)
	opts.DisableCache, opts.ForceSingleClient = true, true
	c, err := rueidis.NewClient(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func openStream(t testing.TB, b *redisbroker.Broker, name string, cfg broker.StreamConfig) broker.Stream {
	t.Helper()
	s, err := b.Stream(name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keysOf are the keys with a prefix.
func keysOf(t testing.TB, c rueidis.Client, prefix string) []string {
	t.Helper()
	keys, err := c.Do(context.Background(), c.B().Keys().Pattern(prefix+":*").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// wipe removes all keys with a prefix.
func wipe(t testing.TB, c rueidis.Client, prefix string) {
	t.Helper()
	if err := c.Do(context.Background(), c.B().Del().Key(keysOf(t, c, prefix)...).Build()).Error(); err != nil {
		t.Fatal(err)
	}
}

// save returns a function that brings back what the keys with a prefix are now,
// without a connection being lost.
func save(t testing.TB, c rueidis.Client, prefix string) (restore func()) {
	t.Helper()
	ctx := context.Background()
	dumps := map[string]string{}
	for _, key := range keysOf(t, c, prefix) {
		dump, err := c.Do(ctx, c.B().Dump().Key(key).Build()).ToString()
		if err != nil {
			t.Fatal(err)
		}
		dumps[key] = dump
	}
	return func() {
		for key, dump := range dumps {
			if err := c.Do(ctx, c.B().Restore().Key(key).Ttl(0).SerializedValue(dump).Replace().Build()).Error(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// start starts a server for one test.
func start(t testing.TB, opts servers.RedisOptions) *servers.RedisServer {
	t.Helper()
	servers.Need(t, "redis")
	s, err := servers.Redis(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// again starts a server that was stopped.
func again(t testing.TB, s *servers.RedisServer) {
	t.Helper()
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// streamsOf makes streams of a server for the suite.
func streamsOf(server *servers.RedisServer, lose, find func()) func(t testing.TB) brokertest.StreamHarness {
	return func(t testing.TB) brokertest.StreamHarness {
		cfg := redisbroker.Config{Hosts: []string{server.URL()}, Prefix: rand.Text()}
		c := console(t, server.URL())
		return brokertest.StreamHarness{
			Open: func(of broker.StreamConfig) broker.Stream { return openStream(t, open(t, cfg), "log", of) },
			Wipe: func() { wipe(t, c, cfg.Prefix) },
			Save: func() func() { return save(t, c, cfg.Prefix) },
			Lose: lose, Find: find,
			Age: 500 * time.Millisecond,
		}
	}
}

func TestStreamConformance(t *testing.T) {
	brokertest.RunStream(t, false, streamsOf(servers.SharedRedis(t), nil, nil))
}

// TestStreamOfAServerThatIsLost has the server stand still for a while, and
// crash.
func TestStreamOfAServerThatIsLost(t *testing.T) {
	server := start(t, servers.RedisOptions{Keep: true})
	t.Run("paused", func(t *testing.T) {
		brokertest.RunStream(t, false, streamsOf(server, server.Pause, server.Resume), "Lost")
	})
	t.Run("killed", func(t *testing.T) {
		brokertest.RunStream(t, false, streamsOf(server, server.Kill, func() { again(t, server) }), "Lost")
	})
}

// TestStreamOfAServerThatForgets restarts a server that keeps nothing: readers
// and writers learn that the stream is gone, whatever comes in its place.
func TestStreamOfAServerThatForgets(t *testing.T) {
	server := start(t, servers.RedisOptions{})
	s := openStream(t, open(t, redisbroker.Config{Hosts: []string{server.URL()}}), "log", broker.StreamConfig{})
	ctx := t.Context()
	if _, err := s.Append(ctx, 0, []byte("1"), []byte("2")); err != nil {
		t.Fatal(err)
	}
	r, err := s.Reader(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := r.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the writer learns it", func() bool {
		_, err := s.Append(ctx, 2, []byte("3"))
		return errors.Is(err, broker.ErrStale)
	})
	if last, err := s.Last(ctx); !errors.Is(err, broker.ErrNoRecord) || last.Number != 0 {
		t.Errorf("the last record is %d, %v", last.Number, err)
	}
	if _, err := s.Append(ctx, 0, []byte("one"), []byte("two"), []byte("three")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reader learns it", func() bool {
		got, err := r.Next(ctx)
		if err == nil {
			t.Fatalf("read record %d, %s, of another stream", got.Number, got.Body)
		}
		return errors.Is(err, broker.ErrTrimmed)
	})
}

// TestStreamOfWhichAKeyIsGone removes one of a stream's keys, as a server may that
// is told to evict: what is left is given up, and the stream begins anew.
func TestStreamOfWhichAKeyIsGone(t *testing.T) {
	for _, gone := range []string{"", ":info", ":sizes"} {
		t.Run("key"+gone, func(t *testing.T) {
			cfg := shared(t, broker.Config{})
			s := openStream(t, open(t, cfg), "log", broker.StreamConfig{})
			ctx := t.Context()
			if _, err := s.Append(ctx, 0, []byte("1"), []byte("2")); err != nil {
				t.Fatal(err)
			}
			c := console(t, cfg.Hosts[0])
			if n, err := c.Do(ctx, c.B().Del().Key(cfg.Prefix+":s:log"+gone).Build()).AsInt64(); n != 1 || err != nil {
				t.Fatalf("%d keys were removed: %v", n, err)
			}
			if _, err := s.Append(ctx, 2, []byte("3")); !errors.Is(err, broker.ErrStale) {
				t.Errorf("append to what is left: %v", err)
			}
			if last, err := s.Append(ctx, 0, []byte("one")); last != 1 || err != nil {
				t.Errorf("append anew: %d, %v", last, err)
			}
			first, err := s.First(ctx)
			if first.Number != 1 || string(first.Body) != "one" || err != nil {
				t.Errorf("the first record is %d, %s, %v", first.Number, first.Body, err)
			}
		})
	}
}

// TestWriterOfRecordsThatWereLost has the server lose what a writer has appended,
// and another writer append as much: the numbers are the same, the stream is not.
func TestWriterOfRecordsThatWereLost(t *testing.T) {
	cfg := shared(t, broker.Config{})
	s, other := openStream(t, open(t, cfg), "log", broker.StreamConfig{}), openStream(t, open(t, cfg), "log", broker.StreamConfig{})
	ctx := t.Context()
	add := func(s broker.Stream, after uint64, body string) error {
		_, err := s.Append(ctx, after, []byte(body))
		return err
	}
	send(t, add(s, 0, "1"))
	restore := save(t, console(t, cfg.Hosts[0]), cfg.Prefix)
	send(t, add(s, 1, "2"))
	restore()
	send(t, add(other, 1, "two"))
	if err := add(s, 2, "3"); !errors.Is(err, broker.ErrStale) {
		t.Errorf("append after another record of that number: %v", err)
	}
	if last, err := s.Last(ctx); err != nil || last.Number != 2 || string(last.Body) != "two" {
		t.Errorf("the last record is %d, %s, %v", last.Number, last.Body, err)
	}
	send(t, add(s, 2, "three")) // who has read it knows it
}

// TestAppendInPieces appends more than the server is given at once.
func TestAppendInPieces(t *testing.T) {
	const n = 1234
	cfg := shared(t, broker.Config{})
	s := openStream(t, open(t, cfg), "log", broker.StreamConfig{})
	ctx := t.Context()
	records := make([][]byte, n)
	for i := range records {
		records[i] = bytes.Repeat([]byte{byte(i)}, 4000)
	}
	if last, err := s.Append(ctx, 0, records...); last != n || err != nil {
		t.Fatalf("append: %d, %v", last, err)
	}
	r, err := s.Reader(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if got, err := r.Next(ctx); err != nil || got.Number != uint64(i)+1 || !bytes.Equal(got.Body, records[i]) {
			t.Fatalf("record %d is read as %d, %v", i+1, got.Number, err)
		}
	}
}

func TestBadStreams(t *testing.T) {
	b := open(t, shared(t, broker.Config{}))
	if _, err := b.Stream("a:b", broker.StreamConfig{}); !errors.Is(err, broker.ErrBadName) {
		t.Errorf("a bad name: %v", err)
	}
	if _, err := b.Stream("log", broker.StreamConfig{MaxAge: -1}); err == nil {
		t.Error("a bad age is accepted")
	}
}
