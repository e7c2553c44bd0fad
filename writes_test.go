package pando_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// A study of notes, which editors write and viewers look at.
type (
	Person struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	Sheet struct {
		ID       int64   `json:"id"`
		Text     string  `json:"text"`
		Pages    int64   `json:"pages"`
		AuthorID int64   `json:"-"`
		Author   *Person `json:"author"`
	}
	Study struct {
		ID     int64   `json:"id"`
		Name   string  `json:"name"`
		Sheets []Sheet `json:"sheets"`
	}
)

// Validate is asked before a sheet is written.
func (s *Sheet) Validate(ctx context.Context) error {
	switch {
	case s.Text == "panic":
		panic("at the study")
	case pando.TxOf(ctx) == nil:
		return errors.New("there is no transaction")
	case s.Text == "":
		return pando.Errorf("invalid", "a sheet has text")
	}
	return nil
}

const studies = `
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE studies (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE sheets (id INTEGER PRIMARY KEY, study_id INTEGER NOT NULL, text TEXT NOT NULL, pages INTEGER NOT NULL DEFAULT 1, author_id INTEGER NOT NULL);
CREATE TABLE roles (person_id INTEGER NOT NULL, study_id INTEGER NOT NULL, role TEXT NOT NULL);
INSERT INTO people VALUES (1, 'ada'), (2, 'grace'), (3, 'eve');
INSERT INTO studies VALUES (1, 'Ours'), (2, 'Theirs');
INSERT INTO sheets VALUES (1, 1, 'one', 1, 1), (2, 1, 'two', 1, 2), (3, 2, 'theirs', 1, 3);
INSERT INTO roles VALUES (1, 1, 'editor'), (2, 1, 'viewer'), (3, 2, 'editor');
`

type StudyChannel struct {
	pando.Channel[Study, pando.NoRuntime]
}

func (c *StudyChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// edits reads the user's role in the write's transaction.
func (c *StudyChannel) edits(ctx context.Context) error {
	var role string
	err := pando.TxOf(ctx).QueryRowContext(ctx, "SELECT role FROM roles WHERE person_id = ? AND study_id = ?",
		c.User().ID, c.Args().Int("study_id")).Scan(&role)
	if err == nil && role == "editor" {
		return nil
	}
	return pando.Errorf("viewers_only_look", "editors write here")
}

func (c *StudyChannel) CanSave(ctx context.Context, old Sheet, data pando.Data[Sheet]) error {
	if old.AuthorID == 0 || data.New().Author != nil {
		return errors.New("the row is not whole, or has relations")
	}
	switch data.New().Text {
	case "boom":
		return errors.New("the disk is on fire")
	case "bang":
		panic("at the disco")
	case "own":
		return data.Set("pages", old.Pages+data.New().Pages)
	}
	return c.edits(ctx)
}

func (c *StudyChannel) CanCreate(ctx context.Context, data pando.Data[Sheet]) error {
	if err := data.Set("Author", c.User().ID); err != nil {
		return err
	}
	return c.edits(ctx)
}

func (c *StudyChannel) CanDelete(ctx context.Context, old Sheet) error {
	if old.Text == "keep" {
		return pando.Errorf("kept", "this one stays")
	}
	return c.edits(ctx)
}

func (c *StudyChannel) CanLink(_ context.Context, target Person) error {
	if target.Name == "eve" {
		return pando.Errorf("not_eve", "anyone but eve")
	}
	return nil
}

// studyApp is a served app of studies.
type studyApp struct {
	*pandotest.Server

	t   *testing.T
	db  *sql.DB
	log *lockedBuffer
	app *pando.App
}

func openStudy(t *testing.T, options ...func(*pando.App)) *studyApp {
	t.Helper()
	return openStudyOver(t, func(s *sqlitefeed.Source) feed.Source { return s }, options...)
}

// openStudyOver serves the app over what becomes of its database.
func openStudyOver(t *testing.T, over func(*sqlitefeed.Source) feed.Source, options ...func(*pando.App)) *studyApp {
	t.Helper()
	d := &studyApp{t: t, db: pandotest.Database(t), log: &lockedBuffer{}}
	exec(t, d.db, studies)
	source := sqlitefeed.New(d.db)
	t.Cleanup(func() { source.Close() })
	var err error
	d.app, err = pando.New(pando.Config{Source: over(source), Auth: names{}, Logger: slog.New(slog.NewTextHandler(d.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	d.app.Handle("studies/{study_id}", pando.For(func() *StudyChannel { return &StudyChannel{} }, pando.Writable[Sheet](
		pando.Save((*StudyChannel).CanSave), pando.Create((*StudyChannel).CanCreate), pando.Delete((*StudyChannel).CanDelete),
		pando.CanLink((*StudyChannel).CanLink),
	)))
	for _, o := range options {
		o(d.app)
	}
	d.Server = pandotest.Serve(t, d.app)
	return d
}

// scribe is one user's connection with an open study.
type scribe struct {
	*socket

	id int
}

func (d *studyApp) writer(user string) *scribe {
	d.t.Helper()
	w := &scribe{socket: dial(d.t, d.Server, nil), id: 10}
	w.connect(user)
	if got := w.ask(`{"stream":"s","id":2,"payload":{"type":"open","route":"studies/1"}}`); got != "s 2 opened" {
		d.t.Fatal(got)
	}
	return w
}

// answer is the reply to a write.
type answer struct {
	Type, Code string
	Value      json.RawMessage
	Version    uint64
	Message    string
	Retry      bool
	Fields     map[string]string
}

func (a answer) String() string {
	if a.Type == "result" {
		return "result " + string(a.Value)
	}
	return a.Code
}

// write makes a write and waits for its reply.
func (w *scribe) write(payload string) answer {
	w.t.Helper()
	w.id++
	w.Send(ws.OpText, fmt.Sprintf(`{"stream":"s","id":%d,"payload":%s}`, w.id, payload))
	return w.reply(w.id)
}

func (w *scribe) reply(id int) answer {
	w.t.Helper()
	for {
		var m struct {
			ID      int
			Payload answer
		}
		text := w.Read()
		if err := json.Unmarshal([]byte(text), &m); err == nil && m.ID == id {
			return m.Payload
		}
	}
}

func (d *studyApp) sheets() string {
	d.t.Helper()
	var text string
	if err := d.db.QueryRow("SELECT group_concat(id || ' ' || text || ' ' || pages || ' ' || author_id, '; ') FROM (SELECT * FROM sheets ORDER BY id)").Scan(&text); err != nil {
		d.t.Fatal(err)
	}
	return text
}

const untouched = "1 one 1 1; 2 two 1 2; 3 theirs 1 3"

func TestUsersOfDifferentRolesWrite(t *testing.T) {
	d := openStudy(t)
	state := pandotest.Open[Study](t, d.Connect(t, "2"), "studies/1")
	grace := d.writer("2")
	for payload, want := range map[string]string{
		`{"type":"save","of":"Sheet","id":"1","data":{"text":"x"}}`:                          "viewers_only_look",
		`{"type":"create","of":"Sheet","in":["Study","1","sheets"],"data":{"text":"x"}}`:     "viewers_only_look",
		`{"type":"delete","of":"Sheet","id":"1"}`:                                            "viewers_only_look",
		`{"type":"save","of":"Sheet","id":"3","data":{"text":"x"}}`:                          "denied",
		`{"type":"save","of":"Study","id":"1","data":{"name":"x"}}`:                          "unknown_write",
		`{"type":"save","of":"Person","id":"1","data":{"name":"x"}}`:                         "unknown_write",
		`{"type":"create","of":"Sheet","in":["Study","2","sheets"],"data":{"text":"x"}}`:     "denied",
		`{"type":"save","of":"Sheet","id":"1","data":{"text":"x","study_id":"2"}}`:           "unknown_write",
		`{"type":"save","of":"Sheet","id":"1","data":{"text":"x"},"key":"not a key"}`:        "bad_request",
		`{"type":"save","of":"Sheet","id":1,"data":{"text":"x"}}`:                            "bad_request",
		`{"type":"save","of":"Sheet","id":"1","data":[]}`:                                    "bad_request",
		`{"type":"save","of":"Sheet","id":"1","data":{"id":"2"}}`:                            "unknown_write",
		`{"type":"save","of":"Sheet","id":"1","data":{"author":"3"}}`:                        "viewers_only_look",
		`{"type":"save","of":"Sheet","id":"1' OR '1'='1","data":{"text":"x"}}`:               "denied",
		`{"type":"save","of":"Sheet","id":"1","data":{"text = 'x' --":"x"}}`:                 "unknown_write",
		`{"type":"save","of":"Sheet","id":"1","data":{"__proto__":{"text":"x"}}}`:            "unknown_write",
		`{"type":"create","of":"Sheet","in":["Study","1","sheets","x"],"data":{"text":"x"}}`: "bad_request",
		`{"type":"create","of":"Sheet","in":["Person","1","sheets"],"data":{"text":"x"}}`:    "unknown_write",
		`{"type":"delete","of":"Sheet","id":"1","data":{"text":"x"}}`:                        "bad_request",
		`{"type":"delete","of":"sheets","id":"1"}`:                                           "unknown_write",
		`{"type":"save","of":"Sheet","id":"` + strings.Repeat("9", 5000) + `","data":{}}`:    "denied",
		`{"type":"save","of":"Sheet","data":{"text":"x"}}`:                                   "denied",
		`{"type":"save","of":"Sheet","id":"1","data":{"text":"x"},"seen":{"author_id":"1"}}`: "viewers_only_look",
	} {
		if got := grace.write(payload).String(); got != want {
			t.Errorf("%s: got %s, want %s", payload, got, want)
		}
	}
	if got := d.sheets(); got != untouched {
		t.Fatalf("refused writes have left %s", got)
	}

	ada := d.writer("1")
	if got := ada.write(`{"type":"save","of":"Sheet","id":"2","data":{"text":"deux","author":"1"},"seen":{"text":"two"}}`); got.String() != "result null" || got.Version == 0 {
		t.Errorf("save: %+v", got)
	}
	created := ada.write(`{"type":"create","of":"Sheet","in":["Study","1","sheets"],"data":{"text":"new","author":"2"}}`)
	if created.String() != `result "4"` || created.Version == 0 {
		t.Errorf("create: %+v", created)
	}
	if got := ada.write(`{"type":"delete","of":"Sheet","id":"1"}`); got.String() != "result null" {
		t.Errorf("delete: %+v", got)
	}
	if got, want := d.sheets(), "2 deux 1 1; 3 theirs 1 3; 4 new 1 1"; got != want {
		t.Errorf("the sheets are %s, want %s", got, want)
	}
	state.Wait(t, "what was written", func(d *Study) bool {
		return len(d.Sheets) == 2 && d.Sheets[0].Text == "deux" && d.Sheets[0].Author.Name == "ada" && d.Sheets[1].Text == "new"
	})
	if state.Version() < created.Version {
		t.Errorf("the state shows the write at version %d, before %d, which it was told", state.Version(), created.Version)
	}
	exec(t, d.db, "UPDATE roles SET role = 'viewer'")
	if got := ada.write(`{"type":"delete","of":"Sheet","id":"2"}`); got.Code != "viewers_only_look" {
		t.Errorf("a write after the role was taken: %+v", got)
	}
}

func TestRefusalsOfAnApp(t *testing.T) {
	d := openStudy(t)
	ada := d.writer("1")
	for _, c := range []struct{ data, want, logged string }{
		{`{"text":""}`, "invalid", ""},
		{`{"text":7}`, "invalid", ""},
		{`{"pages":null}`, "invalid", ""},
		{`{"text":"boom"}`, "internal", "the disk is on fire"},
		{`{"text":"bang"}`, "internal", "panic: at the disco"},
		{`{"text":"panic"}`, "internal", "panic: at the study"},
		{`{"author":"3"}`, "not_eve", ""},
		{`{"author":"9"}`, "denied", ""},
	} {
		got := ada.write(`{"type":"save","of":"Sheet","id":"1","data":` + c.data + `}`)
		if got.String() != c.want || strings.Contains(got.Message, "fire") {
			t.Errorf("%s: got %+v, want %s", c.data, got, c.want)
		}
		if n := strings.Count(d.log.String(), c.logged); c.logged != "" && n != 1 {
			t.Errorf("%s: logged %d times, want once:\n%s", c.data, n, d.log.String())
		}
	}
	if got := ada.write(`{"type":"save","of":"Sheet","id":"1","data":{"pages":"x","text":false}}`); len(got.Fields) != 2 || got.Fields["text"] == "" || got.Fields["pages"] == "" {
		t.Errorf("the fields are %v", got.Fields)
	}
	if got := d.sheets(); got != untouched {
		t.Fatalf("refused writes have left %s", got)
	}
	if got := ada.write(`{"type":"save","of":"Sheet","id":"1","data":{"text":"own","pages":4}}`); got.String() != "result null" {
		t.Errorf("a value that the server changes: %+v", got)
	}
	if got, want := d.sheets(), "1 own 5 1; 2 two 1 2; 3 theirs 1 3"; got != want {
		t.Errorf("the sheets are %s, want %s", got, want)
	}
}

func TestAWriteWithAKeyIsAppliedOnce(t *testing.T) {
	d := openStudy(t)
	ada, again := d.writer("1"), d.writer("1")
	const create = `{"type":"create","of":"Sheet","in":["Study","1","sheets"],"data":{"text":"new"},"key":"k1"}`
	first, second := ada.write(create), again.write(create)
	if first.String() != `result "4"` || second.String() != `result "4"` || second.Version < first.Version {
		t.Errorf("the same write twice: %+v, %+v", first, second)
	}
	if got := ada.write(`{"type":"create","of":"Sheet","in":["Study","1","sheets"],"data":{"text":"other"},"key":"k1"}`); got.Code != "bad_request" {
		t.Errorf("another write with the key: %+v", got)
	}
	if got := ada.write(`{"type":"delete","of":"Sheet","id":"1","key":"k1"}`); got.Code != "bad_request" {
		t.Errorf("another operation with the key: %+v", got)
	}
	// Whoever was refused is not carried out by a copy that comes late; who asks anew
	// is asked for anew.
	const refused = `{"type":"create","of":"Sheet","in":["Study","1","sheets"],"data":{"text":"late"},"key":"k2"}`
	exec(t, d.db, "UPDATE roles SET role = 'viewer' WHERE person_id = 1")
	if got := ada.write(refused); got.Code != "viewers_only_look" {
		t.Errorf("refused: %+v", got)
	}
	exec(t, d.db, "UPDATE roles SET role = 'editor' WHERE person_id IN (1, 2)")
	if got := again.write(refused); got.Code != "viewers_only_look" {
		t.Errorf("a copy, after it was permitted: %+v", got)
	}
	if got := ada.write(strings.Replace(refused, "k2", "k4", 1)); got.String() != `result "5"` {
		t.Errorf("after it was permitted: %+v", got)
	}
	const bad = `{"type":"create","of":"Sheet","in":["Study","1","sheets"],"data":{"text":7},"key":"k5"}`
	if first, second := ada.write(bad), again.write(bad); first.Code != "invalid" || first.Fields["text"] == "" || !reflect.DeepEqual(first.Fields, second.Fields) || second.Message != first.Message {
		t.Errorf("the same refusal twice: %+v, %+v", first, second)
	}
	if got := d.writer("2").write(create); got.String() != `result "6"` {
		t.Errorf("another user's request of the same key: %+v", got)
	}

	// Many at once, on connections of their own.
	const at = 6
	var group sync.WaitGroup
	results := make([]string, at)
	writers := make([]*scribe, at)
	for i := range writers {
		writers[i] = d.writer("1")
	}
	for i, w := range writers {
		group.Go(func() {
			results[i] = w.write(`{"type":"create","of":"Sheet","in":["Study","1","sheets"],"data":{"text":"many"},"key":"k3"}`).String()
		})
	}
	group.Wait()
	for _, r := range results {
		if r != `result "7"` {
			t.Errorf("the same request %d times at once: %q", at, results)
		}
	}
	if got := strings.Count(d.sheets(), "many"); got != 1 {
		t.Errorf("it was applied %d times", got)
	}
}

// TestNoUpdateIsLost has many clients raise a number that they have read; of
// those that saw the same value only one may win.
func TestNoUpdateIsLost(t *testing.T) {
	d := openStudy(t)
	const clients, raises = 3, 5
	var group sync.WaitGroup
	for range clients {
		w := d.writer("1")
		group.Go(func() {
			seen := 1
			for done := 0; done < raises; {
				got := w.write(fmt.Sprintf(`{"type":"save","of":"Sheet","id":"1","data":{"pages":%d},"seen":{"pages":%d}}`, seen+1, seen))
				switch {
				case got.Type == "result":
					done++
					seen++
				case got.Code == "conflict" && got.Fields["pages"] != "":
					seen++ // numbers only rise: try the next
				default:
					t.Errorf("a raise from %d: %+v", seen, got)
					return
				}
			}
		})
	}
	group.Wait()
	if got, want := d.sheets(), fmt.Sprintf("1 one %d 1; 2 two 1 2; 3 theirs 1 3", 1+clients*raises); got != want {
		t.Errorf("the sheets are %s, want %s", got, want)
	}
}

func TestUseSeesWrites(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	d := openStudy(t, func(app *pando.App) {
		app.Use(func(next pando.Handler) pando.Handler {
			return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
				if r.Kind != "write" {
					return next(ctx, r)
				}
				mu.Lock()
				seen = append(seen, fmt.Sprintf("%s %s %s %s %s", r.User.ID, r.Route, r.Write.Op, r.Write.Type, r.Write.ID))
				mu.Unlock()
				if string(r.Write.Data["text"]) == `"secret"` {
					return nil, pando.Errorf("no_secrets", "not here")
				}
				r.Write.Data["pages"] = json.RawMessage("9")
				return next(ctx, r)
			}
		})
	})
	ada := d.writer("1")
	if got := ada.write(`{"type":"save","of":"Sheet","id":"1","data":{"text":"secret"}}`); got.Code != "no_secrets" {
		t.Errorf("refused: %+v", got)
	}
	if got := ada.write(`{"type":"save","of":"Sheet","id":"1","data":{"text":"plain"}}`); got.String() != "result null" {
		t.Errorf("changed: %+v", got)
	}
	if got := d.sheets(); !strings.HasPrefix(got, "1 plain 9 1;") {
		t.Errorf("the sheets are %s", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(seen, "; "); got != "1 studies/1 save Sheet 1; 1 studies/1 save Sheet 1" {
		t.Errorf("saw %s", got)
	}
}

func TestWritesInAListOfOnesOwn(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, taskTables)
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: names{}})
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{}
	app.Handle("picks", pando.For(func() *PickChannel { return &PickChannel{} }, pando.OwnList(),
		pando.Actions((*PickChannel).Pick, (*PickChannel).Drop), pando.Where("done", pando.Eq(false)),
		pando.Writable[Task](pando.Save(func(*PickChannel, context.Context, Task, pando.Data[Task]) error { return nil }))))
	app.Handle("judged", pando.For(func() *JudgedChannel { return &JudgedChannel{judge: j} },
		pando.Writable[Task](pando.Save(func(*JudgedChannel, context.Context, Task, pando.Data[Task]) error { return nil }))))
	server := pandotest.Serve(t, app)
	open := func(route string) *scribe {
		w := &scribe{socket: dial(t, server, nil), id: 10}
		w.connect("1")
		if got := w.ask(fmt.Sprintf(`{"stream":"s","id":2,"payload":{"type":"open","route":%q}}`, route)); got != "s 2 opened" {
			t.Fatal(got)
		}
		return w
	}
	save := func(w *scribe, id, want string) {
		t.Helper()
		if got := w.write(`{"type":"save","of":"Task","id":"` + id + `","data":{}}`).String(); got != want {
			t.Errorf("save of %s: got %s, want %s", id, got, want)
		}
	}
	picks := open("picks") // cleared, with task 4
	save(picks, "4", "result null")
	save(picks, "1", "denied")
	for _, action := range []string{`"pick","args":["3"]`, `"drop","args":["4"]`} {
		if got := picks.write(`{"type":"action","name":` + action + `}`); got.Type != "result" {
			t.Fatalf("%s: %+v", action, got)
		}
	}
	save(picks, "3", "result null") // done, but picked
	save(picks, "4", "denied")

	j.hide("two")
	judged := open("judged")
	save(judged, "1", "result null")
	save(judged, "2", "denied")
	j.hide("one")
	save(judged, "1", "denied")
}

// flaky is a database that rolls transactions back as they commit.
type flaky struct {
	*sqlitefeed.Source

	failures atomic.Int32 // that are still to come
}

func (f *flaky) Begin(ctx context.Context) (feed.Tx, error) {
	tx, err := f.Source.Begin(ctx)
	return &flakyTx{tx, f}, err
}

type flakyTx struct {
	feed.Tx

	source *flaky
}

func (tx *flakyTx) Commit() error {
	if tx.source.failures.Add(-1) < 0 {
		return tx.Tx.Commit()
	}
	return errors.Join(feed.ErrRolledBack, tx.Rollback())
}

func TestWritesAreMadeAgainWhenTheDatabaseRollsThemBack(t *testing.T) {
	var source *flaky
	d := openStudyOver(t, func(s *sqlitefeed.Source) feed.Source {
		source = &flaky{Source: s}
		return source
	})
	ada := d.writer("1")
	source.failures.Store(3)
	if got := ada.write(`{"type":"create","of":"Sheet","in":["Study","1","sheets"],"data":{"text":"new"}}`); got.String() != `result "4"` {
		t.Errorf("after three failures: %+v", got)
	}
	source.failures.Store(1000)
	if got := ada.write(`{"type":"save","of":"Sheet","id":"1","data":{"text":"x"}}`); got.Type != "error" {
		t.Errorf("after a thousand failures: %+v", got)
	}
	if left := source.failures.Load(); left < 900 {
		t.Errorf("it was tried %d times", 1000-left)
	}
	source.failures.Store(0)
	if got, want := d.sheets(), untouched+"; 4 new 1 1"; got != want {
		t.Errorf("the sheets are %s, want %s", got, want)
	}
}

// TestConstraintsThatCommitMeets has a foreign key that is looked at last.
func TestConstraintsThatCommitMeets(t *testing.T) {
	d := openStudy(t)
	exec(t, d.db, "CREATE TABLE deferred (id INTEGER PRIMARY KEY, sheet_id INTEGER REFERENCES sheets(id) DEFERRABLE INITIALLY DEFERRED); INSERT INTO deferred VALUES (1, 1)")
	ada := d.writer("1")
	got := ada.write(`{"type":"delete","of":"Sheet","id":"1","key":"k"}`)
	if got.Code != "conflict" {
		t.Errorf("a row that is referred to: %+v", got)
	}
	exec(t, d.db, "DELETE FROM deferred")
	if got := ada.write(`{"type":"delete","of":"Sheet","id":"1","key":"k"}`); got.Code != "conflict" {
		t.Errorf("a copy, after nothing refers to it: %+v", got)
	}
	if got := ada.write(`{"type":"delete","of":"Sheet","id":"1","key":"another"}`); got.String() != "result null" {
		t.Errorf("after nothing refers to it: %+v", got)
	}
}
