package state

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pando-sync/pando/schema"
)

// typeOver makes a type whose fields are its columns: "id int", and "@" before
// one that is not shown. The first is the key.
func typeOver(name string, columns ...string) *schema.Type {
	kinds := map[string]schema.Kind{"int": schema.Int, "text": schema.Text, "float": schema.Float, "tuple": schema.Tuple}
	t := &schema.Type{Name: name, Table: &schema.Table{Name: strings.Trim(strings.ToLower(name), "@")}}
	for i, c := range columns {
		column, kind, _ := strings.Cut(c, " ")
		bare := strings.TrimPrefix(column, "@")
		t.Table.Columns = append(t.Table.Columns, schema.Column{Name: bare, Kind: kinds[kind]})
		t.Fields = append(t.Fields, schema.Field{Name: column, Hidden: bare != column, Column: i, Kind: kinds[kind]})
	}
	return t
}

// layer adds a layer below another, with its type's shown fields as members
// and itself as a member of the parent under name, unless that is empty.
func layer(tree *schema.Tree, parent *schema.Layer, name string, l *schema.Layer) *schema.Layer {
	l.Index, l.Parent, l.Name, l.UserKey = len(tree.Layers), parent, name, -1
	tree.Layers = append(tree.Layers, l)
	for i := range l.Type.Fields {
		if !l.Type.Fields[i].Hidden {
			l.Members = append(l.Members, schema.Member{Field: i})
		}
	}
	if parent == nil {
		tree.Root = l
		return l
	}
	parent.Children = append(parent.Children, l)
	if name != "" {
		parent.Members = append(parent.Members, schema.Member{Field: -1, Layer: l})
	}
	return l
}

// tasks is a list of tasks, newest first, with their tags by name.
func tasks() (tree *schema.Tree, place, task, link, tag *schema.Type) {
	task = typeOver("Task", "id int", "title text", "@created_at float")
	place = typeOver("@TasksChannel", "id int", "@created_at float")
	place.Table = task.Table
	place.Fields[1].Column = 2
	link = typeOver("@task_tags", "@id int", "@task_id int", "@tag_id int")
	tag = typeOver("Tag", "id int", "name text")
	tree = &schema.Tree{}
	root := layer(tree, nil, "", &schema.Layer{Type: place, Relation: schema.List, Order: []schema.Order{{Column: 2, Desc: true}}})
	root.Members = nil
	rows := layer(tree, root, "", &schema.Layer{Type: task, Relation: schema.BelongsTo, Link: 0})
	root.Through = rows
	tags := layer(tree, rows, "tags", &schema.Layer{Type: link, Relation: schema.HasMany, Link: 1})
	tags.Through = layer(tree, tags, "", &schema.Layer{Type: tag, Relation: schema.BelongsTo, Link: 2, Order: []schema.Order{{Column: 1}}})
	return tree, place, task, link, tag
}

func TestListsAndThrough(t *testing.T) {
	tree, place, task, link, tag := tasks()
	s := NewStore()
	expect(t, s, tree, `[]`)
	rows := []Instance{
		made(task, "id", 1, "title", "old", "created_at", 1.0),
		made(task, "id", 2, "title", "new", "created_at", 2.0),
		made(task, "id", 3, "title", "new too", "created_at", 2.0),
		made(task, "id", 4, "title", "no place", "created_at", 9.0),
		made(tag, "id", 8, "name", "b"),
		made(tag, "id", 9, "name", "a"),
		made(tag, "id", 7, "name", "b"),
	}
	for key, at := range map[int]float64{1: 1, 2: 2, 3: 2, 5: 3} { // 5 is on its way
		rows = append(rows, made(place, "id", key, "created_at", at))
	}
	for i, l := range [][2]int{{2, 8}, {2, 9}, {2, 7}, {2, 6}, {2, 9}, {1, 7}} { // 6 is on its way
		rows = append(rows, made(link, "id", 100+i, "task_id", l[0], "tag_id", l[1]))
	}
	rows = append(rows, made(link, "id", 200, "tag_id", 7), made(link, "id", 201, "task_id", 3))
	rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	for _, r := range rows {
		s.Set(r)
	}
	a, b7, b8 := `{"id":9,"name":"a"}`, `{"id":7,"name":"b"}`, `{"id":8,"name":"b"}`
	expect(t, s, tree, `[{"id":2,"title":"new","tags":[`+a+`,`+a+`,`+b7+`,`+b8+`]},`+
		`{"id":3,"title":"new too","tags":[]},{"id":1,"title":"old","tags":[`+b7+`]}]`)

	// An order of its own goes before the targets'.
	tree.Layers[2].Order = []schema.Order{{Column: 0, Desc: true}}
	v := NewView(tree, s)
	var got []string
	for _, row := range v.Related(tree.Layers[2], made(task, "id", 2).Row) {
		got = append(got, row[0].String())
	}
	if fmt.Sprint(got) != "[9 7 9 8]" {
		t.Errorf("tags in the order of their links: %v", got)
	}
	if top := v.Top(schema.Value{}); len(top) != 3 || top[0][1].Str() != "new" {
		t.Errorf("top: %v", top)
	}
	if tree.Root.Shown() != tree.Layers[1] || tree.Layers[1].Shown() != tree.Layers[1] {
		t.Error("a place shows what it is through, all else itself")
	}
}

func TestHasOneThrough(t *testing.T) {
	tree, place, task, link, tag := tasks()
	tree.Layers[2].Relation = schema.HasOne
	s := NewStore()
	for _, i := range []Instance{
		made(place, "id", 1), made(task, "id", 1, "title", "t"),
		made(link, "id", 1, "task_id", 1, "tag_id", 2), made(link, "id", 2, "task_id", 1, "tag_id", 1),
		made(tag, "id", 1, "name", "b"), made(tag, "id", 2, "name", "c"),
	} {
		s.Set(i)
	}
	expect(t, s, tree, `[{"id":1,"title":"t","tags":{"id":1,"name":"b"}}]`)
	s.Delete(Ref{tag, schema.IntValue(1)})
	s.Delete(Ref{tag, schema.IntValue(2)})
	expect(t, s, tree, `[{"id":1,"title":"t","tags":null}]`)
}

// TestBelongsToThrough shows a row that another layer shows too only while it
// has a place.
func TestBelongsToThrough(t *testing.T) {
	user, place, task := typeOver("User", "id int"), typeOver("@active", "@id int"), typeOver("Task", "id int", "@owner_id int")
	tree := &schema.Tree{}
	root := layer(tree, nil, "", &schema.Layer{Type: task})
	owner := layer(tree, root, "owner", &schema.Layer{Type: place, Relation: schema.BelongsTo, Link: 1})
	owner.Through = layer(tree, owner, "", &schema.Layer{Type: user, Relation: schema.BelongsTo})
	s := NewStore()
	s.Set(made(task, "id", 1, "owner_id", 7))
	s.Set(made(user, "id", 7))
	expect(t, s, tree, `{"id":1,"owner":null}`)
	s.Set(made(place, "id", 7))
	expect(t, s, tree, `{"id":1,"owner":{"id":7}}`)
}

// TestUnion shows rows of two scopes, of which some are in both.
func TestUnion(t *testing.T) {
	tree := stemTree(t)
	stem, leaf := tree.Root.Type, tree.Layers[1].Type
	public, private := NewStore(), NewStore()
	public.Set(made(stem, "id", 1, "name", "s", "best_id", 3))
	public.Set(made(leaf, "id", 2, "name", "a", "stem_id", 1))
	private.Set(made(leaf, "id", 2, "name", "a", "stem_id", 1))
	private.Set(made(leaf, "id", 3, "name", "b", "stem_id", 1))
	show := func(want string) {
		t.Helper()
		if got := string(NewView(tree, public, private).AppendJSON(nil, schema.IntValue(1))); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const a, b = `{"id":"2","name":"a","rank":null}`, `{"id":"3","name":"b","rank":null}`
	show(`{"id":"1","name":"s","first":` + a + `,"best":` + b + `,"leaves":[` + b + `,` + a + `]}`)
	public.Delete(Ref{leaf, schema.IntValue(2)})
	show(`{"id":"1","name":"s","first":` + a + `,"best":` + b + `,"leaves":[` + b + `,` + a + `]}`)
	private.Delete(Ref{leaf, schema.IntValue(2)})
	show(`{"id":"1","name":"s","first":` + b + `,"best":` + b + `,"leaves":[` + b + `]}`)
	private.Delete(Ref{leaf, schema.IntValue(3)})
	show(`{"id":"1","name":"s","first":null,"best":null,"leaves":[]}`)
}

func TestTupleKeys(t *testing.T) {
	line := typeOver("Line", "@(a,b) tuple", "note text")
	part := typeOver("Part", "id int", "@(line_a,line_b) tuple")
	tree := &schema.Tree{}
	root := layer(tree, nil, "", &schema.Layer{Type: line})
	layer(tree, root, "parts", &schema.Layer{Type: part, Relation: schema.HasMany, Link: 1})
	key := schema.TupleValue(schema.IntValue(7), schema.TextValue("x,y"))
	s := NewStore()
	s.Set(made(line, "(a,b)", key, "note", "n"))
	s.Set(made(part, "id", 1, "(line_a,line_b)", key))
	s.Set(made(part, "id", 2, "(line_a,line_b)", schema.TupleValue(schema.IntValue(7), schema.TextValue("x"))))
	s.Set(made(part, "id", 3))
	if got, want := string(s.AppendJSON(nil, tree, key)), `{"note":"n","parts":[{"id":1}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestDepth shows a row in layers of which the deepest has no replies.
func TestDepth(t *testing.T) {
	comment := typeOver("Comment", "id int", "@parent_id int")
	tree := &schema.Tree{}
	top := layer(tree, nil, "", &schema.Layer{Type: comment})
	replies := layer(tree, top, "replies", &schema.Layer{Type: comment, Relation: schema.HasMany, Link: 1})
	layer(tree, replies, "replies", &schema.Layer{Type: comment, Relation: schema.HasMany, Link: 1})
	s := NewStore()
	for id := 1; id <= 4; id++ {
		s.Set(made(comment, "id", id, "parent_id", id-1))
	}
	expect(t, s, tree, `{"id":1,"replies":[{"id":2,"replies":[{"id":3}]}]}`)
}

func TestClone(t *testing.T) {
	leaf := stemTree(t).Layers[1].Type
	s := NewStore()
	s.Set(made(leaf, "id", 1))
	c := s.Clone()
	c.Set(made(leaf, "id", 2))
	s.Delete(Ref{leaf, schema.IntValue(1)})
	if s.Len() != 0 || c.Len() != 2 {
		t.Errorf("%d and %d instances, want 0 and 2", s.Len(), c.Len())
	}
}

// BenchmarkAppendJSON nests 100 parents with 100 children each.
func BenchmarkAppendJSON(b *testing.B) {
	board := typeOver("Board", "id int")
	list := typeOver("List", "id int", "@board_id int", "@position float")
	card := typeOver("Card", "id int", "title text", "@list_id int", "@position float", "@user_id int")
	user := typeOver("User", "id int", "name text")
	tree := &schema.Tree{}
	root := layer(tree, nil, "", &schema.Layer{Type: board})
	lists := layer(tree, root, "lists", &schema.Layer{Type: list, Relation: schema.HasMany, Link: 1, Order: []schema.Order{{Column: 2}}})
	cards := layer(tree, lists, "cards", &schema.Layer{Type: card, Relation: schema.HasMany, Link: 2, Order: []schema.Order{{Column: 3}}})
	layer(tree, cards, "user", &schema.Layer{Type: user, Relation: schema.BelongsTo, Link: 4})
	s := NewStore()
	s.Set(made(board, "id", 1))
	s.Set(made(user, "id", 1, "name", "u"))
	for i := range 100 {
		s.Set(made(list, "id", i, "board_id", 1, "position", rand.Float64()))
		for j := range 100 {
			s.Set(made(card, "id", i*100+j, "title", "card", "list_id", i, "position", rand.Float64(), "user_id", 1))
		}
	}
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = s.AppendJSON(dst[:0], tree, schema.IntValue(1))
	}
	b.SetBytes(int64(len(dst)))
}
