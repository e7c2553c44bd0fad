package route_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/snapshot"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

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
	// staged are the changes of the first commit in queue that were delivered.
	staged []feed.Change
	wants  [][]route.Want
	reads  []*route.Read
	asks   []route.Ask
	open   map[string]*client
	// lean has the router told as little as a source may tell.
	lean bool
}

// client is a scope, or the part of a user, and what someone who follows it
// holds.
type client struct {
	name  string
	scope *route.Scope
	user  schema.Value
	store *state.Store
	ready bool
	// list is what was made of the list of a private scope.
	list *handmade
}

// handmade is a list that one stream has changed.
type handmade struct {
	added, removed map[schema.Value]bool
	cleared        bool
	// judged tells that rows are judged: those in hidden are not visible.
	judged bool
	hidden map[schema.Value]bool
}

func newWorld(t testing.TB, keep int) *world {
	t.Helper()
	w := &world{reg: schema.NewRegistry(), open: map[string]*client{}}
	w.trees = declareAll(t, w.reg)
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

// deliver hands the router the next commit, or what is left of it.
func (w *world) deliver() {
	c := w.queue[0]
	w.queue = w.queue[1:]
	for _, ch := range slices.Concat(w.staged, c.Changes) {
		if ch.New == nil {
			delete(w.delivered[ch.Table.ID], ch.Key)
		} else {
			w.delivered[ch.Table.ID][ch.Key] = ch.New
		}
	}
	w.staged = nil
	w.router.Commit(w.told(c))
}

// told is what the router hears of a commit.
func (w *world) told(c *feed.Commit) *feed.Commit {
	if w.lean {
		return memdb.Lean(c)
	}
	return c
}

// stage hands the router the first changes of the next commit.
func (w *world) stage(n int) {
	c := w.queue[0]
	w.router.Stage(w.told(&feed.Commit{Position: c.Position, Changes: c.Changes[:n], More: true}))
	w.staged = append(w.staged, c.Changes[:n]...)
	w.queue[0] = &feed.Commit{Position: c.Position, Changes: c.Changes[n:]}
}

// key is the scope, and the user of the part, that a name such as
// "boards/1", "top(a,2)", "open#7" or "documents/1(a)@3" means.
func (w *world) key(name string) (k route.Key, user schema.Value) {
	name, of, isPart := strings.Cut(name, "@")
	if isPart {
		user = mustParse(schema.Int, of)
	}
	name, private, isPrivate := strings.Cut(name, "#")
	if isPrivate {
		k.Private = uint64(mustParse(schema.Int, private).Int())
	}
	name, values, hasEnv := strings.Cut(strings.TrimSuffix(name, ")"), "(")
	tree, anchor, hasAnchor := strings.Cut(name, "/")
	k.Tree = w.trees[tree]
	if k.Tree == nil {
		panic("no tree " + tree)
	}
	if hasAnchor {
		v, err := k.Tree.Root.Type.Table.ParseKey(anchor)
		if err != nil {
			panic(err)
		}
		k.Anchor = v
	}
	if hasEnv {
		var parts []schema.Value
		for i, text := range strings.Split(values, ",") {
			parts = append(parts, mustParse(k.Tree.Env[i].Kind, text))
		}
		k.Env = schema.TupleValue(parts...)
	}
	return k, user
}

func mustParse(kind schema.Kind, text string) schema.Value {
	if text == "null" {
		return schema.Value{}
	}
	v, err := kind.ParseText(text)
	if err != nil {
		panic(err)
	}
	return v
}

// openScope opens a scope, and for the name of a part that as well.
func (w *world) openScope(name string) {
	whole, _, isPart := strings.Cut(name, "@")
	k, user := w.key(name)
	s, fresh := w.router.Open(k)
	if fresh {
		w.open[whole] = &client{name: whole, scope: s, store: state.NewStore()}
		s.Owner = w.open[whole]
		if k.Private != 0 {
			w.open[whole].list = &handmade{added: map[schema.Value]bool{}, removed: map[schema.Value]bool{}}
		}
	}
	if isPart && w.open[name] == nil {
		p := w.router.Part(s, user)
		w.open[name] = &client{name: name, scope: p, user: user, store: state.NewStore()}
		p.Owner = w.open[name]
	}
}

// closeScope closes a scope with its parts, or one part.
func (w *world) closeScope(name string) {
	c := w.open[name]
	if !c.user.IsNull() {
		w.router.ClosePart(c.scope)
		delete(w.open, name)
		return
	}
	w.router.Close(c.scope)
	for other := range w.open {
		if whole, _, _ := strings.Cut(other, "@"); whole == name {
			delete(w.open, other)
		}
	}
}

// turn ends a turn as the pipe does; show hears of every patch.
func (w *world) turn(show func(*client, *state.Patch)) {
	w.router.Flush(func(s *route.Scope, p *state.Patch) {
		c := s.Owner.(*client)
		c.store.Apply(p)
		show(c, p)
	})
	w.asks = append(w.asks, w.router.Asks()...)
	if wants := w.router.Wants(); wants != nil {
		w.wants = append(w.wants, wants)
	}
	for _, name := range slices.Sorted(maps.Keys(w.open)) {
		c := w.open[name]
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

// judge answers the judgements that are wanted.
func (w *world) judge() {
	for _, a := range w.asks {
		if c := a.Scope.Owner.(*client); w.open[c.name] == c {
			w.router.Judge(a.Scope, a.Key, !c.list.hidden[a.Key])
		}
	}
	w.asks = nil
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

// naive finds what a client has to be shown by following the links from the
// anchor through what was delivered.
type naive struct {
	w     *world
	tree  *schema.Tree
	env   []schema.Value
	user  schema.Value
	list  *handmade
	found instances
}

func (w *world) declared(c *client) instances {
	k := c.scope.Key
	n := &naive{w: w, tree: k.Tree, env: k.Env.Parts(), user: c.user, list: c.list, found: instances{}}
	root := k.Tree.Root
	if root.Relation == schema.List {
		for _, row := range n.listed() {
			n.show(root, row, false)
		}
	} else if row := w.delivered[root.Type.Table.ID][k.Anchor]; row != nil && n.meets(root, row) {
		n.show(root, row, false)
	}
	return n.found
}

// listed are the rows of a list.
func (n *naive) listed() []schema.Row {
	root := n.tree.Root
	var rows, added []schema.Row
	for key, row := range n.w.delivered[root.Type.Table.ID] {
		switch {
		case n.list != nil && n.list.judged && n.list.hidden[key] || n.list != nil && n.list.removed[key]:
		case n.list != nil && n.list.added[key]:
			added = append(added, row)
			// It takes a place among the first as well.
			if !n.list.cleared && n.meets(root, row) {
				rows = append(rows, row)
			}
		case (n.list == nil || !n.list.cleared) && n.meets(root, row):
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b schema.Row) int {
		for _, o := range root.Order {
			if c := a[o.Column].Compare(b[o.Column]); c != 0 && o.Desc {
				return -c
			} else if c != 0 {
				return c
			}
		}
		return a[root.Type.Table.Key].Compare(b[root.Type.Table.Key])
	})
	if n.tree.Limit > 0 {
		rows = rows[:min(len(rows), n.tree.Limit)]
	}
	return append(rows, added...)
}

// meets tells whether a row meets the conditions of a layer, worked out from
// what SQL says of them.
func (n *naive) meets(l *schema.Layer, row schema.Row) bool {
	for _, c := range l.Where {
		v := row[c.Column]
		holds := v.IsNull() == (c.Op == schema.IsNull)
		if c.Op != schema.IsNull && c.Op != schema.NotNull {
			holds = false
			for _, o := range c.Operands {
				w := o.Value
				if o.Env >= 0 {
					w = n.env[o.Env]
				}
				if v.IsNull() || w.IsNull() {
					continue
				}
				sign := v.Compare(w)
				holds = holds || map[schema.Op]bool{
					schema.Eq: sign == 0, schema.In: sign == 0, schema.Ne: sign != 0,
					schema.Lt: sign < 0, schema.Le: sign <= 0, schema.Gt: sign > 0, schema.Ge: sign >= 0,
				}[c.Op]
			}
		}
		if !holds {
			return false
		}
	}
	return true
}

// show adds a row that is shown in a layer, with what stands below it. private
// tells that it is only the user's.
func (n *naive) show(l *schema.Layer, row schema.Row, private bool) {
	if l.UserKey >= 0 {
		if row[l.UserKey].IsNull() || row[l.UserKey] != n.user {
			return
		}
		private = true
	}
	if private != n.user.IsNull() {
		n.found.add(l.Type, n.computed(l, row))
	}
	for _, c := range l.Children {
		if c.Hidden {
			continue
		}
		rows := n.w.delivered[c.Type.Table.ID]
		if c.Relation.Forward() {
			if target := rows[row[c.Link]]; target != nil && n.meets(c, target) {
				n.show(c, target, private)
			}
			continue
		}
		for _, r := range rows {
			if r[c.Link] == row[l.Type.Table.Key] && n.meets(c, r) {
				n.show(c, r, private)
			}
		}
	}
}

// computed is a row with the columns that are made of related rows.
func (n *naive) computed(l *schema.Layer, row schema.Row) schema.Row {
	row = slices.Clone(row)
	for i := range l.Type.Table.Columns {
		a := l.Type.Table.Columns[i].Aggregate
		if a == nil {
			continue
		}
		related := make([][]schema.Row, len(a.Sources))
		for k, s := range a.Sources {
			rows := n.w.delivered[s.Table.ID]
			for _, key := range slices.SortedFunc(maps.Keys(rows), schema.Value.Compare) {
				if r := rows[key]; r[s.Link] == row[l.Type.Table.Key] && n.meets(&schema.Layer{Where: s.Where}, r) {
					related[k] = append(related[k], r)
				}
			}
		}
		row[i] = a.Value(row, related)
	}
	return row
}

// check compares every scope that speaks with what it has to show: by its rows
// in memory, and by the patches that it sent.
func (w *world) check(t failer) {
	t.Helper()
	for name, c := range w.open {
		if !c.ready || !c.scope.Ready() {
			continue
		}
		want := w.declared(c)
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
			parts = append(parts, fmt.Sprintf("%s=%s", typ.Table.Columns[f.Column].Name, shown(v)))
		}
	}
	return strings.Join(parts, " ")
}

// shown is a value as a script writes it.
func shown(v schema.Value) string {
	if s := v.String(); strings.ContainsRune(s, ' ') {
		return strconv.Quote(s)
	}
	return v.String()
}
