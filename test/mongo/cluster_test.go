package mongo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/pando-sync/pando/cache/mongocache"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/internal/snapshot"
	"github.com/pando-sync/pando/internal/warm"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
	"github.com/pando-sync/pando/test/ferret"
)

type Person struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type Card struct {
	ID       int64   `json:"id"`
	Title    string  `json:"title"`
	Assignee *Person `json:"assignee"`
}

type Stack struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Cards []Card `json:"cards"`
}

type Board struct {
	ID     int64   `json:"id"`
	Name   string  `json:"name"`
	Owner  *Person `json:"owner"`
	Stacks []Stack `json:"stacks"`
}

// cluster is a database in memory, with nodes over it that share a cache.
type cluster struct {
	*testing.T

	random *rand.Rand
	cfg    mongocache.Config
	reg    *schema.Registry
	tree   *schema.Tree
	db     *memdb.DB
	log    []*feed.Commit
	nodes  []*node
	opened uint64
}

// node is a process: a pipe with its cache.
type node struct {
	*pipe.Pipe

	source *source
	cache  *warm.Cache
	stop   func()
}

// source is the database as one node follows it.
type source struct {
	*memdb.DB

	sink    feed.Sink
	started chan struct{}
	log     *[]*feed.Commit
	head    feed.Position
	told    int
}

// Run implements feed.Source.
func (s *source) Run(ctx context.Context, sink feed.Sink) error {
	s.sink = sink
	sink.Start("memory.1", s.head, "")
	close(s.started)
	<-ctx.Done()
	return nil
}

// past are the commits before a source began, which it can tell.
type past struct {
	*source

	commits []*feed.Commit
}

// History implements feed.Historian.
func (p past) History(_ context.Context, epoch string, after feed.Position, fn func(*feed.Commit) error) (bool, error) {
	for _, c := range p.commits {
		if c.Position > after {
			if err := fn(c); err != nil {
				return false, err
			}
		}
	}
	return epoch == "memory.1", nil
}

func newCluster(t *testing.T, cfg mongocache.Config, seed uint64) *cluster {
	t.Helper()
	c := &cluster{T: t, random: rand.New(rand.NewPCG(seed, 0)), cfg: cfg, reg: schema.NewRegistry()}
	var err error
	if c.tree, err = c.reg.Tree(reflect.TypeFor[Board]()); err != nil {
		t.Fatal(err)
	}
	c.db = memdb.New(c.reg)
	for range 40 {
		c.commit()
	}
	return c
}

// start adds a node, which follows from now on.
func (c *cluster) start() {
	c.Helper()
	quiet := slog.New(slog.DiscardHandler)
	store, err := mongocache.New(c.cfg)
	if err != nil {
		c.Fatal(err)
	}
	s := &source{DB: c.db, log: &c.log, told: len(c.log), head: feed.Position(len(c.log)), started: make(chan struct{})}
	n := &node{source: s, cache: warm.New(warm.Config{
		Store: store, Registry: c.reg, History: past{s, slices.Clone(c.log)}, Logger: quiet,
		Channels: []warm.Channel{{Name: "BoardChannel", Hash: "1", Tree: c.tree, TTL: time.Minute}},
		Beat:     20 * time.Millisecond, Lease: 500 * time.Millisecond, Call: 500 * time.Millisecond, Wait: time.Second,
	})}
	n.Pipe = pipe.New(pipe.Config{Source: s, Registry: c.reg, Cache: n.cache, Logger: quiet, Linger: 50 * time.Millisecond, StallLimit: time.Hour})
	ctx, cancel := context.WithCancel(c.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := n.Run(ctx); err != nil {
			c.Error(err)
		}
	})
	n.stop = func() {
		cancel()
		running.Wait()
		c.opened += n.cache.Stats().Opened
		if err := store.Close(); err != nil {
			c.Error(err)
		}
	}
	<-s.started
	c.nodes = append(c.nodes, n)
}

func (c *cluster) end(i int) {
	c.nodes[i].stop()
	c.nodes = slices.Delete(c.nodes, i, i+1)
}

// deliver tells a node of all commits.
func (n *node) deliver() {
	for ; n.source.told < len(*n.source.log); n.source.told++ {
		commit := (*n.source.log)[n.source.told]
		n.source.sink.Commit(&feed.Commit{Position: commit.Position, Changes: slices.Clone(commit.Changes)})
	}
}

// commit changes rows at random, of so few that they meet.
func (c *cluster) commit() {
	var changes []feed.Change
	for range 1 + c.random.IntN(4) {
		t := c.reg.Tables[c.random.IntN(len(c.reg.Tables))]
		key := schema.IntValue(1 + c.random.Int64N(5))
		if c.random.IntN(5) == 0 {
			changes = append(changes, memdb.Remove(t, key))
			continue
		}
		row := make(schema.Row, len(t.Columns))
		for i := range t.Columns {
			switch col := &t.Columns[i]; {
			case col.Derived():
			case col.Kind == schema.Int:
				row[i] = schema.IntValue(1 + c.random.Int64N(4))
			default:
				row[i] = schema.TextValue(string(rune('a' + c.random.IntN(9))))
			}
		}
		row[t.Key] = key
		changes = append(changes, memdb.Put(t, row))
	}
	c.log = append(c.log, c.db.Commit(changes...))
	c.db.Pending()
}

type silent struct{}

func (silent) Ready() {}

// check has every node show every board, and compares that with the database.
func (c *cluster) check() {
	c.Helper()
	for i, n := range c.nodes {
		n.deliver()
		for id := range int64(5) {
			r := pipe.Request{Subscriber: silent{}}
			r.Key.Tree, r.Key.Anchor = c.tree, schema.IntValue(id+1)
			a, err := n.Open(c.Context(), r)
			if err != nil {
				c.Fatalf("open: %v", err)
			}
			got := c.shown(a, r.Key.Anchor)
			n.Close(a)
			want, err := snapshot.ReadTree(c.Context(), c.db, c.tree, r.Key.Anchor, schema.Value{}, schema.Value{})
			if err != nil {
				c.Fatal(err)
			}
			if text := string(want.Store.AppendJSON(nil, c.tree, r.Key.Anchor)); got != text {
				c.Fatalf("after %d commits node %d shows of board %d\n%s\nand the database has\n%s", len(c.log), i, id+1, got, text)
			}
		}
	}
}

// shown is the tree of a subscription's first frames.
func (c *cluster) shown(a *pipe.Attachment, anchor schema.Value) string {
	c.Helper()
	decoder, err := wire.NewDecoder(wire.Types(c.reg), c.tree, "")
	if err != nil {
		c.Fatal(err)
	}
	store := state.NewStore()
	for _, f := range a.Frames {
		for ; f != nil; f = f.Next {
			var m struct {
				Stream  string
				Payload wire.StateFrame
			}
			if err := json.Unmarshal(wire.Payload(f.Bytes), &m); err != nil {
				c.Fatal(err)
			}
			if m.Stream == "" || m.Stream[0] != '#' {
				continue
			}
			if err := decoder.Apply(&m.Payload, store); err != nil {
				c.Fatal(err)
			}
		}
	}
	return string(store.AppendJSON(nil, c.tree, anchor))
}

// settled waits until there is something to open.
func (c *cluster) settled() {
	c.Helper()
	entries := database(c, c.cfg).Collection("pando_entries")
	eventually(c.T, "an entry that is heated", func() bool {
		n, err := entries.CountDocuments(c.Context(), bson.D{{Key: "state", Value: bson.D{{Key: "$in", Value: bson.A{"HOT", "COOLING"}}}}})
		if err != nil {
			c.Fatal(err)
		}
		return n > 0
	})
}

// TestCluster has nodes come and go, and share a cache that is emptied and cut
// off: whatever they open is what the database has.
func TestCluster(t *testing.T) {
	if realURI == "" {
		servers.Need(t, "postgres")
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			cfg := fresh(t)
			var server *ferret.Server
			if realURI == "" {
				var err error
				if server, err = ferret.Shared(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			c := newCluster(t, cfg, seed)
			c.start()
			c.start()
			defer func() {
				for len(c.nodes) > 0 {
					c.end(0)
				}
				t.Logf("%d scopes were opened from the cache", c.opened)
				if c.opened == 0 {
					t.Error("nothing was opened from the cache: the test shows nothing")
				}
			}()
			c.check()
			c.settled()
			for range 30 {
				c.step(server)
			}
			c.check()
		})
	}
}

// step commits something, has something happen to nodes or the server, and
// compares.
func (c *cluster) step(server *ferret.Server) {
	c.Helper()
	for range c.random.IntN(4) {
		c.commit()
	}
	switch c.random.IntN(8) {
	case 0, 1:
		c.end(c.random.IntN(len(c.nodes)))
		c.start()
	case 2:
		c.wipe(c.random.IntN(2) == 0)
	case 3:
		if server == nil {
			return
		}
		server.Cut()
		c.check()
		if err := server.Mend(c.Context()); err != nil {
			c.Fatal(err)
		}
	default:
		c.check()
	}
}

// wipe empties the cache: of everything, or of its entries alone, whose rows are
// nobody's then.
func (c *cluster) wipe(all bool) {
	c.Helper()
	names := []string{"entries"}
	if all {
		names = append(names, "nodes", "rows", "gone")
	}
	for _, name := range names {
		if _, err := database(c, c.cfg).Collection("pando_"+name).DeleteMany(c.Context(), bson.D{}); err != nil {
			c.Fatal(err)
		}
	}
}
