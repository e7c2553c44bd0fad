package gen_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pando-sync/pando/gen"
	"github.com/pando-sync/pando/gen/testdata/board"
	"github.com/pando-sync/pando/gen/testdata/kitchen"
	"github.com/pando-sync/pando/schema"
)

// Channel has the name of the class that generated ones extend.
type Channel struct{}

// Generic stands for a channel with type arguments.
type Generic[T any] struct{}

// endless leads nowhere.
type endless *endless

func TestGenerateRefuses(t *testing.T) {
	tests := []struct {
		name, want string
		declare    func(manifest)
	}{
		{"a class of a reserved name", "rename the channel", func(m manifest) {
			m.add(Channel{}, kitchen.Parent{}, schema.Channel{}, "code")
		}},
		{"a channel mounted twice", "mount it once", func(m manifest) {
			m.add(board.BoardChannel{}, board.Board{}, schema.Channel{}, "id")
			m.add(board.BoardChannel{}, board.Board{}, schema.Channel{}, "id")
		}},
		{"two packages of one name", "would both write board.channels.ts", func(m manifest) {
			m.add(board.BoardChannel{}, board.Board{}, schema.Channel{}, "id")
			m.add(board.BoardChannel{}, board.Board{}, schema.Channel{}, "id").Package = "other/board"
		}},
		{"parameters that become one", "both boardId", func(m manifest) {
			m.add(board.BoardChannel{}, board.Board{}, schema.Channel{}, "board_id", "boardId")
		}},
		{"an argument without a form", "Rename: argument 1: chan int has no form in JSON", func(m manifest) {
			m.add(board.BoardChannel{}, board.Board{}, schema.Channel{
				Actions: []schema.Action{action("Rename", nil, make(chan int))},
			}, "id")
		}},
		{"a result without a form", "Rename: result: struct { F func() }.F: func() has no form in JSON", func(m manifest) {
			m.add(board.BoardChannel{}, board.Board{}, schema.Channel{
				Actions: []schema.Action{action("Rename", struct{ F func() }{})},
			}, "id")
		}},
		{"a map whose keys have no form", "result: map[float64]int has no form", func(m manifest) {
			m.add(board.BoardChannel{}, board.Board{}, schema.Channel{Actions: []schema.Action{action("Rename", map[float64]int{})}}, "id")
		}},
		{"a pointer to itself", "argument 1: gen_test.endless has no form", func(m manifest) {
			m.add(board.BoardChannel{}, board.Board{}, schema.Channel{Actions: []schema.Action{action("Rename", nil, endless(nil))}}, "id")
		}},
		{"a class with type arguments", "channel Generic[int]: a class has no type arguments: embed it", func(m manifest) {
			m.add(Generic[int]{}, board.Board{}, schema.Channel{}, "id")
		}},
		{"writable data without a form", "writable Board.Extra: map[bool]int has no form", func(m manifest) {
			c := m.add(board.BoardChannel{}, board.Board{}, schema.Channel{}, "id")
			extra := schema.WriteField{Name: "extra", Kind: schema.JSON, GoName: "Extra", GoType: reflect.TypeFor[map[bool]int]()}
			c.Writable = []*schema.Writable{{Type: c.Tree.Root.Type, Save: true, Fields: []schema.WriteField{extra}}}
		}},
		{"runtime state without a form", "runtime state C: complex128 has no form", func(m manifest) {
			m.add(board.BoardChannel{}, board.Board{}, schema.Channel{Runtime: reflect.TypeFor[struct{ C complex128 }]()}, "id")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newManifest(t)
			tt.declare(m)
			_, err := gen.Generate(m.seal(), gen.Docs{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// Shelf and Author are shown with and without the author's books.
type (
	Shelf struct {
		ID      int64    `gorm:"primaryKey"`
		Authors []Author `gorm:"foreignKey:ShelfID"`
		Best    *Author  `gorm:"foreignKey:BestID"`
		BestID  int64
	}
	Author struct {
		ID      int64 `gorm:"primaryKey"`
		ShelfID int64
		Books   []Book
	}
	Book struct{ ID int64 }
)

func TestLayersThatLookDifferentHaveTheirOwnInterfaces(t *testing.T) {
	m := newManifest(t)
	tree, err := m.Registry.Tree(reflect.TypeFor[Shelf](), schema.Include("Authors.Books", "Best"))
	if err != nil {
		t.Fatal(err)
	}
	c := m.add(board.BoardChannel{}, Book{}, schema.Channel{}, "id")
	c.Tree = tree
	files, err := gen.Generate(m.seal(), gen.Docs{})
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[int]string{
		0: "  Author: Author | ShelfBest\n",
		1: "  readonly best: ShelfBest | null\n",
	} {
		if got := string(files[file].Data); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// Board has the name of another package's type.
type Board struct{ ID int64 }

func TestTypesOfOneNameHaveTheirPackages(t *testing.T) {
	m := newManifest(t)
	m.add(board.BoardChannel{}, board.Board{}, schema.Channel{}, "id")
	m.add(kitchen.KitchenChannel{}, Board{}, schema.Channel{}, "id")
	files, err := gen.Generate(m.seal(), gen.Docs{})
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[int]string{
		0: "  'board.Board': BoardBoard\n",
		1: "export interface BoardBoard {\n  readonly id: Id<'board.Board'>\n",
		2: "  'gen_test.Board': GenTestBoard\n",
	} {
		if got := string(files[file].Data); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestAppOfAProgram(t *testing.T) {
	for want, docs := range map[string]gen.Docs{"main": {}, "shop": {Main: "shop"}} {
		m := newManifest(t)
		m.add(board.BoardChannel{}, board.Board{}, schema.Channel{}, "id").Package = "main"
		files, err := gen.Generate(m.seal(), docs)
		if err != nil {
			t.Fatal(err)
		}
		if got := files[0].Name; got != want+".channels.ts" {
			t.Errorf("got %s, want %s.channels.ts", got, want)
		}
	}
}
