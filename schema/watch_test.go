package schema_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pando-sync/pando/schema"
)

func TestWatch(t *testing.T) {
	r := schema.NewRegistry()
	table, column, err := r.Watch(reflect.TypeFor[Role](), "actor_id")
	if err != nil {
		t.Fatal(err)
	}
	if c := table.Columns[column]; table.Name != "roles" || c.Name != "actor_id" || c.Kind != schema.Text || len(r.Types) != 0 {
		t.Errorf("watching %s.%s of kind %s, %d types", table.Name, c.Name, c.Kind, len(r.Types))
	}
	again, _, err := r.Watch(reflect.TypeFor[Role](), "film_id")
	if err != nil || again != table {
		t.Errorf("the second column is of another table: %v", err)
	}
	if _, _, err := r.Watch(reflect.TypeFor[Role](), "colour"); err == nil || !strings.Contains(err.Error(), "Role declares no column colour") {
		t.Errorf("a column that the struct has not: %v", err)
	}
}

// TestStructForATableBetween declares the table between two others only by the
// relation through it, then by a struct, whose key the table has from then on.
func TestStructForATableBetween(t *testing.T) {
	type shelf struct {
		ID   int64
		Tags []Tag `pando:"through:shelvings,link:shelf_id"`
	}
	r := schema.NewRegistry()
	first, err := r.Tree(reflect.TypeFor[shelf]())
	if err != nil {
		t.Fatal(err)
	}
	place := first.Layers[1].Type
	if key := place.Fields[place.Key]; key.Name != "@(shelf_id,tag_id)" || key.Kind != schema.Tuple {
		t.Errorf("without a struct the key is %s", key.Name)
	}
	second, err := r.Tree(reflect.TypeFor[Shelving](), schema.Include(), schema.AsList(schema.ListSpec{Name: "shelvings"}))
	if err != nil {
		t.Fatal(err)
	}
	table := place.Table
	key := place.Fields[place.Key]
	if table.Columns[table.Key].Name != "id" || key.Name != "@id" || key.Column != table.Key || !key.AsString {
		t.Errorf("with a struct the key of the table is %s, that of its places %+v", table.Columns[table.Key].Name, key)
	}
	if second.Root.Type != place {
		t.Error("a list of the same name and table has other places")
	}
	if _, err := r.Tree(reflect.TypeFor[Tag](), schema.AsList(schema.ListSpec{Name: "shelvings"})); err == nil || !strings.Contains(err.Error(), "@shelvings: the name is taken") {
		t.Errorf("a list of the same name over another table: %v", err)
	}
}

// TestComparedColumns tells which columns the database has to compare alike.
func TestComparedColumns(t *testing.T) {
	tree, err := schema.NewRegistry().Tree(reflect.TypeFor[Space]())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range tree.Layers {
		for _, c := range l.Type.Table.Columns {
			want := map[string]bool{"done": true, "state": true, "kind": true, "score": true, "owner_id": true, "rank": true, "since": true,
				"reader": true, "owner": true, "deleted_at": true}[c.Name]
			if c.Compared != want && c.Name != "id" {
				t.Errorf("%s.%s: compared %t", l.Type.Table.Name, c.Name, c.Compared)
			}
		}
	}
}
