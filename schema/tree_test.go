package schema_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

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

const listModel = `{"root":0,
 "types":{"@TasksChannel":{"key":"@id","fields":{"@id":"int","@created_at":"time"}},
          "Todo":{"key":"id","fields":{"id":"int","title":"text"}},
          "@task_tags":{"key":"@(task_id,tag_id)","fields":{"@(task_id,tag_id)":"tuple(int,int)","@task_id":"int","@tag_id":"int"}},
          "Label":{"key":"id","fields":{"id":"int","name":"text"}}},
 "layers":[
  {"type":"@TasksChannel","relation":"list","order":["-@created_at"],"through":1,"members":[]},
  {"type":"Todo","relation":"belongsTo","link":"@id","members":["id","title",{"name":"tags","layer":2}]},
  {"type":"@task_tags","relation":"hasMany","link":"@task_id","through":3,"members":[]},
  {"type":"Label","relation":"belongsTo","link":"@tag_id","order":["name"],"members":["id","name"]}]}`

type Todo struct {
	ID        int64     `json:"id"`
	Title     string    `json:"title"`
	CreatedAt time.Time `json:"-"`
	Tags      []Label   `json:"tags" pando:"through:task_tags,order:name"`
}

// TableName makes todos rows of tasks.
func (Todo) TableName() string { return "tasks" }

type Label struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// TableName makes labels rows of tags.
func (Label) TableName() string { return "tags" }

func TestModelIsTheProtocols(t *testing.T) {
	checkModel(t, boardModel, reflect.TypeFor[Board]())
	checkModel(t, listModel, reflect.TypeFor[Todo](), schema.AsList(schema.ListSpec{Name: "TasksChannel", Order: []string{"-created_at"}}))
}

func checkModel(t *testing.T, model string, of reflect.Type, opts ...schema.Option) {
	t.Helper()
	tree, err := schema.NewRegistry().Tree(of, opts...)
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
	if err := json.Unmarshal([]byte(model), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
}
