package route_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
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

var update = flag.Bool("update", false, "write testdata anew")

// TestScripts runs testdata/*.txt. A file is blocks of commands, each followed
// by "----" and what they are to show:
//
//	keep N         a router that keeps N changes; first, if at all
//	load           commit what the lines below say, before any scope is open
//	commit         do so, and have the feed deliver it in one turn
//	write          do so; the feed is late
//	deliver        the feed brings the next commit that is late
//	open SCOPE     open a scope such as boards/1
//	close SCOPE    close it
//	ask            make the reads that are wanted, and keep their answers
//	answer         take in those answers that the feed has passed
//	read           ask and answer until nothing is wanted
//	fail           have the reads fail
//	tree SCOPE     show what the scope shows
//	view SCOPE USER  show what a user sees of it, by one read of the database
//	since SCOPE N  show what changed in it after version N
//	stage N        the feed brings the first N changes of the next commit
//	add SCOPE KEY, remove SCOPE KEY, clear SCOPE
//	               change the list of a private scope
//	recheck SCOPE KEY…
//	               ask for judgements of the list, by which KEY… are hidden
//	judge          answer the judgements that are wanted
//	stats          show what is in memory
//
// A scope is named TREE/ANCHOR(VALUE,…)#PRIVATE@USER, with what there is of it.
// Lines of a commit are indented: "put TABLE KEY COLUMN=VALUE…" changes the
// columns named, "del TABLE KEY" deletes. After every command each scope that
// is whole is compared with the database.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runFile(t, file) })
	}
}

func runFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t}
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimRight(string(text), "\n"), "\n\n") {
		input, want, _ := strings.Cut(block, "\n----")
		if i > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(input + "\n")
		got := s.run(input)
		if got != "" {
			out.WriteString("----\n" + got)
		}
		if got, want = strings.TrimRight(got, "\n"), strings.Trim(want, "\n"); got != want && !*update {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", input, got, want)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// script runs the commands of one file.
type script struct {
	t     *testing.T
	world *world
	out   []string
}

// run runs the commands of a block and returns what they show.
func (s *script) run(input string) string {
	s.out = nil
	lines := strings.Split(input, "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] == "" || lines[i][0] == '#' {
			continue
		}
		words := strings.Fields(lines[i])
		if s.world == nil {
			keep := 100
			if words[0] == "keep" {
				keep, _ = strconv.Atoi(words[1])
			}
			s.world = newWorld(s.t, keep)
		}
		var below []string
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], " ") {
			i++
			below = append(below, lines[i])
		}
		s.command(words, below)
		s.world.check(s.t)
	}
	if len(s.out) == 0 {
		return ""
	}
	return strings.Join(s.out, "\n") + "\n"
}

func (s *script) command(words, below []string) {
	w := s.world
	switch words[0] {
	case "keep":
	case "load", "commit":
		w.write(s.changes(below)...)
		w.deliver()
		s.turn()
	case "write":
		w.write(s.changes(below)...)
	case "deliver":
		w.deliver()
		s.turn()
	case "open":
		w.openScope(words[1])
		s.turn()
	case "close":
		w.closeScope(words[1])
		s.turn()
	case "ask":
		w.ask(s.t)
	case "answer":
		s.merge()
	case "read":
		for len(w.wants) > 0 {
			w.ask(s.t)
			s.merge()
		}
	case "fail":
		for _, wants := range w.wants {
			w.router.Failed(wants)
		}
		w.wants = nil
		s.turn()
	case "tree":
		s.tree(words[1])
	case "view":
		s.view(words[1], words[2])
	case "stage":
		n, err := strconv.Atoi(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		w.stage(n)
		s.turn()
	case "add", "remove", "clear", "recheck":
		s.pick(words)
		s.turn()
	case "judge":
		w.judge()
		s.turn()
	case "since":
		s.since(w.open[words[1]], words[2])
	case "stats":
		s.showf("%+v", w.router.Stats())
	default:
		s.t.Fatalf("unknown command %q", words[0])
	}
}

// tree shows what the clients of a scope hold, put together with the part of
// its user.
func (s *script) tree(name string) {
	c := s.world.open[name]
	store := state.NewStore()
	for _, of := range []*client{s.world.open[strings.Split(name, "@")[0]], c} {
		for _, typ := range s.world.reg.Types {
			of.store.Each(typ, func(row schema.Row) {
				store.Set(state.Instance{Ref: state.Ref{Type: typ, Key: row[typ.Table.Key]}, Row: row})
			})
		}
	}
	s.showf("%s", store.AppendJSON(nil, c.scope.Tree, c.scope.Anchor))
}

// view shows a tree as one read brings it.
func (s *script) view(name, user string) {
	k, _ := s.world.key(name)
	tree, err := snapshot.ReadTree(s.t.Context(), s.world.db, k.Tree, k.Anchor, k.Env, mustParse(schema.Int, user))
	if err != nil {
		s.t.Fatal(err)
	}
	s.showf("%s", tree.Store.AppendJSON(nil, k.Tree, k.Anchor))
}

// pick changes the list of a private scope, and what it has to show.
func (s *script) pick(words []string) {
	c := s.world.open[words[1]]
	table := c.scope.Tree.Root.Type.Table
	var keys []schema.Value
	for _, word := range words[2:] {
		key, err := table.ParseKey(word)
		if err != nil {
			s.t.Fatal(err)
		}
		keys = append(keys, key)
	}
	switch words[0] {
	case "add":
		s.world.add(c, keys[0])
	case "remove":
		s.world.remove(c, keys[0])
	case "clear":
		s.world.clear(c)
	default:
		s.world.recheck(c, keys...)
	}
}

func (s *script) showf(format string, args ...any) {
	s.out = append(s.out, fmt.Sprintf(format, args...))
}

func (s *script) merge() {
	if n := s.world.merge(); n > 0 {
		s.showf("%d answer(s) too old", n)
	}
	if n := len(s.world.reads); n > 0 {
		s.showf("%d answer(s) ahead of the feed", n)
	}
	s.turn()
}

// turn ends the turn and shows what it brought, scopes by name.
func (s *script) turn() {
	before, asked := len(s.world.wants), len(s.world.asks)
	var said []string
	s.world.turn(func(c *client, p *state.Patch) {
		said = append(said, strings.Join(showPatch(c.name, p), "\n"))
	})
	slices.Sort(said)
	s.out = append(s.out, said...)
	for _, wants := range s.world.wants[before:] {
		s.wants(wants)
	}
	var judged []string
	for _, a := range s.world.asks[asked:] {
		judged = append(judged, fmt.Sprintf("judge %s of %s", a.Key, a.Scope.Owner.(*client).name))
	}
	slices.Sort(judged)
	s.out = append(s.out, judged...)
}

func (s *script) wants(wants []route.Want) {
	for _, want := range wants {
		values := slices.SortedFunc(slices.Values(want.Values), schema.Value.Compare)
		path := want.Layer.Path
		if path == "" {
			path = "the anchor"
		}
		if want.Layer.Relation == schema.List {
			path = "the list"
		}
		line := fmt.Sprintf("want %s by %s %v", path, want.Layer.Type.Table.Columns[want.Column].Name, values)
		if want.Window != nil {
			line += fmt.Sprintf(", the first %d", want.Limit)
		}
		if want.After != nil {
			line += " after " + want.After[want.Layer.Type.Table.Key].String()
		}
		s.showf("%s", line)
	}
}

func (s *script) since(c *client, version string) {
	n, err := strconv.ParseUint(version, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	var p state.Patch
	if !s.world.router.Since(c.scope, n, &p) {
		s.showf("%s: not known", c.name)
		return
	}
	s.out = append(s.out, showPatch(c.name, &p)...)
}

// showPatch lists a patch in the order of types and keys.
func showPatch(name string, p *state.Patch) []string {
	var lines []string
	for _, r := range p.Delete {
		lines = append(lines, "  del "+showRef(r))
	}
	for _, in := range p.Set {
		lines = append(lines, "  set "+showRef(in.Ref)+" "+showFields(in.Type, in.Row))
	}
	for _, u := range p.Update {
		parts := []string{"  upd", showRef(u.Ref)}
		for _, f := range u.Type.Fields {
			if u.Old[f.Column] != u.New[f.Column] {
				parts = append(parts, u.Type.Table.Columns[f.Column].Name+"="+shown(u.New[f.Column]))
			}
		}
		lines = append(lines, strings.Join(parts, " "))
	}
	slices.Sort(lines)
	return append([]string{fmt.Sprintf("%s at %d", name, p.N)}, lines...)
}

// changes reads the lines of a commit.
func (s *script) changes(lines []string) []feed.Change {
	var changes []feed.Change
	now := map[state.Ref]schema.Row{}
	for _, line := range lines {
		words := strings.Fields(line)
		t := s.world.table(words[1])
		key, err := t.ParseKey(words[2])
		if err != nil {
			s.t.Fatal(err)
		}
		at := state.Ref{Type: s.typeOver(t), Key: key}
		if words[0] == "del" {
			changes, now[at] = append(changes, memdb.Remove(t, key)), nil
			continue
		}
		old, known := now[at]
		if !known {
			old = s.world.db.Row(t, key)
		}
		row := make(schema.Row, len(t.Columns))
		copy(row, old)
		row[t.Key] = key
		for i, part := range t.Columns[t.Key].Parts {
			row[part] = key.Parts()[i]
		}
		for _, set := range words[3:] {
			name, text, _ := strings.Cut(set, "=")
			row[column(t, name)] = mustParse(t.Columns[column(t, name)].Kind, text)
		}
		t.Complete(row)
		changes, now[at] = append(changes, memdb.Put(t, row)), row
	}
	return changes
}

// typeOver is any type over a table: it stands for the table in a Ref.
func (s *script) typeOver(t *schema.Table) *schema.Type {
	for _, typ := range s.world.reg.Types {
		if typ.Table == t {
			return typ
		}
	}
	panic("no type over " + t.Name)
}
