package bind_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/group"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/schema"
)

// deadline is how long anything that must happen may take on a busy machine.
const deadline = 30 * time.Second

const notesDDL = `CREATE TABLE notes (id INTEGER PRIMARY KEY, rooms TEXT NOT NULL, text TEXT NOT NULL, rev INTEGER NOT NULL DEFAULT 1)`

// actual is an Outbound over a database.
type actual struct {
	*harness

	sql *sql.DB
}

// onReal runs a test over each database.
func onReal(t *testing.T, test func(*actual)) {
	t.Helper()
	onRealWith(t, nil, nil, test)
}

// onRealWith is onReal with statements that come before the database is followed.
func onRealWith(t *testing.T, onSQLite, onPostgres []string, test func(*actual)) {
	t.Helper()
	onRealOf(t, noteSpec, append([]string{notesDDL}, onSQLite...), append([]string{notesDDL}, onPostgres...), test)
}

// onRealOf is onReal of another binding.
func onRealOf(t *testing.T, spec func() *bind.Spec, onSQLite, onPostgres []string, test func(*actual)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+
			"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=recursive_triggers(1)&_txlock=immediate")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		test(newReal(t, db, sqlitefeed.New(db), spec(), onSQLite...))
	})
	t.Run("postgres", func(t *testing.T) { test(postgresWith(t, servers.Database(t), spec(), onPostgres...)) })
}

func newPostgres(t *testing.T, url string, statements ...string) *actual {
	t.Helper()
	return postgresWith(t, url, noteSpec(), append([]string{notesDDL}, statements...)...)
}

func postgresWith(t *testing.T, url string, spec *bind.Spec, statements ...string) *actual {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return newReal(t, db, pgfeed.New(db, url), spec, statements...)
}

// newReal has notes of a source told until the test ends.
func newReal(t *testing.T, db *sql.DB, source feed.Source, spec *bind.Spec, statements ...string) *actual {
	t.Helper()
	reg := schema.NewRegistry()
	model, err := bind.Compile(reg, spec)
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	h := &harness{t: t, model: model, groups: group.New(group.Config{Logger: quiet})}
	h.Outbound = bind.NewOutbound(bind.OutboundConfig{Models: []*bind.Model{model}, Groups: h.groups, Logger: quiet})
	h.pipe = pipe.New(pipe.Config{Source: source, Registry: reg, Logger: quiet, Tap: h.Outbound})
	r := &actual{h, db}
	r.exec(statements...)
	if err := source.Setup(t.Context(), reg.Tables); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.pipe.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() { h.Run(ctx, h.pipe) })
	t.Cleanup(func() { stop(); wg.Wait(); source.Close() })
	<-h.pipe.Started()
	return r
}

// exec runs statements, each in a transaction of its own.
func (r *actual) exec(statements ...string) {
	r.t.Helper()
	for _, s := range statements {
		if _, err := r.sql.ExecContext(r.t.Context(), s); err != nil {
			r.t.Fatalf("%.200s: %v", s, err)
		}
	}
}

// tx runs statements in one transaction.
func (r *actual) tx(commit bool, statements ...string) {
	r.t.Helper()
	tx, err := r.sql.BeginTx(r.t.Context(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(r.t.Context(), s); err != nil {
			r.t.Fatalf("%.200s: %v", s, err)
		}
	}
	if end := tx.Rollback; !commit {
		err = end()
	} else {
		err = tx.Commit()
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// until polls for a condition.
func until(t *testing.T, ok func() bool) bool {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for begin := time.Now(); !ok(); <-ticker.C {
		if time.Since(begin) > deadline {
			return false
		}
	}
	return true
}

// reads waits for what a client is told, and fails when it is told something
// else.
func (r *actual) reads(what string, c *client, want ...string) {
	r.t.Helper()
	var all []json.RawMessage
	text := strings.Join(want, "\n")
	until(r.t, func() bool {
		all = append(all, c.read()...)
		return len(all) >= len(want)
	})
	r.expect(what, plain(all), text)
}

func message(action string, id int64, rooms, text string) string {
	of := `{"action":"` + action + `","pk":` + strconv.FormatInt(id, 10)
	if action == "delete" {
		return of + "}"
	}
	return of + `,"data":{"rooms":"` + rooms + `","text":"` + text + `"}}`
}

// shows runs a part of a test under the statement that it shows.
func (r *actual) shows(statement string, part func()) {
	r.t.Helper()
	whole := r.t
	defer func() { r.t = whole }()
	whole.Run(statement, func(t *testing.T) {
		r.t = t
		part()
	})
}

// TestOutboundComesFromTheChangeFeed so that every way of writing tells the same.
func TestOutboundComesFromTheChangeFeed(t *testing.T) {
	onReal(t, func(r *actual) {
		red, blue := r.connect("red"), r.connect("blue")
		r.shows("raw SQL and bulk statements broadcast alike", func() {
			r.exec("INSERT INTO notes (id, rooms, text) VALUES (1, 'red', 'a'), (2, 'red', 'a'), (3, 'blue', 'a')")
			r.reads("a bulk insert", red, message("create", 1, "red", "a"), message("create", 2, "red", "a"))
			r.reads("a bulk insert", blue, message("create", 3, "blue", "a"))
		})
		r.shows("old is of the feed, never of a loaded object", func() {
			r.exec("UPDATE notes SET rooms = 'blue', text = 'b' WHERE rooms = 'red'") // which loads none
			r.reads("rows that leave", red, message("delete", 1, "", ""), message("delete", 2, "", ""))
			r.reads("rows that enter", blue, message("create", 1, "blue", "b"), message("create", 2, "blue", "b"))
		})
		r.shows("after commit, and nothing of what is rolled back", func() {
			r.tx(false, "INSERT INTO notes (id, rooms, text) VALUES (4, 'red', 'a')", "UPDATE notes SET text = 'never'")
			r.tx(true, "INSERT INTO notes (id, rooms, text) VALUES (5, 'red', 'a')", "UPDATE notes SET text = 'b' WHERE id = 5")
			r.reads("a create and an update", red, message("create", 5, "red", "b"))
		})
		r.shows("once per row and Commit, with the row's final values", func() {
			r.tx(true, "INSERT INTO notes (id, rooms, text) VALUES (6, 'red', 'a')", "DELETE FROM notes WHERE id = 6")
			r.tx(true, "DELETE FROM notes WHERE id = 5", "INSERT INTO notes (id, rooms, text) VALUES (5, 'red', 'c')")
			r.reads("a row made again, and nothing of one that came and went", red, message("update", 5, "red", "c"))
			r.exec("UPDATE notes SET text = text", "UPDATE notes SET text = 'd' WHERE id = 5")
			r.reads("a change, and nothing of what stayed the same", red, message("update", 5, "red", "d"))
		})
		r.shows("another key is another row", func() {
			r.exec("UPDATE notes SET id = 50 WHERE id = 5")
			r.reads("both", red, message("delete", 5, "", ""), message("create", 50, "red", "d"))
		})
		r.shows("a removal of all", func() {
			r.exec("DELETE FROM notes")
			r.reads("of one", red, message("delete", 50, "", ""))
		})
	})
}

// TestARowThatATriggerChangesOnceMoreIsToldOnce with its final values.
func TestARowThatATriggerChangesOnceMoreIsToldOnce(t *testing.T) {
	onSQLite := []string{
		"CREATE TRIGGER touch AFTER UPDATE OF rooms ON notes BEGIN UPDATE notes SET text = NEW.rooms || '!' WHERE id = NEW.id; END",
		"CREATE TRIGGER make AFTER INSERT ON notes BEGIN UPDATE notes SET text = NEW.rooms || '!' WHERE id = NEW.id; END",
	}
	onPostgres := []string{
		"CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE notes SET text = NEW.rooms || '!' WHERE id = NEW.id; RETURN NULL; END $$",
		"CREATE TRIGGER touch AFTER INSERT OR UPDATE OF rooms ON notes FOR EACH ROW EXECUTE FUNCTION touch()",
	}
	onRealWith(t, onSQLite, onPostgres, func(r *actual) {
		red, blue := r.connect("red"), r.connect("blue")
		r.exec("INSERT INTO notes (id, rooms, text) VALUES (1, 'red', 'a')")
		r.reads("created", red, message("create", 1, "red", "red!"))
		r.exec("UPDATE notes SET rooms = 'red blue'")
		r.reads("entered", blue, message("create", 1, "red blue", "red blue!"))
		r.reads("stayed", red, message("update", 1, "red blue", "red blue!"))
		r.tx(true, "UPDATE notes SET rooms = 'blue'", "UPDATE notes SET rooms = 'green'", "UPDATE notes SET rooms = 'blue'")
		r.reads("left", red, message("delete", 1, "", ""))
		r.reads("stayed", blue, message("update", 1, "blue", "blue!"))
		r.exec("DELETE FROM notes")
		r.reads("gone", blue, message("delete", 1, "", ""))
	})
}

// TestALargeValueThatDidNotChangeIsTold though the log need not carry it.
func TestALargeValueThatDidNotChangeIsTold(t *testing.T) {
	onReal(t, func(r *actual) {
		large := strings.Repeat("0123456789abcdef", 20_000)
		if strings.HasSuffix(r.t.Name(), "postgres") {
			r.exec("ALTER TABLE notes ALTER text SET STORAGE EXTERNAL")
		}
		red, blue := r.connect("red"), r.connect("blue")
		r.exec("INSERT INTO notes (id, rooms, text) VALUES (1, 'red', '" + large + "')")
		r.reads("created", red, message("create", 1, "red", large))
		r.exec("UPDATE notes SET rev = rev + 1")
		r.reads("updated", red, message("update", 1, "red", large))
		r.exec("UPDATE notes SET rooms = 'blue'")
		r.reads("left", red, message("delete", 1, "", ""))
		r.reads("entered", blue, message("create", 1, "blue", large))
	})
}

// Memo is deleted softly.
type Memo struct {
	ID        int64      `json:"id"`
	Rooms     string     `json:"rooms"`
	DeletedAt *time.Time `json:"deleted_at" bun:",soft_delete"`
}

// TestASoftlyDeletedRowIsGone for those who are told, and comes back.
func TestASoftlyDeletedRowIsGone(t *testing.T) {
	spec := &bind.Spec{
		Stream: "memos", Model: "bind.memo", GoType: reflect.TypeFor[Memo](), Fields: []string{"rooms"},
		Groups: func(row any) []string { memo, _ := row.(*Memo); return strings.Fields(memo.Rooms) },
	}
	inBubble(t, spec, func(h *harness) {
		memo := func(rooms string, deleted schema.Value) feed.Change {
			row := make(schema.Row, len(h.model.Table.Columns))
			for i, c := range h.model.Table.Columns {
				row[i] = map[string]schema.Value{"id": schema.IntValue(1), "rooms": schema.TextValue(rooms), "deleted_at": deleted}[c.Name]
			}
			return put(h.model.Table, row)
		}
		red, blue := h.connect("red"), h.connect("blue")
		told := func(what string, c *client, want string) {
			t.Helper()
			h.expect(what, strings.ReplaceAll(c.told(), `,"model":"bind.memo"`, ""), want)
		}
		now := schema.TimeValue(time.Now())
		h.write(memo("red", schema.Value{}))
		told("created", red, `{"action":"create","pk":1,"data":{"rooms":"red"}}`)
		h.write(memo("red", now))
		told("deleted", red, `{"action":"delete","pk":1}`)
		h.write(memo("blue", now))
		told("moved while it is deleted", blue, "")
		h.write(memo("blue", schema.Value{}))
		told("restored", blue, `{"action":"create","pk":1,"data":{"rooms":"blue"}}`)
		h.write(memo("red", now))
		told("moved and deleted at once", red, "")
		told("moved and deleted at once", blue, `{"action":"delete","pk":1}`)
		red.subscribed()
		told("subscribed", red, `{"action":"snapshot","rows":[]}`)
	})
}
