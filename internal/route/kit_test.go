package route_test

import (
	"database/sql"
	"reflect"
	"testing"

	"github.com/pando-sync/pando/schema"
)

type user struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type comment struct {
	ID     int64  `json:"id"`
	Body   string `json:"body"`
	Author *user  `json:"author"`
}

type cover struct {
	ID    int64  `json:"id"`
	Color string `json:"color"`
}

// related is a card as another card refers to it: the same table by another
// type, and a way for a row to stand below itself.
type related struct {
	ID       int64     `json:"id"`
	Title    string    `json:"title"`
	Assignee *user     `json:"assignee"`
	Comments []comment `json:"comments" pando:"link:card_id"`
}

func (related) TableName() string { return "cards" }

type card struct {
	ID       int64     `json:"id"`
	Title    string    `json:"title"`
	Assignee *user     `json:"assignee"`
	Related  *related  `json:"related"`
	Comments []comment `json:"comments"`
}

type list struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Cards []card `json:"cards"`
}

type board struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Owner *user  `json:"owner"`
	Cover *cover `json:"cover" pando:"hasone"`
	Lists []list `json:"lists"`
}

// person is a user with what is assigned to them: a second tree over the same
// tables.
type person struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Cards []task `json:"cards" pando:"link:assignee_id"`
}

func (person) TableName() string { return "users" }

type task struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
}

func (task) TableName() string { return "cards" }

// document has everything that a layer can be told.
type document struct {
	ID     string  `json:"id"`
	Title  string  `json:"title"`
	Parent *folder `json:"folder" pando:"link:folder_id"`
	// Tags are many-to-many, in the order of the table between.
	Tags []tag `json:"tags" pando:"through:labels,order:labels.rank,filter:labels.hidden=false"`
	// Labels are the same with the columns of that table.
	Labels []label `json:"labels" pando:"filter:hidden=false"`
	// Drafts are those of one user, with what stands below them.
	Drafts []draft `json:"drafts" pando:"user_key:writer_id"`
	// Notes are filtered by what the stream brings.
	Notes []note `json:"notes" pando:"filter:kind=$kind,filter:score>=0"`
	// Votes are counted, and never sent.
	Votes   []vote `json:"-"`
	Count   int    `json:"count" pando:"count:Votes"`
	Points  *int64 `json:"points" pando:"sum:Votes.Points,filter:void=false"`
	Heading string `json:"heading" pando:"computed:Head"`
}

func (document) TableName() string { return "documents" }

// Head is made of the row alone.
func (d document) Head() string { return "# " + d.Title }

// folder stands in folders, and has what is in it.
type folder struct {
	ID      int64    `json:"id"`
	Name    string   `json:"name"`
	Folders []folder `json:"folders" pando:"link:parent_id,depth:2"`
}

func (folder) TableName() string { return "folders" }

type tag struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Color *shade `json:"shade" pando:"link:shade_hue|shade_depth,filter:gone=null"`
}

// shade is found by a key of two columns.
type shade struct {
	Hue   int64           `json:"hue" pando:"key"`
	Depth string          `json:"depth" pando:"key"`
	Name  string          `json:"name"`
	Gone  sql.Null[int64] `json:"-"`
}

// label stands between documents and tags, and has columns of its own.
type label struct {
	DocumentID string `json:"document_id" pando:"key"`
	TagID      int64  `json:"tag_id" pando:"key"`
	Rank       int64  `json:"rank"`
	Hidden     bool   `json:"-"`
}

type draft struct {
	ID       int64       `json:"id"`
	Body     string      `json:"body"`
	WriterID *int64      `json:"-"`
	Writer   *user       `json:"writer"`
	Notes    []draftNote `json:"notes"`
	Shared   *document2  `json:"about" pando:"link:about_id"`
}

type draftNote struct {
	ID    int64  `json:"id"`
	Body  string `json:"body"`
	Lines []line `json:"lines"`
}

type line struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
	By   *user  `json:"by"`
}

// document2 is a document as a draft refers to it.
type document2 struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Count int    `json:"count" pando:"count:Votes"`
	Votes []vote `json:"-" pando:"link:document_id"`
}

func (document2) TableName() string { return "documents" }

type note struct {
	ID    int64  `json:"id"`
	Kind  string `json:"kind"`
	Score *int64 `json:"score"`
	By    *user  `json:"by" pando:"filter:name!=b"`
}

type vote struct {
	ID     int64 `json:"id"`
	Points int64 `json:"points"`
	Void   bool  `json:"-"`
}

// job is what the lists are of.
type job struct {
	ID      int64           `json:"id"`
	Title   string          `json:"title"`
	State   string          `json:"state"`
	Rank    *int64          `json:"rank"`
	OwnerID *int64          `json:"-"`
	GoneAt  sql.Null[int64] `json:"-"`
	Steps   []step          `json:"steps" pando:"order:-id"`
	Owner   *user           `json:"owner"`
}

type step struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

// entry is a row of a list with nothing below it.
type entry struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
	Topic int64  `json:"-"`
}

// gadget is found by a UUID.
type gadget struct {
	ID    [16]byte `json:"id"`
	Name  string   `json:"name"`
	Spare *gadget2 `json:"spare"`
	Bolts []bolt   `json:"bolts"`
}

// gadget2 is a gadget as another refers to it.
type gadget2 struct {
	ID   [16]byte `json:"id"`
	Name string   `json:"name"`
}

func (gadget2) TableName() string { return "gadgets" }

type bolt struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// errand is of a tenant, with all below it.
type errand struct {
	ID     int64  `json:"id"`
	Text   string `json:"text"`
	Tenant int64  `json:"-"`
	Stops  []stop `json:"stops"`
	Runner *user  `json:"runner" pando:"shared"`
}

type stop struct {
	ID     int64  `json:"id"`
	Text   string `json:"text"`
	Tenant int64  `json:"-"`
}

// album has photos of which each is for one user, who is named and not linked.
type album struct {
	ID     int64   `json:"id"`
	Name   string  `json:"name"`
	Photos []photo `json:"photos" pando:"user_key:holder_id"`
}

type photo struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	HolderID *int64 `json:"-"`
	Faces    []face `json:"faces"`
}

type face struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// cond is a condition of a list.
func cond(column string, op schema.Op, operands ...any) schema.CondSpec {
	c := schema.CondSpec{Column: column, Op: op}
	for _, o := range operands {
		if e, ok := o.(env); ok {
			c.Operands = append(c.Operands, schema.OperandSpec{Env: string(e)})
		} else {
			c.Operands = append(c.Operands, schema.OperandSpec{Const: o})
		}
	}
	return c
}

// env is an operand that a stream brings.
type env string

// declareAll declares the trees of the tests, by the names that scripts use.
func declareAll(t testing.TB, reg *schema.Registry) map[string]*schema.Tree {
	t.Helper()
	list := func(name string, limit int, order []string, where ...schema.CondSpec) schema.Option {
		return schema.AsList(schema.ListSpec{Name: name, Where: where, Order: order, Limit: limit})
	}
	there := cond("gone_at", schema.IsNull)
	tenants := schema.EveryLayer("tenant", schema.EnvVar{Name: "tenant", Kind: schema.Int})
	trees := map[string]*schema.Tree{}
	for _, root := range []struct {
		name string
		typ  reflect.Type
		opts []schema.Option
	}{
		{"boards", reflect.TypeFor[board](), nil},
		{"people", reflect.TypeFor[person](), nil},
		{"documents", reflect.TypeFor[document](), nil},
		{"folders", reflect.TypeFor[folder](), nil},
		{"shades", reflect.TypeFor[shade](), nil},
		{"entries", reflect.TypeFor[entry](), []schema.Option{list("Entries", 0, nil, cond("topic", schema.Eq, env("$topic")))}},
		{"newest", reflect.TypeFor[entry](), []schema.Option{list("Newest", 5, []string{"-id"}, cond("topic", schema.Eq, env("$topic")))}},
		{"above", reflect.TypeFor[entry](), []schema.Option{list("Above", 0, nil, cond("topic", schema.Ge, env("$topic")))}},
		{"newestabove", reflect.TypeFor[entry](), []schema.Option{list("NewestAbove", 5, []string{"-id"}, cond("topic", schema.Ge, env("$topic")))}},
		{"gadgets", reflect.TypeFor[gadget](), nil},
		{"jobs", reflect.TypeFor[job](), []schema.Option{list("Jobs", 0, nil)}},
		{"open", reflect.TypeFor[job](), []schema.Option{list("Open", 0, []string{"-rank", "title"}, cond("state", schema.Eq, "a"), there)}},
		{"ranked", reflect.TypeFor[job](), []schema.Option{list("Ranked", 0, nil, cond("rank", schema.Ge, 2), cond("title", schema.Ne, "x"))}},
		{"several", reflect.TypeFor[job](), []schema.Option{list("Several", 0, nil, cond("state", schema.In, "a", "b"), cond("owner_id", schema.NotNull))}},
		{"mine", reflect.TypeFor[job](), []schema.Option{list("Mine", 0, nil, cond("owner_id", schema.Eq, env("$user")), cond("state", schema.Ne, env("$state")))}},
		{"top", reflect.TypeFor[job](), []schema.Option{list("Top", 2, []string{"-rank", "title"}, cond("state", schema.Eq, env("$state")), there)}},
		{"first", reflect.TypeFor[job](), []schema.Option{list("First", 3, nil)}},
		{"some", reflect.TypeFor[job](), []schema.Option{list("Some", 2, []string{"title"}, cond("state", schema.In, "a", "b"), cond("rank", schema.Gt, env("$rank")))}},
		{"albums", reflect.TypeFor[album](), nil},
		{"errands", reflect.TypeFor[errand](), []schema.Option{tenants}},
		{"mandate", reflect.TypeFor[errand](), []schema.Option{list("Mandate", 0, nil), tenants}},
	} {
		tree, err := reg.Tree(root.typ, root.opts...)
		if err != nil {
			t.Fatalf("%s: %v", root.name, err)
		}
		trees[root.name] = tree
	}
	return trees
}
