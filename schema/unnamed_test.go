package schema_test

import (
	"reflect"
	"testing"

	"github.com/pando-sync/pando/schema"
)

// TestStructsMadeAtRunTime declares two structs without names over one table,
// one below the other's parent.
func TestStructsMadeAtRunTime(t *testing.T) {
	field := func(name, tag string, of reflect.Type) reflect.StructField {
		return reflect.StructField{Name: name, Type: of, Tag: reflect.StructTag(tag)}
	}
	blank := func(table string) reflect.StructField {
		f := field("_", `pando:"table:`+table+`"`, reflect.TypeFor[struct{}]())
		f.PkgPath = "example"
		return f
	}
	id := field("ID", `json:"id"`, reflect.TypeFor[int64]())
	short := reflect.StructOf([]reflect.StructField{blank("line_items"), id})
	long := reflect.StructOf([]reflect.StructField{blank("line_items"), id, field("Title", `json:"title"`, reflect.TypeFor[string]())})
	root := reflect.StructOf([]reflect.StructField{
		blank("orders"), id,
		field("Short", `json:"short"`, reflect.SliceOf(short)),
		field("Long", `json:"long"`, reflect.SliceOf(long)),
	})
	r := schema.NewRegistry()
	tree, err := r.Tree(root)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"Order orders", "LineItem line_items", "LineItem2 line_items"} {
		if got := tree.Layers[i].Type; got.Name+" "+got.Table.Name != want {
			t.Errorf("layer %d is %s %s, want %s", i, got.Name, got.Table.Name, want)
		}
	}
	if l := tree.Layers[1]; l.Type.Table.Columns[l.Link].Name != "order_id" {
		t.Errorf("the link is %s", l.Type.Table.Columns[l.Link].Name)
	}
	if _, err := r.Tree(reflect.StructOf([]reflect.StructField{id})); err == nil {
		t.Error("a struct without a name and a table was accepted")
	}
}
