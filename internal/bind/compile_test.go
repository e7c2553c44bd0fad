package bind_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

type (
	tag struct {
		ID int64 `json:"id"`
	}
	// board has what a binding does not follow.
	board struct {
		ID    int64    `json:"id"`
		Name  string   `json:"name"`
		Cards []card   `json:"cards"`
		Tags  []tag    `json:"tags" pando:"through:board_tags"`
		Tail  int64    `json:"-"`
		Count int      `json:"count" pando:"count:Cards"`
		Long  bool     `json:"long" pando:"computed:IsLong,of:Cards"`
		Main  *card    `json:"main" pando:"hasone"`
		Doc   struct{} `json:"doc" pando:"kind:json"`
	}
	boardOf struct {
		ID   int64 `json:"id"`
		Tags []tag `json:"tags" pando:"through:board_tags,filter:kind=1"`
	}
	card struct {
		ID      int64  `json:"id"`
		BoardID int64  `json:"board_id"`
		Board   *board `json:"board"`
		Owner   person `json:"owner"`
	}
	secretive struct {
		ID           int64  `json:"id"`
		PasswordHash string `json:"password_hash"`
	}
	oddlyValid struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	oddlyDeleted struct {
		ID        int64  `json:"id"`
		Name      string `json:"name"`
		DeletedAt *int64 `json:"deleted_at" bun:",soft_delete"`
	}
	keyOnly struct {
		ID int64 `json:"id"`
	}
)

func (b *board) IsLong() bool      { return len(b.Cards) > 9 }
func (*oddlyValid) Validate() bool { return true }

// specOf is a binding of some fields of a struct.
func specOf[T any](fields ...string) *bind.Spec {
	return &bind.Spec{
		Stream: "s", GoType: reflect.TypeFor[T](), Fields: fields, Groups: func(any) []string { return nil },
		Permit: func(context.Context, token.Identity, bind.Op, any, any) (bool, error) { return true, nil },
	}
}

func with(spec *bind.Spec, change func(*bind.Spec)) *bind.Spec {
	change(spec)
	return spec
}

func TestWrongDeclarationsAreRefused(t *testing.T) {
	for _, c := range []struct {
		spec *bind.Spec
		want string
	}{
		{specOf[person](), "no Fields: name the fields that are told and may be written, or all by mux.AllFields"},
		{specOf[person](bind.AllFields, "name"), "leave out the others, or it"},
		{specOf[person]("nam"), `field "nam" in Fields: the struct has none of this name: use name`},
		{specOf[person]("Name"), `its name on the wire is "name": write that`},
		{specOf[person]("id"), "is the key, which is told as pk"},
		{specOf[person]("name", "name"), `field "name" is named twice`},
		{specOf[keyOnly](bind.AllFields), "no field but the key"},
		{specOf[article]("internal"), `is tagged json:"-"`},
		{specOf[board]("cards"), "rows of another table"},
		{specOf[board]("main"), "rows of another table"},
		{specOf[boardOf]("tags"), "a binding tells all keys of a many-to-many relation: take the conditions off the tag"},
		{specOf[board]("count"), "made of rows of another table"},
		{specOf[board]("long"), "made of rows of another table"},
		{specOf[board]("name", bind.AllFields), "leave out"},
		{specOf[board](bind.AllFields), `field "count": it is made of rows of another table`},
		{specOf[secretive]("password_hash"), "secret's name"},
		{specOf[oddlyValid]("name"), "method Validate of oddlyValid has another signature"},
		{specOf[oddlyDeleted]("name"), "column deleted_at tells deleted rows and is int: make it a time, or give Delete"},
		{specOf[int]("name"), "int: not a named struct"},
		{with(specOf[person]("name"), func(s *bind.Spec) { s.Stream = "" }), "no Stream: give a name"},
		{with(specOf[person]("name"), func(s *bind.Spec) { s.Stream = "a b" }), "no Stream: give a name"},
		{with(specOf[person]("name"), func(s *bind.Spec) { s.Stream = strings.Repeat("s", 65) }), "no Stream: give a name"},
		{with(specOf[person]("name"), func(s *bind.Spec) { s.Groups = nil }), "GroupNames is missing"},
		{with(specOf[person]("name"), func(s *bind.Spec) { s.Limit = 10_001 }), "a Limit of 10001: give 1 to 10000, or 0"},
		{with(specOf[person]("name"), func(s *bind.Spec) { s.Limit = -1 }), "a Limit of -1"},
		{with(specOf[person]("name"), func(s *bind.Spec) { s.OrderBy = []string{"-age"} }), `OrderBy: column "age" is not told`},
		{with(specOf[article]("doc"), func(s *bind.Spec) { s.OrderBy = []string{"doc"} }), "OrderBy: column doc is json, which is not compared"},
		{with(specOf[article]("title"), func(s *bind.Spec) { s.OrderBy = []string{"stars"} }), `column "stars" is not told`},
		{with(specOf[person]("name"), func(s *bind.Spec) {
			s.Permit = nil
			s.Delete = func(context.Context, token.Identity, any) error { return nil }
		}), "HasPermission is missing, so that nothing may be written"},
	} {
		t.Run(c.want, func(t *testing.T) {
			_, err := bind.Compile(schema.NewRegistry(), c.spec)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), fmt.Sprintf("binding %q of %s: ", c.spec.Stream, c.spec.GoType)) {
				t.Errorf("%q: the error is %v,\nwant …%s…", c.spec.Fields, err, c.want)
			}
		})
	}
}

func TestAnOwnDeleteNeedsNoTimeOfDeletion(t *testing.T) {
	spec := specOf[oddlyDeleted]("name")
	spec.Delete = func(context.Context, token.Identity, any) error { return nil }
	if m := compile(t, spec); !m.Writable() {
		t.Error("nothing may be written")
	}
}

func TestAllFieldsAreThoseOfTheStructAlone(t *testing.T) {
	for _, c := range []struct {
		spec           *bind.Spec
		told, readOnly []string
	}{
		{articles(), []string{"title", "body", "stars", "price", "ref", "posted_at", "doc", "loud", "locked", "owner", "note"}, []string{"loud", "locked"}},
		// The link has a field of its own, so that the relation need not tell it.
		{specOf[card](bind.AllFields), []string{"board_id", "owner"}, nil},
		{specOf[card]("board", "board_id"), []string{"board_id", "board"}, nil},
	} {
		b := compile(t, c.spec).Binding()
		var told []string
		for _, f := range b.Fields {
			told = append(told, f.Name)
		}
		if !reflect.DeepEqual(told, c.told) || !reflect.DeepEqual(b.ReadOnly, c.readOnly) {
			t.Errorf("%s: the fields are %q, of which %q are not written,\nwant %q and %q", c.spec.GoType, told, b.ReadOnly, c.told, c.readOnly)
		}
	}
}

func TestNothingOfABindingIsAnnounced(t *testing.T) {
	reg := schema.NewRegistry()
	m, err := bind.Compile(reg, articles())
	if err != nil {
		t.Fatal(err)
	}
	if len(reg.Types) != 0 || len(reg.Tables) != 1 || !m.Table.Whole {
		t.Errorf("%d types are announced, %d tables are followed, with old rows: %v", len(reg.Types), len(reg.Tables), m.Table.Whole)
	}
	if parts := m.Table.Columns[m.All].Parts; parts == nil || len(parts) > 0 {
		t.Errorf("all rows are read by column %s", m.Table.Columns[m.All].Name)
	}
}

func TestABindingIsAddedOnce(t *testing.T) {
	var served bind.Served
	reg := schema.NewRegistry()
	spec, other := articles(), articles()
	add := func(s *bind.Spec) *bind.Model {
		t.Helper()
		m, err := served.Add(reg, s)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := add(spec)
	if again := add(spec); again != first || served.Model(spec) != first {
		t.Error("the same binding was compiled twice")
	}
	if second := add(other); second == first || second.Type != first.Type || !slices.Equal(served.Models(), []*bind.Model{first, second}) {
		t.Error("two bindings of one struct are two models of one type")
	}
	if served.Model(articles()) != nil {
		t.Error("a binding was found that was not added")
	}
}

func TestTheManifestTellsOfABinding(t *testing.T) {
	spec := articles()
	spec.Model, spec.OrderBy, spec.Limit = "", []string{"-posted_at", "owner_id", "id"}, 5
	m := compile(t, spec)
	if m.Name != "bind_test.article" || m.Limit != 5 || len(m.Order) != 3 || !m.Order[0].Desc || m.Order[1].Desc {
		t.Errorf("%s, limit %d, order %v", m.Name, m.Limit, m.Order)
	}
	b := m.Binding()
	if !reflect.DeepEqual(b.OrderBy, []string{"-posted_at", "owner", "id"}) || !b.Writable || b.Serialized || b.Key.Name != "id" || b.Key.AsString {
		t.Errorf("%+v", b)
	}
	if b.Package != reflect.TypeFor[article]().PkgPath() || b.Stream != "articles" || b.Model != m.Name || b.Type != m.Type {
		t.Errorf("%+v", b)
	}
	for _, f := range b.Fields {
		nullable := f.Name == "body" || f.Name == "posted_at" || f.Name == "owner"
		if f.Nullable != nullable || (f.Shown == "") != (f.Name == "note") || f.AsString && f.Shown != "" {
			t.Errorf("%+v", f)
		}
	}
	spec = articles()
	spec.Permit = nil
	spec.Serialize = func(any) (any, error) { return nil, nil }
	b = compile(t, spec).Binding()
	if b.Writable || !b.Serialized || len(b.ReadOnly) != len(b.Fields) {
		t.Errorf("%+v", b)
	}
}
