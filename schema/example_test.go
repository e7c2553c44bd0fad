package schema_test

import (
	"fmt"
	"reflect"

	"github.com/pando-sync/pando/schema"
)

type Project struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Owner *Owner `json:"owner"`                        // belongs to: projects.owner_id
	Tasks []Task `json:"tasks" pando:"order:position"` // has many: tasks.project_id
}

type Owner struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type Task struct {
	ID       int64   `json:"id"`
	Title    string  `json:"title"`
	Position float64 `json:"-"` // read for the order, not sent
}

func ExampleRegistry_Tree() {
	registry := schema.NewRegistry()
	tree, err := registry.Tree(reflect.TypeFor[Project]())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, layer := range tree.Layers {
		fmt.Printf("%-5s %s, table %s\n", layer.Path, layer.Relation, layer.Type.Table.Name)
	}
	// Output:
	//       root, table projects
	// owner belongsTo, table owners
	// tasks hasMany, table tasks
}
