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
