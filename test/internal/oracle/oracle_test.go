package oracle_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
)

// schema is shops with goods, most of which have kinds, and with buyers; goods
// refer to goods.
func schema() *model.Schema {
	column := func(name string, kind model.Kind) *model.Column {
		return &model.Column{Name: name, Kind: kind, Nullable: true}
	}
	id := func(kind model.Kind) *model.Column { return &model.Column{Name: "id", Kind: kind} }
	mark := &model.Column{Name: "mark", Kind: model.Text, Marked: true}
	return &model.Schema{Tables: []*model.Table{
		{Name: "shops", Key: []string{"id"}, Columns: []*model.Column{id(model.Int), mark}},
		{Name: "kinds", Key: []string{"id"}, Columns: []*model.Column{id(model.Text), column("big", model.BigInt)}},
		{Name: "goods", Key: []string{"id"}, Columns: []*model.Column{
			id(model.Int), mark,
			{Name: "shop", Kind: model.Int, References: "shops"}, {Name: "kind", Kind: model.Text, References: "kinds"},
			column("price", model.Float), column("sold", model.Bool), column("owner", model.Int),
			{Name: "part_of", Kind: model.Int, References: "goods"}, column("raw", model.Bytes), column("doc", model.JSON),
		}},
		{Name: "sales", Key: []string{"shop", "no"}, Columns: []*model.Column{
			{Name: "shop", Kind: model.Int, References: "shops"}, {Name: "no", Kind: model.Text}, {Name: "good", Kind: model.Int, References: "goods"}, column("rank", model.Int),
		}},
	}}
}

//nolint:dupword // NULLs
const rows = `
	CREATE TABLE shops (id INTEGER PRIMARY KEY, mark TEXT);
	CREATE TABLE kinds (id TEXT PRIMARY KEY, big INTEGER);
	CREATE TABLE goods (id INTEGER PRIMARY KEY, mark TEXT, shop INTEGER, kind TEXT, price REAL, sold INTEGER, owner INTEGER, part_of INTEGER, raw BLOB, doc TEXT);
	CREATE TABLE sales (shop INTEGER, no TEXT, good INTEGER, rank INTEGER, PRIMARY KEY (shop, no));
	CREATE TABLE pando_log (seq INTEGER PRIMARY KEY AUTOINCREMENT);
	INSERT INTO pando_log VALUES (17);
	INSERT INTO shops VALUES (1, 'one'), (2, 'two');
	INSERT INTO kinds VALUES ('a', 9007199254740993), ('A', NULL);
	INSERT INTO goods VALUES
		(3, 'x"<', 1, 'a', 2.5, 1, 7, NULL, x'00ff', '{"b": 1, "a": [null]}'),
		(4, 'y', 1, 'A', 2.5, 0, 8, 3, NULL, NULL),
		(5, 'z', 1, 'gone', NULL, NULL, NULL, 4, NULL, '3'),
		(6, 'w', 2, NULL, 1e21, 1, 7, 5, NULL, '""');
	INSERT INTO sales VALUES (1, 'b', 4, 2), (1, 'a', 3, 2), (1, 'c', 99, 1), (2, 'a', 6, NULL);`

func read(t *testing.T, s *model.Schema) *oracle.Data {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "oracle.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	d, err := oracle.Read(t.Context(), db, s)
	if err != nil {
		t.Fatal(err)
	}
	if d.Head != 17 {
		t.Errorf("the head is %d", d.Head)
	}
	return d
}

// TestState compares with JSON that was written by hand.
func TestState(t *testing.T) {
	many := func(l model.Layer) *model.Layer {
		l.Name, l.Table, l.Relation, l.Link = "goods", "goods", model.HasMany, []string{"shop"}
		return &l
	}
	shop := func(children ...*model.Layer) *model.Channel {
		return &model.Channel{Root: &model.Layer{Table: "shops", Relation: model.Root, Fields: []string{"id"}, Layers: children}}
	}
	is := func(column, op string, operands ...model.Operand) []model.Condition {
		return []model.Condition{{Column: column, Op: op, Operands: operands}}
	}
	id := []string{"id"}
	for _, c := range []struct {
		name    string
		channel *model.Channel
		args    []string
		want    string
	}{
		{"no anchor", shop(), []string{"9"}, `null`},
		{"kinds of values", shop(many(model.Layer{Fields: []string{"id", "mark", "price", "sold", "shop", "raw", "doc"}, Where: is("id", "in", model.Operand{Text: "3"}, model.Operand{Text: "5"})})),
			[]string{"1"}, `{"id":"1","goods":[{"id":"3","mark":"x\"<","price":2.5,"sold":true,"shop":"1","raw":"AP8=","doc":{"a":[null],"b":1}},` +
				`{"id":"5","mark":"z","price":null,"sold":null,"shop":"1","raw":null,"doc":3}]}`},
		{"order: nulls first, then the key", shop(many(model.Layer{Fields: id, Order: []model.Order{{Column: "price"}}})),
			[]string{"1"}, `{"id":"1","goods":[{"id":"5"},{"id":"3"},{"id":"4"}]}`},
		{"descending: nulls last", shop(many(model.Layer{Fields: id, Order: []model.Order{{Column: "price", Desc: true}}})),
			[]string{"1"}, `{"id":"1","goods":[{"id":"3"},{"id":"4"},{"id":"5"}]}`},
		{"belongs to", shop(many(model.Layer{Fields: id, Layers: []*model.Layer{
			{Name: "kind", Table: "kinds", Relation: model.BelongsTo, Link: []string{"kind"}, Fields: []string{"id", "big"}},
		}})), []string{"1"}, `{"id":"1","goods":[{"id":"3","kind":{"id":"a","big":"9007199254740993"}},{"id":"4","kind":{"id":"A","big":null}},{"id":"5","kind":null}]}`},
		{"the user's own", shop(many(model.Layer{Fields: id, UserKey: "owner"})), []string{"1"}, `{"id":"1","goods":[{"id":"3"}]}`},
		{"NULL is not unequal", shop(many(model.Layer{Fields: id, Where: is("owner", "!=", model.Operand{Env: "$user"})})), []string{"1"}, `{"id":"1","goods":[{"id":"4"}]}`},
		{"many to many, by the target", shop(&model.Layer{Name: "sold", Table: "goods", Relation: model.ManyToMany, Link: []string{"shop"}, Fields: id,
			Order: []model.Order{{Column: "mark", Desc: true}}, Through: &model.Through{Table: "sales", Target: []string{"good"}}}),
			[]string{"1"}, `{"id":"1","sold":[{"id":"4"},{"id":"3"}]}`},
		{"many to many, by the table between", shop(&model.Layer{Name: "sold", Table: "goods", Relation: model.ManyToMany, Link: []string{"shop"}, Fields: id,
			Through: &model.Through{Table: "sales", Target: []string{"good"}, Order: []model.Order{{Column: "rank"}}}}),
			[]string{"1"}, `{"id":"1","sold":[{"id":"3"},{"id":"4"}]}`},
		{"depth", &model.Channel{Root: &model.Layer{Table: "goods", Relation: model.Root, Fields: id, Layers: []*model.Layer{
			{Name: "parts", Relation: model.HasMany, Link: []string{"part_of"}, Depth: 2},
		}}}, []string{"3"}, `{"id":"3","parts":[{"id":"4","parts":[{"id":"5"}]}]}`},
		{"computed", &model.Channel{Root: &model.Layer{Table: "shops", Relation: model.Root, Fields: id, Computed: []model.Computed{
			{Name: "n", Func: "count", Table: "goods", Link: "shop", Where: is("sold", "=", model.Operand{Text: "true"})},
			{Name: "s", Func: "sum", Table: "goods", Link: "shop", Column: "price"},
			{Name: "m", Func: "min", Table: "goods", Link: "shop", Column: "owner"},
		}}}, []string{"1"}, `{"id":"1","n":1,"s":5,"m":7}`},
		{"list", &model.Channel{List: true, Params: []string{"arg"}, Limit: 2, Root: &model.Layer{Table: "goods", Relation: model.Root, Fields: id,
			Order: []model.Order{{Column: "id", Desc: true}}, Where: is("shop", "=", model.Operand{Env: "$arg"})}}, []string{"1"}, `[{"id":"5"},{"id":"4"}]`},
		{"key of several columns", &model.Channel{Root: &model.Layer{Table: "sales", Relation: model.Root, Fields: []string{"shop", "no", "rank"}}},
			[]string{"1,c"}, `{"shop":"1","no":"c","rank":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := schema()
			s.Channels = []*model.Channel{c.channel}
			if got := read(t, s).State(oracle.Route{Args: c.args}, "7"); got.JSON != c.want {
				t.Errorf("got\n%s, want\n%s", got.JSON, c.want)
			}
		})
	}
}

// TestMarksOfWhatIsHeld finds those of has-one rows that are not shown, and
// none of rows that are not held.
func TestMarksOfWhatIsHeld(t *testing.T) {
	s := schema()
	s.Channels = []*model.Channel{{Root: &model.Layer{Table: "shops", Relation: model.Root, Fields: []string{"id", "mark"}, Layers: []*model.Layer{
		{Name: "good", Table: "goods", Relation: model.HasOne, Link: []string{"shop"}, Fields: []string{"id", "mark"}},
	}}}}
	got := read(t, s).State(oracle.Route{Args: []string{"1"}}, "")
	if got.JSON != `{"id":"1","mark":"one","good":{"id":"3","mark":"x\"<"}}` {
		t.Errorf("the state is %s", got.JSON)
	}
	if len(got.Marks) != 4 || !got.Marks["z"] || got.Marks["w"] || got.Marks["two"] {
		t.Errorf("the marks are %v", got.Marks)
	}
}
