package snapshot_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/snapshot"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

type Author struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type Comment struct {
	ID     int64   `json:"id"`
	Body   string  `json:"body"`
	Author *Author `json:"author"`
}

type Post struct {
	ID       int64     `json:"id"`
	Title    string    `json:"title"`
	Author   *Author   `json:"author"`
	Comments []Comment `json:"comments"`
}

type Shop struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Tenant int64  `json:"-"`
}

// library is a database with two posts.
func library(t *testing.T) (*memdb.DB, *schema.Tree) {
	t.Helper()
	reg := schema.NewRegistry()
	tree, err := reg.Tree(reflect.TypeFor[Post]())
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]*schema.Table{}
	for _, tab := range reg.Tables {
		table[tab.Name] = tab
	}
	id, text := schema.IntValue, schema.TextValue
	db := memdb.New(reg)
	db.Commit(
		memdb.Put(table["authors"], schema.Row{id(1), text("ada")}),
		memdb.Put(table["authors"], schema.Row{id(2), text("grace")}),
		memdb.Put(table["posts"], schema.Row{id(1), text("First"), id(1)}),
		memdb.Put(table["posts"], schema.Row{id(2), text("Second"), {}}),
	)
	column := func(name string) int {
		return slices.IndexFunc(table["comments"].Columns, func(c schema.Column) bool { return c.Name == name })
	}
	for i := range int64(20) {
		row := schema.Row{id(i), text("Yes"), {}, {}}
		row[column("author_id")], row[column("post_id")] = id(1+i%2), id(1+i/10)
		db.Commit(memdb.Put(table["comments"], row))
	}
	return db, tree
}

func TestReadTree(t *testing.T) {
	db, tree := library(t)
	got, err := snapshot.ReadTree(t.Context(), db, tree, schema.IntValue(1), schema.Value{}, schema.Value{})
	if err != nil {
		t.Fatal(err)
	}
	if want := (state.Version{Epoch: "memory.1", N: 21}); got.Version != want {
		t.Errorf("version %+v, want %+v", got.Version, want)
	}
	if n := got.Store.Len(); n != 13 {
		t.Errorf("%d instances, want a post, ten comments and two authors", n)
	}
	if n := db.Queries(); n != 4 {
		t.Errorf("%d queries, want one a layer", n)
	}
}

func TestReadTreeWithoutAnchor(t *testing.T) {
	db, tree := library(t)
	got, err := snapshot.ReadTree(t.Context(), db, tree, schema.IntValue(9), schema.Value{}, schema.Value{})
	if err != nil || got.Store.Len() != 0 || db.Queries() != 1 {
		t.Errorf("%d instances by %d queries, %v", got.Store.Len(), db.Queries(), err)
	}
	for key, want := range map[int64]bool{1: true, 9: false} {
		if found, err := snapshot.Exists(t.Context(), db, tree, schema.IntValue(key), schema.Value{}); err != nil || found != want {
			t.Errorf("post %d: found %v, %v", key, found, err)
		}
	}
}

// TestReadWants reads two anchors and one bucket of the same tree at once.
func TestReadWants(t *testing.T) {
	db, tree := library(t)
	comments := tree.Layers[slices.IndexFunc(tree.Layers, func(l *schema.Layer) bool { return l.Path == "comments" })]
	wants := []route.Want{
		{Layer: comments, Column: comments.Link, Values: []schema.Value{schema.IntValue(2)}},
		{Layer: tree.Root, Column: tree.Root.Type.Table.Key, Values: []schema.Value{schema.IntValue(1), schema.IntValue(2)}},
	}
	read, err := snapshot.Read(t.Context(), db, wants)
	if err != nil {
		t.Fatal(err)
	}
	if n := db.Queries(); n != 4 {
		t.Errorf("%d queries, want one a layer", n)
	}
	rows := map[string]int{}
	for _, a := range read.Answers {
		rows[a.Table.Name] += len(a.Rows)
		seen := map[schema.Value]bool{}
		for _, v := range a.Values {
			if v.IsNull() || seen[v] {
				t.Errorf("%s was asked for %v", a.Table.Name, a.Values)
			}
			seen[v] = true
		}
	}
	// The post's author and the comments' are two layers over one table.
	if want := map[string]int{"posts": 2, "comments": 20, "authors": 3}; !reflect.DeepEqual(rows, want) {
		t.Errorf("rows %v, want %v", rows, want)
	}
	if read.Position != 21 || len(read.Wants) != 2 {
		t.Errorf("a read of %d wants at %d", len(read.Wants), read.Position)
	}
	if later := db.Commit(); read.Saw(later) {
		t.Error("it has seen what was committed later")
	}
}

// TestExistsByConditions tells nothing of an anchor that does not meet its
// conditions, and a list is always there.
func TestExistsByConditions(t *testing.T) {
	reg := schema.NewRegistry()
	tenant := schema.EnvVar{Name: "tenant", Kind: schema.Int}
	tree, err := reg.Tree(reflect.TypeFor[Shop](), schema.EveryLayer("tenant", tenant))
	if err != nil {
		t.Fatal(err)
	}
	list, err := reg.Tree(reflect.TypeFor[Shop](), schema.AsList(schema.ListSpec{Name: "Shops", Limit: 2, Order: []string{"-name"}}))
	if err != nil {
		t.Fatal(err)
	}
	db := memdb.New(reg)
	shops := tree.Root.Type.Table
	for i, name := range []string{"a", "d", "c", "b"} {
		row := make(schema.Row, len(shops.Columns))
		row[shops.Key], row[1], row[2] = schema.IntValue(int64(i)), schema.TextValue(name), schema.IntValue(1)
		db.Commit(memdb.Put(shops, shops.Complete(row)))
	}
	for n, want := range map[int64]bool{1: true, 2: false} {
		env := schema.TupleValue(schema.IntValue(n))
		if found, err := snapshot.Exists(t.Context(), db, tree, schema.IntValue(1), env); err != nil || found != want {
			t.Errorf("of tenant %d: found %v, %v", n, found, err)
		}
	}
	if found, err := snapshot.Exists(t.Context(), db, list, schema.Value{}, schema.Value{}); err != nil || !found {
		t.Errorf("the list: found %v, %v", found, err)
	}
	got, err := snapshot.ReadTree(t.Context(), db, list, schema.Value{}, schema.Value{}, schema.Value{})
	if err != nil {
		t.Fatal(err)
	}
	if json := string(got.Store.AppendJSON(nil, list, schema.Value{})); json != `[{"id":"1","name":"d"},{"id":"2","name":"c"}]` {
		t.Errorf("the first two are %s", json)
	}
}

func TestReadsFail(t *testing.T) {
	db, tree := library(t)
	broken := errors.New("disk I/O error")
	db.Refuse(broken)
	if _, err := snapshot.ReadTree(t.Context(), db, tree, schema.IntValue(1), schema.Value{}, schema.Value{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := snapshot.Read(t.Context(), db, nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := snapshot.Exists(t.Context(), db, tree, schema.IntValue(1), schema.Value{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
