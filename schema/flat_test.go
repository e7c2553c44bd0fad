package schema_test

import (
	"reflect"
	"testing"

	"github.com/pando-sync/pando/schema"
)

type (
	flatOwner struct {
		ID string `json:"id"`
	}
	flatTask struct {
		ID     int64      `json:"id"`
		Owner  *flatOwner `json:"owner"`
		Title  string     `json:"title"`
		Shout  string     `json:"shout" pando:"computed:Loud"`
		Hidden string     `json:"-"`
		Note   string     `json:"note" pando:"writeonly"`
		Parts  []flatPart `json:"parts"`
		Size   int        `json:"size" pando:"count:Parts"`
	}
	flatPart struct {
		ID int64 `json:"id"`
	}
	flatChild struct {
		ID         int64     `json:"id"`
		FlatTaskID int64     `json:"flat_task_id" pando:"readonly"`
		FlatTask   *flatTask `json:"flat_task"`
	}
	// flatORM serves a program: what it has of relations is not meant for a page.
	flatORM struct {
		ID      int64      `json:"id" gorm:"primaryKey"`
		OwnerID string     `json:"owner_id"`
		Owner   *flatOwner `json:"owner"`
		Other   *flatOwner `json:"other"`
		Wild    *struct{}  `json:"wild"`
	}
)

func (t *flatTask) Loud() string { return t.Title + "!" }

func names(fields []schema.Field) []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.Name)
	}
	return all
}

func model[T any](t *testing.T, r *schema.Registry) *schema.Type {
	t.Helper()
	m, err := r.Model(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestModelIsOfOneStructAlone(t *testing.T) {
	r := schema.NewRegistry()
	m := model[flatTask](t, r)
	for _, c := range []struct{ got, want []string }{
		{names(m.Fields), []string{"id", "title", "shout"}}, {names(m.WriteOnly), []string{"note"}}, {names(m.Links), []string{"owner"}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("the fields are %q, want %q", c.got, c.want)
		}
	}
	if len(r.Types) != 0 || len(r.Tables) != 1 {
		t.Errorf("%d types and %d tables are known, want none and one", len(r.Types), len(r.Tables))
	}
	var columns []string
	for _, c := range m.Table.Columns {
		if !c.Derived() {
			columns = append(columns, c.Name)
		}
	}
	if want := []string{"id", "title", "hidden", "note", "owner_id"}; !reflect.DeepEqual(sorted(columns), sorted(want)) {
		t.Errorf("the columns are %q, want %q", columns, want)
	}
	if key := m.Fields[m.Key]; key.Name != "id" || key.AsString {
		t.Errorf("the key is %+v", key)
	}
	if link := m.Links[0]; !link.Nullable || link.Hidden || link.Kind != schema.Text || link.GoName != "Owner" {
		t.Errorf("the link is %+v", link)
	}
	if m != model[flatTask](t, r) {
		t.Error("the same struct has two types")
	}
	if m.Related() != "size" {
		t.Errorf("the field of related rows is %q", m.Related())
	}
}

func sorted(names []string) map[string]bool {
	all := map[string]bool{}
	for _, n := range names {
		all[n] = true
	}
	return all
}

func TestModelOfAStructThatATreeShows(t *testing.T) {
	r := schema.NewRegistry()
	tree, err := r.Tree(reflect.TypeFor[flatTask]())
	if err != nil {
		t.Fatal(err)
	}
	before, columns := len(r.Types), len(tree.Root.Type.Table.Columns)
	shown := names(tree.Root.Type.Fields)
	m := model[flatTask](t, r)
	if m.Table != tree.Root.Type.Table || m == tree.Root.Type || len(r.Types) != before {
		t.Error("the model is another type over the same table")
	}
	// The tree's own method reads all columns; what it computes is computed once.
	if got := len(m.Table.Columns); got != columns {
		t.Errorf("the table has %d columns, %d before", got, columns)
	}
	if got := names(tree.Root.Type.Fields); !reflect.DeepEqual(got, shown) {
		t.Errorf("the tree shows %q, before %q", got, shown)
	}
	if !tree.Root.Type.Fields[tree.Root.Type.Key].AsString {
		t.Error("the tree's key is no string any more")
	}
}

func TestModelWritesLinksAndColumns(t *testing.T) {
	m := model[flatChild](t, schema.NewRegistry())
	if got := m.ModelFields(); got != nil {
		t.Errorf("a link over a read-only column may be written: %+v", got)
	}
	task := model[flatTask](t, schema.NewRegistry())
	var may, stored []string
	for _, f := range task.ModelFields() {
		may = append(may, f.Name)
	}
	for _, f := range task.ModelColumns() {
		stored = append(stored, f.Name)
	}
	if want := []string{"title", "note", "owner"}; !reflect.DeepEqual(may, want) {
		t.Errorf("clients may set %q, want %q", may, want)
	}
	if want := []string{"id", "title", "hidden", "note", "owner"}; !reflect.DeepEqual(stored, want) {
		t.Errorf("the server may set %q, want %q", stored, want)
	}
}

func TestModelOfAnORMsStructHasLinksThatItDeclares(t *testing.T) {
	m := model[flatORM](t, schema.NewRegistry())
	if got := names(m.Links); !reflect.DeepEqual(got, []string{"owner"}) {
		t.Errorf("the links are %q", got)
	}
	if err := m.Unbound("other"); err == nil {
		t.Error("it does not tell why a relation is left out")
	}
	if err := m.Unbound("nothing"); err != nil {
		t.Errorf("it tells of what there is not: %v", err)
	}
}

func TestSortModel(t *testing.T) {
	r := schema.NewRegistry()
	m := model[flatTask](t, r)
	order, err := r.SortModel(m, []string{"-title", "id"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"title", "id"} {
		if c := m.Table.Columns[order[i].Column]; c.Name != want || !c.Compared || order[i].Desc != (i == 0) {
			t.Errorf("criterion %d is %+v of %+v", i, order[i], c)
		}
	}
	if _, err := r.SortModel(m, []string{"nothing"}); err == nil {
		t.Error("a column that there is not was taken")
	}
}

func TestKeyOf(t *testing.T) {
	m := model[flatTask](t, schema.NewRegistry())
	for _, v := range []any{int64(7), 7, uint8(7), "7"} {
		if key, err := m.KeyOf(v); err != nil || key != schema.IntValue(7) {
			t.Errorf("%T: %v, %v", v, key, err)
		}
	}
	for _, v := range []any{nil, "x", 1.5} {
		if key, err := m.KeyOf(v); err == nil {
			t.Errorf("%v is the key %v", v, key)
		}
	}
}
