package relay_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/relay"
	"github.com/pando-sync/pando/feed/relay/relaytest"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

// items is the only table.
var items = &schema.Table{Name: "items", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "name", Kind: schema.Text}}}

func put(id int, name string) feed.Change {
	return memdb.Put(items, schema.Row{schema.IntValue(int64(id)), schema.TextValue(name)})
}

// named are n changes.
func named(name string, n int) (changes []feed.Change) {
	for i := range n {
		changes = append(changes, put(i, name))
	}
	return changes
}

// world is a database, a broker, and nodes of both.
type world struct {
	t      testing.TB
	db     *relaytest.Database
	broker *relaytest.Broker
	nodes  []*node
	count  int
}

func newWorld(t testing.TB) *world {
	return &world{t: t, db: relaytest.New(&schema.Registry{Tables: []*schema.Table{items}}), broker: relaytest.NewBroker()}
}

// bubble runs a test with a new world in which time costs nothing.
func bubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.stop()
		test(w)
	})
}

// commit commits some changes.
func (w *world) commit(c relaytest.Commit) feed.Position {
	w.count++
	if c.Changes == nil {
		c.Changes = []feed.Change{put(w.count%5, string(rune('a'+w.count%26)))}
	}
	return w.db.Commit(c)
}

// until waits for a condition, for a minute at most.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for range 6000 {
		synctest.Wait()
		if ok() {
			return
		}
		w.pass(10 * time.Millisecond)
	}
	for i, n := range w.nodes {
		w.t.Logf("node %d: %+v", i, n.sink.look())
	}
	w.t.Fatalf("waited in vain until %s", what)
}

// pass lets some time pass.
func (*world) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// reached waits until all nodes have come to where the log ends.
func (w *world) reached() {
	w.t.Helper()
	head, err := w.db.Node().Head(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	w.until("all nodes reach the head", func() bool {
		return !slices.ContainsFunc(w.nodes, func(n *node) bool { return n.sink.look().position < head })
	})
}

// stop ends all nodes.
func (w *world) stop() {
	for len(w.nodes) > 0 {
		w.kill(w.nodes[0])
	}
}

// node is one that runs.
type node struct {
	db     *relaytest.Node
	stream *relaytest.Stream
	source *relay.Source
	sink   *sink
	cancel context.CancelFunc
	done   chan error
}

// start starts a node.
func (w *world) start() *node {
	stream := w.broker.Stream()
	db := w.db.Node()
	source := relay.New(db, stream, relay.WithLogger(slog.New(slog.DiscardHandler)))
	ctx, cancel := context.WithCancel(context.Background())
	n := &node{db: db, stream: stream, source: source, sink: &sink{t: w.t, db: w.db}, cancel: cancel, done: make(chan error, 1)}
	go func() { n.done <- source.Run(ctx, n.sink) }()
	w.nodes = append(w.nodes, n)
	return n
}

// kill ends a node.
func (w *world) kill(n *node) {
	w.t.Helper()
	n.cancel()
	if err := <-n.done; err != nil {
		w.t.Errorf("Run: %v", err)
	}
	if err := n.source.Close(); err != nil {
		w.t.Errorf("Close: %v", err)
	}
	w.nodes = slices.DeleteFunc(w.nodes, func(other *node) bool { return other == n })
}

// sink is told the feed, and that it is the database's.
type sink struct {
	t  testing.TB
	db *relaytest.Database

	mu   sync.Mutex // guards what follows
	seen seen
	// partial is the commit of which parts have come.
	partial *feed.Commit
}

// seen is what a sink was told.
type seen struct {
	epoch    string
	position feed.Position
	starts   []string // their reasons
	epochs   []string // that began
	stall    string   // "" while the feed goes on
	stalls   []time.Time
	commits  int // whole ones since the last Start
	parts    int // of the commit under way
}

func (s *sink) look() seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// Start implements feed.Sink.
func (s *sink) Start(epoch string, head feed.Position, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.db.Seen(head) {
		s.t.Errorf("started at %d, which reads do not see wholly", head)
	}
	if epoch == s.seen.epoch && head < s.seen.position {
		s.t.Errorf("started at %d of %s after %d", head, epoch, s.seen.position)
	}
	epochs := s.seen.epochs
	if epoch != s.seen.epoch {
		epochs = append(epochs, epoch)
	}
	s.seen = seen{epoch: epoch, position: head, starts: append(s.seen.starts, reason), epochs: epochs, stalls: s.seen.stalls}
	s.partial = nil
}

// Commit implements feed.Sink.
func (s *sink) Commit(c *feed.Commit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.stall = ""
	if len(c.Changes) == 0 || c.Transaction == 0 {
		s.t.Errorf("commit %+v has nothing in it", c)
	}
	if s.partial == nil {
		s.partial = &feed.Commit{Position: c.Position}
	}
	if c.Position != s.partial.Position {
		s.t.Errorf("commit %d comes within commit %d", c.Position, s.partial.Position)
	}
	s.partial.Changes = append(s.partial.Changes, c.Changes...)
	if s.seen.parts++; c.More {
		return
	}
	s.pass(c.Position, s.partial.Changes)
	s.partial, s.seen.parts = nil, 0
	s.seen.commits++
}

// Advance implements feed.Sink.
func (s *sink) Advance(p feed.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.partial != nil {
		s.t.Errorf("position %d comes within commit %d", p, s.partial.Position)
	}
	if s.seen.stall == "" || p != s.seen.position {
		s.pass(p, nil)
	}
	s.seen.stall = ""
}

// pass checks that the log has the same between two positions.
func (s *sink) pass(p feed.Position, changes []feed.Change) {
	if p <= s.seen.position {
		s.t.Errorf("position %d comes after %d", p, s.seen.position)
	}
	if err := s.db.Follows(s.seen.position, p, changes); err != nil {
		s.t.Error(err)
	}
	s.seen.position = p
}

// Stall implements feed.Sink.
func (s *sink) Stall(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.stall = reason
	s.seen.stalls = append(s.seen.stalls, time.Now())
}

var _ broker.Stream = (*relaytest.Stream)(nil)
