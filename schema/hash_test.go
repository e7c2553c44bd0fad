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
	if again := channelOf[Note](t, func(c *schema.Channel) { c.Actions[0].Method = "Rename" }); again != hashes["base"] {
		t.Errorf("a Go name changes the hash")
	}
}
