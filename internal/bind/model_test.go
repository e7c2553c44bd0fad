package bind_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/schema"
)

// compile makes a model of a spec alone, without a database.
func compile(t *testing.T, spec *bind.Spec) *bind.Model {
	t.Helper()
	m, err := bind.Compile(schema.NewRegistry(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// rowOf is a row of a model's table by the names of its columns.
func rowOf(t *testing.T, m *bind.Model, values map[string]any) schema.Row {
	t.Helper()
	row := make(schema.Row, len(m.Table.Columns))
	set := 0
	for i, c := range m.Table.Columns {
		v, given := values[c.Name]
		if !given {
			continue
		}
		set++
		var err error
		if row[i], err = c.Kind.FromDriver(v); err != nil {
			t.Fatalf("column %s: %v", c.Name, err)
		}
	}
	if set != len(values) {
		t.Fatalf("%d of the columns are not there", len(values)-set)
	}
	return m.Table.Complete(row)
}

// first is a row of articles.
func first(t *testing.T, m *bind.Model) schema.Row {
	t.Helper()
	return rowOf(t, m, map[string]any{
		"id": 1, "title": "a \"b\"", "body": nil, "stars": 2, "price": "1.50", "ref": "C0FFEE00-0000-4000-8000-000000000001",
		"posted_at": time.Date(2026, 1, 2, 4, 4, 5, 999_999_999, time.FixedZone("", 3600)), "doc": `{"b":1,"a":[]}`, "owner_id": 7,
		"locked": "l", "note": "n", "internal": "i",
	})
}

// Headline has a name of two cases.
type Headline struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

// TestWhatIsTold is an object of the action, the key, the data and the model.
func TestWhatIsTold(t *testing.T) {
	m := compile(t, articles())
	row := first(t, m)
	text, err := m.Told(bind.Update, row)
	if err != nil {
		t.Fatal(err)
	}
	const whole = `{"action":"update","pk":1,"data":{"title":"a \"b\"","body":null,"stars":2,"price":"1.50",` +
		`"ref":"c0ffee00-0000-4000-8000-000000000001","posted_at":"2026-01-02T03:04:05.999Z","doc":{"a":[],"b":1},` +
		`"loud":"A \"B\"","locked":"l","owner":7},"model":"news.article"}`
	if string(text) != whole {
		t.Errorf("%s\nwant %s", text, whole)
	}
	var told struct{ Data map[string]json.RawMessage }
	if err := json.Unmarshal(text, &told); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ statement, field, want string }{
		{"UUID as string", "ref", `"c0ffee00-0000-4000-8000-000000000001"`},
		{"time as RFC 3339 with milliseconds and Z", "posted_at", `"2026-01-02T03:04:05.999Z"`},
		{"decimal as string", "price", `"1.50"`},
		{"relation as key", "owner", `7`},
		{"the key is not in the data", "id", ``},
	} {
		t.Run(c.statement, func(t *testing.T) {
			if got := string(told.Data[c.field]); got != c.want {
				t.Errorf("%s is %s, want %s", c.field, got, c.want)
			}
		})
	}
	t.Run("data is the declared fields without the key", func(t *testing.T) {
		spec := articles()
		spec.Fields = []string{"owner", "stars", "note", "title"}
		m := compile(t, spec)
		got, err := m.Encode(first(t, m))
		// In the order of the struct; a note is only written.
		if want := `{"title":"a \"b\"","stars":2,"owner":7}`; err != nil || string(got) != want {
			t.Errorf("%s (%v), want %s", got, err, want)
		}
	})
	t.Run("a removal carries the key only", func(t *testing.T) {
		got, err := m.Told(bind.Delete, row)
		if want := `{"action":"delete","pk":1,"model":"news.article"}`; err != nil || string(got) != want {
			t.Errorf("%s (%v), want %s", got, err, want)
		}
	})
	t.Run("model is app.model in lower case", func(t *testing.T) {
		m := compile(t, specOf[Headline]("text"))
		got, err := m.Told(bind.Delete, rowOf(t, m, map[string]any{"id": 1}))
		if want := `{"action":"delete","pk":1,"model":"bind_test.headline"}`; err != nil || string(got) != want {
			t.Errorf("%s (%v), want %s", got, err, want)
		}
	})
}

func TestWhatCannotBeToldIsAnError(t *testing.T) {
	type number struct {
		ID int64 `json:"id"`
		N  int64 `json:"n"`
	}
	m := compile(t, &bind.Spec{
		Stream: "n", GoType: reflect.TypeFor[number](), Fields: []string{"n"}, Groups: func(any) []string { return nil },
	})
	for value, want := range map[any]string{
		int64(1) << 53: "tag the field pando:\"string\"", nil: "the column holds NULL",
	} {
		_, err := m.Encode(rowOf(t, m, map[string]any{"id": 1, "n": value}))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "binding n: row 1: field n") {
			t.Errorf("%v: the error is %v, want …%s…", value, err, want)
		}
	}
}

func TestARelationThatMustLeadSomewhereIsNoNull(t *testing.T) {
	m := compile(t, specOf[card]("owner"))
	if _, err := m.Encode(rowOf(t, m, map[string]any{"id": 1, "owner_id": nil})); err == nil || !strings.Contains(err.Error(), "the column holds NULL") {
		t.Errorf("the error is %v", err)
	}
}

func TestKeysAreNumbersUpToWhatJavaScriptHolds(t *testing.T) {
	type pair struct {
		_     struct{} `pando:"table:pairs"`
		A     int64    `json:"a" pando:"key"`
		B     string   `json:"b" pando:"key"`
		Named string   `json:"named"`
	}
	uuid, err := schema.UUID.FromDriver("C0FFEE00-0000-4000-8000-000000000001")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key  schema.Value
		want string
	}{
		{schema.IntValue(-3), `-3`}, {schema.IntValue(1<<53 - 1), `9007199254740991`}, {schema.IntValue(1 << 53), `"9007199254740992"`},
		{schema.IntValue(-1 << 53), `"-9007199254740992"`}, {schema.TextValue(`a"b`), `"a\"b"`}, {uuid, `"c0ffee00-0000-4000-8000-000000000001"`},
		{schema.TupleValue(schema.IntValue(1), schema.TextValue("x,y")), `"1,x%2Cy"`},
	} {
		if got := string(bind.AppendKey(nil, c.key)); got != c.want {
			t.Errorf("%s is %s, want %s", c.key, got, c.want)
		}
	}
	m := compile(t, &bind.Spec{
		Stream: "pairs", GoType: reflect.TypeFor[pair](), Fields: []string{bind.AllFields}, Groups: func(any) []string { return nil },
	})
	got, err := m.Told(bind.Create, rowOf(t, m, map[string]any{"a": 1, "b": "x,y", "named": "n"}))
	if want := `{"action":"create","pk":"1,x%2Cy","data":{"named":"n"},"model":"bind_test.pair"}`; err != nil || string(got) != want {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
	if got := m.Key(rowOf(t, m, map[string]any{"a": 1, "b": "x"})); string(got) != `"1,x"` {
		t.Errorf("the key is %s", got)
	}
}

func TestARelationsKeyMayBeAnyInteger(t *testing.T) {
	m := compile(t, articles())
	row := first(t, m)
	at := 0
	for i, c := range m.Table.Columns {
		if c.Name == "owner_id" {
			at = i
		}
	}
	row[at] = schema.IntValue(1 << 60)
	if got, err := m.Encode(row); err != nil || !strings.Contains(string(got), `"owner":"1152921504606846976"`) {
		t.Errorf("%s (%v)", got, err)
	}
}

func TestGroupsAreEachOnceAndNoneOfDeletedRows(t *testing.T) {
	spec := articles()
	spec.Groups = func(row any) []string {
		a := row.(*article)
		return []string{"all", a.Internal, "all"}
	}
	m := compile(t, spec)
	row := first(t, m)
	groups := func(row schema.Row) []string {
		t.Helper()
		got, err := m.Groups(row)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := groups(row); !reflect.DeepEqual(got, []string{"all", "i"}) {
		t.Errorf("the groups are %q", got)
	}
	row[m.Type.SoftDelete()] = schema.TimeValue(time.Now())
	if got := groups(row); got != nil || !m.Gone(row) {
		t.Errorf("the groups of a deleted row are %q", got)
	}
	if got := groups(nil); got != nil || !m.Gone(nil) {
		t.Errorf("the groups of no row are %q", got)
	}
}

func TestAnAuthorsFunctionFails(t *testing.T) {
	spec := articles()
	m := compile(t, spec)
	row := first(t, m)
	spec.Groups = func(any) []string { return []string{"no group!"} }
	if _, err := m.Groups(row); err == nil || !strings.Contains(err.Error(), `binding articles: GroupNames: `) {
		t.Errorf("the error is %v", err)
	}
	spec.Groups = func(any) []string { panic("boom") }
	if _, err := m.Groups(row); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("the error is %v", err)
	}
	for want, serialize := range map[string]func(any) (any, error){
		"boom":        func(any) (any, error) { panic("boom") },
		"no news":     func(any) (any, error) { return nil, errors.New("no news") },
		"unsupported": func(any) (any, error) { return func() {}, nil },
	} {
		spec.Serialize = serialize
		if _, err := m.Encode(row); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Serialize") {
			t.Errorf("the error is %v, want …%s…", err, want)
		}
	}
}

func TestSerializeMakesTheData(t *testing.T) {
	spec := articles()
	spec.Serialize = func(row any) (any, error) {
		a := row.(*article)
		return map[string]any{"shown": a.Title, "by": *a.OwnerID}, nil
	}
	m := compile(t, spec)
	got, err := m.Told(bind.Create, first(t, m))
	if want := `{"action":"create","pk":1,"data":{"by":7,"shown":"a \"b\""},"model":"news.article"}`; err != nil || string(got) != want {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
	var told map[string]json.RawMessage
	if err := json.Unmarshal(got, &told); err != nil {
		t.Error(err)
	}
}
