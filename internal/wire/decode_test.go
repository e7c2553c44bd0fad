package wire

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// decoder reads the types of a channel that is named ShipmentsChannel.
func decoder(t *testing.T, tree *schema.Tree, types ...Type) *Decoder {
	t.Helper()
	d, err := NewDecoder(types, tree, "ShipmentsChannel")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDecoderRefusesBadFrames(t *testing.T) {
	tree := shelfTree(t)
	d := decoder(t, tree, Type{Name: "shelf", Fields: []string{"id", "name"}})
	for payload, want := range map[string]string{
		`{"set":[[1,["1"]]]}`:          "hello has no type 1",
		`{"set":[["0",["1"]]]}`:        `hello has no type "0"`,
		`{"set":[[0,"1"]]}`:            "cannot unmarshal",
		`{"set":[[0,["x","a"]]]}`:      "field id: want an integer",
		`{"set":[[0,["1",2]]]}`:        "field name: want a string",
		`{"upd":[[0]]}`:                "1 elements",
		`{"upd":[[0,"1",1]]}`:          "3 elements",
		`{"upd":[[0,"1","name","a"]]}`: `field "name" is no index`,
		`{"upd":[[0,"1",-1,"a"]]}`:     "field -1 is no index",
		`{"upd":[[0,"x",1,"a"]]}`:      "want an integer",
		`{"del":[[0,true]]}`:           "want an integer",
		`{"del":[[-1,"1"]]}`:           "hello has no type -1",
	} {
		var f StateFrame
		if err := json.Unmarshal([]byte(payload), &f); err != nil {
			t.Fatal(err)
		}
		store := state.NewStore()
		store.Set(state.Instance{Ref: state.Ref{Type: tree.Root.Type, Key: schema.IntValue(1)}, Row: values(schema.IntValue(1), schema.TextValue("a"))})
		if err := d.Apply(&f, store); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", payload, err, want)
		}
	}
}

// TestDecoderInvertsEncoder sends a store's rows through frames.
func TestDecoderInvertsEncoder(t *testing.T) {
	tree := shelfTree(t)
	shelf, item := tree.Layers[0].Type, tree.Layers[1].Type
	p := state.Patch{N: 1, Set: []state.Instance{
		{Ref: state.Ref{Type: shelf, Key: schema.IntValue(1)}, Row: values(schema.IntValue(1), schema.TextValue("a\u2028\"b\""))},
		{Ref: state.Ref{Type: item, Key: schema.IntValue(2)}, Row: itemRow(2, "Milk", true)},
		{Ref: state.Ref{Type: item, Key: schema.IntValue(3)}, Row: itemRow(3, "Eggs", false)},
	}}
	next := state.Patch{
		N:      2,
		Update: []state.Update{{Ref: p.Set[1].Ref, Old: itemRow(2, "Milk", true), New: itemRow(2, "Oat", false)}},
		Delete: []state.Ref{p.Set[2].Ref},
	}
	want, got := state.NewStore(), state.NewStore()
	d := decoder(t, tree, Type{Name: "shelf", Fields: []string{"id", "name"}}, Type{Name: "item", Fields: []string{"id", "title", "done", "price", "note", "@shelf_id"}})
	var e Encoder
	for _, patch := range []*state.Patch{&p, &next} {
		want.Apply(patch)
		var m struct{ Payload StateFrame }
		if err := json.Unmarshal(Payload(e.Patch("#1", patch).Bytes), &m); err != nil {
			t.Fatal(err)
		}
		if err := d.Apply(&m.Payload, got); err != nil {
			t.Fatal(err)
		}
		a, b := want.AppendJSON(nil, tree, schema.IntValue(1)), got.AppendJSON(nil, tree, schema.IntValue(1))
		if string(a) != string(b) || want.Len() != got.Len() {
			t.Errorf("got  %s\nwant %s", b, a)
		}
	}
}

var shipmentKey = []schema.Kind{schema.Text, schema.Int}

// shipmentTree is a list of shipments, which have a key of two columns, with
// boxes that link to them.
func shipmentTree() *schema.Tree {
	shipments := &schema.Table{Name: "shipments", Key: 2, Columns: []schema.Column{
		{Name: "depot", Kind: schema.Text}, {Name: "number", Kind: schema.Int}, {Name: "(depot,number)", Kind: schema.Tuple, Parts: []int{0, 1}},
	}}
	boxes := &schema.Table{Name: "boxes", Columns: []schema.Column{
		{Name: "id", Kind: schema.Int}, {Name: "depot", Kind: schema.Text}, {Name: "number", Kind: schema.Int},
		{Name: "(depot,number)", Kind: schema.Tuple, Nullable: true, Parts: []int{1, 2}},
	}}
	shipment := &schema.Type{Name: "Shipment", Table: shipments, Key: 1, Fields: []schema.Field{
		{Name: "depot", Column: 0, Kind: schema.Text}, {Name: "@(depot,number)", Hidden: true, Column: 2, Kind: schema.Tuple, Parts: shipmentKey},
	}}
	box := &schema.Type{Name: "Box", Table: boxes, Fields: []schema.Field{
		{Name: "id", Column: 0, Kind: schema.Int}, {Name: "@(depot,number)", Hidden: true, Column: 3, Kind: schema.Tuple, Parts: shipmentKey},
	}}
	place := &schema.Type{Name: "@Shipment", Table: shipments, Fields: []schema.Field{
		{Name: "@(depot,number)", Hidden: true, Column: 2, Kind: schema.Tuple, Parts: shipmentKey},
	}}
	list := &schema.Layer{Type: place, Relation: schema.List}
	root := &schema.Layer{Index: 1, Type: shipment, Parent: list, Relation: schema.BelongsTo, Link: 2, Members: []schema.Member{{Field: 0}}}
	list.Through, list.Children = root, []*schema.Layer{root}
	below := &schema.Layer{Index: 2, Name: "boxes", Type: box, Parent: root, Relation: schema.HasMany, Link: 3, Members: []schema.Member{{Field: 0}}}
	root.Children, root.Members = []*schema.Layer{below}, append(root.Members, schema.Member{Field: -1, Layer: below})
	return &schema.Tree{Root: list, Layers: []*schema.Layer{list, root, below}}
}

// TestDecoderReadsTuplesAndPlaces reads a list by the channel's name for its
// places, which is not the tree's.
func TestDecoderReadsTuplesAndPlaces(t *testing.T) {
	tree := shipmentTree()
	d := decoder(t, tree,
		Type{Name: "app.Shipment", Fields: []string{"depot", "@(depot,number)"}},
		Type{Name: "Box", Fields: []string{"id", "@(depot,number)"}},
		Type{Name: "@OtherChannel", Fields: []string{"@(depot,number)", "@weight"}},
		Type{Name: "@ShipmentsChannel", Fields: []string{"@(depot,number)"}})
	store := state.NewStore()
	for _, frame := range []string{
		`{"set":[[3,["a%2C%25b,7"]],[0,["a,%b","a%2C%25b,7"]],[1,["1","a%2C%25b,7"]],[1,["2",null]],[2,["c,8"]],[0,["c","c,8"]]]}`,
		`{"upd":[[1,"2",1,"a%2C%25b,7"],[1,"1",1,null]],"del":[[0,"c,8"]]}`,
	} {
		var f StateFrame
		if err := json.Unmarshal([]byte(frame), &f); err != nil {
			t.Fatal(err)
		}
		if err := d.Apply(&f, store); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := string(store.AppendJSON(nil, tree, schema.Value{})), `[{"depot":"a,%b","boxes":[{"id":2}]}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if store.Len() != 4 {
		t.Errorf("%d instances, want 4: a place of another channel is none of ours", store.Len())
	}
}

func TestDecoderKnowsTheOrderOfAList(t *testing.T) {
	_, err := NewDecoder([]Type{{Name: "@ShipmentsChannel", Fields: []string{"@(depot,number)", "@weight"}}}, shipmentTree(), "ShipmentsChannel")
	if err == nil || !strings.Contains(err.Error(), "@weight") {
		t.Errorf("got %v, want an error that names @weight", err)
	}
}

// TestDecoderAdopts hands rows from one tree's types to another's.
func TestDecoderAdopts(t *testing.T) {
	types := []Type{{Name: "shelf", Fields: []string{"id", "name"}}, {Name: "item", Fields: []string{"id", "title", "later"}}, {Name: "Box"}}
	from, to := shelfTree(t), shelfTree(t)
	rows := state.NewStore()
	a, b := decoder(t, from, types...), decoder(t, to, types...)
	var f StateFrame
	if err := json.Unmarshal([]byte(`{"set":[[0,["1","s"]],[1,["2","Milk",true]]]}`), &f); err != nil {
		t.Fatal(err)
	}
	if err := a.Apply(&f, rows); err != nil {
		t.Fatal(err)
	}
	got, err := b.Adopt(a, rows)
	if err != nil {
		t.Fatal(err)
	}
	if one, two := rows.AppendJSON(nil, from, schema.IntValue(1)), got.AppendJSON(nil, to, schema.IntValue(1)); string(one) != string(two) || got.Len() != 2 {
		t.Errorf("got %s, want %s", two, one)
	}
	if _, err := decoder(t, shipmentTree(), Type{Name: "Box", Fields: []string{"id"}}).Adopt(decoder(t, to, Type{Name: "Box", Fields: []string{"id"}}), got); err == nil {
		t.Error("a type that was not read is adopted")
	}
}
