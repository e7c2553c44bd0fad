package relay_test

import (
	"context"
	"testing"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/internal/servers"
)

// server is a broker's, which a test ends.
type server interface {
	Kill()
	Start(ctx context.Context) error
	Clear() error
	Close() error
}

// TestBrokerServers kills a broker's server under two nodes: both tell that the
// feed stands still, and go on when it is back, in the same epoch where it has
// its data and in another where not.
func TestBrokerServers(t *testing.T) {
	servers.Need(t, "postgres", "nats", "redis")
	for name, start := range map[string]func() (server, func(testing.TB, string) broker.Stream, error){
		"nats": func() (server, func(testing.TB, string) broker.Stream, error) {
			s, err := servers.NATS(t.Context(), servers.NATSOptions{})
			return s, onNATS(s), err
		},
		"redis": func() (server, func(testing.TB, string) broker.Stream, error) {
			s, err := servers.Redis(t.Context(), servers.RedisOptions{Keep: true})
			return s, onRedis(s), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, open, err := start()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			testServer(t, s, stack(t, func(testing.TB) func(testing.TB, string) broker.Stream { return open }))
		})
	}
}

func testServer(t *testing.T, s server, h feedtest.Harness) {
	createItems(t, h.DB)
	var sources []feed.Source
	var followers []*feedtest.Recorder
	for range 2 {
		source := openNode(t, h)
		r, _ := feedtest.Record(t, source)
		sources, followers = append(sources, source), append(followers, r)
	}
	insert(t, h.DB, 0)
	for i, r := range followers {
		r.Reach(sources[i])
	}
	epoch := followers[0].Starts(1)[0].Epoch
	for round, wiped := range []bool{false, true} {
		s.Kill()
		insert(t, h.DB, 2*round+1)
		for _, r := range followers {
			waitUntil(t, "the stall is told", func() bool { return r.Stalled() != "" })
		}
		if wiped {
			if err := s.Clear(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		insert(t, h.DB, 2*round+2)
		for i, r := range followers {
			if wiped {
				r.Starts(2)
			}
			r.Reach(sources[i])
			starts := r.Starts(1)
			if last := starts[len(starts)-1]; (last.Epoch != epoch) != wiped || !wiped && len(starts) > 1 {
				t.Errorf("after the server was back, wiped %t: %+v", wiped, starts)
			}
		}
	}
}

// waitUntil waits for a condition.
func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); <-time.After(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
