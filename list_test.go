package pando_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/schema"
)

type Tag struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type Task struct {
	ID        int64  `json:"id"`
	Title     string `json:"title"`
	ProjectID int64  `json:"-"`
	OwnerID   int64  `json:"-"`
	TenantID  int64  `json:"-"`
	Done      bool   `json:"done"`
	Rank      int64  `json:"-"`
	Tag       *Tag   `json:"tag" pando:"shared"`
}

const taskTables = `
CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT NOT NULL, project_id INTEGER, owner_id INTEGER,
	tenant_id INTEGER, done INTEGER NOT NULL DEFAULT 0, rank INTEGER NOT NULL, tag_id INTEGER);
INSERT INTO tags VALUES (1, 'red'), (2, 'blue');
INSERT INTO tasks VALUES (1, 'one', 7, 1, 1, 0, 3, 1), (2, 'two', 7, 2, 1, 0, 2, NULL),
	(3, 'three', 7, 1, 2, 1, 1, 2), (4, 'four', 8, 1, 1, 0, 4, 1), (5, 'five', 7, 1, 1, 0, 5, NULL);
`

// TasksChannel is the open tasks of a project.
type TasksChannel struct {
	pando.List[Task, pando.NoRuntime]
}

func (*TasksChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// MineChannel is the tasks of the stream's user in the stream's tenant.
type MineChannel struct {
	pando.List[Task, pando.NoRuntime]
}

func (*MineChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// PickChannel is a list that its stream makes itself.
type PickChannel struct {
	pando.List[Task, pando.NoRuntime]
}

func (*PickChannel) HasPermission(context.Context) (bool, error) { return true, nil }

func (c *PickChannel) OnConnect(ctx context.Context) error {
	return errors.Join(c.Clear(ctx), c.AddInstance(ctx, 4))
}

func (c *PickChannel) Pick(ctx context.Context, id int64) error { return c.AddInstance(ctx, id) }
func (c *PickChannel) Drop(ctx context.Context, id int64) error { return c.RemoveInstance(ctx, id) }
func (c *PickChannel) Empty(ctx context.Context) error          { return c.Clear(ctx) }

// PickHereChannel is such a list of one tenant's tasks.
type PickHereChannel struct {
	pando.List[Task, pando.NoRuntime]
}

func (*PickHereChannel) HasPermission(context.Context) (bool, error) { return true, nil }

func (c *PickHereChannel) OnConnect(ctx context.Context) error { return c.Clear(ctx) }

func (c *PickHereChannel) Pick(ctx context.Context, id int64) error { return c.AddInstance(ctx, id) }

// JudgedChannel shows the tasks that a judge lets pass.
type JudgedChannel struct {
	pando.List[Task, pando.NoRuntime]

	judge *judge
}

func (*JudgedChannel) HasPermission(context.Context) (bool, error) { return true, nil }

func (c *JudgedChannel) IsVisible(_ context.Context, task *Task) (bool, error) {
	return c.judge.look(task)
}

// judge keeps what it was asked.
type judge struct {
	mu     sync.Mutex
	asked  []string
	hidden []string // the titles of tasks that are not shown
}

func (j *judge) look(task *Task) (bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked = append(j.asked, task.Title)
	switch task.Title {
	case "broken":
		return true, errors.New("cannot tell")
	case "panics":
		panic("what a title")
	}
	return !slices.Contains(j.hidden, task.Title), nil
}

func (j *judge) hide(titles ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hidden, j.asked = titles, nil
}

func (j *judge) questions() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.asked)
}

type desk struct {
	t      *testing.T
	db     *sql.DB
	app    *pando.App
	server *pandotest.Server
	judge  judge
}

func tenantOf(user pando.Identity) any {
	switch user.ID {
	case "1", "2":
		return 1
	case "3":
		return nil
	}
	return "2"
}

func openDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, db: pandotest.Database(t)}
	exec(t, d.db, taskTables)
	source := sqlitefeed.New(d.db)
	t.Cleanup(func() { source.Close() })
	var err error
	if d.app, err = pando.New(pando.Config{Source: source, Auth: names{}, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	d.app.Handle("projects/{project_id}/tasks", pando.For(func() *TasksChannel { return &TasksChannel{} },
		pando.Where("project_id", pando.Eq(pando.Arg("project_id"))).Where("done", pando.Eq(false)).OrderBy("-rank").Limit(2)))
	d.app.Handle("mine", pando.For(func() *MineChannel { return &MineChannel{} },
		pando.Where("owner_id", pando.Eq(pando.UserID())), pando.Tenant("tenant_id", tenantOf)))
	d.app.Handle("picked", pando.For(func() *PickChannel { return &PickChannel{} }, pando.OwnList(),
		pando.Actions((*PickChannel).Pick, (*PickChannel).Drop, (*PickChannel).Empty)))
	d.app.Handle("picked/here", pando.For(func() *PickHereChannel { return &PickHereChannel{} }, pando.OwnList(),
		pando.Tenant("tenant_id", tenantOf), pando.Actions((*PickHereChannel).Pick)))
	d.app.Handle("judged", pando.For(func() *JudgedChannel { return &JudgedChannel{judge: &d.judge} }))
	d.server = pandotest.Serve(t, d.app)
	return d
}

// titles are the titles of a list, in its order.
func titles(tasks *[]Task) string {
	var all []string
	for _, t := range *tasks {
		all = append(all, t.Title)
	}
	return strings.Join(all, " ")
}

func (d *desk) open(user, route string, order ...string) *pandotest.Stream[[]Task] {
	d.t.Helper()
	as := schema.AsList(schema.ListSpec{Name: "Any", Order: order})
	return pandotest.Open[[]Task](d.t, d.server.Connect(d.t, user), route, as)
}

func (d *desk) shows(s *pandotest.Stream[[]Task], want string) {
	d.t.Helper()
	s.Wait(d.t, want, func(tasks *[]Task) bool { return titles(tasks) == want })
}

func TestListWithLimit(t *testing.T) {
	d := openDesk(t)
	s := d.open("1", "projects/7/tasks", "-rank")
	d.shows(s, "five one")
	exec(t, d.db, "UPDATE tasks SET rank = 9 WHERE id = 2")
	d.shows(s, "two five")
	exec(t, d.db, "UPDATE tasks SET done = 1 WHERE id IN (2, 5)")
	d.shows(s, "one")
	exec(t, d.db, "UPDATE tasks SET project_id = 7 WHERE id = 4")
	d.shows(s, "four one")
	exec(t, d.db, "BEGIN; DELETE FROM tasks WHERE id = 4; UPDATE tags SET name = 'pink' WHERE id = 1; COMMIT")
	s.Wait(t, "one, pink", func(tasks *[]Task) bool { return titles(tasks) == "one" && (*tasks)[0].Tag.Name == "pink" })
	d.shows(d.open("1", "projects/9/tasks", "-rank"), "")
}

func TestListOfUserAndTenant(t *testing.T) {
	d := openDesk(t)
	ada := d.open("1", "mine")
	d.shows(ada, "one four five") // three is another tenant's
	d.shows(d.open("2", "mine"), "two")
	for user, why := range map[string]string{"3": "of no tenant", "x": "whose id is no integer", "9": "without tasks"} {
		if got := titles(d.open(user, "mine").State()); got != "" {
			t.Errorf("a user %s sees %s", why, got)
		}
	}
	exec(t, d.db, "UPDATE tasks SET tenant_id = 1 WHERE id = 3")
	d.shows(ada, "one three four five")
}

func TestOwnList(t *testing.T) {
	d := openDesk(t)
	s, other := d.open("1", "picked"), d.open("1", "picked")
	d.shows(s, "four") // OnConnect made it so
	s.Call(t, nil, "pick", 2)
	d.shows(s, "two four")
	exec(t, d.db, "UPDATE tasks SET title = 'deux' WHERE id = 2")
	d.shows(s, "deux four")
	s.Call(t, nil, "drop", 4)
	d.shows(s, "deux")
	s.Call(t, nil, "pick", 99)
	exec(t, d.db, "INSERT INTO tasks (id, title, rank) VALUES (99, 'late', 0)")
	d.shows(s, "deux late")
	s.Call(t, nil, "empty")
	d.shows(s, "")
	d.shows(other, "four")
}

// TestOwnListOfATenant shows that what a stream adds passes over the conditions
// of its list, and not over its tenant's.
func TestOwnListOfATenant(t *testing.T) {
	d := openDesk(t)
	s := d.open("1", "picked/here")
	s.Call(t, nil, "pick", 3)
	s.Call(t, nil, "pick", 4)
	d.shows(s, "four") // three is another tenant's
	exec(t, d.db, "UPDATE tasks SET tenant_id = 1 WHERE id = 3")
	d.shows(s, "three four")
	exec(t, d.db, "UPDATE tasks SET tenant_id = 2 WHERE id = 4")
	d.shows(s, "three")
}

// TestTwoOwnListsOfOneConnection are two scopes, though their routes are alike.
func TestTwoOwnListsOfOneConnection(t *testing.T) {
	d := openDesk(t)
	exec(t, d.db, "UPDATE tasks SET rank = 1") // so that there is a version
	r := &reader{socket: dial(t, d.server, nil)}
	r.connect("1")
	for i, stream := range []string{"s1", "s2"} {
		r.Sendf(`{"stream":%q,"id":%d,"payload":{"type":"open","route":"picked"}}`, stream, 2+i)
		r.until(`"snapshot":"only"`)
	}
	r.Sendf(`{"stream":"s1","id":5,"payload":{"type":"action","name":"pick","args":["1"]}}`)
	r.until(`"mark"`)
	r.flush()
	if got := r.got.String(); strings.Count(got, `"one"`) != 1 {
		t.Errorf("one list was to show the task:\n%s", got)
	}
}

func TestSharedListIsNobodysToChange(t *testing.T) {
	c := &TasksChannel{}
	for name, err := range map[string]error{
		"add": c.AddInstance(t.Context(), 1), "remove": c.RemoveInstance(t.Context(), 1), "clear": c.Clear(t.Context()),
	} {
		if err == nil || !strings.Contains(err.Error(), "pando.OwnList()") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJudgedList(t *testing.T) {
	d := openDesk(t)
	d.judge.hide("two")
	s := d.open("1", "judged")
	d.shows(s, "one three four five")
	if n := d.judge.questions(); n != 5 {
		t.Errorf("asked %d times about five rows", n)
	}
	// As it enters, and not when it changes.
	d.judge.hide("two")
	exec(t, d.db, "UPDATE tasks SET title = 'uno' WHERE id = 1")
	d.shows(s, "uno three four five")
	exec(t, d.db, "INSERT INTO tasks (id, title, rank) VALUES (6, 'broken', 0), (7, 'panics', 0), (8, 'fine', 0)")
	d.shows(s, "uno three four five fine")
	if n := d.judge.questions(); n != 3 {
		t.Errorf("asked %d times about three rows", n)
	}
	d.judge.hide("three")
	d.app.Recheck("1")
	d.shows(s, "uno two four five fine")
}

// TestWhatIsNotVisibleIsNeverSent reads the frames themselves.
func TestWhatIsNotVisibleIsNeverSent(t *testing.T) {
	d := openDesk(t)
	d.judge.hide("two")
	r := &reader{socket: dial(t, d.server, nil)}
	r.connect("1")
	r.Sendf(`{"stream":"s1","id":2,"payload":{"type":"open","route":"judged"}}`)
	r.until("five")
	d.judge.hide("two", "five")
	d.app.Recheck("1")
	exec(t, d.db, "UPDATE tasks SET title = 'SECRET' WHERE id IN (2, 5)")
	exec(t, d.db, "UPDATE tasks SET title = 'end' WHERE id = 1")
	r.until("end")
	r.never("SECRET")
	r.never(`"two"`)
}

func TestStateOfLists(t *testing.T) {
	d := openDesk(t)
	d.judge.hide("two", "five")
	if _, body := get(t, d.server.URL+"/state/judged", "1"); strings.Contains(body, "two") || !strings.Contains(body, "four") {
		t.Errorf("a judged list: got %s", body)
	}
	for route, want := range map[string]string{
		"projects/7/tasks": `[{"id":"5","title":"five","done":false,"tag":null},{"id":"1","title":"one","done":false,"tag":{"id":"1","name":"red"}}]`,
		"mine":             `"title":"four"`,
		"projects/9/tasks": "[]",
		"projects/x/tasks": `"code":"bad_argument"`,
	} {
		if _, body := get(t, d.server.URL+"/state/"+route, "1"); !strings.Contains(body, want) {
			t.Errorf("%s: got %s", route, body)
		}
	}
}

// TestTests asks each test of a column of tasks, of which one has no owner.
func TestTests(t *testing.T) {
	for name, tt := range map[string]struct {
		test pando.Test
		want string
	}{
		"Eq":      {pando.Eq(2), "two"},
		"Ne":      {pando.Ne(2), "one three"},
		"Lt":      {pando.Lt(2), "one"},
		"Le":      {pando.Le(2), "one two"},
		"Gt":      {pando.Gt(2), "three"},
		"Ge":      {pando.Ge(2), "two three"},
		"Between": {pando.Between(2, 3), "two three"},
		"In":      {pando.In(1, 3, 9), "one three"},
		"IsNull":  {pando.IsNull(), "nobody's"},
		"NotNull": {pando.NotNull(), "one two three"},
	} {
		t.Run(name, func(t *testing.T) {
			db := pandotest.Database(t)
			exec(t, db, taskTables+`DELETE FROM tasks; INSERT INTO tasks (id, title, owner_id, rank)
				VALUES (1, 'one', 1, 0), (2, 'two', 2, 0), (3, 'three', 3, 0), (4, 'nobody''s', NULL, 0)`)
			source := sqlitefeed.New(db)
			defer source.Close()
			app, err := pando.New(pando.Config{Source: source, Auth: names{}})
			if err != nil {
				t.Fatal(err)
			}
			app.Handle("tasks", pando.For(func() *OwnedChannel { return &OwnedChannel{} }, pando.Where("owner_id", tt.test)))
			client := pandotest.Serve(t, app).Connect(t, "1")
			tasks := pandotest.Open[[]OwnedTask](t, client, "tasks", schema.AsList(schema.ListSpec{Name: "Any"})).State()
			var got []string
			for _, task := range *tasks {
				got = append(got, task.Title)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("shows %q, want %q", got, tt.want)
			}
		})
	}
}

// OwnedTask is a task that may be nobody's.
type OwnedTask struct {
	ID      int64  `json:"id"`
	Title   string `json:"title"`
	OwnerID *int64 `json:"-"`
}

// TableName implements the way in which structs name their tables.
func (OwnedTask) TableName() string { return "tasks" }

// OwnedChannel is tasks by their owners.
type OwnedChannel struct {
	pando.List[OwnedTask, pando.NoRuntime]
}

func (*OwnedChannel) HasPermission(context.Context) (bool, error) { return true, nil }
