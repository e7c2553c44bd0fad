package schema_test

import (
	"reflect"
	"testing"

	"github.com/pando-sync/pando/schema"
)

type (
	leafTwo struct {
		Site int64  `json:"site" pando:"key"`
		Code string `json:"code" pando:"key"`
	}
	ormLeaf struct {
		ID uint64 `gorm:"primaryKey"`
	}
	betweenModel struct {
		ID    int64      `json:"id"`
		Two   []*leafTwo `json:"two" pando:"through:twos,link:owner,target:site|code"`
		Plain []ormLeaf  `json:"plain" gorm:"many2many:plains;joinForeignKey:OwnerID;joinReferences:LeafID"`
	}
)

// TestBetweenIsTheTableOfARelation has keys of several columns, and an ORM's words.
func TestBetweenIsTheTableOfARelation(t *testing.T) {
	r := schema.NewRegistry()
	m, err := r.Model(reflect.TypeFor[betweenModel]())
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Betweens(); !reflect.DeepEqual(got, []string{"two", "plain"}) {
		t.Fatalf("the relations are %q", got)
	}
	if len(r.Tables) != 1 {
		t.Errorf("%d tables are followed before anybody asks", len(r.Tables))
	}
	for _, c := range []struct {
		name, owner, target string
		key                 schema.Value
		want                any
	}{
		{"two", "owner", "(site,code)", schema.TupleValue(schema.IntValue(1), schema.TextValue("x")), []*leafTwo{{1, "x"}}},
		{"plain", "owner_id", "leaf_id", schema.IntValue(7), []ormLeaf{{7}}},
	} {
		w, err := r.Between(m, c.name, true)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		columns := w.Table.Columns
		if columns[w.Owner].Name != c.owner || columns[w.Target].Name != c.target || !w.Table.Whole || w.To == nil || len(w.Table.Filled) < 2 {
			t.Errorf("%s: the table is %+v, the relation %+v", c.name, w.Table, w)
		}
		var row betweenModel
		if err := w.Fill(&row, []schema.Value{c.key}); err != nil {
			t.Error(err)
		}
		if got := reflect.ValueOf(row).FieldByName(w.GoName).Interface(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: the rows are %+v", c.name, got)
		}
	}
	if _, err := r.Between(m, "id", true); err == nil {
		t.Error("a column is a relation")
	}
}
