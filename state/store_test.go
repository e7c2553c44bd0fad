package state

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/pando-sync/pando/schema"
)

type leaf struct {
	ID   int64    `json:"id"`
	Name string   `json:"name"`
	Rank *float64 `json:"rank"`
}

type stem struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	First  *leaf  `json:"first" pando:"hasone,order:-rank"`
	Best   *leaf  `json:"best"`
	Leaves []leaf `json:"leaves" pando:"order:rank,order:-name"`
}

func stemTree(t *testing.T) *schema.Tree {
	t.Helper()
	tree, err := schema.NewRegistry().Tree(reflect.TypeFor[stem]())
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// made is a row of the columns that are named in pairs.
func made(typ *schema.Type, pairs ...any) Instance {
	row := make(schema.Row, len(typ.Table.Columns))
	for i := 0; i < len(pairs); i += 2 {
		for at, c := range typ.Table.Columns {
			if c.Name != pairs[i] {
				continue
			}
			switch v := pairs[i+1].(type) {
			case int:
				row[at] = schema.IntValue(int64(v))
			case float64:
				row[at] = schema.FloatValue(v)
			case string:
				row[at] = schema.TextValue(v)
			case schema.Value:
				row[at] = v
			}
		}
	}
	return Instance{Ref: Ref{Type: typ, Key: row[typ.Table.Key]}, Row: row}
}

func expect(t *testing.T, s *Store, tree *schema.Tree, want string) {
	t.Helper()
	if got := string(s.AppendJSON(nil, tree, schema.IntValue(1))); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNesting(t *testing.T) {
	tree := stemTree(t)
	stem, leaf := tree.Root.Type, tree.Layers[1].Type
	s := NewStore()
	expect(t, s, tree, `null`)
	s.Set(made(stem, "id", 1, "name", "s", "best_id", 4))
	expect(t, s, tree, `{"id":"1","name":"s","first":null,"best":null,"leaves":[]}`)

	// In any order of arrival: rank first, nulls before all, then the name from
	// behind, then the key.
	rows := []Instance{
		made(leaf, "id", 2, "name", "b", "stem_id", 1),
		made(leaf, "id", 3, "name", "a", "rank", 1.0, "stem_id", 1),
		made(leaf, "id", 4, "name", "c", "rank", 1.0, "stem_id", 1),
		made(leaf, "id", 10, "name", "c", "rank", 1.0, "stem_id", 1),
		made(leaf, "id", 5, "name", "z", "rank", 9.0, "stem_id", 2),
		made(leaf, "id", 6, "name", "n"),
	}
	rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	for _, r := range rows {
		s.Set(r)
	}
	expect(t, s, tree, `{"id":"1","name":"s","first":{"id":"3","name":"a","rank":1},"best":{"id":"4","name":"c","rank":1},"leaves":[`+
		`{"id":"2","name":"b","rank":null},{"id":"4","name":"c","rank":1},{"id":"10","name":"c","rank":1},{"id":"3","name":"a","rank":1}]}`)
	if s.Len() != 7 {
		t.Errorf("%d instances, want 7", s.Len())
	}
	if got := NewView(tree, s).Related(tree.Layers[3], made(stem, "id", 2).Row); len(got) != 1 || got[0][0] != schema.IntValue(5) {
		t.Errorf("related to stem 2: %v", got)
	}
}

func TestApply(t *testing.T) {
	tree := stemTree(t)
	stem, leaf := tree.Root.Type, tree.Layers[1].Type
	s := NewStore()
	one := made(stem, "id", 1, "name", "a")
	s.Apply(&Patch{Set: []Instance{one, made(leaf, "id", 1, "name", "x", "stem_id", 1)}})
	changed := made(stem, "id", 1, "name", "b")
	gone := made(leaf, "id", 7, "name", "y")
	s.Apply(&Patch{
		Delete: []Ref{{Type: leaf, Key: schema.IntValue(1)}, {Type: leaf, Key: schema.IntValue(8)}},
		Set:    []Instance{made(leaf, "id", 1, "name", "again", "stem_id", 1)},
		Update: []Update{{Ref: one.Ref, Old: one.Row, New: changed.Row}, {Ref: gone.Ref, Old: gone.Row, New: gone.Row}},
	})
	const again = `{"id":"1","name":"again","rank":null}`
	expect(t, s, tree, `{"id":"1","name":"b","first":`+again+`,"best":null,"leaves":[`+again+`]}`)
	if s.Get(gone.Ref) != nil {
		t.Error("a change of a row that is not held has made it")
	}
	n := 0
	s.Each(leaf, func(schema.Row) { n++ })
	if n != 1 {
		t.Errorf("%d leaves, want 1", n)
	}
}

func TestDiffers(t *testing.T) {
	stem := stemTree(t).Root.Type
	a := made(stem, "id", 1, "name", "a").Row
	if Differs(stem, a, made(stem, "id", 1, "name", "a").Row) {
		t.Error("equal rows differ")
	}
	if !Differs(stem, a, made(stem, "id", 1, "name", "a", "best_id", 2).Row) {
		t.Error("a hidden field does not count, and places rows")
	}
}

func TestReset(t *testing.T) {
	p := Patch{N: 1, Set: make([]Instance, 3), Update: make([]Update, 2), Delete: make([]Ref, 1)}
	p.Reset(2)
	if !p.Empty() || p.N != 2 || cap(p.Set) < 3 {
		t.Errorf("got %+v", p)
	}
}
