package route_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/snapshot"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

type user struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type comment struct {
	ID     int64  `json:"id"`
	Body   string `json:"body"`
	Author *user  `json:"author"`
}

type cover struct {
	ID    int64  `json:"id"`
	Color string `json:"color"`
}

// related is a card as another card refers to it: the same table by another
// type, and a way for a row to stand below itself.
type related struct {
	ID       int64     `json:"id"`
	Title    string    `json:"title"`
	Assignee *user     `json:"assignee"`
	Comments []comment `json:"comments" pando:"link:card_id"`
}

func (related) TableName() string { return "cards" }

type card struct {
	ID       int64     `json:"id"`
	Title    string    `json:"title"`
	Assignee *user     `json:"assignee"`
	Related  *related  `json:"related"`
	Comments []comment `json:"comments"`
}

type list struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Cards []card `json:"cards"`
}

type board struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Owner *user  `json:"owner"`
	Cover *cover `json:"cover" pando:"hasone"`
	Lists []list `json:"lists"`
}

// person is a user with what is assigned to them: a second tree over the same
// tables.
type person struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Cards []task `json:"cards" pando:"link:assignee_id"`
}

func (person) TableName() string { return "users" }

type task struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
}

func (task) TableName() string { return "cards" }

// world is a database, a router that is fed from it, and what the clients of
// its scopes hold.
type world struct {
	reg    *schema.Registry
	trees  map[string]*schema.Tree
	db     *memdb.DB
	router *route.Router
	// delivered is the database as far as the router has been told of it.
	delivered []map[schema.Value]schema.Row
	queue     []*feed.Commit
	wants     [][]route.Want
	reads     []*route.Read
	open      map[string]*client
}

// client is a scope and what someone who follows it holds.
type client struct {
	name  string
	scope *route.Scope
	store *state.Store
	ready bool
}

func newWorld(t testing.TB, keep int) *world {
	t.Helper()
	w := &world{reg: schema.NewRegistry(), trees: map[string]*schema.Tree{}, open: map[string]*client{}}
	for _, root := range []struct {
		name string
		typ  reflect.Type
	}{{"boards", reflect.TypeFor[board]()}, {"people", reflect.TypeFor[person]()}} {
		tree, err := w.reg.Tree(root.typ)
		if err != nil {
			t.Fatal(err)
		}
		w.trees[root.name] = tree
	}
	w.db = memdb.New(w.reg)
	w.router = route.New(w.reg, keep)
	for range w.reg.Tables {
		w.delivered = append(w.delivered, map[schema.Value]schema.Row{})
	}
	return w
}

func (w *world) table(name string) *schema.Table {
	for _, t := range w.reg.Tables {
		if t.Name == name {
			return t
		}
	}
	panic("no table " + name)
}

func column(t *schema.Table, name string) int {
	return slices.IndexFunc(t.Columns, func(c schema.Column) bool { return c.Name == name })
}

// write commits to the database; the router hears of it by deliver.
func (w *world) write(changes ...feed.Change) {
	w.queue = append(w.queue, w.db.Commit(changes...))
	w.db.Pending()
}

// deliver hands the router the next commit.
func (w *world) deliver() {
	c := w.queue[0]
	w.queue = w.queue[1:]
	for _, ch := range c.Changes {
		if ch.New == nil {
			delete(w.delivered[ch.Table.ID], ch.Key)
		} else {
			w.delivered[ch.Table.ID][ch.Key] = ch.New
		}
	}
	w.router.Commit(c)
}

// key is the scope that a name such as "boards/1" means.
func (w *world) key(name string) route.Key {
	tree, anchor, _ := strings.Cut(name, "/")
	v, err := schema.Int.ParseText(anchor)
	if err != nil {
		panic(err)
	}
	return route.Key{Tree: w.trees[tree], Anchor: v}
}

func (w *world) openScope(name string) {
	s, fresh := w.router.Open(w.key(name))
	if fresh {
		w.open[name] = &client{name: name, scope: s, store: state.NewStore()}
		s.Owner = w.open[name]
	}
}

func (w *world) closeScope(name string) {
	w.router.Close(w.open[name].scope)
	delete(w.open, name)
}

// turn ends a turn as the pipe does; show hears of every patch.
func (w *world) turn(show func(*client, *state.Patch)) {
	w.router.Flush(func(s *route.Scope, p *state.Patch) {
		c := s.Owner.(*client)
		c.store.Apply(p)
		show(c, p)
	})
	if wants := w.router.Wants(); wants != nil {
		w.wants = append(w.wants, wants)
	}
	for _, c := range w.open {
		if w.router.Loaded(c.scope) {
			var p state.Patch
			w.router.Snapshot(c.scope, &p)
			c.store.Apply(&p)
			c.ready = true
			show(c, &p)
		}
	}
}

// ask makes the reads that are wanted, which see the database as it is now.
func (w *world) ask(t testing.TB) {
	t.Helper()
	for _, wants := range w.wants {
		read, err := snapshot.Read(t.Context(), w.db, wants)
		if err != nil {
			t.Fatal(err)
		}
		w.reads = append(w.reads, read)
	}
	w.wants = nil
}

// merge takes in the reads that the feed has passed, and tells how many could
// not be used.
func (w *world) merge() (refused int) {
	w.reads = slices.DeleteFunc(w.reads, func(r *route.Read) bool {
		if r.Position > w.router.Position() {
			return false
		}
		if !w.router.Merge(r) {
			refused++
		}
		return true
	})
	return refused
}

// failer is what a *testing.T and a *rapid.T share.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	FailNow()
}

type instances map[state.Ref]string

func (i instances) add(typ *schema.Type, row schema.Row) {
	i[state.Ref{Type: typ, Key: row[typ.Table.Key]}] = showFields(typ, row)
}

// declared is what a scope has to show by what was delivered, found by
// following the links from the anchor.
func (w *world) declared(k route.Key) instances {
	found := instances{}
	if row := w.delivered[k.Tree.Root.Type.Table.ID][k.Anchor]; row != nil {
		w.descend(found, k.Tree.Root, row)
	}
	return found
}

func (w *world) descend(found instances, l *schema.Layer, row schema.Row) {
	found.add(l.Type, row)
	for _, c := range l.Children {
		rows := w.delivered[c.Type.Table.ID]
		if c.Relation.Forward() {
			if target := rows[row[c.Link]]; target != nil {
				w.descend(found, c, target)
			}
			continue
		}
		for _, r := range rows {
			if r[c.Link] == row[l.Type.Table.Key] {
				w.descend(found, c, r)
			}
		}
	}
}

// check compares every scope that speaks with what it has to show: by its rows
// in memory, and by the patches that it sent.
func (w *world) check(t failer) {
	t.Helper()
	for name, c := range w.open {
		if !c.ready || !c.scope.Ready() {
			continue
		}
		want := w.declared(c.scope.Key)
		var p state.Patch
		w.router.Snapshot(c.scope, &p)
		walked, placed := instances{}, map[state.Ref]bool{}
		for _, in := range p.Set {
			if placed[in.Ref] {
				t.Fatalf("%s: %s is in the snapshot twice", name, showRef(in.Ref))
			}
			placed[in.Ref] = true
			walked.add(in.Type, in.Row)
		}
		same(t, name+", in memory", walked, want)
		same(t, name+", by its patches", held(c.store, w.trees), want)
	}
}

// held lists a store's instances.
func held(s *state.Store, trees map[string]*schema.Tree) instances {
	all := instances{}
	for _, tree := range trees {
		for _, l := range tree.Layers {
			s.Each(l.Type, func(row schema.Row) { all.add(l.Type, row) })
		}
	}
	return all
}

func same(t failer, what string, got, want instances) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for ref, fields := range want {
		if got[ref] != fields {
			t.Errorf("%s: %s is %q, want %q", what, showRef(ref), got[ref], fields)
		}
	}
	for ref := range got {
		if _, ok := want[ref]; !ok {
			t.Errorf("%s: %s should not be there", what, showRef(ref))
		}
	}
	t.FailNow()
}

func showRef(r state.Ref) string { return r.Type.Name + " " + r.Key.String() }

func showFields(typ *schema.Type, row schema.Row) string {
	var parts []string
	for i := range typ.Fields {
		f := &typ.Fields[i]
		if v := row[f.Column]; i != typ.Key && !v.IsNull() {
			parts = append(parts, fmt.Sprintf("%s=%s", typ.Table.Columns[f.Column].Name, v))
		}
	}
	return strings.Join(parts, " ")
}
