package schema_test

import (
	"database/sql"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/schema"
)

// Conditions, audiences and depths on relations.
type (
	Space struct {
		ID      int64
		Name    string
		Tasks   []Job    `pando:"filter:done=false,filter:state=open|waiting,filter:kind!=spam|ads,filter:score>=3"`
		Mine    []Job    `pando:"link:space_ref,filter:owner_id=$user,filter:id=$job,filter:rank<$rank"`
		Pinned  *Job     `pando:"filter:state!=null,filter:since>2024-02-29"`
		Notes   []Letter `pando:"user_key:reader"`
		Deleted *Trash   `pando:"hasone,filter:owner=null"`
	}
	Job struct {
		ID      int64
		OwnerID int64 `json:"-"`
		Done    bool
		Kind    string    `json:"-"`
		State   *string   `json:"-" pando:"readonly"`
		Score   float64   `pando:"readonly"`
		Since   time.Time `json:"-"`
		Rank    int64     `json:"-"`
		PIN     string    `pando:"writeonly,column:pin_hash"`
	}
	Letter struct {
		ID     int64
		Reader string `json:"-"`
		Text   string
	}
	Trash struct {
		ID        int64
		Owner     *int64    `json:"-"`
		DeletedAt time.Time `json:"-" bun:",soft_delete,nullzero"`
	}
	Folder struct {
		ID       int64
		Parent   *Folder  `pando:"depth:1"`
		Children []Folder `pando:"link:parent_id,depth:2"`
	}
	// Grade has a key of two columns.
	Grade struct {
		Course  int64  `pando:"key"`
		Student string `pando:"key"`
		Points  int
		Remarks []Remark
		Appeal  *Appeal `pando:"link:appeal_no|appeal_year"`
		Papers  []Paper `pando:"link:course|author"`
	}
	Remark struct{ ID int64 }
	Appeal struct {
		No, Year int32 `gorm:"primaryKey"`
	}
	Paper struct {
		ID     int64
		Course int64
		Author *string
	}
)

// TableName makes the links to grades speak of it.
func (Grade) TableName() string { return "school.grades" }

// Many-to-many relations.
type (
	Film struct {
		ID      int64
		Genres  []Genre   `pando:"through:film_genres,order:name,filter:hidden=false"`
		Cast    []*Player `pando:"through:roles,target:actor_id,order:roles.billing,filter:roles.cut=null,user_key:roles.agent"`
		Credits []Role    `json:"-"`
		Sequels []Film    `pando:"through:sequels,link:first,target:next,depth:1"`
		Grades  []Grade   `pando:"through:film_grades"`
	}
	Genre struct {
		ID     Key
		Name   string `json:"-"`
		Hidden bool   `json:"-"`
		Films  []Film `json:"-"`
	}
	Player struct {
		ID    string
		Roles []Role `pando:"link:actor_id"`
	}
	Role struct {
		ID      int64
		FilmID  int64
		ActorID string
		Billing int64  `json:"-" pando:"string"`
		Cut     *bool  `json:"-"`
		Agent   string `json:"-"`
	}
	// Shelf has a struct for the table between, met after the relation.
	Shelf struct {
		ID       int64
		Tags     []Tag `pando:"through:shelvings"`
		Shelving []Shelving
	}
	Shelving struct {
		ID        int64
		ShelfID   int64
		TagID     int64
		DeletedAt sql.NullTime `json:"-" bun:",soft_delete"`
	}
)

func TestLayers(t *testing.T) {
	var got strings.Builder
	show := func(title string, value any, opts ...schema.Option) {
		r := schema.NewRegistry()
		tree, err := r.Tree(reflect.TypeOf(value), opts...)
		fmt.Fprintf(&got, "# %s\n", title)
		if err != nil {
			t.Errorf("%s: %v", title, err)
			return
		}
		showTables(&got, r)
		showTree(&got, tree)
		showLists(&got, tree)
		got.WriteByte('\n')
	}
	show("conditions", Space{})
	show("condition on the root", Job{}, schema.Filter(
		schema.CondSpec{Column: "rank", Op: schema.Gt, Operands: constants(int8(-3))},
		schema.CondSpec{Column: "kind", Op: schema.In, Operands: constants(Status("a"), sql.NullString{String: "b", Valid: true})},
		schema.CondSpec{Column: "owner_id", Op: schema.Eq, Operands: []schema.OperandSpec{{Env: "$user"}}},
		schema.CondSpec{Column: "state", Op: schema.NotNull},
	))
	show("soft deletion of the root", Trash{})
	show("depth", Folder{})
	show("keys of several columns", Grade{})
	show("tenants", tenantRoot(), schema.EveryLayer("tenant_id", schema.EnvVar{Name: "tenant", Kind: schema.Int}))
	show("list of all", Job{}, schema.AsList(schema.ListSpec{Name: "AllJobs", Order: []string{"-score", "rank"}}))
	show("list by one equality", Job{}, schema.AsList(schema.ListSpec{Name: "DoneJobs", Limit: 20, Where: []schema.CondSpec{
		{Column: "score", Op: schema.Ge, Operands: constants(2)},
		{Column: "done", Op: schema.Eq, Operands: constants(true)},
	}}))
	show("list by several values", Job{}, schema.AsList(schema.ListSpec{Name: "Jobs", Where: []schema.CondSpec{
		{Column: "kind", Op: schema.In, Operands: append(constants("a", "b", "a"), schema.OperandSpec{Env: "$kind"})},
	}}))
	show("list by two equalities", tenantRoot(), schema.EveryLayer("tenant_id", schema.EnvVar{Name: "tenant"}),
		schema.AsList(schema.ListSpec{Name: "Shops", Where: []schema.CondSpec{{Column: "name", Op: schema.Eq, Operands: []schema.OperandSpec{{Env: "$name"}}}}}))
	show("list of rows with a key of several columns", Appeal{}, schema.AsList(schema.ListSpec{Name: "Appeals", Order: []string{"-year"}, Limit: 3}))
	show("list of rows that are not deleted", Trash{}, schema.AsList(schema.ListSpec{Name: "Trash"}))
	show("many-to-many", Film{})
	show("table between with a struct", Shelf{}, schema.Include("Tags", "Shelving"))
	golden(t, "layers.txt", got.String())
}

func constants(values ...any) []schema.OperandSpec {
	var all []schema.OperandSpec
	for _, v := range values {
		all = append(all, schema.OperandSpec{Const: v})
	}
	return all
}

// tenantRoot is a tree of which every table but that of currencies belongs to
// one tenant.
func tenantRoot() any {
	type Currency struct {
		ID string
	}
	type Line struct {
		ID       int64
		TenantID int64 `json:"-"`
	}
	type Shop struct {
		ID       int64
		TenantID int64 `json:"-"`
		Name     string
		Currency Currency `pando:"shared"`
		Lines    []Line
	}
	return Shop{}
}

// showRest shows what a plain layer has not.
func showRest(b *strings.Builder, tree *schema.Tree, l *schema.Layer) {
	for _, c := range l.Where {
		fmt.Fprintf(b, "\n      where %s %s", l.Type.Table.Columns[c.Column].Name, c.Op)
		for _, o := range c.Operands {
			if o.Env >= 0 {
				fmt.Fprintf(b, " %s:%s", tree.Env[o.Env].Name, tree.Env[o.Env].Kind)
				continue
			}
			fmt.Fprintf(b, " %s:%s", o.Value, o.Value.Kind())
		}
	}
	if l.UserKey >= 0 {
		fmt.Fprintf(b, "\n      user key %s", l.Type.Table.Columns[l.UserKey].Name)
	}
	if l.Through != nil {
		fmt.Fprintf(b, "\n      through %d", l.Through.Index)
	}
}

// showLists shows by which values a list's rows are found when the values of a
// stream are their numbers.
func showLists(b *strings.Builder, tree *schema.Tree) {
	if tree.Root.Relation != schema.List {
		return
	}
	var env []schema.Value
	for i := range tree.Env {
		env = append(env, schema.IntValue(int64(i)))
	}
	root := tree.Root
	fmt.Fprintf(b, "list by %s limit %d values", root.Type.Table.Columns[root.Link].Name, tree.Limit)
	for _, v := range tree.ListValues(env) {
		fmt.Fprintf(b, " %q", v)
	}
	b.WriteByte('\n')
}
