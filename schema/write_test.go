package schema_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/schema"
)

// upper is a text that refuses some of what its column could hold.
type upper string

func (u *upper) Scan(src any) error {
	text, ok := src.(string)
	if !ok || text != strings.ToUpper(text) {
		return errors.New("the secret reason")
	}
	*u = upper(text)
	return nil
}

type (
	writtenPerson struct {
		ID string `json:"id"`
	}
	writtenTag struct {
		ID int64 `json:"id"`
	}
	written struct {
		ID        int64           `json:"id"`
		Title     string          `json:"title" db:"headline"`
		Small     uint8           `json:"small"`
		Big       int64           `json:"big"`
		Huge      int64           `json:"huge,string"`
		Loud      upper           `json:"loud" pando:"kind:text"`
		Maybe     sql.NullInt16   `json:"maybe"`
		Doc       map[string]int  `json:"doc"`
		Raw       json.RawMessage `json:"raw"`
		Locked    string          `json:"locked" pando:"readonly"`
		Password  string          `json:"password" pando:"writeonly"`
		Tenant    int64           `json:"tenant"`
		Internal  string          `json:"-"`
		Shown     string          `json:"shown" pando:"represent:Show"`
		Length    int             `json:"length" pando:"computed:Len"`
		DeletedAt *time.Time      `json:"deleted_at" bun:",soft_delete"`
		OwnerID   string          `json:"owner_id"`
		Owner     *writtenPerson  `json:"owner" pando:"shared"`
		FixedID   string          `json:"-" pando:"readonly"`
		Fixed     *writtenPerson  `json:"fixed" pando:"shared"`
		Loose     *writtenPerson  `json:"loose" pando:"shared"`
		Tags      []writtenTag    `json:"tags" pando:"through:written_tags,shared"`
	}
)

func (w written) Show() string { return w.Shown + "!" }
func (w written) Len() int     { return len(w.Title) }

func writtenTree(t *testing.T) (*schema.Registry, *schema.Tree, *schema.Type) {
	t.Helper()
	reg := schema.NewRegistry()
	tree, err := reg.Tree(reflect.TypeFor[written](), schema.Include("Owner", "Fixed", "Loose", "Tags"), schema.EveryLayer("tenant", schema.EnvVar{Name: "tenant"}))
	if err != nil {
		t.Fatal(err)
	}
	typ, err := reg.ReadWhole(tree.Types(), reflect.TypeFor[written]())
	if err != nil {
		t.Fatal(err)
	}
	return reg, tree, typ
}

func TestWriteFields(t *testing.T) {
	_, tree, typ := writtenTree(t)
	var got []string
	for _, f := range tree.WriteFields(typ) {
		link := ""
		if f.Link != nil {
			link = "->" + f.Link.Name
		}
		null := ""
		if f.Nullable {
			null = "?"
		}
		got = append(got, fmt.Sprintf("%s%s=%s%s", f.Name, null, f.Shown, link))
	}
	// Not the key, what is read-only, computed or represented, the tenant, what
	// tells deleted rows, and many-to-many relations.
	want := "title=title small=small big=big huge=huge loud=loud maybe?=maybe doc=doc raw=raw owner_id=owner_id->writtenPerson " +
		"password= owner=owner_id->writtenPerson loose?=@loose_id->writtenPerson"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("the fields are\n%s, want\n%s", s, want)
	}
	if column := typ.SoftDelete(); typ.Table.Columns[column].Name != "deleted_at" {
		t.Errorf("rows are deleted by column %d", column)
	}
}

func TestWriteFieldsOfAKeyOfSeveralColumns(t *testing.T) {
	type pair struct {
		A    int64  `json:"a" pando:"key"`
		B    string `json:"b" pando:"key"`
		Text string `json:"text"`
	}
	reg := schema.NewRegistry()
	tree, err := reg.Tree(reflect.TypeFor[pair]())
	if err != nil {
		t.Fatal(err)
	}
	fields := tree.WriteFields(tree.Root.Type)
	if len(fields) != 1 || fields[0].Name != "text" {
		t.Errorf("the fields are %+v, want text only", fields)
	}
	if got := tree.Root.Type.SoftDelete(); got != -1 {
		t.Errorf("rows are deleted by column %d", got)
	}
}

func TestParseWriteField(t *testing.T) {
	_, tree, typ := writtenTree(t)
	fields := map[string]schema.WriteField{}
	for _, f := range tree.WriteFields(typ) {
		fields[f.Name] = f
	}
	for _, c := range []struct{ field, raw, want string }{
		{"title", `"x"`, "x"},
		{"title", `null`, "must not be null"},
		{"title", `7`, "want a string of UTF-8"},
		{"small", `255`, "255"},
		{"small", `256`, "is out of range"},
		{"small", `-1`, "is out of range"},
		{"big", `9007199254740991`, "9007199254740991"},
		{"big", `9007199254740992`, "is out of range"},
		{"huge", `"9007199254740992"`, "9007199254740992"},
		{"loud", `"ABC"`, "ABC"},
		{"loud", `"abc"`, "is no value of the field"},
		{"maybe", `null`, "null"},
		{"maybe", `32768`, "is out of range"},
		{"doc", `{"b":1,"a":2}`, `{"a":2,"b":1}`},
		{"doc", `{"b":"x"}`, "is no value of the field"},
		{"raw", `[1, {}]`, `[1,{}]`},
		{"loose", `"p"`, "p"},
		{"loose", `null`, "null"},
		{"owner", `null`, "must not be null"},
	} {
		f := fields[c.field]
		v, err := f.Parse(typ, []byte(c.raw))
		got := v.String()
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.field, c.raw, got, c.want)
		}
	}
}

func TestStoredFields(t *testing.T) {
	_, tree, typ := writtenTree(t)
	fields := map[string]schema.StoredField{}
	for _, f := range tree.StoredFields(typ) {
		fields[f.Name] = f
	}
	for _, c := range []struct {
		field string
		value any
		want  string
	}{
		{"title", "x", "x"},
		{"title", nil, "field Title: it cannot be null"},
		{"internal", "x", "x"},
		{"shown", "x", "x"},
		{"locked", "x", "x"},
		{"password", "x", "x"},
		{"tenant", uint8(7), "7"},
		{"deleted_at", time.Unix(0, 0), "1970-01-01T00:00:00.000000Z"},
		{"deleted_at", (*time.Time)(nil), "null"},
		{"maybe", sql.NullInt16{}, "null"},
		{"maybe", sql.NullInt16{Int16: 3, Valid: true}, "3"},
		{"maybe", "7", "7"},
		{"doc", map[string]int{"a": 1}, `{"a":1}`},
		{"raw", json.RawMessage(`[ 1 ]`), "[1]"},
		{"raw", struct{ A []int }{}, `{"A":null}`},
		{"loud", upper("X"), "X"},
		{"big", "x", `field Big: string "x" is no int`},
		{"owner", "p", "p"},
		{"loose", nil, "null"},
		{"id", int32(5), "5"},
	} {
		f, ok := fields[c.field]
		if !ok {
			t.Errorf("no field %s", c.field)
			continue
		}
		v, err := f.Value(c.value)
		got := v.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %v: got %s, want %s", c.field, c.value, got, c.want)
		}
	}
	if _, ok := fields["length"]; ok {
		t.Error("a computed field is stored")
	}
}

func TestReadWholeNamesTheTypes(t *testing.T) {
	reg, tree, _ := writtenTree(t)
	_, err := reg.ReadWhole(tree.Types(), reflect.TypeFor[time.Time]())
	if err == nil || err.Error() != "there are no rows of time.Time: name one of written, writtenPerson, writtenTag" {
		t.Errorf("got %v", err)
	}
}
