package schema_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/schema"
)

// Every kind of column, and every way to be null.
type (
	Status string
	Level  int8
	Key    [16]byte
	Base   struct {
		ID        Key
		CreatedAt time.Time
		_         int
	}
	Kinds struct {
		Base
		*Extra
		URLPath  string
		UserIDs  []int64
		Done     bool   `db:"is_done"`
		Big      uint64 `json:"big,string"`
		Views    int64  `pando:"string"`
		Level    *Level
		Status   sql.Null[Status]
		Note     sql.NullString
		Raw      []byte
		Doc      json.RawMessage
		Map      map[string]int
		Pair     [2]float32
		Price    Money    `pando:"kind:text"`
		Ref      string   `pando:"kind:uuid"`
		Setting  Setting  `pando:"kind:json,column:settings"`
		Token    string   `json:"-"`
		CSRF     string   `pando:"public,column:csrf_token"`
		Ignored  chan int `pando:"-"`
		Unstored int      `db:"-"`
	}
	Extra   struct{ Note2 string }
	Setting struct{ Dark bool }
)

// Relations by every rule of plain structs.
type (
	Company struct {
		Code      string     `pando:"key"`
		Employees []Employee `pando:"order:-grade,order:name"`
		Address   *Address   `pando:"hasone"`
		Boss      Employee   `pando:"link:chief"`
		Country   Country
	}
	Employee struct {
		ID          int32
		Name        *string
		Grade       int    `json:"-"`
		CompanyCode string `pando:"column:company_id"`
		MentorID    *int64
		Mentor      *Mentor
		Laptops     []*Laptop `pando:"link:owner"`
	}
	Address struct {
		ID        int64
		CompanyID string `db:"firm"`
		Street    string
	}
	Mentor  struct{ ID int64 }
	Laptop  struct{ ID Key }
	Country struct {
		ID   string
		Name string
	}
)

// TableName implements the convention of gorm and bun.
func (*Mentor) TableName() string { return "staff.people" }

// Models as gorm users write them.
type (
	Author struct {
		ID      uint `gorm:"primaryKey"`
		Name    string
		Profile Profile
		Books   []Book `gorm:"foreignKey:WriterRef"`
		Fans    []Fan  `gorm:"many2many:author_fans"`
	}
	Profile struct {
		ID       uint `gorm:"primaryKey"`
		AuthorID uint
		Bio      string `gorm:"column:biography;type:text"`
		Secrets  string `gorm:"-"`
	}
	Book struct {
		ID          uint `gorm:"primaryKey"`
		Title       string
		WriterRef   *uint
		PublisherID uint
		Publisher   Publisher
		Tags        string `gorm:"type:jsonb"`
	}
	Publisher struct {
		ID    uint `gorm:"primaryKey"`
		Books []Book
	}
	Fan struct{ ID uint }
)

// Models as bun users write them.
type (
	BaseModel struct{}
	Order     struct {
		BaseModel `bun:"table:orders_v2,alias:o"`
		ID        int64    `bun:",pk,autoincrement"`
		Buyer     *Buyer   `bun:"rel:belongs-to,join:buyer_ref=id"`
		Items     []*Item  `bun:"rel:has-many,join:id=order_ref"`
		Invoice   *Invoice `bun:"rel:has-one"`
		Total     int      `bun:"-"`
	}
	Buyer struct {
		ID int64 `bun:",pk"`
	}
	Item struct {
		ID    int64  `bun:",pk"`
		Label string `bun:"label_text"`
	}
	Invoice struct {
		ID int64 `bun:",pk"`
	}
)

// Columns whose kind or absence gorm and bun tags tell.
type (
	GormColumns struct {
		Code     string  `gorm:"type:uuid;primary_key"`
		Settings Setting `gorm:"serializer:json"`
		Labels   string  `gorm:"type:JSONB"`
		Size     int     `gorm:"type:bigint;not null"`
		Old      int     `gorm:"-:all"`
		Kept     int     `gorm:"-:migration"`
		Events   []Event `gorm:"polymorphic:Owner"`
	}
	BunColumns struct {
		Code  Key     `bun:"code,pk,type:uuid"`
		Doc   []byte  `bun:"type:jsonb"`
		Rank  int     `bun:",scanonly"`
		Links []Event `bun:"m2m:bun_events,join:Bun=Event"`
		First *Event  `bun:"rel:belongs-to,join:a=b,join:c=d"`
		Poly  []Event `bun:"rel:has-many,polymorphic"`
	}
	Event struct{ ID int64 }
)

// Odd embeddings, unsent relations and tables of another name.
type (
	Person struct {
		Mentor   `json:"first_mentor"` // a relation by its name, not flattened
		*Country `pando:"-"`
		ID       int64
		Laptops  []Laptop
		Secret   *Laptop  `json:"-"`
		Legacy   []Tag    `pando:"-"`
		Big      int64    `json:"-" pando:"string"`
		Channel  chan int `json:"-"`
		Peers    []Peer   `pando:"order:rank"`
	}
	Peer struct {
		ID   int64
		Rank int64 `json:"-" pando:"string"`
	}
)

// TableName gives the link of laptops its name.
func (Person) TableName() string { return "staff.natural_people" }

func TestTrees(t *testing.T) {
	var got strings.Builder
	show := func(title string, value any, include ...string) {
		r := schema.NewRegistry()
		tree, err := r.Tree(reflect.TypeOf(value), schema.Include(include...))
		fmt.Fprintf(&got, "# %s\n", title)
		if err != nil {
			t.Errorf("%s: %v", title, err)
			return
		}
		showTables(&got, r)
		showTree(&got, tree)
		got.WriteByte('\n')
	}
	show("kinds", Kinds{})
	show("relations", Company{})
	show("board", Board{})
	show("odd", Person{})
	show("gorm columns", GormColumns{})
	show("bun columns", BunColumns{})
	show("gorm, nothing included", Author{})
	show("gorm", Author{}, "Profile", "Books.Publisher")
	show("gorm many-to-many", Author{}, "Fans")
	show("bun many-to-many", BunColumns{}, "Links")
	show("bun", Order{}, "Buyer", "Items", "Invoice")
	golden(t, "trees.txt", got.String())
}

func showTables(b *strings.Builder, r *schema.Registry) {
	for _, table := range r.Tables {
		fmt.Fprintf(b, "table %s", table.Name)
		for i, c := range table.Columns {
			fmt.Fprintf(b, " %s:%s%s%s", c.Name, c.Kind, mark(c.Nullable, "?"), mark(i == table.Key, "!"))
		}
		fmt.Fprintf(b, " links%v\n", table.Links)
	}
	for _, typ := range r.Types {
		fmt.Fprintf(b, "type %s", typ.Name)
		for _, f := range typ.Fields {
			link := ""
			if f.Link != nil {
				link = "→" + f.Link.Name
			}
			fmt.Fprintf(b, " %s:%s%s%s%s%s", f.Name, f.KindName(), mark(f.Nullable, "?"), mark(f.AsString, "s"), mark(f.ReadOnly, "r"), link)
		}
		for _, f := range typ.WriteOnly {
			fmt.Fprintf(b, " -%s:%s", f.Name, f.KindName())
		}
		b.WriteByte('\n')
	}
}

func showTree(b *strings.Builder, tree *schema.Tree) {
	for _, l := range tree.Model().Layers {
		fmt.Fprintf(b, "layer %q %s %s link %q order %v members", l.Layer.Path, l.Layer.Relation, l.Layer.Type.Name, l.Link, l.Order)
		for _, m := range l.Layer.Members {
			if m.Layer != nil {
				fmt.Fprintf(b, " %s{%d}", m.Layer.Name, m.Layer.Index)
				continue
			}
			fmt.Fprintf(b, " %s", l.Layer.Type.Fields[m.Field].Name)
		}
		showRest(b, tree, l.Layer)
		b.WriteByte('\n')
	}
}

func mark(on bool, s string) string {
	if on {
		return s
	}
	return ""
}

func TestOneRegistryManyTrees(t *testing.T) {
	type CardBrief struct {
		ID     int64  `json:"id"`
		ListID int64  `json:"list_id"`
		Title  string `json:"title"`
	}
	r := schema.NewRegistry()
	first, err := r.Tree(reflect.TypeFor[CardBrief]())
	if err != nil {
		t.Fatal(err)
	}
	if f := first.Root.Type.Fields[1]; f.AsString || f.Link != nil {
		t.Errorf("list_id is a link before any tree says so: %+v", f)
	}
	type List struct {
		ID    int64       `json:"id"`
		Cards []CardBrief `json:"cards"`
	}
	if _, err := r.Tree(reflect.TypeFor[List]()); err != nil {
		t.Fatal(err)
	}
	if f := first.Root.Type.Fields[1]; !f.AsString || f.Link == nil || f.Link.Name != "List" {
		t.Errorf("list_id is no link after the tree that says so: %+v", f)
	}
	if len(r.Types) != 2 || len(r.Tables) != 2 {
		t.Errorf("%d types, %d tables, want 2 and 2", len(r.Types), len(r.Tables))
	}
}

func TestSameNamesAreToldApart(t *testing.T) {
	r := schema.NewRegistry()
	if _, err := r.Tree(reflect.TypeFor[Board]()); err != nil {
		t.Fatal(err)
	}
	local := func() reflect.Type {
		type Board struct{ ID int64 }
		return reflect.TypeFor[Board]()
	}()
	if _, err := r.Tree(local); err == nil || !strings.Contains(err.Error(), "rename one of them") {
		t.Errorf("two types schema_test.Board: got %v", err)
	}
}
