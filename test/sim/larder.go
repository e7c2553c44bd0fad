package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/cache/cachetest"
	"github.com/pando-sync/pando/cache/memcache"
)

// inMemory is a cache in the simulation's process. It stays when servers are
// restarted, and those in other processes share it, see shelf.
const inMemory = "memory"

// larder is the cache that all servers of a seed share, with all that may happen
// to such a server: it is emptied, slow, away for a while, broken, and restored
// from an older copy. It is safe for concurrent use.
type larder struct {
	store *memcache.Store
	count func(event string, n int)

	mu  sync.Mutex // guards what follows
	rng *rand.Rand
	// trouble is what has been the matter since an event, until a time.
	trouble string
	until   time.Time
	// kept is an older copy, the last of so many.
	kept   *memcache.Store
	copies int
	// guests are the servers that use it, by what they are known by.
	guests map[any]*guest
	// trap waits for what a node does; nil for none.
	trap *trap
	// heaters are the nodes that have heated generations.
	heaters map[string]int
}

// cacheEvents are what happens to the cache, those with a cluster among them.
var (
	cacheEvents     = []string{"wipe cache", "wipe cache", "drop cache", "slow cache", "refuse cache", "break cache", "restore cache", "restore cache"}
	cacheNodeEvents = []string{"kill heater", "kill heater", "kill cooler", "kill cooler"}
)

func newLarder(seed uint64, count func(string, int)) *larder {
	return &larder{
		store: memcache.New(memcache.Config{}), count: count, rng: random(seed, streamCache), guests: map[any]*guest{}, heaters: map[string]int{},
	}
}

// longestTrouble bounds how long the cache is in trouble.
const longestTrouble = 1500 * time.Millisecond

// drawCache draws what happens next to the cache.
func (s *seed) drawCache() event {
	all := cacheEvents
	if s.cluster != nil {
		all = append(slices.Clone(all), cacheNodeEvents...)
	}
	return event{Do: all[s.rng.IntN(len(all))], Way: s.rng.IntN(100), Delay: time.Duration(s.rng.Int64N(int64(longestTrouble)))}
}

// keep makes an event of the cache.
func (s *seed) keep(ctx context.Context, e event) error {
	s.journal.logf("     %s %d, for %v", e.Do, e.Way, e.Delay)
	s.tally.count(e.Do)
	switch e.Do {
	case "wipe cache":
		s.cache.store.Wipe()
	case "drop cache":
		return s.cache.drop(ctx)
	case "restore cache":
		s.cache.restore()
	case "kill heater", "kill cooler":
		s.cluster.ambush(ctx, s.cache, e)
	default:
		s.cache.suffer(e.Do, e.Delay)
	}
	return nil
}

// suffer begins a trouble.
func (l *larder) suffer(trouble string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trouble, l.until = trouble, time.Now().Add(d)
}

// drop removes all entries one by one, as an operator's command does.
func (l *larder) drop(ctx context.Context) error {
	return l.store.List(ctx, cache.Filter{}, func(e cache.Entry) error {
		e.State = cache.Cold
		if _, err := l.store.Swap(ctx, e); err != nil && !errors.Is(err, cache.ErrConflict) {
			return fmt.Errorf("drop from the cache: %w", err)
		}
		return nil
	})
}

// away is how long the server is not there that is restored: longer than any node
// stands still, so that none reads one half of an entry before and the other after.
const away = longestTrouble + 100*time.Millisecond

// restore goes back to an older copy, and makes one where there is none. A server
// that has written since then must have told of itself, as a cache.Store demands.
func (l *larder) restore() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept == nil {
		l.copies++
		l.kept = l.store.Copy()
		return
	}
	for _, g := range l.guests {
		if g.active >= l.copies && g.heard < l.copies {
			l.count("restore cache: too young", 1)
			return
		}
	}
	l.trouble, l.until = "refuse cache", time.Now().Add(away)
	l.store.Restore(l.kept)
	l.kept = nil
	l.count("restored", 1)
}

// choose is what a call meets.
func (l *larder) choose(method string) cachetest.Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count("cache: "+method, 1)
	switch l.present() {
	case "refuse cache":
		return cachetest.Before
	case "break cache":
		return cachetest.Fault(l.rng.IntN(int(cachetest.Stuck) + 1))
	default:
		return cachetest.None
	}
}

// present is the trouble that there is. The mutex is held.
func (l *larder) present() string {
	if time.Now().After(l.until) {
		return ""
	}
	return l.trouble
}

// slowness bounds how long a slow call takes: longer than any node waits for an
// answer at times.
const slowness = 700 * time.Millisecond

// lateness is how late a call is carried out.
func (l *larder) lateness() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.present() != "slow cache" {
		return 0
	}
	return time.Duration(l.rng.Int64N(int64(slowness)))
}

// swapped notes who has made an entry what it is.
func (l *larder) swapped(node int, e *cache.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch by, known := l.heaters[e.Generation]; {
	case e.State == cache.Heating:
		l.heaters[e.Generation] = node
	case e.State == cache.Hot && known && by != node:
		l.count("cache: taken over", 1)
	}
}

// bury has everybody know that the leases of nodes have run out, of which the
// process is gone: nothing comes of them any more.
func (l *larder) bury(ids map[string]bool) {
	ctx := context.Background()
	for id := range ids {
		n, err := l.store.Node(ctx, id)
		if err == nil && n.ID == id && time.Now().Before(n.Expires) {
			n.Expires = time.Now()
			err = l.store.Beat(ctx, n)
		}
		if err != nil {
			panic(fmt.Sprintf("sim: end a lease: %v", err)) // it is in memory
		}
	}
}
