package warm

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/schema"
)

// Leaf has a key of two columns, and a column that is made of others.
type Leaf struct {
	Tree  int64    `json:"tree" pando:"key"`
	Name  string   `json:"name" pando:"key"`
	Size  *float64 `json:"size"`
	Shown string   `json:"shown" pando:"computed:Show"`
}

// Show is made of the row.
func (l Leaf) Show() string { return "leaf " + l.Name }

func leaves(t testing.TB) (*schema.Tree, *codec) {
	t.Helper()
	tree, err := schema.NewRegistry().Tree(reflect.TypeFor[Leaf]())
	if err != nil {
		t.Fatal(err)
	}
	return tree, newCodec(tree)
}

func leaf(tree *schema.Tree, n int64, name string) schema.Row {
	table := tree.Root.Type.Table
	row := make(schema.Row, len(table.Columns))
	for i, c := range table.Columns {
		switch c.Name {
		case "tree":
			row[i] = schema.IntValue(n)
		case "name":
			row[i] = schema.TextValue(name)
		case "size":
			row[i] = schema.FloatValue(0.5)
		}
	}
	return table.Complete(row)
}

// TestCodec reads back what it has written, and makes what is derived.
func TestCodec(t *testing.T) {
	tree, c := leaves(t)
	table := tree.Root.Type.Table
	row := leaf(tree, 7, "oak, \x00")
	for _, h := range []route.Held{
		{Table: table, Key: row[table.Key], Row: row, Member: true, Open: []int{0}},
		{Table: table, Key: row[table.Key], Row: row},
		{Table: table, Key: row[table.Key], Member: true},
		{Table: table, Key: row[table.Key]},
	} {
		written := c.encode(&h)
		written.Version, h.At = 9, 9
		got, err := c.decode(written)
		if err != nil || !reflect.DeepEqual(got, h) {
			t.Errorf("read %+v, %v, want %+v", got, err, h)
		}
		if strings.Contains(string(written.Data), "leaf oak") {
			t.Error("what is computed is written")
		}
	}
}

// TestHash differs for whatever makes other bytes of a row, or other rows.
func TestHash(t *testing.T) {
	tree, c := leaves(t)
	if c.hash(tree, "a") == c.hash(tree, "b") {
		t.Error("the hash is not that of the declaration")
	}
	wider, again := leaves(t)
	if again.hash(wider, "a") != c.hash(tree, "a") {
		t.Error("another process makes another hash of the same declaration")
	}
	table := wider.Root.Type.Table
	table.Columns = append(table.Columns, schema.Column{Name: "age", Kind: schema.Int})
	if again.hash(wider, "a") == c.hash(tree, "a") {
		t.Error("a column that another channel reads makes no other hash")
	}
}

// FuzzDecode reads any bytes: an error, or what is written as it was read.
func FuzzDecode(f *testing.F) {
	tree, c := leaves(f)
	table := tree.Root.Type.Table
	row := leaf(tree, 7, "oak")
	good := c.encode(&route.Held{Table: table, Key: row[table.Key], Row: row, Member: true, Open: []int{0}})
	f.Add(good.ID, good.Data)
	for cut := range len(good.Data) {
		f.Add(good.ID, good.Data[:cut])
	}
	f.Add(good.ID[1:], good.Data)
	f.Add(good.ID, slices.Concat(good.Data, []byte{0}))
	f.Fuzz(func(t *testing.T, id string, data []byte) {
		h, err := c.decode(cache.Row{ID: id, Data: data})
		if err != nil {
			return
		}
		again, err := c.decode(c.encode(&h))
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Errorf("%+v is read again as %+v, %v", h, again, err)
		}
		if h.Row != nil && !bytes.Contains(data, []byte{form}) {
			t.Error("it is of no form")
		}
	})
}
