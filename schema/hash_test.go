package schema_test

import (
	"reflect"
	"testing"

	"github.com/pando-sync/pando/schema"
)

// channelOf is a channel over a tree of T, changed as the case wants.
func channelOf[T any](t *testing.T, change func(*schema.Channel)) string {
	t.Helper()
	tree, err := schema.NewRegistry().Tree(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	c := &schema.Channel{
		Name: "NoteChannel", Route: "notes/{id}", Params: []schema.Param{{Name: "id", Kind: schema.Int}},
		Tree: tree, Runtime: reflect.TypeFor[struct{ Unread int }](),
		Actions: []schema.Action{{Name: "rename", Args: []reflect.Type{reflect.TypeFor[string]()}}},
	}
	if change != nil {
		change(c)
	}
	return c.ComputeHash()
}

// hashOf is the hash of a channel of nothing but a tree.
func hashOf(t *testing.T, of reflect.Type, opts ...schema.Option) string {
	t.Helper()
	tree, err := schema.NewRegistry().Tree(of, opts...)
	if err != nil {
		t.Fatal(err)
	}
	c := schema.Channel{Tree: tree, Runtime: reflect.TypeFor[struct{}]()}
	return c.ComputeHash()
}

func TestHashFollowsFacts(t *testing.T) {
	type tag struct{ ID int64 }
	type item struct {
		ID   int64
		Rank int
	}
	hashes := map[string]string{}
	distinct := func(name, hash string) {
		if len(hash) != 16 {
			t.Errorf("%s: hash %q", name, hash)
		}
		for other, h := range hashes {
			if h == hash {
				t.Errorf("%s has the hash of %s", name, other)
			}
		}
		hashes[name] = hash
	}
	type Note struct {
		ID   int64
		Text string
	}
	distinct("base", channelOf[Note](t, nil))
	distinct("route", channelOf[Note](t, func(c *schema.Channel) { c.Route = "note/{id}" }))
	distinct("parameter", channelOf[Note](t, func(c *schema.Channel) { c.Params[0].Kind = schema.Text }))
	distinct("runtime", channelOf[Note](t, func(c *schema.Channel) { c.Runtime = reflect.TypeFor[struct{ Unread string }]() }))
	distinct("argument", channelOf[Note](t, func(c *schema.Channel) { c.Actions[0].Args[0] = reflect.TypeFor[item]() }))
	distinct("list argument", channelOf[Note](t, func(c *schema.Channel) { c.Actions[0].Args[0] = reflect.TypeFor[[]*item]() }))
	distinct("map argument", channelOf[Note](t, func(c *schema.Channel) { c.Actions[0].Args[0] = reflect.TypeFor[map[string]item]() }))
	distinct("result", channelOf[Note](t, func(c *schema.Channel) { c.Actions[0].Result = reflect.TypeFor[int]() }))
	distinct("nullable", func() string {
		type Note struct {
			ID   int64
			Text *string
		}
		return channelOf[Note](t, nil)
	}())
	distinct("kind", func() string {
		type Note struct {
			ID   int64
			Text string `pando:"kind:uuid"`
		}
		return channelOf[Note](t, nil)
	}())
	distinct("relation", func() string {
		type Note struct {
			ID   int64
			Text string
			Tag  *tag `pando:"link:tag"`
		}
		return channelOf[Note](t, nil)
	}())
	distinct("relation's cardinality", func() string {
		type Note struct {
			ID   int64
			Text string
			Tag  []tag `pando:"link:tag"`
		}
		return channelOf[Note](t, nil)
	}())
	distinct("order", func() string {
		type Note struct {
			ID    int64
			Text  string
			Items []item `pando:"order:rank"`
		}
		return channelOf[Note](t, nil)
	}())
	distinct("order descending", func() string {
		type Note struct {
			ID    int64
			Text  string
			Items []item `pando:"order:-rank"`
		}
		return channelOf[Note](t, nil)
	}())
	type owned struct {
		ID    int64
		Owner int64 `json:"-"`
		Rank  int   `json:"-"`
	}
	type plain struct {
		ID     int64
		Things []owned `pando:"link:n"`
	}
	distinct("things", channelOf[plain](t, nil))
	for _, tag := range []string{"link:n,filter:rank=1", "link:n,filter:rank=2", "link:n,filter:rank!=1", "link:n,filter:rank=$rank", "link:n,filter:owner=$rank",
		"link:n,user_key:owner", "link:n,user_key:rank", "through:n", "through:n,link:m", "through:n,target:m"} {
		typ := reflect.StructOf([]reflect.StructField{
			{Name: "_", PkgPath: "example", Type: reflect.TypeFor[struct{}](), Tag: `pando:"table:plains"`},
			{Name: "ID", Type: reflect.TypeFor[int64]()},
			{Name: "Things", Type: reflect.TypeFor[[]owned](), Tag: reflect.StructTag(`pando:"` + tag + `"`)},
		})
		distinct(tag, hashOf(t, typ))
	}
	for _, tag := range []string{"readonly", "writeonly", "string", "count:Things", "sum:Things.Rank", "sum:Things.Owner", "count:Things,filter:rank=1"} {
		typ := reflect.StructOf([]reflect.StructField{
			{Name: "_", PkgPath: "example", Type: reflect.TypeFor[struct{}](), Tag: `pando:"table:plains"`},
			{Name: "ID", Type: reflect.TypeFor[int64]()},
			{Name: "N", Type: reflect.TypeFor[int64](), Tag: reflect.StructTag(`pando:"` + tag + `"`)},
			{Name: "Things", Type: reflect.TypeFor[[]owned](), Tag: `json:"-" pando:"link:n"`},
		})
		distinct(tag, hashOf(t, typ))
	}
	list := func(limit int, order ...string) schema.Option {
		return schema.AsList(schema.ListSpec{Name: "L", Limit: limit, Order: order})
	}
	distinct("list", hashOf(t, reflect.TypeFor[owned](), list(0)))
	distinct("list with limit", hashOf(t, reflect.TypeFor[owned](), list(1)))
	distinct("list with another limit", hashOf(t, reflect.TypeFor[owned](), list(2)))
	distinct("list with order", hashOf(t, reflect.TypeFor[owned](), list(0, "rank")))
	if again := channelOf[Note](t, func(c *schema.Channel) { c.Actions[0].Method = "Rename" }); again != hashes["base"] {
		t.Errorf("a Go name changes the hash")
	}
}

// folder and nest are made of themselves, as structs of other names are not.
type (
	folder map[string]folder
	nest   []*nest
)

func TestHashOfTypesMadeOfThemselves(t *testing.T) {
	with := func(result reflect.Type) string {
		return channelOf[tagged](t, func(c *schema.Channel) { c.Actions[0].Result = result })
	}
	maps, lists := with(reflect.TypeFor[folder]()), with(reflect.TypeFor[nest]())
	if maps == lists || maps != with(reflect.TypeFor[folder]()) {
		t.Errorf("a map of itself has the hash %s, a list of itself %s", maps, lists)
	}
}

type tagged struct{ ID int64 }
