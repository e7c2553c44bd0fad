// Package warm keeps what live scopes hold in a cache, and opens scopes from
// there.
//
// # Opening
//
// What an entry says, and what the feed has told since then, is a read like
// one of the database: Open returns it as a feed.Snapshot. What that does not
// cover, and what the cache does not answer in time, is read from the database.
// No answer of the cache is waited for without a bound, and nothing that the
// cache loses makes what is shown wrong.
//
// # Keeping
//
// A scope that is ready is settled: its entry is heated, or taken over when the
// node that held it is gone. From then on each beat writes what has changed, and
// then how far all is written, once for all entries.
//
//	idle ──settle──► recorded, being heated ──► held ──closed──► leaving ──► forgotten
//	  ▲                  │                        │                 ▲
//	  └──────────────────┴── lost, or given up ───┴─────────────────┘
//
// How far all is written is told only when that is so of every recorded and
// leaving entry: a leaving one counts until the store has said that the node
// holds it no more.
//
// # Concurrency
//
// Methods that say so are called between the router's turns, under the pipe's
// mutex, by which they are ordered; all others by anybody.
package warm

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
)

// Config is what a Cache is made of. Fields without a value get a default.
type Config struct {
	Store    cache.Store
	Registry *schema.Registry
	Channels []Channel
	// History tells what was committed before the feed began; nil where the source
	// does not keep it.
	History feed.Historian
	// Merges tells that the source may put several transactions into one commit.
	Merges bool
	Logger *slog.Logger
	// Beat is how often changes are written (250 ms), Lease how long a node is
	// taken for alive that tells nothing (10 s).
	Beat, Lease time.Duration
	// Call bounds a call of the store (500 ms; those that carry many rows may take
	// five times as long), Wait the opening of a scope from the cache (2 s).
	Call, Wait time.Duration
	// Changes and ChangeBytes bound what is kept of what the feed has told
	// (200,000 and 128 MiB). Entries that were written last before that are of no
	// use.
	Changes, ChangeBytes int
	// Pending is the number of changed rows that may wait to be written (100,000);
	// past it all entries of this node are left as they are.
	Pending int
}

// Channel is a channel whose scopes are cached.
type Channel struct {
	Name, Hash string
	Tree       *schema.Tree
	// TTL is how long an entry is kept after the last client has gone.
	TTL time.Duration
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	for _, d := range []struct {
		at    *time.Duration
		value time.Duration
	}{
		{&c.Beat, 250 * time.Millisecond}, {&c.Lease, 10 * time.Second}, {&c.Call, 500 * time.Millisecond}, {&c.Wait, 2 * time.Second},
	} {
		if *d.at == 0 {
			*d.at = d.value
		}
	}
	for _, n := range []struct {
		at    *int
		value int
	}{
		{&c.Changes, 200_000}, {&c.ChangeBytes, 128 << 20}, {&c.Pending, 100_000},
	} {
		if *n.at == 0 {
			*n.at = n.value
		}
	}
	return c
}

// Between runs fn between two turns of the router. It returns false when there
// is no router; fn is not run then.
type Between func(fn func(*route.Router)) bool

// Cache keeps the scopes of one process.
type Cache struct {
	cfg      Config
	store    *guard
	channels map[*schema.Tree]*channel
	recent   *recent
	between  Between
	// wake has something when there are scopes to settle.
	wake chan struct{}
	once sync.Once // for what is wrong and stays so
	// loads has room for the entries that are read at once.
	loads chan struct{}

	opened, missed atomic.Uint64

	mu    sync.Mutex // guards what follows; taken after the pipe's
	epoch string
	// life is raised when continuity is lost.
	life int
	// node is the name under which entries are held. It is another one after the
	// node has lost track of what it holds: what it told under the old one stays
	// true.
	node string
	// told is how far all was said to be written, and when; beats is how often
	// something was told and is known to have arrived.
	told   uint64
	toldAt time.Time
	beats  uint64
	scopes map[*route.Scope]*scope
	// leaving are those that the store has to be told of that they are not held.
	leaving map[cache.Key]*scope
	queue   []*scope
	pending int
	// failing is since when the store does not take what it is given; zero when it
	// does.
	failing time.Time
	// resting is since when the store is left alone; zero when it is not.
	resting time.Time
	past    past
}

// channel is a Channel with what is made of it.
type channel struct {
	Channel
	*codec

	// schema is a hash of what is declared of the rows.
	schema string
}

// scope is a ready scope whose entry this node holds, or may come to hold.
type scope struct {
	*channel

	key   cache.Key
	route *route.Scope // used between turns only
	life  int

	// recorded tells that changes are noted for the entry, which is being heated
	// or held; settling that somebody is at it.
	recorded, settling bool
	// closed tells that the scope is not in memory any more; unused since when
	// nobody shows it.
	closed bool
	unused time.Time
	// entry is what the store had last; doubt tells that it may have something
	// else.
	entry cache.Entry
	doubt bool
	// into is the state in which the entry is to be left.
	into cache.State
	// clean is the position up to which all changes have been taken, written the
	// one up to which they are in the store; rows are those in between.
	clean, written uint64
	rows           []cache.Row
	// gone counts rows of the entry that are none of the scope's any more, held
	// those that were there in the beginning.
	gone, held int
	// unfit tells that the scope cannot be cached, queued that it is in the queue.
	unfit, queued bool
	// tries counts how often it was settled in vain.
	tries int
	// next is when to try to settle again.
	next time.Time
}

// New returns a cache, nil without a Store or channels.
func New(cfg Config) *Cache {
	if cfg.Store == nil {
		return nil
	}
	cfg = cfg.withDefaults()
	c := &Cache{
		cfg:      cfg,
		store:    &guard{store: cfg.Store, limit: cfg.Call, logger: cfg.Logger},
		channels: map[*schema.Tree]*channel{},
		wake:     make(chan struct{}, 1),
		loads:    make(chan struct{}, loadsAtOnce),
		scopes:   map[*route.Scope]*scope{},
		leaving:  map[cache.Key]*scope{},
		past:     past{ask: make(chan uint64, 1)},
	}
	followed := make([]bool, len(cfg.Registry.Tables))
	for _, ch := range cfg.Channels {
		if ch.TTL <= 0 || ch.Tree.Limit > 0 {
			continue // the first rows of a list are not known by what an entry can say
		}
		one := &channel{Channel: ch, codec: newCodec(ch.Tree)}
		one.schema = one.hash(ch.Tree, ch.Hash)
		c.channels[ch.Tree] = one
		for _, t := range one.tables {
			followed[t.ID] = true
		}
	}
	if len(c.channels) == 0 {
		return nil
	}
	c.recent = newRecent(followed, cfg)
	return c
}

// Caches tells whether the scopes of a key are cached.
func (c *Cache) Caches(k route.Key) bool {
	return k.Private == 0 && c.channels[k.Tree] != nil
}

// keyOf is the name of a scope in the store.
func (c *Cache) keyOf(ch *channel, epoch string, k route.Key) cache.Key {
	return cache.Key{Epoch: epoch, Channel: ch.Name, Schema: ch.schema, Anchor: textOf(k.Anchor), Env: hashOf(k.Env)}
}

// Start begins anew at a position of an epoch: no scope is in memory. It is
// called between turns.
func (c *Cache) Start(epoch string, at uint64) {
	c.recent.reset(at)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch = epoch
	c.life++
	c.past.reset()
	clear(c.scopes)
	c.rename()
}

// Commit takes in a commit, or a part of one. It is called between turns.
func (c *Cache) Commit(commit *feed.Commit) { c.recent.commit(commit) }

// Advance takes in that the feed has come to a position. It is called between
// turns.
func (c *Cache) Advance(pos uint64) { c.recent.advance(pos) }

// Ready tells that a scope has been read. It is called between turns.
func (c *Cache) Ready(s *route.Scope) {
	if !c.Caches(s.Key) {
		return
	}
	ch := c.channels[s.Tree]
	c.mu.Lock()
	defer c.mu.Unlock()
	one := &scope{channel: ch, key: c.keyOf(ch, c.epoch, s.Key), route: s, life: c.life}
	c.scopes[s] = one
	c.enqueue(one)
}

// Closed tells that a scope is about to be closed, which nobody has shown since
// a time. It is called between turns.
func (c *Cache) Closed(r *route.Router, s *route.Scope, unused time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.scopes[s]
	if one == nil {
		return
	}
	one.closed, one.unused = true, unused
	if one.recorded && s.Ready() {
		c.take(r, one)
	}
	if one.settling {
		return // whoever is at it sees that it is closed
	}
	delete(c.scopes, s)
	if one.recorded {
		c.leave(one, cache.Cooling)
	}
}

// take takes what has changed of a scope that is ready. The mutex is held.
func (c *Cache) take(r *route.Router, s *scope) {
	for _, h := range r.Changed(s.route) {
		row := s.encode(&h)
		row.Version = h.At
		if h.Fresh {
			row.Since = r.Position()
		}
		if !h.Member {
			s.gone++
		}
		s.rows = append(s.rows, row)
		c.pending++
	}
	s.clean = r.Position()
}

// leave has the store told that the node holds an entry no more. The mutex is
// held.
func (c *Cache) leave(s *scope, into cache.State) {
	s.recorded, s.into = false, into
	c.leaving[s.key] = s
}

// drop forgets what was to be written of a scope. The mutex is held.
func (c *Cache) drop(s *scope) {
	c.pending -= len(s.rows)
	s.recorded, s.rows = false, nil
}

// rename gives up all that is held, without telling the store: others find it
// written as far as was told. The mutex is held.
func (c *Cache) rename() {
	c.node, c.told, c.toldAt, c.beats = rand.Text(), 0, time.Time{}, 0
	c.failing = time.Time{}
	clear(c.leaving)
	c.pending = 0
	for _, s := range c.scopes {
		s.recorded, s.rows = false, nil
	}
}

// Stats are what a cache has done, and holds.
type Stats struct {
	// Opened and Missed count the scopes that were opened from the cache, and those
	// that were not.
	Opened, Missed uint64
	// Held is the number of entries that this node writes, Pending of the rows that
	// are not written yet.
	Held, Pending int
}

// Stats counts.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{Opened: c.opened.Load(), Missed: c.missed.Load(), Pending: c.pending}
	for _, one := range c.scopes {
		if one.recorded && !one.settling {
			s.Held++
		}
	}
	return s
}

// pause waits, and tells whether to go on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
