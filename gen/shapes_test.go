package gen_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pando-sync/pando/gen"
	"github.com/pando-sync/pando/gen/testdata/board"
	"github.com/pando-sync/pando/schema"
)

// Room and Guest stand below each other.
type (
	Room struct {
		ID     int64   `json:"id"`
		Tenant int64   `json:"-"`
		Guests []Guest `json:"guests" pando:"depth:2"`
		Up     *Room   `json:"up" pando:"depth:1"`
	}
	Guest struct {
		ID     int64 `json:"id"`
		Tenant int64 `json:"-"`
		Room   Room  `json:"room" pando:"depth:1"`
		Host   Host  `json:"host"`
	}
	Host struct {
		ID     int64 `json:"id"`
		Tenant int64 `json:"-"`
	}
)

func generated(t *testing.T, m manifest) (channels, interfaces string) {
	t.Helper()
	files, err := gen.Generate(m.seal(), gen.Docs{})
	if err != nil {
		t.Fatal(err)
	}
	return string(files[0].Data), string(files[1].Data)
}

func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}

// TestStructsBelowEachOtherHaveOneInterface has one for each, in which what
// ends is optional. A condition on the tenant makes nothing nullable.
func TestStructsBelowEachOtherHaveOneInterface(t *testing.T) {
	m := newManifest(t)
	tree := m.tree(Room{}, schema.EveryLayer("tenant", schema.EnvVar{Name: "tenant"}))
	m.addTree(board.BoardChannel{}, tree, schema.Channel{}, "id")
	channels, interfaces := generated(t, m)
	wants(t, channels, "  Room: Room\n  Guest: Guest\n  Host: Host\n}")
	wants(t, interfaces, "readonly guests: readonly Guest[]\n", "readonly up?: Room | null\n",
		"readonly room?: Room | null\n", "  readonly host: Host\n")
	if n := strings.Count(interfaces, "export interface"); n != 3 {
		t.Errorf("%d interfaces, want 3:\n%s", n, interfaces)
	}
}

// TestPartsOfAFamilyThatLookDifferent shows a relation whose rows have more
// relations in one layer of a family than in another.
func TestPartsOfAFamilyThatLookDifferent(t *testing.T) {
	m := newManifest(t)
	branch := m.tree(Branch{}, schema.Include("Twigs", "Below.Twigs.Leaves"))
	m.addTree(board.BoardChannel{}, branch, schema.Channel{}, "id")
	_, interfaces := generated(t, m)
	wants(t, interfaces, "readonly twigs: readonly (Twig | BranchTwigs)[]\n", "readonly below?: readonly Branch[]\n")
}

// Branch is included with the leaves of its lower twigs only.
type (
	Branch struct {
		ID       int64 `gorm:"primaryKey"`
		BranchID *int64
		Twigs    []Twig
		Below    []Branch `gorm:"foreignKey:BranchID" pando:"depth:1"`
	}
	Twig struct {
		ID       int64 `gorm:"primaryKey"`
		BranchID int64
		Leaves   []Leaf
	}
	Leaf struct {
		ID     int64 `gorm:"primaryKey"`
		TwigID int64
	}
)

// TestHiddenLayersAreNoneOfTheClients leaves out the rows from which values
// are computed.
func TestHiddenLayersAreNoneOfTheClients(t *testing.T) {
	m := newManifest(t)
	tree := m.tree(Host{})
	hidden := m.tree(Leaf{}).Root.Type
	tree.Root.Children = append(tree.Root.Children, &schema.Layer{
		Index: 1, Type: hidden, Parent: tree.Root, Relation: schema.HasMany, Link: hidden.Table.Key, UserKey: -1, Hidden: true,
	})
	tree.Layers = append(tree.Layers, tree.Root.Children...)
	c := m.addTree(board.BoardChannel{}, tree, schema.Channel{Runtime: reflect.TypeFor[struct{}]()}, "id")
	channels, interfaces := generated(t, m)
	if c.Hash == "" || strings.Contains(interfaces, "Leaf") {
		t.Errorf("a hidden layer is shown:\n%s", interfaces)
	}
	wants(t, channels, "export interface BoardChannelTypes {\n  Host: Host\n}")
}
