package schema_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/pando-sync/pando/schema"
)

// Relations and computed fields that are refused.
type (
	Desk struct {
		ID         int64
		NoSign     []Sheet    `pando:"filter:text"`
		NoValue    []Sheet    `pando:"filter:text="`
		NullAbove  []Sheet    `pando:"filter:text>null"`
		ManyAbove  []Sheet    `pando:"filter:rank>1|2"`
		NullOfMany []Sheet    `pando:"filter:rank=1|null"`
		NoColumn   []Sheet    `pando:"filter:colour=red"`
		NotInt     []Sheet    `pando:"filter:rank=one"`
		NotTime    []Sheet    `pando:"filter:at=noon"`
		OfJSON     []Sheet    `pando:"filter:doc=x"`
		ByJSON     []Sheet    `pando:"order:doc"`
		User       []Sheet    `pando:"user_key:at"`
		Deep       []Sheet    `pando:"depth:33"`
		Target     []Sheet    `pando:"target:sheet_id"`
		OneThrough *Sheet     `pando:"through:a"`
		Same       []Sheet    `pando:"through:a,link:x,target:x"`
		BothOrders []Sheet    `pando:"through:a,order:a.x,order:rank"`
		NoStruct   []Sheet    `pando:"through:a,order:a.x"`
		ManyLinks  []Sheet    `pando:"link:a|b"`
		FewLinks   []TwoParts `pando:"through:a,target:b"`
		Child      *Nested
	}
	Sheet struct {
		ID   int64
		Text string         `json:"-"`
		Rank int            `json:"-"`
		At   float32        `json:"-" pando:"kind:time"`
		Doc  map[string]int `json:"-"`
	}
	TwoParts struct {
		A int64  `pando:"key"`
		B string `pando:"key"`
	}
	Nested struct {
		ID     int64
		Sheets []Sheet `pando:"user_key:rank"`
		Inner  []Inner `pando:"user_key:owner"`
	}
	Inner struct {
		ID    int64
		Owner int64 `json:"-"`
		Own   []Own `pando:"user_key:owner"`
	}
	Own struct {
		ID    int64
		Owner int64 `json:"-"`
	}
	TwoUserKinds struct {
		ID    int64
		Ranks []Sheet `pando:"user_key:rank,link:a"`
		Texts []Sheet `pando:"user_key:text,link:b"`
	}
	Exponential struct {
		ID    int64
		Left  *Exponential `pando:"depth:9"`
		Right *Exponential `pando:"depth:9"`
	}
)

// computing returns a struct type with one computed field, which has the tag.
func computing(field any, tag string) reflect.Type {
	id := reflect.StructField{Name: "ID", Type: reflect.TypeFor[int64]()}
	blank := reflect.StructField{Name: "_", PkgPath: "example", Type: reflect.TypeFor[struct{}](), Tag: `pando:"table:desks"`}
	return reflect.StructOf([]reflect.StructField{blank, id,
		{Name: "F", Type: reflect.TypeOf(field), Tag: reflect.StructTag(`pando:"` + tag + `"`)},
		{Name: "Sheets", Type: reflect.TypeFor[[]Sheet](), Tag: `json:"-"`},
		{Name: "Mine", Type: reflect.TypeFor[[]Sheet](), Tag: `json:"-" pando:"filter:rank=$user"`},
		{Name: "Main", Type: reflect.TypeFor[*Sheet](), Tag: `json:"-"`},
		{Name: "Many", Type: reflect.TypeFor[[]Sheet](), Tag: `json:"-" pando:"through:a"`},
	})
}

// only is Desk with one of its relations.
func only(name string) reflect.Type {
	desk := reflect.TypeFor[Desk]()
	field, _ := desk.FieldByName(name)
	return reflect.StructOf([]reflect.StructField{
		{Name: "_", PkgPath: "example", Type: reflect.TypeFor[struct{}](), Tag: `pando:"table:desks"`},
		desk.Field(0), field,
	})
}

func TestRefusedLayers(t *testing.T) {
	var got strings.Builder
	refuse := func(title string, of reflect.Type, opts ...schema.Option) {
		_, err := schema.NewRegistry().Tree(of, opts...)
		fmt.Fprintf(&got, "# %s\n%v\n", title, err)
		if err == nil {
			t.Errorf("%s: no error", title)
		}
	}
	for f := range reflect.TypeFor[Desk]().Fields() {
		if f.Name != "ID" {
			refuse(f.Name, only(f.Name))
		}
	}
	refuse("two kinds of users", reflect.TypeFor[TwoUserKinds]())
	refuse("too many layers", reflect.TypeFor[Exponential]())

	sheet := reflect.TypeFor[Sheet]()
	refuse("list without a name", sheet, schema.AsList(schema.ListSpec{}))
	refuse("list below nothing", sheet, schema.AsList(schema.ListSpec{Name: "L", Limit: -1}))
	refuse("list above the limit", sheet, schema.AsList(schema.ListSpec{Name: "L", Limit: 10_001}))
	refuse("list by unknown order", sheet, schema.AsList(schema.ListSpec{Name: "L", Order: []string{"-colour"}}))
	refuse("list by unknown condition", sheet, schema.AsList(schema.ListSpec{Name: "L", Where: []schema.CondSpec{{Column: "colour", Op: schema.IsNull}}}))
	refuse("condition with too few operands", sheet, schema.Filter(schema.CondSpec{Column: "rank", Op: schema.Lt}))
	refuse("condition by nil", sheet, schema.Filter(schema.CondSpec{Column: "rank", Operands: constants(nil)}))
	refuse("condition by a null pointer", sheet, schema.Filter(schema.CondSpec{Column: "rank", Operands: constants((*int)(nil))}))
	refuse("condition by another kind", sheet, schema.Filter(schema.CondSpec{Column: "rank", Operands: constants(struct{}{})}))
	tenant := schema.EveryLayer("tenant_id", schema.EnvVar{Name: "tenant"})
	refuse("tenant missing at the root", sheet, tenant)
	refuse("tenant missing below", reflect.TypeFor[struct {
		_        struct{} `pando:"table:desks"`
		ID       int64
		TenantID int64
		Sheets   []Sheet
	}](), tenant)
	refuse("tenant of another kind", reflect.TypeOf(tenantRoot()), schema.EveryLayer("tenant_id", schema.EnvVar{Name: "tenant", Kind: schema.Text}))

	refuse("no method", computing(0, "computed:Missing"))
	refuse("of without a method", computing(0, "of:Sheets"))
	refuse("computed key", computing(0, "count:Sheets,key"))
	refuse("two computations", computing(0, "count:Sheets,computed:Missing"))
	refuse("represented key", computing(0, "represent:Missing,key"))
	refuse("computed of nothing", computing(0, "count:Nothing"))
	refuse("computed of belongs-to", computing(0, "count:Main"))
	refuse("computed of many-to-many", computing(0, "count:Many"))
	refuse("computed by user", computing(0, "count:Mine"))
	refuse("count as text", computing("", "count:Sheets"))
	refuse("sum of nothing", computing(0, "sum:Sheets"))
	refuse("sum of text", computing("", "sum:Sheets.Text"))
	refuse("sum as another kind", computing(0.5, "sum:Sheets.Rank"))
	refuse("min that cannot be null", computing(0, "min:Sheets.Rank"))
	refuse("min of JSON", computing(&map[string]int{}, "min:Sheets.Doc"))
	refuse("filter on a plain column", computing(0, "filter:rank=1"))
	golden(t, "refused.txt", got.String())
}
