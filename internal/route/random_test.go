package route_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// TestRandom commits at random to few rows, so that they meet often, and opens
// and closes scopes between reads that are late, refused or ahead of the feed.
// After each step every scope that speaks shows what the database declares.
func TestRandom(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := &machine{r: r, t: t, world: newWorld(t, rapid.SampledFrom([]int{3, 1000}).Draw(r, "keep")), old: map[string][]remembered{}}
		r.Repeat(map[string]func(*rapid.T){
			"":        func(*rapid.T) { m.world.check(r) },
			"commit":  m.commit,
			"deliver": m.deliver,
			"open":    m.open,
			"close":   m.close,
			"read":    m.read,
			"merge":   m.merge,
			"fail":    m.fail,
			"since":   m.since,
		})
		m.settle()
	})
}

// machine makes the steps.
type machine struct {
	r     *rapid.T
	t     *testing.T
	world *world
	// old is what clients of a scope held at earlier versions.
	old map[string][]remembered
}

type remembered struct {
	version uint64
	store   *state.Store
}

var tables = []string{"boards", "users", "covers", "lists", "cards", "comments"}

var scopes = []string{"boards/1", "boards/2", "boards/3", "people/1", "people/2"}

func (m *machine) turn() { m.world.turn(func(*client, *state.Patch) {}) }

func (m *machine) commit(r *rapid.T) {
	var changes []feed.Change
	for range rapid.IntRange(1, 6).Draw(r, "changes") {
		changes = append(changes, m.change(r))
	}
	m.world.write(changes...)
	if rapid.Bool().Draw(r, "at once") {
		m.deliverAll()
	}
}

// change puts or deletes a row with random links.
func (m *machine) change(r *rapid.T) feed.Change {
	t := m.world.table(rapid.SampledFrom(tables).Draw(r, "table"))
	key := schema.IntValue(rapid.Int64Range(1, 3).Draw(r, "key"))
	if rapid.IntRange(0, 3).Draw(r, "delete") == 0 {
		return memdb.Remove(t, key)
	}
	row := make(schema.Row, len(t.Columns))
	for i, c := range t.Columns {
		switch {
		case i == t.Key:
			row[i] = key
		case c.Kind == schema.Int:
			if n := rapid.Int64Range(0, 3).Draw(r, c.Name); n > 0 {
				row[i] = schema.IntValue(n)
			}
		default:
			row[i] = schema.TextValue(rapid.SampledFrom([]string{"a", "b"}).Draw(r, c.Name))
		}
	}
	return memdb.Put(t, row)
}

func (m *machine) deliver(r *rapid.T) {
	if len(m.world.queue) == 0 {
		r.Skip("nothing is late")
	}
	m.world.deliver()
	m.turn()
}

func (m *machine) deliverAll() {
	for len(m.world.queue) > 0 {
		m.world.deliver()
		m.turn()
	}
}

func (m *machine) open(r *rapid.T) {
	m.world.openScope(rapid.SampledFrom(scopes).Draw(r, "scope"))
	if rapid.Bool().Draw(r, "in a turn of its own") {
		m.turn()
	}
}

func (m *machine) close(r *rapid.T) {
	name := rapid.SampledFrom(scopes).Draw(r, "scope")
	if m.world.open[name] == nil {
		r.Skip("not open")
	}
	m.world.closeScope(name)
	delete(m.old, name)
	if rapid.Bool().Draw(r, "in a turn of its own") {
		m.turn()
	}
}

func (m *machine) read(*rapid.T) { m.world.ask(m.t) }

func (m *machine) merge(*rapid.T) {
	m.world.merge()
	m.turn()
}

func (m *machine) fail(r *rapid.T) {
	if len(m.world.wants) == 0 {
		r.Skip("nothing is wanted")
	}
	m.world.router.Failed(m.world.wants[0])
	m.world.wants = m.world.wants[1:]
	m.turn()
}

// since brings a client that left earlier up to date, and remembers what one
// that leaves now holds.
func (m *machine) since(r *rapid.T) {
	name := rapid.SampledFrom(scopes).Draw(r, "scope")
	c := m.world.open[name]
	if c == nil || !c.ready || !c.scope.Ready() {
		r.Skip("it has nothing to say")
	}
	m.turn() // between turns only: what is touched has been told
	want := m.world.declared(c.scope.Key)
	for _, old := range m.old[name] {
		var p state.Patch
		if !m.world.router.Since(c.scope, old.version, &p) {
			r.Fatalf("%s: what changed since %d is forgotten", name, old.version)
		}
		old.store.Apply(&p)
		same(r, fmt.Sprintf("%s, since version %d", name, old.version), held(old.store, m.world.trees), want)
	}
	store := state.NewStore()
	var p state.Patch
	m.world.router.Snapshot(c.scope, &p)
	store.Apply(&p)
	m.old[name] = append(slices.Clone(m.old[name]), remembered{version: m.world.router.Position(), store: store})
}

// settle lets everything arrive, compares, and closes all.
func (m *machine) settle() {
	m.turn()
	for len(m.world.queue) > 0 || len(m.world.wants) > 0 || len(m.world.reads) > 0 {
		m.deliverAll()
		m.world.ask(m.t)
		m.merge(m.r)
	}
	for name, c := range m.world.open {
		if !c.ready || !c.scope.Ready() {
			m.r.Fatalf("%s waits for ever", name)
		}
	}
	m.world.check(m.r)
	for name := range m.world.open {
		m.world.closeScope(name)
	}
	m.turn()
	if s := m.world.router.Stats(); s.Scopes+s.Rows+s.Buckets+s.Kept > 0 {
		m.r.Fatalf("nothing is open, and in memory is %+v", s)
	}
}
