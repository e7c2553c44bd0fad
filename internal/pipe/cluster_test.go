package pipe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/cache/cachetest"
	"github.com/pando-sync/pando/cache/memcache"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/snapshot"
	"github.com/pando-sync/pando/internal/warm"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

type Person struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type Remark struct {
	ID     int64   `json:"id"`
	Body   string  `json:"body"`
	Author *Person `json:"author"`
}

type Card struct {
	ID       int64    `json:"id"`
	Title    string   `json:"title"`
	Hidden   bool     `json:"-"`
	Assignee *Person  `json:"assignee"`
	Remarks  []Remark `json:"remarks"`
}

type Stack struct {
	ID    int64   `json:"id"`
	Name  string  `json:"name"`
	Cards []Card  `json:"cards" pando:"filter:hidden=false"`
	Owner *Person `json:"owner"`
}

type Aside struct {
	ID       int64    `json:"id"`
	Body     string   `json:"body"`
	Kind     string   `json:"kind"`
	PersonID *int64   `json:"-"`
	Remarks  []Remark `json:"remarks"`
}

type Folder struct {
	ID      int64    `json:"id"`
	Name    string   `json:"name"`
	Folders []Folder `json:"folders" pando:"link:parent_id,depth:2"`
}

type Board struct {
	ID     int64   `json:"id"`
	Name   string  `json:"name"`
	Owner  *Person `json:"owner"`
	Stacks []Stack `json:"stacks"`
	Asides []Aside `json:"asides" pando:"user_key:person_id,filter:kind=$kind"`
	Folder *Folder `json:"folder"`
	Count  int     `json:"count" pando:"count:Stacks"`
}

// cluster is a database with several nodes over it, and a cache that all of them
// use, in a bubble.
type cluster struct {
	t      *testing.T
	random *rand.Rand
	db     *memdb.DB
	reg    *schema.Registry
	trees  []*schema.Tree
	mem    *memcache.Store
	nodes  []*node
	// plain has all nodes be alike; pending is how much may wait to be written.
	plain   bool
	pending int
	// merges has the feed put several transactions together, restores the store be
	// restored time after time.
	merges, restores bool

	past sync.Mutex // guards writing what follows, which the history reads
	log  []*feed.Commit
	// kept is the first commit that the history has.
	kept int

	mu     sync.Mutex // guards what follows, which the store asks
	faults int        // so many of a hundred calls fail
	usual  int        // as many as do when nothing happens
	down   bool       // all fail
	dice   *rand.Rand
	// copies and restored count; copy is the last one, unless it was restored.
	copies, restored int
	copy             *memcache.Store
}

// node is a process: a pipe with its cache.
type node struct {
	*pipe.Pipe

	cluster *cluster
	cache   *warm.Cache
	source  *nodeSource
	ctx     context.Context
	stop    func()
	// lean has the feed tell as little as it may.
	lean bool
	// shadow is the database as the node has been told of it.
	shadow *memdb.DB
	// heard is how many copies of the store there had been as it began to tell what
	// the store took last; guarded by the cluster's mutex.
	heard int
}

// nodeSource is the database as one node follows it.
type nodeSource struct {
	*memdb.DB

	cluster *cluster
	sink    feed.Sink
	started chan struct{}
	// told is the number of commits that were delivered, or had come before; head
	// the position where the feed began.
	told int
	head feed.Position
}

// Run implements feed.Source.
func (s *nodeSource) Run(ctx context.Context, sink feed.Sink) error {
	s.sink = sink
	sink.Start("memory.1", s.head, "")
	close(s.started)
	<-ctx.Done()
	return nil
}

// History implements feed.Historian.
func (s *nodeSource) History(_ context.Context, epoch string, after feed.Position, fn func(*feed.Commit) error) (bool, error) {
	s.cluster.past.Lock()
	kept, log := s.cluster.kept, s.cluster.log
	s.cluster.past.Unlock()
	if epoch != "memory.1" || after < feed.Position(kept) {
		return false, nil
	}
	for _, c := range log {
		if c.Position > after && c.Position <= s.head {
			if err := fn(c); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

func newCluster(t *testing.T, random *rand.Rand) *cluster {
	t.Helper()
	c := &cluster{t: t, random: random, reg: schema.NewRegistry(), mem: memcache.New(memcache.Config{}), dice: rand.New(rand.NewPCG(random.Uint64(), 1))}
	for _, declare := range []func() (*schema.Tree, error){
		func() (*schema.Tree, error) { return c.reg.Tree(reflect.TypeFor[Board]()) },
		func() (*schema.Tree, error) { return c.reg.Tree(reflect.TypeFor[Stack]()) },
		func() (*schema.Tree, error) {
			return c.reg.Tree(reflect.TypeFor[Card](), schema.AsList(schema.ListSpec{Name: "Cards", Where: []schema.CondSpec{
				{Column: "title", Op: schema.Eq, Operands: []schema.OperandSpec{{Const: "a"}}},
			}}))
		},
	} {
		tree, err := declare()
		if err != nil {
			t.Fatal(err)
		}
		c.trees = append(c.trees, tree)
	}
	c.db = memdb.New(c.reg)
	return c
}

// fault is chosen for each call of the store.
func (c *cluster) fault(string) cachetest.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return cachetest.Before
	}
	if c.dice.IntN(100) >= c.faults {
		return cachetest.None
	}
	return cachetest.Fault(1 + c.dice.IntN(int(cachetest.Stuck)))
}

func (c *cluster) break_(faults int) { //nolint:revive // break is taken
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = faults
}

// start adds a node, which follows from now on.
func (c *cluster) start() *node {
	n := &node{cluster: c, lean: c.random.IntN(2) == 0}
	n.source = &nodeSource{DB: c.db, cluster: c, started: make(chan struct{}), told: len(c.log), head: feed.Position(len(c.log))}
	var channels []warm.Channel
	for i, tree := range c.trees {
		channels = append(channels, warm.Channel{Name: fmt.Sprint("C", i), Hash: "1", Tree: tree, TTL: 5 * time.Minute})
	}
	config := warm.Config{
		Store: beaten{cachetest.Faulty(c.mem, c.fault), n}, Registry: c.reg, Channels: channels, Logger: quiet(), Lease: 3 * time.Second,
	}
	config.Pending, config.Merges = c.pending, c.merges
	if c.plain || !c.merges && c.random.IntN(3) > 0 {
		config.History = n.source
	}
	if !c.plain && c.random.IntN(2) == 0 {
		config.Changes = 1 + c.random.IntN(12)
	}
	n.shadow = memdb.New(c.reg)
	for _, commit := range c.log {
		n.shadow.Commit(slices.Clone(commit.Changes)...)
	}
	n.cache = warm.New(config)
	n.Pipe = pipe.New(pipe.Config{
		Source: n.source, Registry: c.reg, Cache: n.cache, Logger: quiet(), Linger: 400 * time.Millisecond, StallLimit: time.Hour,
	})
	ctx, stop := context.WithCancel(c.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := n.Run(ctx); err != nil {
			c.t.Error(err)
		}
	}()
	<-n.source.started
	n.ctx = ctx
	n.stop = func() {
		stop()
		<-ended
	}
	c.nodes = append(c.nodes, n)
	return n
}

// end ends a node; a killed one cannot say anything more.
func (c *cluster) end(n *node, killed bool) {
	if killed {
		c.break_(100)
		defer c.break_(c.usual)
	}
	n.stop()
	c.nodes = slices.DeleteFunc(c.nodes, func(o *node) bool { return o == n })
}

// deliver tells a node of some commits.
func (n *node) deliver(most int) {
	s := n.source
	if n.cluster.merges {
		n.merge(most)
		return
	}
	for ; s.told < len(n.cluster.log) && most > 0; most-- {
		commit := n.cluster.log[s.told]
		told := &feed.Commit{Position: commit.Position, Changes: slices.Clone(commit.Changes)}
		if n.lean {
			told = memdb.Lean(told)
		}
		s.told++
		n.shadow.Commit(slices.Clone(commit.Changes)...)
		if len(told.Changes) > 2 && s.told%2 == 0 {
			s.sink.Commit(&feed.Commit{Position: told.Position, Changes: told.Changes[:1], More: true})
			told.Changes = told.Changes[1:]
		}
		s.sink.Commit(told)
	}
}

// merge tells a node of what several commits have changed together.
func (n *node) merge(most int) {
	s := n.source
	for s.told < len(n.cluster.log) && most > 0 {
		some := n.cluster.log[s.told:min(len(n.cluster.log), s.told+1+n.cluster.random.IntN(3))]
		s.told += len(some)
		most -= len(some)
		// A read may have fallen in between: what came and went is told as well.
		var all []feed.Change
		for _, commit := range some {
			all = append(all, n.shadow.Commit(slices.Clone(commit.Changes)...).Changes...)
		}
		all = slices.DeleteFunc(all, func(ch feed.Change) bool { return ch.Old == nil && ch.New == nil })
		if pos := some[len(some)-1].Position; len(all) == 0 {
			s.sink.Advance(pos)
		} else {
			s.sink.Commit(&feed.Commit{Position: pos, Changes: all})
		}
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
		row := slices.Clone(c.db.Row(t, key))
		if row == nil {
			row = make(schema.Row, len(t.Columns))
		}
		for i := range t.Columns {
			if col := &t.Columns[i]; !col.Derived() && (row[i].IsNull() || c.random.IntN(3) == 0) {
				row[i] = c.value(col)
			}
		}
		row[t.Key] = key
		changes = append(changes, memdb.Put(t, row))
	}
	c.note(c.db.Commit(changes...))
	c.db.Pending()
}

func (c *cluster) value(col *schema.Column) schema.Value {
	switch col.Kind {
	case schema.Int:
		if n := c.random.Int64N(4); n > 0 {
			return schema.IntValue(n)
		}
		return schema.Value{}
	case schema.Bool:
		return schema.BoolValue(c.random.IntN(4) == 0)
	default:
		return schema.TextValue(string(rune('a' + c.random.IntN(2))))
	}
}

// request is for one of few scopes.
func (c *cluster) request() pipe.Request {
	r := pipe.Request{Subscriber: silent{}}
	r.Key.Tree = c.trees[c.random.IntN(len(c.trees))]
	if r.Key.Tree.Root.Relation != schema.List {
		r.Key.Anchor = schema.IntValue(1 + c.random.Int64N(3))
	}
	if len(r.Key.Tree.Env) > 0 {
		r.Key.Env = schema.TupleValue(schema.TextValue(string(rune('a' + c.random.IntN(2)))))
	}
	if _, ok := r.Key.Tree.UserKind(); ok && c.random.IntN(2) == 0 {
		r.User = schema.IntValue(1 + c.random.Int64N(2))
	}
	return r
}

// check opens a scope at a node that has been told of all, and compares it with
// the database.
func (c *cluster) check(n *node, r pipe.Request) {
	c.t.Helper()
	a, err := n.Open(n.ctx, r)
	if err != nil {
		c.t.Fatalf("open %v: %v", r.Key, err)
	}
	c.compare(n, r, a)
}

// glance opens a scope at a node that may be behind. If it is there at once, it
// is what the node has been told.
func (c *cluster) glance(n *node, r pipe.Request) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(n.ctx)
	done := make(chan *pipe.Attachment, 1)
	go func() {
		a, err := n.Open(ctx, r)
		if err != nil {
			a = nil
		}
		done <- a
	}()
	synctest.Wait()
	select {
	case a := <-done:
		cancel()
		c.compare(n, r, a)
	default:
		cancel()
		if a := <-done; a != nil {
			n.Close(a)
		}
	}
}

// compare compares what a scope shows with what the node has been told, and
// closes it.
func (c *cluster) compare(n *node, r pipe.Request, a *pipe.Attachment) {
	c.t.Helper()
	defer n.Close(a)
	want, err := snapshot.ReadTree(n.ctx, n.shadow, r.Key.Tree, r.Key.Anchor, r.Key.Env, r.User)
	if err != nil {
		c.t.Fatal(err)
	}
	decoder, err := wire.NewDecoder(wire.Types(c.reg), r.Key.Tree, "Cards")
	if err != nil {
		c.t.Fatal(err)
	}
	stores := map[string]*state.Store{}
	for _, f := range parts(a.Frames) {
		var m struct {
			Stream  string
			Payload wire.StateFrame
		}
		if err := json.Unmarshal(wire.Payload(f.Bytes), &m); err != nil {
			c.t.Fatal(err)
		}
		if m.Stream == "" || m.Stream[0] != '#' {
			continue
		}
		if stores[m.Stream] == nil {
			stores[m.Stream] = state.NewStore()
		}
		if err := decoder.Apply(&m.Payload, stores[m.Stream]); err != nil {
			c.t.Fatal(err)
		}
	}
	store := state.NewStore()
	for _, part := range stores {
		for _, typ := range c.reg.Types {
			part.Each(typ, func(row schema.Row) {
				store.Set(state.Instance{Ref: state.Ref{Type: typ, Key: row[typ.Table.Key]}, Row: row})
			})
		}
	}
	got, wanted := string(store.AppendJSON(nil, r.Key.Tree, r.Key.Anchor)), string(want.Store.AppendJSON(nil, r.Key.Tree, r.Key.Anchor))
	if got != wanted {
		c.t.Fatalf("at %d %s %v of user %v shows\n%s\nand the database has\n%s", n.source.told, r.Key.Tree.Root.Type.Name, r.Key, r.User, got, wanted)
	}
}

// checkAll compares what nodes show of some scopes.
func (c *cluster) checkAll() {
	c.t.Helper()
	for _, n := range c.nodes {
		n.deliver(1000)
		for range 3 {
			c.check(n, c.request())
		}
	}
}

// step does anything.
func (c *cluster) step() {
	switch c.random.IntN(12) {
	case 0, 1, 2, 3:
		c.commit()
	case 4, 5:
		for _, n := range c.nodes {
			n.deliver(c.random.IntN(4))
		}
	case 6:
		n, r := c.nodes[c.random.IntN(len(c.nodes))], c.request()
		// It may take until more is delivered.
		go func() {
			a, err := n.Open(n.ctx, r)
			if err != nil {
				return
			}
			select {
			case <-time.After(3 * time.Second):
			case <-n.ctx.Done():
			}
			n.Close(a)
		}()
	case 7, 8:
		<-time.After(time.Duration(c.random.IntN(900)) * time.Millisecond)
		for _, n := range c.nodes {
			c.glance(n, c.request())
		}
	case 9:
		switch {
		case c.restores:
			c.restore()
		case c.random.IntN(4) == 0:
			c.disturb()
		}
	default:
		c.checkAll()
	}
}

// note adds a commit to the history.
func (c *cluster) note(commit *feed.Commit) {
	c.past.Lock()
	c.log = append(c.log, commit)
	c.past.Unlock()
}

// disturb does what does not happen every day.
func (c *cluster) disturb() {
	switch c.random.IntN(6) {
	case 0:
		c.mem.Wipe()
	case 5:
		c.restore()
	case 1, 2:
		c.end(c.nodes[c.random.IntN(len(c.nodes))], c.random.IntN(2) == 0)
		c.start()
	case 3:
		c.past.Lock()
		c.kept = len(c.log)
		c.past.Unlock()
	default:
		c.break_(c.random.IntN(2) * c.random.IntN(100))
	}
}

// TestCluster has nodes share a cache that fails, is emptied and outlives them,
// over a database that changes all the time: whatever they open is what the
// database has.
func TestCluster(t *testing.T) {
	seeds := uint64(200)
	if testing.Short() {
		seeds = 20
	}
	playClusters(t, seeds, func(*cluster) {})
}

// playClusters plays seeds, each with what set sets.
func playClusters(t *testing.T, seeds uint64, set func(*cluster)) {
	t.Helper()
	var opened uint64
	restored := 0
	for seed := range seeds {
		ok := t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, rand.New(rand.NewPCG(seed, 0)))
				set(c)
				if seed%2 == 1 {
					c.usual = c.random.IntN(40)
					c.break_(c.usual)
				}
				c.merges = seed%3 == 2
				for range 30 {
					c.commit()
				}
				c.start()
				c.start()
				for range 80 {
					c.step()
				}
				c.checkAll()
				for len(c.nodes) > 0 {
					opened += c.nodes[0].cache.Stats().Opened
					restored += c.restored
					c.restored = 0
					c.end(c.nodes[0], false)
				}
			})
		})
		if !ok {
			break
		}
	}
	t.Logf("%d scopes were opened from the cache, which was restored %d times", opened, restored)
	if opened < 2*seeds {
		t.Error("hardly anything was opened from the cache: the test shows nothing")
	}
}
