package route_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// TestRecord keeps what scopes hold by what they note of it, while all happens
// to them that does in TestRandom: it is what they hold.
func TestRecord(t *testing.T) {
	for i, th := range themes {
		th.scopes = slices.DeleteFunc(slices.Clone(th.scopes), func(s string) bool {
			return strings.Contains(s, "#") || newWorld(t, 3).treeOf(s).Limit > 0
		})
		if len(th.scopes) == 0 {
			continue
		}
		t.Run(fmt.Sprintf("theme=%d", i), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) { recordRandom(t, r, th) })
		})
	}
}

func (w *world) treeOf(name string) *schema.Tree {
	k, _ := w.key(name)
	return k.Tree
}

func recordRandom(t *testing.T, r *rapid.T, th theme) {
	t.Helper()
	keep := rapid.SampledFrom([]int{3, 1000}).Draw(r, "keep")
	m := &machine{theme: th, r: r, t: t, world: newWorld(t, keep), old: map[string][]remembered{}}
	m.world.lean = rapid.Bool().Draw(r, "lean")
	rec := &recorder{world: m.world, scopes: map[*route.Scope]map[heldKey]route.Held{}}
	r.Repeat(map[string]func(*rapid.T){
		"":        rec.forget,
		"take":    rec.take,
		"commit":  m.commit,
		"stage":   m.stage,
		"deliver": m.deliver,
		"open":    m.open,
		"close":   m.close,
		"read":    m.read,
		"merge":   m.merge,
		"fail":    m.fail,
	})
	m.settle()
	if n := m.world.router.Noted(); n != 0 {
		r.Fatalf("nothing is open, and %d rows are noted", n)
	}
}

type heldKey struct {
	table int
	key   schema.Value
}

// recorder keeps what recorded scopes hold.
type recorder struct {
	world  *world
	scopes map[*route.Scope]map[heldKey]route.Held
}

// whole are the scopes that are ready.
func (c *recorder) whole() (all []*route.Scope) {
	for _, name := range slices.Sorted(maps.Keys(c.world.open)) {
		if o := c.world.open[name]; o.user.IsNull() && o.ready && o.scope.Ready() {
			all = append(all, o.scope)
		}
	}
	return all
}

// take takes what has changed, or begins to.
func (c *recorder) take(r *rapid.T) {
	scopes := c.whole()
	if len(scopes) == 0 {
		r.Skip("none is ready")
	}
	s := rapid.SampledFrom(scopes).Draw(r, "recorded")
	if !s.Recorded() {
		c.scopes[s] = byKey(c.world.router.Record(s))
		return
	}
	kept := c.scopes[s]
	for _, h := range c.world.router.Changed(s) {
		c.follows(r, kept[heldKey{h.Table.ID, h.Key}], h)
		kept[heldKey{h.Table.ID, h.Key}] = h
	}
	now := c.world.router.Record(s)
	maps.DeleteFunc(kept, func(_ heldKey, h route.Held) bool { return !h.Member })
	if want, got := show(byKey(now)), show(kept); want != got {
		r.Fatalf("by what was noted the scope holds\n%s\nand it holds\n%s", got, want)
	}
}

// follows checks a statement against the one before it.
func (c *recorder) follows(r *rapid.T, before, h route.Held) {
	if h.At == c.world.router.Position() && showRow(h.Table, h.Row) != showRow(h.Table, c.world.delivered[h.Table.ID][h.Key]) {
		r.Fatalf("at %d, %s %v is %v, and not %s", h.At, h.Table.Name, h.Key, c.world.delivered[h.Table.ID][h.Key], showRow(h.Table, h.Row))
	}
	if h.Fresh || !h.Member {
		return
	}
	for _, layer := range h.Open {
		if !slices.Contains(before.Open, layer) {
			r.Fatalf("%s %v is open in layer %d, which is news that is not fresh", h.Table.Name, h.Key, layer)
		}
	}
}

// forget drops what is kept of scopes that are closed.
func (c *recorder) forget(*rapid.T) {
	maps.DeleteFunc(c.scopes, func(s *route.Scope, _ map[heldKey]route.Held) bool { return !s.Recorded() })
}

func byKey(all []route.Held) map[heldKey]route.Held {
	m := map[heldKey]route.Held{}
	for _, h := range all {
		m[heldKey{h.Table.ID, h.Key}] = h
	}
	return m
}

// showRow is a row's stored columns.
func showRow(t *schema.Table, row schema.Row) string {
	if row == nil {
		return "none"
	}
	var values []string
	for i, c := range t.Columns {
		if !c.Derived() {
			values = append(values, row[i].String())
		}
	}
	return fmt.Sprintf("%q", values)
}

func show(held map[heldKey]route.Held) string {
	var lines []string
	for _, h := range held {
		slices.Sort(h.Open)
		lines = append(lines, fmt.Sprintf("%s %v %s member=%t open=%v", h.Table.Name, h.Key, showRow(h.Table, h.Row), h.Member, h.Open))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// recordOf opens a scope over what was written, has it read, and records it.
func (w *world) recordOf(t *testing.T, name string) *recorder {
	t.Helper()
	for len(w.queue) > 0 {
		w.deliver()
	}
	w.openScope(name)
	w.settleReads(t)
	s := w.open[name].scope
	return &recorder{world: w, scopes: map[*route.Scope]map[heldKey]route.Held{s: byKey(w.router.Record(s))}}
}

func (w *world) settleReads(t *testing.T) {
	t.Helper()
	silent := func(*client, *state.Patch) {}
	for w.turn(silent); len(w.wants)+len(w.reads) > 0; w.turn(silent) {
		w.ask(t)
		w.merge()
	}
}

// told is what a scope tells of a row of which something has changed.
func (c *recorder) told(t *testing.T, name, table string, key schema.Value) route.Held {
	t.Helper()
	def := c.world.table(table)
	for _, h := range c.world.router.Changed(c.world.open[name].scope) {
		if h.Table == def && h.Key == key {
			return h
		}
	}
	t.Fatalf("%s tells nothing of %s %v", name, table, key)
	return route.Held{}
}

// TestRecordOfARowThatChangesAsItLeaves has one commit take a folder out of what a
// document shows, and rename the folder after that.
func TestRecordOfARowThatChangesAsItLeaves(t *testing.T) {
	w := newWorld(t, 1000)
	documents, folders := w.table("documents"), w.table("folders")
	w.write(
		memdb.Put(folders, folders.Complete(row(folders, "id", 2, "name", "old"))),
		memdb.Put(documents, documents.Complete(row(documents, "id", "2", "title", "b", "folder_id", 2))),
	)
	rec := w.recordOf(t, "documents/2(b)")
	w.write(
		memdb.Remove(documents, schema.TextValue("2")),
		memdb.Put(folders, folders.Complete(row(folders, "id", 2, "name", "new"))),
	)
	w.deliver()
	w.settleReads(t)
	h := rec.told(t, "documents/2(b)", "folders", schema.IntValue(2))
	if want := w.delivered[folders.ID][h.Key]; h.Member || h.At != w.router.Position() || showRow(folders, h.Row) != showRow(folders, want) {
		t.Errorf("at %d a member=%t that is %s, and it has left and is %s", h.At, h.Member, showRow(folders, h.Row), showRow(folders, want))
	}
}

// TestRecordOfARowThatLeavesInParts has a commit that comes in parts take a row out
// of a list, by a source that carries what has changed only.
func TestRecordOfARowThatLeavesInParts(t *testing.T) {
	w := newWorld(t, 1000)
	w.lean = true
	jobs := w.table("jobs")
	job := func(state string) schema.Row {
		return jobs.Complete(row(jobs, "id", 3, "title", "a", "state", state, "rank", 1))
	}
	w.write(memdb.Put(jobs, job("a")))
	rec := w.recordOf(t, "open")
	w.write(memdb.Put(jobs, job("b")), memdb.Remove(jobs, schema.IntValue(9)))
	w.stage(1)
	w.deliver()
	w.settleReads(t)
	h := rec.told(t, "open", "jobs", schema.IntValue(3))
	if want := w.delivered[jobs.ID][h.Key]; h.Member || showRow(jobs, h.Row) != showRow(jobs, want) {
		t.Errorf("a member=%t that is %s, and it has left and is %s", h.Member, showRow(jobs, h.Row), showRow(jobs, want))
	}
}
