package write_test

import (
	"context"
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/schema"
)

// Topics stand below each other; a project shows its open and its done tasks
// apart, has one budget, members by a table between, and notes of each user's
// own.
type (
	Topic struct {
		ID       int64   `json:"id"`
		ParentID *int64  `json:"parent_id"`
		Text     string  `json:"text"`
		Replies  []Topic `json:"replies" pando:"link:parent_id,depth:1,shared"`
	}
	Task struct {
		ID     string `json:"id" pando:"kind:uuid"`
		Title  string `json:"title"`
		Done   bool   `json:"done"`
		Tenant int64  `json:"tenant"`
		Worker *User  `json:"worker" pando:"shared"`
		After  *Task  `json:"-"`
	}
	Budget struct {
		ID     int64 `json:"id"`
		Sum    int64 `json:"sum"`
		Tenant int64 `json:"-"`
	}
	Note struct {
		ID     int64  `json:"id"`
		Text   string `json:"text"`
		UserID int64  `json:"user_id"`
		Tenant int64  `json:"-"`
	}
	Project struct {
		ID      int64   `json:"id"`
		Name    string  `json:"name"`
		Tenant  int64   `json:"-"`
		Open    []Task  `json:"open" pando:"link:project_id,filter:done=false"`
		Done    []Task  `json:"done" pando:"link:project_id,filter:done=true"`
		Budget  *Budget `json:"budget" pando:"hasone"`
		Notes   []Note  `json:"notes" pando:"user_key:user_id"`
		Members []*User `json:"members" pando:"through:members,shared"`
		Topics  []Topic `json:"topics" pando:"filter:parent_id=null,shared"`
	}
)

const projects = `
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT NOT NULL, tenant INTEGER NOT NULL);
CREATE TABLE tasks (id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, done INTEGER NOT NULL, tenant INTEGER NOT NULL, project_id INTEGER, worker_id INTEGER, after_id TEXT);
CREATE TABLE budgets (id INTEGER PRIMARY KEY, sum INTEGER NOT NULL, tenant INTEGER NOT NULL, project_id INTEGER);
CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, user_id INTEGER, tenant INTEGER NOT NULL, project_id INTEGER);
CREATE TABLE members (project_id INTEGER, user_id INTEGER, PRIMARY KEY (project_id, user_id));
CREATE TABLE topics (id INTEGER PRIMARY KEY, parent_id INTEGER, text TEXT NOT NULL, project_id INTEGER);
INSERT INTO users VALUES (1, 'ada'), (2, 'grace'), (3, 'eve');
INSERT INTO projects VALUES (1, 'Moon', 1), (2, 'Mars', 2), (3, 'Sun', 1);
INSERT INTO tasks VALUES
	('00000000-0000-4000-8000-000000000001', 'open', 0, 1, 1, 1, NULL), ('00000000-0000-4000-8000-000000000002', 'done', 1, 1, 1, NULL, NULL),
	('00000000-0000-4000-8000-000000000003', 'of another tenant', 0, 2, 1, NULL, NULL), ('00000000-0000-4000-8000-000000000004', 'elsewhere', 0, 1, 3, NULL, NULL);
INSERT INTO budgets VALUES (1, 10, 1, 1);
INSERT INTO notes VALUES (1, 'of one', 1, 1, 1), (2, 'of two', 2, 1, 1), (3, 'of nobody', NULL, 1, 1);
INSERT INTO members VALUES (1, 1), (1, 2), (2, 3);
INSERT INTO topics VALUES (1, NULL, 'top', 1), (2, 1, 'reply', NULL), (3, 2, 'too deep', NULL), (4, NULL, 'of others', 2);
`

func project(t *testing.T) *bench {
	return workbench(t, projects, Project{}, schema.EveryLayer("tenant", schema.EnvVar{Name: "tenant"}))
}

func task(n string) string { return "00000000-0000-4000-8000-00000000000" + n }

func TestPlaces(t *testing.T) {
	b := project(t)
	s := b.anchored("1", 1, schema.IntValue(1))
	key, err := b.create(s, "Task", "Project 1 done", `{"title":"new"}`)
	if err != nil || !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(key) {
		t.Fatalf("created %q: %v", key, err)
	}
	if got := b.one("SELECT json_array(title, done, tenant, project_id) FROM tasks WHERE id = ?", key); got != `["new",1,1,1]` {
		t.Errorf("the row is %s", got)
	}
	b.attempts(s, []attempt{
		{"an open task", write.Save, "Task", task("1"), `{"title":"x"}`, "ok"},
		{"which is done now", write.Save, "Task", task("1"), `{"done":true}`, "ok"},
		{"a done task", write.Save, "Task", task("1"), `{"title":"y"}`, "ok"},
		{"one elsewhere", write.Save, "Task", task("4"), `{"title":"x"}`, "denied"},
		{"a key in capitals", write.Save, "Task", task("1"), `{}`, "ok"},
		{"a place by its own type", write.Save, "@Project.open", task("1"), `{}`, "unknown_write"},
		{"below a place", write.Create, "Task", "@Project.open 1 @", `{"title":"x"}`, "unknown_write"},
		{"a task that is done, among the open", write.Create, "Task", "Project 1 open", `{"title":"x","done":true}`, "ok"},
		{"a relation that is not sent", write.Save, "Task", task("1"), `{"after":"` + task("2") + `"}`, "unknown_write"},
	})
}

func TestTenants(t *testing.T) {
	b := project(t)
	s := b.anchored("1", 1, schema.IntValue(1))
	taskOffer := b.offers["Task"]
	b.attempts(s, []attempt{
		{"a row of another tenant", write.Save, "Task", task("3"), `{"title":"x"}`, "denied"},
		{"the tenant itself", write.Save, "Task", task("1"), `{"tenant":2}`, "unknown_write"},
		{"the tenant of a new row", write.Create, "Task", "Project 1 open", `{"title":"x","tenant":2}`, "unknown_write"},
	})
	b.attempts(b.anchored("2", 1, schema.IntValue(1)), []attempt{
		{"an anchor of another tenant", write.Save, "Project", "2", `{"name":"x"}`, "denied"},
		{"below it", write.Create, "Task", "Project 2 open", `{"title":"x"}`, "denied"},
	})
	b.attempts(b.anchored("1", 1, schema.Value{}), []attempt{{"a user of no tenant", write.Save, "Project", "1", `{"name":"x"}`, "denied"}})
	taskOffer.Permit[write.Save] = func(_ context.Context, _ any, c *write.Change) error { return c.Set("Tenant", 2) }
	b.attempts(s, []attempt{{"moved by the server", write.Save, "Task", task("1"), `{}`, "denied"}})
	taskOffer.MayLeave = true
	b.attempts(s, []attempt{{"moved by the server, though it may leave", write.Save, "Task", task("1"), `{}`, "denied"}})
}

func TestRowsOfOneUser(t *testing.T) {
	b := project(t)
	s := b.anchored("1", 1, schema.IntValue(1))
	b.attempts(s, []attempt{
		{"an own note", write.Save, "Note", "1", `{"text":"x"}`, "ok"},
		{"another user's", write.Save, "Note", "2", `{"text":"x"}`, "denied"},
		{"nobody's", write.Delete, "Note", "3", "", "denied"},
		{"given to another user", write.Save, "Note", "1", `{"user_id":2}`, "denied"},
		{"a new one for another user", write.Create, "Note", "Project 1 notes", `{"text":"x","user_id":2}`, "denied"},
	})
	key, err := b.create(s, "Note", "Project 1 notes", `{"text":"mine"}`)
	if got := b.one("SELECT json_array(user_id, tenant, project_id) FROM notes WHERE id = ?", key); err != nil || got != "[1,1,1]" {
		t.Errorf("the new note is %s: %v", got, err)
	}
	b.attempts(b.anchored("1", 0, schema.IntValue(1)), []attempt{
		{"nobody's, by nobody", write.Save, "Note", "3", `{"text":"x"}`, "denied"},
		{"a new one of nobody", write.Create, "Note", "Project 1 notes", `{"text":"x"}`, "denied"},
	})
}

func TestOneOfHasOne(t *testing.T) {
	b := project(t)
	s := b.anchored("1", 1, schema.IntValue(1))
	b.attempts(s, []attempt{
		{"a second budget", write.Create, "Budget", "Project 1 budget", `{"sum":1}`, "conflict"},
		{"without the first", write.Delete, "Budget", "1", "", "ok"},
		{"a first one", write.Create, "Budget", "Project 1 budget", `{"sum":1}`, "ok"},
	})
}

func TestRowsBehindATableBetween(t *testing.T) {
	b := project(t)
	s := b.anchored("1", 1, schema.IntValue(1))
	b.attempts(s, []attempt{
		{"a member", write.Save, "User", "2", `{"name":"x"}`, "ok"},
		{"who is none", write.Save, "User", "3", `{"name":"x"}`, "denied"},
		{"a new one", write.Create, "User", "Project 1 members", `{"name":"x"}`, "unknown_write"},
		{"a task of a member", write.Save, "Task", task("1"), `{"worker":"2"}`, "ok"},
		{"a task of who is none", write.Save, "Task", task("1"), `{"worker":"3"}`, "denied worker"},
	})
}

func TestRowsBelowThemselves(t *testing.T) {
	b := project(t)
	s := b.anchored("1", 1, schema.IntValue(1))
	b.attempts(s, []attempt{
		{"the first", write.Save, "Topic", "1", `{"text":"x"}`, "ok"},
		{"its reply", write.Save, "Topic", "2", `{"text":"x"}`, "ok"},
		{"below the last depth", write.Save, "Topic", "3", `{"text":"x"}`, "denied"},
		{"of others", write.Save, "Topic", "4", `{"text":"x"}`, "denied"},
		{"a reply", write.Create, "Topic", "Topic 1 replies", `{"text":"x"}`, "ok"},
		{"a first one", write.Create, "Topic", "Project 1 topics", `{"text":"x"}`, "ok"},
		{"a reply to a reply", write.Create, "Topic", "Topic 2 replies", `{"text":"x"}`, "denied"},
		{"below itself", write.Save, "Topic", "2", `{"parent_id":"2"}`, "denied"},
		{"below its own reply", write.Save, "Topic", "1", `{"parent_id":"2"}`, "denied"},
		{"below what is too deep", write.Save, "Topic", "2", `{"parent_id":"3"}`, "denied parent_id"},
		{"away from its parent", write.Save, "Topic", "2", `{"parent_id":null}`, "denied"},
	})
}

// Job is a row of a list.
type Job struct {
	ID    int64   `json:"id"`
	Title string  `json:"title"`
	Done  bool    `json:"done"`
	Owner int64   `json:"owner"`
	Rank  float64 `json:"rank"`
	Steps []Step  `json:"steps"`
}

type Step struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

const jobs = `
CREATE TABLE jobs (id INTEGER PRIMARY KEY, title TEXT NOT NULL, done INTEGER NOT NULL, owner INTEGER NOT NULL, rank REAL NOT NULL DEFAULT 0);
CREATE TABLE steps (id INTEGER PRIMARY KEY, job_id INTEGER, text TEXT NOT NULL);
INSERT INTO jobs VALUES (1, 'one', 0, 1, 0), (2, 'two', 1, 1, 0), (3, 'three', 0, 2, 0), (4, 'four', 0, 1, 7);
INSERT INTO steps VALUES (1, 1, 'a'), (2, 2, 'b');
`

func openJobs(t *testing.T, limit int) *bench {
	return workbench(t, jobs, Job{}, schema.AsList(schema.ListSpec{Name: "Jobs", Limit: limit, Order: []string{"rank"}, Where: []schema.CondSpec{
		{Column: "done", Op: schema.Eq, Operands: []schema.OperandSpec{{Const: false}}},
		{Column: "owner", Op: schema.Eq, Operands: []schema.OperandSpec{{Env: "$user"}}},
		{Column: "rank", Op: schema.Lt, Operands: []schema.OperandSpec{{Const: 10.0}}},
	}}))
}

func TestLists(t *testing.T) {
	b := openJobs(t, 1)
	s := b.anchored("", 0, schema.IntValue(1))
	key, err := b.create(s, "Job", "", `{"title":"new"}`)
	if got := b.one("SELECT json_array(title, done, owner) FROM jobs WHERE id = ?", key); err != nil || got != `["new",0,1]` {
		t.Errorf("the new row is %s: %v", got, err)
	}
	b.attempts(s, []attempt{
		{"a row of the list", write.Save, "Job", "1", `{"title":"x"}`, "ok"},
		{"beyond its limit", write.Save, "Job", "4", `{"title":"x"}`, "ok"},
		{"of another owner", write.Save, "Job", "3", `{"title":"x"}`, "denied"},
		{"which is done", write.Save, "Job", "2", `{"title":"x"}`, "denied"},
		{"done again", write.Save, "Job", "2", `{"done":false}`, "denied"},
		{"below a row", write.Save, "Step", "1", `{"text":"x"}`, "ok"},
		{"below a row of no list", write.Save, "Step", "2", `{"text":"x"}`, "denied"},
		{"a step", write.Create, "Step", "Job 1 steps", `{"text":"x"}`, "ok"},
		{"a new row that does not meet the conditions", write.Create, "Job", "", `{"title":"x","done":true}`, "denied"},
		{"for another owner", write.Create, "Job", "", `{"title":"x","owner":2}`, "denied"},
		{"beyond a bound", write.Create, "Job", "", `{"title":"x","rank":10}`, "denied"},
		{"out of the list", write.Save, "Job", "1", `{"done":true}`, "denied"},
		{"a row below the list's places", write.Create, "Job", "@Jobs 1 @", `{"title":"x"}`, "unknown_write"},
	})
	b.offers["Job"].MayLeave = true
	b.attempts(s, []attempt{
		{"out of the list, as it may", write.Save, "Job", "1", `{"done":true}`, "ok"},
		{"a new row may not", write.Create, "Job", "", `{"title":"x","done":true}`, "denied"},
	})
	b.attempts(b.anchored("", 0, schema.Value{}), []attempt{
		{"a user whom nothing equals", write.Save, "Job", "3", `{"title":"x"}`, "denied"},
		{"a new row of nobody", write.Create, "Job", "", `{"title":"x"}`, "invalid owner"},
	})
}

func TestAListOfOnesOwn(t *testing.T) {
	b := openJobs(t, 1)
	s := b.anchored("", 0, schema.IntValue(1))
	s.Listed = func(_ context.Context, row schema.Row, meets bool) (bool, error) {
		switch row[0].Int() {
		case 2:
			return true, nil // was added
		case 3:
			return true, errBoom
		default:
			return meets && row[0].Int() != 4, nil // was removed
		}
	}
	b.attempts(s, []attempt{
		{"a row that was added", write.Save, "Job", "2", `{"title":"x"}`, "ok"},
		{"below it", write.Save, "Step", "2", `{"text":"x"}`, "ok"},
		{"a row that was removed", write.Save, "Job", "4", `{"title":"x"}`, "denied"},
		{"any other", write.Save, "Job", "1", `{"title":"x"}`, "ok"},
		{"a row that cannot be judged", write.Save, "Job", "3", `{"title":"x"}`, "internal: boom"},
	})
}

// Thing has a field of every kind, and a key of two columns.
type Thing struct {
	Shelf int64           `json:"shelf" pando:"key"`
	Place string          `json:"place" pando:"key"`
	Yes   *bool           `json:"yes"`
	Int   int64           `json:"int"`
	Big   uint64          `json:"big" pando:"string"`
	Ratio float64         `json:"ratio"`
	Text  *string         `json:"text"`
	UUID  [16]byte        `json:"uuid"`
	At    time.Time       `json:"at"`
	Raw   []byte          `json:"raw"`
	Doc   json.RawMessage `json:"doc"`
	Part  *Thing          `json:"-"`
}

type Rack struct {
	Shelf  int64   `json:"shelf" pando:"key"`
	Things []Thing `json:"things" pando:"link:shelf"`
}

const things = `
CREATE TABLE racks (shelf INTEGER PRIMARY KEY);
CREATE TABLE things (shelf INTEGER, place TEXT, yes INTEGER, int INTEGER NOT NULL DEFAULT 0, big INTEGER NOT NULL DEFAULT 0, ratio REAL NOT NULL DEFAULT 0, text TEXT,
	uuid TEXT NOT NULL DEFAULT '00000000-0000-4000-8000-000000000001', at TEXT NOT NULL DEFAULT '2024-02-29T12:00:00.000000Z', raw BLOB NOT NULL DEFAULT x'', doc TEXT NOT NULL DEFAULT '{}', PRIMARY KEY (shelf, place));
INSERT INTO racks VALUES (1), (2);
INSERT INTO things (shelf, place) VALUES (1, 'a,b'), (2, 'c');
`

func TestEveryKind(t *testing.T) {
	b := workbench(t, things, Rack{})
	s := b.anchored("1", 0)
	const id = "1,a%2Cb"
	for _, c := range []struct{ data, want, stored string }{
		{`{"yes":true}`, "ok", "1"},
		{`{"yes":null}`, "ok", "NULL"},
		{`{"yes":1}`, "invalid yes", ""},
		{`{"yes":"true"}`, "invalid yes", ""},
		{`{"int":-5}`, "ok", "-5"},
		{`{"int":9007199254740992}`, "invalid int", ""}, // clients could not read it
		{`{"int":92233720368547758070}`, "invalid int", ""},
		{`{"int":1e2}`, "invalid int", ""},
		{`{"big":"9223372036854775807"}`, "ok", "9223372036854775807"},
		{`{"big":"-1"}`, "invalid big", ""},
		{`{"big":"007"}`, "invalid big", ""},
		{`{"ratio":0.5}`, "ok", "0.5"},
		{`{"ratio":1e999}`, "invalid ratio", ""},
		{`{"ratio":"NaN"}`, "invalid ratio", ""},
		{`{"text":"a\u0000b 😀 \u2028"}`, "ok", "a\x00b 😀 \u2028"},
		{`{"text":"'; DROP TABLE things; --"}`, "ok", "'; DROP TABLE things; --"},
		{`{"uuid":"6BA7B810-9dad-11d1-80b4-00c04fd430c8"}`, "ok", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
		{`{"uuid":"6BA7B8109dad11d180b400c04fd430c8"}`, "invalid uuid", ""},
		{`{"at":"2024-02-30T00:00:00Z"}`, "invalid at", ""},
		{`{"at":"2024-02-29T13:00:00+01:00"}`, "ok", "2024-02-29T12:00:00.000000Z"},
		{`{"at":1709208000}`, "invalid at", ""},
		{`{"raw":"AQI="}`, "ok", "\x01\x02"},
		{`{"raw":"AQI"}`, "invalid raw", ""},
		{`{"doc":{"b":[1,{}],"a":"x"}}`, "ok", `{"a":"x","b":[1,{}]}`},
		{`{"doc":null}`, "invalid doc", ""},
		{`{"shelf":2}`, "unknown_write", ""},
		{`{"place":"c"}`, "unknown_write", ""},
	} {
		before := b.dump()
		b.want(c.data, c.want, before, b.save(s, "Thing", id, c.data))
		if c.want != "ok" {
			continue
		}
		var name string
		for name = range object(t, c.data) {
			break
		}
		if got := b.one("SELECT " + name + " FROM things WHERE shelf = 1"); got != c.stored {
			t.Errorf("%s is stored as %q, want %q", c.data, got, c.stored)
		}
	}
	b.attempts(s, []attempt{
		{"a row of another rack", write.Save, "Thing", "2,c", `{"int":1}`, "denied"},
		{"half a key", write.Save, "Thing", "1", `{"int":1}`, "denied"},
		{"a key with another escape", write.Save, "Thing", "1,%61%2Cb", `{"int":1}`, "denied"},
		{"delete", write.Delete, "Thing", id, "", "ok"},
	})
	b.offers["Thing"].Permit[write.Create] = func(_ context.Context, _ any, c *write.Change) error {
		for field, value := range map[string]any{"Place": "d", "Doc": map[string]int{"n": 1}, "At": time.Unix(0, 0), "Yes": new(bool), "UUID": [16]byte{1}} {
			if err := c.Set(field, value); err != nil {
				return err
			}
		}
		return nil
	}
	key, err := b.create(s, "Thing", "Rack 1 things", `{"int":3}`)
	if err != nil || key != "1,d" {
		t.Fatalf("created %q: %v", key, err)
	}
	if got := b.one("SELECT json_array(yes, int, uuid, at, doc) FROM things WHERE place = 'd'"); got != `[0,3,"01000000-0000-0000-0000-000000000000","1970-01-01T00:00:00.000000Z","{\"n\":1}"]` {
		t.Errorf("the new row is %s", got)
	}
}

// A slip is shown whole and in brief: what the one has as plain numbers, the
// other follows.
type (
	Slip struct {
		_        struct{} `pando:"table:slips"`
		ID       int64    `json:"id"`
		PersonID *int64   `json:"person_id"`
		BoxID    *int64   `json:"box_id"`
	}
	BriefSlip struct {
		_      struct{} `pando:"table:slips"`
		ID     int64    `json:"id"`
		Person *User    `json:"person"`
	}
	Box struct {
		ID    int64       `json:"id"`
		Slips []BriefSlip `json:"slips" pando:"link:box_id"`
	}
	Panel struct {
		ID    int64  `json:"id"`
		Lead  *User  `json:"lead"`
		Slips []Slip `json:"slips" pando:"link:panel_id"`
		Boxes []Box  `json:"boxes"`
	}
)

const panels = `
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE panels (id INTEGER PRIMARY KEY, lead_id INTEGER);
CREATE TABLE boxes (id INTEGER PRIMARY KEY, panel_id INTEGER);
CREATE TABLE slips (id INTEGER PRIMARY KEY, panel_id INTEGER, box_id INTEGER, person_id INTEGER);
INSERT INTO users VALUES (1, 'ada'), (2, 'grace');
INSERT INTO panels VALUES (1, 1), (2, 2);
INSERT INTO boxes VALUES (1, 1), (2, 2);
INSERT INTO slips VALUES (1, 1, 1, NULL), (2, 2, 2, 2);
`

func TestLinksThatAnotherTypeFollows(t *testing.T) {
	b := workbench(t, panels, Panel{})
	s := b.anchored("1", 0)
	b.attempts(s, []attempt{
		{"to a person of the tree", write.Save, "Slip", "1", `{"person_id":1}`, "ok"},
		{"to a stranger", write.Save, "Slip", "1", `{"person_id":2}`, "denied person_id"},
		{"by the type that follows it", write.Save, "BriefSlip", "1", `{"person":"2"}`, "denied person"},
		{"into another's box", write.Save, "Slip", "1", `{"box_id":2}`, "denied box_id"},
		{"a new slip in another's box", write.Create, "Slip", "Panel 1 slips", `{"box_id":2}`, "denied box_id"},
		{"a new slip in a box of the tree", write.Create, "Slip", "Panel 1 slips", `{"box_id":1}`, "ok"},
		{"another's slip", write.Save, "BriefSlip", "2", `{}`, "denied"},
	})
}

// TestOneColumnByTwoNames sets a link by its own field and by its relation.
func TestOneColumnByTwoNames(t *testing.T) {
	b := workbench(t, `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL); CREATE TABLE memos (id INTEGER PRIMARY KEY, user_id INTEGER);
		INSERT INTO users VALUES (1, 'ada'); INSERT INTO memos VALUES (1, 1);`, struct {
		_      struct{} `pando:"table:memos"`
		ID     int64    `json:"id"`
		UserID *int64   `json:"user_id"`
		User   *User    `json:"user"`
	}{})
	b.attempts(b.anchored("1", 0), []attempt{
		{"by both", write.Save, "Memo", "1", `{"user_id":"1","user":null}`, "invalid user"},
		{"by one", write.Save, "Memo", "1", `{"user":null}`, "ok"},
	})
}

// Ticket stands alone in one tree; in another, shows and their guests have it.
type (
	Ticket struct {
		ID     int64  `json:"id"`
		Seat   int64  `json:"seat"`
		ShowID *int64 `json:"show_id"`
	}
	Show struct {
		ID      int64    `json:"id"`
		Tickets []Ticket `json:"tickets"`
	}
)

// TestLinksThatAnotherTreeFollows puts a row where only another channel shows it.
func TestLinksThatAnotherTreeFollows(t *testing.T) {
	b := workbenches(t, `CREATE TABLE tickets (id INTEGER PRIMARY KEY, seat INTEGER NOT NULL, show_id INTEGER); CREATE TABLE shows (id INTEGER PRIMARY KEY);
		INSERT INTO tickets VALUES (1, 1, NULL); INSERT INTO shows VALUES (1), (2);`, Show{}, Ticket{})
	s := b.anchored("1", 0)
	b.attempts(s, []attempt{
		{"a plain value", write.Save, "Ticket", "1", `{"seat":2}`, "ok"},
		{"into another's show", write.Save, "Ticket", "1", `{"show_id":"1"}`, "denied show_id"},
	})
	for _, f := range b.offers["Ticket"].Fields {
		if f.Link != nil {
			b.offers["Ticket"].CanLink[f.Link] = func(_ context.Context, _ any, row schema.Row) error {
				if row[0].Int() == 1 {
					return nil
				}
				return rpc.Errorf("full", "no")
			}
		}
	}
	b.attempts(s, []attempt{
		{"where CanLink allows", write.Save, "Ticket", "1", `{"show_id":"1"}`, "ok"},
		{"where it does not", write.Save, "Ticket", "1", `{"show_id":"2"}`, "full"},
	})
}
