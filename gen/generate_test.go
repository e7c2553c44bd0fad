package gen_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/gen"
	"github.com/pando-sync/pando/gen/testdata/board"
	"github.com/pando-sync/pando/gen/testdata/desk"
	"github.com/pando-sync/pando/gen/testdata/kitchen"
	"github.com/pando-sync/pando/schema"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// manifest collects channels over one registry.
type manifest struct {
	t *testing.T
	*schema.Manifest
}

func newManifest(t *testing.T) manifest {
	t.Helper()
	return manifest{t, &schema.Manifest{Registry: schema.NewRegistry()}}
}

// add declares a channel by a value of its Go type; its last route parameter
// is the anchor unless anchor says otherwise.
func (m manifest) add(channel, root any, c schema.Channel, params ...string) *schema.Channel {
	m.t.Helper()
	return m.addTree(channel, m.tree(root), c, params...)
}

func (m manifest) tree(root any, opts ...schema.Option) *schema.Tree {
	m.t.Helper()
	tree, err := m.Registry.Tree(reflect.TypeOf(root), opts...)
	if err != nil {
		m.t.Fatal(err)
	}
	return tree
}

// addTree is add for a tree that is there; a list has no anchor.
func (m manifest) addTree(channel any, tree *schema.Tree, c schema.Channel, params ...string) *schema.Channel {
	m.t.Helper()
	c.Tree = tree
	c.Name, c.Package = reflect.TypeOf(channel).Name(), reflect.TypeOf(channel).PkgPath()
	for i, name := range params {
		p := schema.Param{Name: name, Kind: schema.Text}
		if i == c.Anchor && tree.Root.Relation == schema.Root {
			p.Link, p.Kind = tree.Root.Type, tree.Root.Type.Fields[tree.Root.Type.Key].Kind
		}
		c.Params = append(c.Params, p)
	}
	if c.Runtime == nil {
		c.Runtime = reflect.TypeFor[struct{}]()
	}
	m.Channels = append(m.Channels, &c)
	return &c
}

// seal computes the hashes once all trees are in, as an app does.
func (m manifest) seal() *schema.Manifest {
	for _, c := range m.Channels {
		c.Hash = c.ComputeHash()
	}
	return m.Manifest
}

func boardManifest(t *testing.T) *schema.Manifest {
	m := newManifest(t)
	m.add(board.BoardChannel{}, board.Board{}, schema.Channel{
		Route:   "boards/{board_id}",
		Runtime: reflect.TypeFor[board.BoardRuntime](),
		Actions: []schema.Action{
			action("MoveCard", nil, int64(0), int64(0), 0.0),
			action("Rename", nil, ""),
		},
	}, "board_id")
	return m.seal()
}

func kitchenManifest(t *testing.T) *schema.Manifest {
	m := newManifest(t)
	m.add(kitchen.KitchenChannel{}, kitchen.Record{}, schema.Channel{
		Route: "kitchen/{id}",
		Actions: []schema.Action{
			action("Search", []kitchen.Hit{}, kitchen.Query{}, true, []int64{}),
			action("Many", time.Time{}, int64(0), new(int64), []byte{}, kitchen.Low, map[string]any{}),
		},
	}, "id")
	m.add(kitchen.ParentChannelWithAVeryLongName{}, kitchen.Parent{}, schema.Channel{
		Route: "{code}/in/{other_place}",
	}, "code", "other_place")
	return m.seal()
}

func deskManifest(t *testing.T) *schema.Manifest {
	m := newManifest(t)
	ofProject := []schema.CondSpec{{Column: "project_id", Op: schema.Eq, Operands: []schema.OperandSpec{{Env: "$project_id"}}}}
	tickets := m.tree(desk.Ticket{}, schema.AsList(schema.ListSpec{Name: "TicketsChannel", Where: ofProject, Order: []string{"-created_at"}, Limit: 50}))
	m.addTree(desk.TicketsChannel{}, tickets, schema.Channel{
		Route: "projects/{project_id}/tickets/{status}", Actions: []schema.Action{action("Close", nil, []int64{})},
	}, "project_id", "status")
	m.addTree(desk.LabelsChannel{}, m.tree(desk.Label{}, schema.AsList(schema.ListSpec{Name: "LabelsChannel"})), schema.Channel{Route: "labels"})
	m.add(desk.LineChannel{}, desk.OrderLine{}, schema.Channel{Route: "lines/{line}"}, "line")
	m.add(desk.ThreadChannel{}, desk.Comment{}, schema.Channel{Route: "threads/{id}"}, "id")
	return m.seal()
}

func action(method string, result any, args ...any) schema.Action {
	a := schema.Action{Method: method, Name: strings.ToLower(method[:1]) + method[1:]}
	for _, arg := range args {
		a.Args = append(a.Args, reflect.TypeOf(arg))
	}
	if result != nil {
		a.Result = reflect.TypeOf(result)
	}
	return a
}

func TestGenerate(t *testing.T) {
	cases := map[string]func(*testing.T) *schema.Manifest{
		"board": boardManifest, "desk": deskManifest, "enums": enumsManifest, "kitchen": kitchenManifest,
		"names": namesManifest, "shapes": shapesManifest, "streams": streamsManifest, "writes": writesManifest,
	}
	for name, build := range cases {
		t.Run(name, func(t *testing.T) {
			m := build(t)
			docs, err := gen.LoadDocs(context.Background(), ".", m)
			if err != nil {
				t.Fatal(err)
			}
			files, err := gen.Generate(m, docs)
			if err != nil {
				t.Fatal(err)
			}
			if len(files) != 2 {
				t.Fatalf("%d files, want 2", len(files))
			}
			for _, f := range files {
				golden(t, filepath.Join("testdata", name, f.Name), string(f.Data))
			}
		})
	}
}

// TestGenerateWithoutSource shows what a binary makes where its source is not:
// the same types, without comments and names.
func TestGenerateWithoutSource(t *testing.T) {
	files, err := gen.Generate(boardManifest(t), gen.Docs{})
	if err != nil {
		t.Fatal(err)
	}
	got := string(files[0].Data)
	for _, want := range []string{"moveCard: (arg1: Int, arg2: Int, arg3: number) => Promise<void>", "rename: (arg1: string) => Promise<void>"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestEnumsWithoutSource are what they are made of.
func TestEnumsWithoutSource(t *testing.T) {
	files, err := gen.Generate(enumsManifest(t), gen.Docs{})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, string(files[0].Data), "arg1: string,", "arg2: Int | null,", "arg3: readonly string[],", "arg4: number,", "=> Promise<string>\n")
	wants(t, string(files[1].Data), "readonly status: string\n", "readonly nice: number | null\n", "readonly colors: readonly string[]\n")
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got, rewrite with -update):\n%s", path, diff)
	}
}
