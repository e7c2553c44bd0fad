package write_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pando-sync/pando/internal/snapshot"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// dice make a world. Its number reproduces it.
type dice struct {
	testing.TB
	*rand.Rand
}

// worlds runs a check in many worlds. A failure names the world's number.
func worlds(t *testing.T, check func(d *dice)) {
	t.Helper()
	for n := range uint64(worldsAtAll) {
		if check(&dice{t, rand.New(rand.NewPCG(n, 0))}); t.Failed() {
			t.Fatalf("in world %d", n)
		}
	}
}

// keys is how many rows a table of a random world has at most: few, so that
// links often meet.
const keys = 4

// world fills tables at random.
type world struct {
	types  []string
	tables []string
	// mend is SQL after the rows are in.
	mend string
	// row draws the values of a table's row after its key.
	row func(d *dice, table string) string
}

func number(n int) string { return strconv.Itoa(n) }

// keyText is the key of a table's row.
func keyText(table string, n int) string {
	if table == "tasks" {
		return task(number(n))
	}
	return number(n)
}

// link is a key that may exist, or NULL.
func link(d *dice) string { return pick(d, "NULL", "1", "1", "1", "2", "2", "3", "4") }

func pick(d *dice, values ...string) string { return values[d.IntN(len(values))] }

func (w *world) fill(d *dice, b *bench) {
	var sql strings.Builder
	sql.WriteString("PRAGMA defer_foreign_keys = ON;")
	for _, table := range w.tables {
		fmt.Fprintf(&sql, "DELETE FROM %s;", table)
	}
	for _, table := range w.tables {
		for n := 1; n <= keys; n++ {
			if d.IntN(8) > 0 {
				fmt.Fprintf(&sql, "INSERT OR IGNORE INTO %s VALUES (%s%s);", table, "'"+keyText(table, n)+"'", w.row(d, table))
			}
		}
	}
	if _, err := b.db.Exec("BEGIN;" + sql.String() + w.mend + "COMMIT"); err != nil {
		d.Fatalf("%v:\n%s", err, sql.String())
	}
}

// shown is the tree as the stream's user is sent it.
func (b *bench) shown(d *dice, s *write.Stream) *state.Store {
	env := schema.Value{}
	if len(s.Env) > 0 {
		env = schema.TupleValue(s.Env...)
	}
	tree, err := snapshot.ReadTree(b.t.Context(), b.source, b.tree, s.Anchor, env, s.User)
	if err != nil {
		d.Fatal(err)
	}
	return tree.Store
}

// checkAll compares, for every key of every type, whether a write is allowed with
// whether the row is in the tree.
func (w *world) checkAll(d *dice, b *bench, s *write.Stream) (allowed, denied int) {
	tree := b.shown(d, s)
	for _, name := range w.types {
		typ := b.offers[name].Type
		for n := 1; n <= keys; n++ {
			text := keyText(typ.Table.Name, n)
			key, err := typ.Table.ParseKey(text)
			if err != nil {
				d.Fatal(err)
			}
			shown := tree.Get(state.Ref{Type: typ, Key: key}) != nil
			want := map[bool]string{true: "ok", false: "denied"}[shown]
			if got := code(b.save(s, name, text, `{}`)); got != want {
				d.Errorf("save of %s %s for anchor %s, user %s, env %v: got %s, but in the tree: %t\n%s",
					name, text, s.Anchor, s.User, s.Env, got, shown, b.dump())
			}
			if shown {
				allowed++
			} else {
				denied++
			}
		}
	}
	return allowed, denied
}

// TestWhatMayBeWrittenIsWhatIsShown compares every write of a random world with
// the tree that its user is sent.
func TestWhatMayBeWrittenIsWhatIsShown(t *testing.T) {
	allowed, denied := 0, 0
	check := func(d *dice, w *world, b *bench, s *write.Stream) {
		in, out := w.checkAll(d, b, s)
		allowed, denied = allowed+in, denied+out
	}
	lists := &world{
		types: []string{"Job", "Step"}, tables: []string{"steps", "jobs"},
		row: func(d *dice, table string) string {
			if table == "steps" {
				return ", " + link(d) + ", 's'"
			}
			return fmt.Sprintf(", 'j', %s, %s, %s", pick(d, "0", "0", "1"), pick(d, "1", "2"), pick(d, "0", "9.5", "10"))
		},
	}
	list := openJobs(t, 0)
	worlds(t, func(d *dice) {
		lists.fill(d, list)
		check(d, lists, list, list.anchored("", 0, schema.IntValue(int64(1+d.IntN(3)))))
	})
	b := project(t)
	w := &world{
		types:  []string{"Project", "Task", "Budget", "Note", "User", "Topic"},
		tables: []string{"users", "projects", "tasks", "budgets", "notes", "members", "topics"},
		row: func(d *dice, table string) string {
			tenant := pick(d, "1", "1", "2")
			switch table {
			case "projects":
				return ", 'p', " + tenant
			case "tasks":
				return fmt.Sprintf(", 't', %s, %s, %s, %s, NULL", pick(d, "0", "1"), tenant, link(d), link(d))
			case "budgets":
				return fmt.Sprintf(", 1, %s, %s", tenant, link(d))
			case "notes":
				return fmt.Sprintf(", 'n', %s, %s, %s", link(d), tenant, link(d))
			case "members":
				return fmt.Sprintf(", %d", 1+d.IntN(keys))
			case "topics":
				return fmt.Sprintf(", %s, 't', %s", link(d), link(d))
			default:
				return ", 'u'"
			}
		},
	}
	worlds(t, func(d *dice) {
		w.fill(d, b)
		s := b.anchored(number(1+d.IntN(2)), int64(d.IntN(3)),
			schema.IntValue(int64(1+d.IntN(2))))
		check(d, w, b, s)
	})
	if allowed == 0 || denied == 0 {
		t.Errorf("%d rows were in the tree and %d were not: the worlds show nothing", allowed, denied)
	}
}

// boardWorld is a world of boards.
var boardWorld = &world{
	types:  []string{"Board", "List", "Card", "Comment", "User"},
	tables: []string{"comments", "cards", "lists", "boards", "users"},
	mend: `DELETE FROM comments WHERE card_id NOT IN (SELECT id FROM cards WHERE list_id IN (SELECT id FROM lists));
		DELETE FROM cards WHERE list_id NOT IN (SELECT id FROM lists);
		UPDATE comments SET author_id = NULL WHERE author_id NOT IN (SELECT id FROM users);
		UPDATE cards SET assignee_id = NULL WHERE assignee_id NOT IN (SELECT id FROM users);
		UPDATE lists SET board_id = NULL WHERE board_id NOT IN (SELECT id FROM boards);
		UPDATE boards SET owner_id = NULL WHERE owner_id NOT IN (SELECT id FROM users);`,
	row: func(d *dice, table string) string {
		switch table {
		case "boards":
			return ", 'b', " + link(d)
		case "lists":
			return ", " + link(d) + ", 'l'"
		case "cards":
			return fmt.Sprintf(", %s, 'c%d', 1, 'ice', NULL, %s, %s", pick(d, "1", "1", "2", "3", "4"), d.Uint32(),
				pick(d, "NULL", "NULL", "NULL", "'2024-02-29T12:00:00.000000Z'"), link(d))
		case "comments":
			return fmt.Sprintf(", %s, %s, 'x'", link(d), link(d))
		default:
			return ", 'u'"
		}
	},
}

// TestNoWriteShowsMore makes random writes: none shows its user a row that was
// not shown before, but the one that it creates, and none takes a row away but
// by deleting it.
func TestNoWriteShowsMore(t *testing.T) {
	// Every link has a foreign key: a new row must not get the key that rows refer
	// to already.
	ddl := strings.NewReplacer("board_id INTEGER", "board_id INTEGER REFERENCES boards(id)", "list_id INTEGER NOT NULL", "list_id INTEGER NOT NULL REFERENCES lists(id)",
		"owner_id INTEGER", "owner_id INTEGER REFERENCES users(id)", "assignee_id INTEGER", "assignee_id INTEGER REFERENCES users(id)").Replace(boards)
	b := workbench(t, ddl, Board{}, wholeBoard)
	done := map[string]int{}
	worlds(t, func(d *dice) {
		boardWorld.fill(d, b)
		s := b.anchored(number(1+d.IntN(2)), 0)
		for range 12 {
			b.randomWrite(d, s, done)
		}
	})
	for _, want := range []string{"save ok", "create ok", "delete ok", "save denied", "create denied", "delete denied", "save denied list_id", "save denied owner"} {
		if done[want] == 0 {
			t.Errorf("nothing ended with %q: %v", want, done)
		}
	}
}

func (b *bench) randomWrite(d *dice, s *write.Stream, done map[string]int) {
	before, dump := b.shown(d, s), b.dump()
	r := write.Request{
		Op:   write.Op(pick(d, "save", "create", "delete")),
		Type: pick(d, boardWorld.types...),
	}
	switch r.Op {
	case write.Create:
		r.In = [][]string{{"List", "", "cards"}, {"Board", "", "lists"}, {"Card", "", "comments"}}[d.IntN(3)]
		r.Type = map[string]string{"cards": "Card", "lists": "List", "comments": "Comment"}[r.In[2]]
		r.In[1] = b.someKey(d, before, r.In[0])
	default:
		r.ID = b.someKey(d, before, r.Type)
	}
	if r.Op != write.Delete {
		r.Data = object(b.t, randomData(d, r.Type))
	}
	key, err := b.apply(s, r)
	done[string(r.Op)+" "+code(err)]++
	if err != nil {
		if after := b.dump(); after != dump {
			d.Errorf("%+v is refused (%v) and has changed\n%s\nto\n%s", r, err, dump, after)
		}
		return
	}
	after := b.shown(d, s)
	for _, name := range boardWorld.types {
		typ := b.offers[name].Type
		after.Each(typ, func(row schema.Row) {
			k := row[typ.Table.Key]
			created := r.Op == write.Create && name == r.Type && k.String() == key
			if !created && before.Get(state.Ref{Type: typ, Key: k}) == nil {
				d.Errorf("%+v shows %s %s\n%s\nnow\n%s", r, name, k, dump, b.dump())
			}
		})
	}
	typ := b.offers[r.Type].Type
	if k, _ := typ.Table.ParseKey(r.ID + key); (after.Get(state.Ref{Type: typ, Key: k}) == nil) != (r.Op == write.Delete) {
		d.Errorf("%+v: the row is shown: %t", r, r.Op == write.Delete)
	}
}

// someKey is a key of a type, mostly of a row that the tree shows.
func (b *bench) someKey(d *dice, tree *state.Store, name string) string {
	typ := b.offers[name].Type
	var shown []string
	tree.Each(typ, func(row schema.Row) { shown = append(shown, row[typ.Table.Key].String()) })
	if len(shown) == 0 || d.IntN(3) == 0 {
		return number(1 + d.IntN(keys))
	}
	slices.Sort(shown) // the store has no order
	return pick(d, shown...)
}

// randomData is data of a type, with links to rows that may exist.
func randomData(d *dice, typ string) string {
	maybe := func(name, value string) string {
		if d.IntN(2) == 0 {
			return ""
		}
		return fmt.Sprintf(",%q:%s", name, value)
	}
	key := func() string {
		if l := link(d); l != "NULL" {
			return `"` + l + `"`
		}
		return "null"
	}
	var members string
	switch typ {
	case "Card":
		members = fmt.Sprintf(`,"title":"r%d"`, d.Uint32()) +
			maybe("list_id", fmt.Sprintf("%q", pick(d, "1", "2", "3", "4"))) + maybe("assignee", key())
	case "Comment":
		members = `,"body":"x"` + maybe("author", key())
	case "Board":
		members = maybe("owner", key())
	default:
		members = `,"name":"x"`
	}
	return "{" + strings.TrimPrefix(members, ",") + "}"
}
