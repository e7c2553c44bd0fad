package schema_test

import (
	"fmt"
	"reflect"
	"time"

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

func ExampleAsList() {
	type Ticket struct {
		ID        int64     `json:"id"`
		Title     string    `json:"title"`
		Done      bool      `json:"-"`
		CreatedAt time.Time `json:"-"`
	}
	tree, err := schema.NewRegistry().Tree(reflect.TypeFor[Ticket](), schema.AsList(schema.ListSpec{
		Name:  "OpenTickets",
		Where: []schema.CondSpec{{Column: "done", Op: schema.Eq, Operands: []schema.OperandSpec{{Const: false}}}},
		Order: []string{"-created_at"},
		Limit: 50,
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	table := tree.Root.Type.Table
	fmt.Println("rows by", table.Columns[tree.Root.Link].Name, "=", tree.ListValues(nil)[0])
	fmt.Println("each shows a", tree.Root.Through.Type.Name)
	// Output:
	// rows by done = false
	// each shows a Ticket
}

// Bill is shown with its sum, and with its state as a word.
type Bill struct {
	ID    int64   `json:"id"`
	Paid  bool    `json:"state" pando:"represent:State"`
	Items []Entry `json:"-"`
	Total int64   `json:"total" pando:"sum:Items.Cents"`
}

// State is a method that Bill.Paid names.
func (b Bill) State() string {
	if b.Paid {
		return "paid"
	}
	return "open"
}

type Entry struct {
	ID    int64 `json:"id"`
	Cents int64 `json:"cents"`
}

func ExampleColumn_computed() {
	tree, err := schema.NewRegistry().Tree(reflect.TypeFor[Bill]())
	if err != nil {
		fmt.Println(err)
		return
	}
	table := tree.Root.Type.Table
	row := table.Complete(make(schema.Row, len(table.Columns)))
	for _, f := range tree.Root.Type.Fields {
		c := table.Columns[f.Column]
		fmt.Println(f.Name, f.Kind, c.Derived(), row[f.Column])
	}
	for _, l := range tree.Layers[1:] {
		fmt.Println("hidden:", l.Type.Table.Name)
	}
	// Output:
	// id int false null
	// state text true open
	// total int true null
	// hidden: entries
}
