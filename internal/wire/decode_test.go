package wire

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

func TestDecoderRefusesBadFrames(t *testing.T) {
	tree := shelfTree(t)
	d := NewDecoder([]Type{{Name: "shelf", Fields: []string{"id", "name"}}}, tree)
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
	d := NewDecoder([]Type{{Name: "shelf", Fields: []string{"id", "name"}}, {Name: "item", Fields: []string{"id", "title", "done", "price", "note", "@shelf_id"}}}, tree)
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
