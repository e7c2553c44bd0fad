package gen_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/pando-sync/pando/gen/testdata/enums"
	"github.com/pando-sync/pando/gen/testdata/names"
	"github.com/pando-sync/pando/gen/testdata/shapes"
	"github.com/pando-sync/pando/gen/testdata/writes"
	"github.com/pando-sync/pando/schema"
)

// method is an action as reflection reads it of a channel's method.
func method(t *testing.T, channel any, name string) schema.Action {
	t.Helper()
	m, ok := reflect.PointerTo(reflect.TypeOf(channel)).MethodByName(name)
	if !ok || m.Type.NumIn() < 2 || m.Type.In(1) != reflect.TypeFor[context.Context]() {
		t.Fatalf("%T has no action %s", channel, name)
	}
	a := action(name, nil)
	for i := 2; i < m.Type.NumIn(); i++ {
		a.Args = append(a.Args, m.Type.In(i))
	}
	if m.Type.NumOut() == 2 {
		a.Result = m.Type.Out(0)
	}
	return a
}

func methods(t *testing.T, channel any, names ...string) []schema.Action {
	t.Helper()
	var all []schema.Action
	for _, name := range names {
		all = append(all, method(t, channel, name))
	}
	return all
}

// once is an action whose first argument is Pando's transaction.
func once(a schema.Action) schema.Action {
	a.Once, a.Args = true, a.Args[1:]
	return a
}

// writable offers the operations of a type by their first letters, in all
// layers of a name that have one, or that a list shows.
func writable(tree *schema.Tree, name, operations string) *schema.Writable {
	w := &schema.Writable{Optimistic: 30 * time.Second}
	for _, op := range operations {
		w.Save, w.Create, w.Delete = w.Save || op == 's', w.Create || op == 'c', w.Delete || op == 'd'
	}
	for _, l := range tree.Layers {
		if l.Type.Name == name {
			w.Type, w.Fields = l.Type, tree.WriteFields(l.Type)
		}
		if named := l.Name != "" && l.Relation == schema.HasMany || l.Relation == schema.List; named && l.Shown().Type.Name == name && w.Create {
			w.In = append(w.In, l)
		}
	}
	return w
}

func writesManifest(t *testing.T) *schema.Manifest {
	m := newManifest(t)
	board := m.add(writes.BoardChannel{}, writes.Board{}, schema.Channel{
		Route:   "boards/{board_id}",
		Actions: []schema.Action{once(method(t, writes.BoardChannel{}, "AddCard")), method(t, writes.BoardChannel{}, "Remind")},
	}, "board_id")
	cards := m.addTree(writes.CardsChannel{}, m.tree(writes.Card{}, schema.AsList(schema.ListSpec{Name: "CardsChannel"})), schema.Channel{Route: "cards"})
	m.add(writes.LabelsChannel{}, writes.Label{}, schema.Channel{
		Route: "labels/{id}", Actions: []schema.Action{once(method(t, writes.LabelsChannel{}, "Clear"))},
	}, "id")
	board.Writable = []*schema.Writable{
		writable(board.Tree, "Card", "scd"), writable(board.Tree, "Note", "c"), writable(board.Tree, "List", "d"), writable(board.Tree, "Board", "s"),
	}
	board.Writable[1].Optimistic = 0
	cards.Writable = []*schema.Writable{writable(cards.Tree, "Card", "sc"), writable(cards.Tree, "Note", "s")}
	// What one channel lets write of a type may be less than another does.
	cards.Writable[0].Fields = slices.DeleteFunc(cards.Writable[0].Fields, func(f schema.WriteField) bool { return f.Name != "title" })
	return m.seal()
}

func enumsManifest(t *testing.T) *schema.Manifest {
	m := newManifest(t)
	m.add(enums.JobChannel{}, enums.Job{}, schema.Channel{
		Route: "jobs/{id}", Runtime: reflect.TypeFor[enums.JobRuntime](), Actions: methods(t, enums.JobChannel{}, "Set"),
	}, "id")
	return m.seal()
}

func shapesManifest(t *testing.T) *schema.Manifest {
	m := newManifest(t)
	m.add(shapes.ThingChannel{}, shapes.Thing{}, schema.Channel{
		Route: "things/{id}", Runtime: reflect.TypeFor[shapes.Nothing](),
		Actions: methods(t, shapes.ThingChannel{}, "Nothing", "Embeds", "Pages", "More", "Recur", "Rest", "Same"),
	}, "id")
	return m.seal()
}

func namesManifest(t *testing.T) *schema.Manifest {
	m := newManifest(t)
	m.add(names.ItemChannel{}, names.Item{}, schema.Channel{
		Route: "items/{id}", Actions: methods(t, names.ItemChannel{}, "New", "Function", "Ours", "Theirs", "Raw"),
	}, "id")
	return m.seal()
}
