package route_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	_ "github.com/pando-sync/pando/internal/seeds"
	"github.com/pando-sync/pando/internal/snapshot"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// theme is tables of which the rows meet often, and the scopes over them.
type theme struct {
	tables, scopes []string
	// jobs is the number of rows that a theme of long lists begins with.
	jobs int64
}

var themes = []theme{
	{
		tables: []string{"jobs"}, jobs: 24,
		scopes: []string{"top(a)", "top(b)", "first", "some(1)", "first#1", "top(a)#2", "jobs"},
	},
	{
		tables: []string{"boards", "users", "covers", "lists", "cards", "comments"},
		scopes: []string{"boards/1", "boards/2", "boards/3", "people/1", "people/2"},
	},
	{
		tables: []string{"documents", "labels", "tags", "shades", "drafts", "draft_notes", "lines", "votes", "users"},
		scopes: []string{
			"documents/1(a)", "documents/1(b)", "documents/2(a)", "documents/1(a)@1", "documents/1(a)@2", "documents/2(a)@1",
			"shades/1,a", "shades/2,b", "boards/1",
		},
	},
	{
		tables: []string{"documents", "folders", "notes", "users", "votes", "drafts"},
		scopes: []string{"documents/1(a)", "documents/2(b)", "documents/2(b)@3", "folders/1", "folders/2"},
	},
	{
		tables: []string{"jobs", "jobs", "jobs", "steps", "users"},
		scopes: []string{"jobs", "open", "ranked", "several", "mine(1,a)", "mine(2,b)", "top(a)", "top(b)", "top(null)", "first", "some(1)", "some(2)"},
	},
	{
		tables: []string{"jobs", "jobs", "jobs", "steps"},
		scopes: []string{"jobs#1", "open#2", "top(a)#3", "first#4", "some(1)#5", "several#6", "open", "first"},
	},
	{
		tables: []string{"albums", "photos", "photos", "faces"},
		scopes: []string{"albums/1", "albums/2", "albums/1@1", "albums/1@2", "albums/2@1"},
	},
	{
		tables: []string{"errands", "stops", "users"},
		scopes: []string{"errands/1(1)", "errands/1(2)", "errands/2(1)", "mandate(1)", "mandate(2)", "mandate(1)#1"},
	},
}

// TestRandom commits at random to few rows, so that they meet often, and opens
// and closes scopes between reads that are late, refused or ahead of the feed.
// After each step every scope that speaks shows what the database declares.
func TestRandom(t *testing.T) {
	for i, th := range themes {
		t.Run(fmt.Sprintf("theme=%d", i), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) { random(t, r, th) })
		})
	}
}

func random(t *testing.T, r *rapid.T, th theme) {
	t.Helper()
	keep := rapid.SampledFrom([]int{3, 1000}).Draw(r, "keep")
	m := &machine{theme: th, r: r, t: t, world: newWorld(t, keep), old: map[string][]remembered{}}
	m.world.lean = rapid.Bool().Draw(r, "lean")
	steps := map[string]func(*rapid.T){
		"":        func(*rapid.T) { m.world.check(r) },
		"commit":  m.commit,
		"stage":   m.stage,
		"deliver": m.deliver,
		"open":    m.open,
		"close":   m.close,
		"read":    m.read,
		"merge":   m.merge,
		"fail":    m.fail,
		"since":   m.since,
	}
	if slices.ContainsFunc(th.scopes, func(s string) bool { return strings.Contains(s, "#") }) {
		steps["pick"], steps["judge"] = m.pick, m.judge
	}
	if th.jobs > 0 {
		steps["drop"] = m.drop
		m.load()
	}
	r.Repeat(steps)
	m.settle()
}

// machine makes the steps.
type machine struct {
	theme

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
	t := m.world.table(rapid.SampledFrom(m.tables).Draw(r, "table"))
	row := make(schema.Row, len(t.Columns))
	keys := t.Columns[t.Key].Parts
	if keys == nil {
		keys = []int{t.Key}
	}
	for i := range t.Columns {
		if c := &t.Columns[i]; !c.Derived() {
			row[i] = m.value(r, c, slices.Contains(keys, i))
		}
	}
	t.Complete(row)
	if rapid.IntRange(0, 3).Draw(r, "delete") == 0 {
		return memdb.Remove(t, row[t.Key])
	}
	return memdb.Put(t, row)
}

func (m *machine) value(r *rapid.T, c *schema.Column, key bool) schema.Value {
	switch link := strings.HasSuffix(c.Name, "_id"); {
	case c.Kind == schema.Int && key:
		return schema.IntValue(rapid.Int64Range(1, max(4, m.jobs)).Draw(r, c.Name))
	case c.Kind == schema.Int:
		if n := rapid.Int64Range(0, 3).Draw(r, c.Name); n > 0 {
			return schema.IntValue(n)
		}
		return schema.Value{}
	case c.Kind == schema.Bool:
		return schema.BoolValue(rapid.IntRange(0, 3).Draw(r, c.Name) == 0)
	case link || key && c.Name == "id":
		if n := rapid.SampledFrom([]string{"1", "2", ""}).Draw(r, c.Name); n != "" || key {
			return schema.TextValue(n)
		}
		return schema.Value{}
	default:
		return schema.TextValue(rapid.SampledFrom([]string{"a", "b"}).Draw(r, c.Name))
	}
}

// load commits the rows of a long list.
func (m *machine) load() {
	var changes []feed.Change
	for key := range m.jobs {
		t := m.world.table("jobs")
		changes = append(changes, memdb.Put(t, t.Complete(row(t, "id", int(key+1), "title", "a", "state", "a", "rank", int(key%5)))))
	}
	m.world.write(changes...)
	m.deliverAll()
}

// drop deletes several rows at once, so that windows run out.
func (m *machine) drop(r *rapid.T) {
	t := m.world.table("jobs")
	from := rapid.Int64Range(1, m.jobs).Draw(r, "from")
	rows := rapid.Int64Range(2, 9).Draw(r, "rows")
	var changes []feed.Change
	for key := from; key < from+rows; key++ {
		changes = append(changes, memdb.Remove(t, schema.IntValue(key)))
	}
	m.world.write(changes...)
	if rapid.Bool().Draw(r, "at once") {
		m.deliverAll()
	}
}

// stage delivers a part of the next commit.
func (m *machine) stage(r *rapid.T) {
	if len(m.world.queue) == 0 || len(m.world.queue[0].Changes) == 0 {
		r.Skip("nothing is late")
	}
	m.world.stage(rapid.IntRange(1, len(m.world.queue[0].Changes)).Draw(r, "part"))
	m.turn()
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
	m.world.openScope(rapid.SampledFrom(m.scopes).Draw(r, "scope"))
	if rapid.Bool().Draw(r, "in a turn of its own") {
		m.turn()
	}
}

func (m *machine) close(r *rapid.T) {
	name := m.client(r).name
	m.world.closeScope(name)
	for other := range m.old {
		if m.world.open[other] == nil {
			delete(m.old, other)
		}
	}
	if rapid.Bool().Draw(r, "in a turn of its own") {
		m.turn()
	}
}

// client is any of those that are open.
func (m *machine) client(r *rapid.T) *client {
	if len(m.world.open) == 0 {
		r.Skip("none is open")
	}
	return m.world.open[rapid.SampledFrom(slices.Sorted(maps.Keys(m.world.open))).Draw(r, "client")]
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

// pick changes the list of a private scope.
func (m *machine) pick(r *rapid.T) {
	c := m.client(r)
	if c.list == nil {
		r.Skip("it is not private")
	}
	key := schema.IntValue(rapid.Int64Range(1, max(5, m.jobs)).Draw(r, "key"))
	switch rapid.IntRange(0, 8).Draw(r, "pick") {
	case 0:
		m.world.clear(c)
	case 1, 2:
		// Judgements and limits do not go together.
		if c.scope.Tree.Limit > 0 {
			r.Skip("it has a limit")
		}
		m.world.recheck(c, key, schema.IntValue(rapid.Int64Range(1, 5).Draw(r, "other")))
	case 3, 4, 5:
		m.world.remove(c, key)
	default:
		m.world.add(c, key)
	}
	m.turn()
}

func (m *machine) judge(*rapid.T) {
	m.world.judge()
	m.turn()
}

// since brings a client that left earlier up to date, and remembers what one
// that leaves now holds.
func (m *machine) since(r *rapid.T) {
	c := m.client(r)
	if c.scope.Private != 0 {
		r.Skip("it may speak twice at one version, so that nobody asks it")
	}
	if !c.ready || !c.scope.Ready() {
		r.Skip("it has nothing to say")
	}
	m.turn() // between turns only: what is touched has been told
	if !c.scope.Ready() {
		r.Skip("it has nothing to say")
	}
	want := m.world.declared(c)
	for _, old := range m.old[c.name] {
		var p state.Patch
		if !m.world.router.Since(c.scope, old.version, &p) {
			r.Fatalf("%s: what changed since %d is forgotten", c.name, old.version)
		}
		old.store.Apply(&p)
		same(r, fmt.Sprintf("%s, since version %d", c.name, old.version), held(old.store, m.world.trees), want)
	}
	store := state.NewStore()
	var p state.Patch
	m.world.router.Snapshot(c.scope, &p)
	store.Apply(&p)
	m.old[c.name] = append(slices.Clone(m.old[c.name]), remembered{version: m.world.router.Position(), store: store})
}

// settle lets everything arrive, compares, and closes all.
func (m *machine) settle() {
	m.turn()
	for len(m.world.queue)+len(m.world.wants)+len(m.world.reads)+len(m.world.asks) > 0 {
		m.deliverAll()
		m.world.ask(m.t)
		m.merge(m.r)
		m.judge(m.r)
	}
	for name, c := range m.world.open {
		if !c.ready || !c.scope.Ready() {
			m.r.Fatalf("%s waits for ever", name)
		}
	}
	m.world.check(m.r)
	for _, c := range m.world.open {
		m.readTree(c)
	}
	for name := range m.world.open {
		m.world.closeScope(name)
	}
	m.turn()
	if s := m.world.router.Stats(); s.Scopes+s.Rows+s.Buckets+s.Kept > 0 {
		m.r.Fatalf("nothing is open, and in memory is %+v", s)
	}
}

// readTree compares one read of a whole tree with what its user is shown of the
// scope's two parts.
func (m *machine) readTree(c *client) {
	if c.list != nil {
		return
	}
	k := c.scope.Key
	tree, err := snapshot.ReadTree(m.t.Context(), m.world.db, k.Tree, k.Anchor, k.Env, c.user)
	if err != nil {
		m.r.Fatalf("%s: %v", c.name, err)
	}
	want := m.world.declared(&client{scope: c.scope})
	maps.Copy(want, m.world.declared(c))
	same(m.r, c.name+", by one read", held(tree.Store, m.world.trees), want)
}
