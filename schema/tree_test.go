package schema_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/schema"
)

type Board struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Lists []List `json:"lists" pando:"order:position"`
}

type List struct {
	ID       int64   `json:"id"`
	Name     string  `json:"name"`
	Position float64 `json:"-"`
	Cards    []*Card `json:"cards"`
}

type Card struct {
	ID       int64  `json:"id"`
	Title    string `json:"title"`
	Assignee *User  `json:"assignee"`
}

type User struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

const boardModel = `{"root":0,
 "types":{"Board":{"key":"id","fields":{"id":"int","name":"text"}},
          "List":{"key":"id","fields":{"id":"int","name":"text","@board_id":"int","@position":"float"}},
          "Card":{"key":"id","fields":{"id":"int","title":"text","@list_id":"int","@assignee_id":"int"}},
          "User":{"key":"id","fields":{"id":"int","name":"text"}}},
 "layers":[
  {"type":"Board","members":["id","name",{"name":"lists","layer":1}]},
  {"type":"List","relation":"hasMany","link":"@board_id","order":["@position"],"members":["id","name",{"name":"cards","layer":2}]},
  {"type":"Card","relation":"hasMany","link":"@list_id","members":["id","title",{"name":"assignee","layer":3}]},
  {"type":"User","relation":"belongsTo","link":"@assignee_id","members":["id","name"]}]}`

func TestModelIsTheProtocols(t *testing.T) {
	tree, err := schema.NewRegistry().Tree(reflect.TypeFor[Board]())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(tree.Model())
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(boardModel), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
}
