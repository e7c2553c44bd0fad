package sqlitefeed_test

import (
	"context"
	"database/sql"
	"log/slog"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/schema"
)

// declare declares a table whose first column is the key, all of them text
// but id and those that end in _id.
func declare(name string, columns ...string) *schema.Table {
	table := &schema.Table{Name: name}
	for i, column := range columns {
		kind := schema.Text
		if column == "id" || strings.HasSuffix(column, "_id") {
			kind = schema.Int
		}
		table.Columns = append(table.Columns, schema.Column{Name: column, Kind: kind, Nullable: i > 0})
	}
	return table
}

// create opens a fresh database with the statements run in it.
func create(t testing.TB, statements ...string) (db *sql.DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "app.db")
	db = openDB(t, path)
	run(t, db, statements...)
	return db, path
}

func run(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// follow sets up a source and records its feed.
func follow(t testing.TB, db *sql.DB, tables ...*schema.Table) (*sqlitefeed.Source, *feedtest.Recorder) {
	t.Helper()
	source := sqlitefeed.New(db, quiet)
	if err := source.Setup(context.Background(), tables); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	recorder, _ := feedtest.Record(t, source)
	return source, recorder
}

// fed returns the changes since the last start, in words.
func fed(t testing.TB, source feed.Source, recorder *feedtest.Recorder) []string {
	t.Helper()
	recorder.Reach(source)
	var changes []string
	for _, commit := range recorder.Commits() {
		for _, c := range commit.Changes {
			changes = append(changes, c.Table.Name+" "+c.Key.String()+" "+words(c.Old)+"→"+words(c.New))
		}
	}
	return changes
}

func words(row schema.Row) string {
	var texts []string
	for _, v := range row {
		texts = append(texts, v.String())
	}
	return strings.Join(texts, ",")
}

func wantFed(t testing.TB, source feed.Source, recorder *feedtest.Recorder, want ...string) {
	t.Helper()
	if got := fed(t, source, recorder); !slices.Equal(got, want) {
		t.Errorf("fed\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// pairOf makes the first two columns of a table its key.
func pairOf(table *schema.Table) *schema.Table {
	table.Key = len(table.Columns)
	table.Columns = append(table.Columns, schema.Column{Name: "(,)", Kind: schema.Tuple, Parts: []int{0, 1}})
	return table
}

// compared tells of the last column that a condition or an order goes by it.
func compared(table *schema.Table) *schema.Table {
	table.Columns[len(table.Columns)-1].Compared = true
	return table
}

func TestSetupRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		create string
		table  *schema.Table
		want   []string
	}{
		"missing table":       {"CREATE TABLE a (id INTEGER PRIMARY KEY)", declare("b", "id"), []string{`"b" does not exist`, "TableName"}},
		"missing column":      {"CREATE TABLE a (id INTEGER PRIMARY KEY)", declare("a", "id", "name"), []string{`"name"`, `"a"`, "db:"}},
		"view":                {"CREATE VIEW a AS SELECT 1 AS id", declare("a", "id"), []string{`"a" is a view`}},
		"virtual table":       {"CREATE VIRTUAL TABLE a USING fts5 (id)", declare("a", "id"), []string{`"a" is virtual`}},
		"key not unique":      {"CREATE TABLE a (id INTEGER, n TEXT)", declare("a", "id"), []string{`"id"`, "UNIQUE INDEX"}},
		"half a key":          {"CREATE TABLE a (id INTEGER, n TEXT, PRIMARY KEY (id, n))", declare("a", "id"), []string{"nor unique"}},
		"partly unique":       {"CREATE TABLE a (id INTEGER, n TEXT); CREATE UNIQUE INDEX u ON a (id) WHERE n > 1", declare("a", "id"), []string{"nor unique"}},
		"key without case":    {"CREATE TABLE a (k TEXT COLLATE NOCASE PRIMARY KEY)", declare("a", "k"), []string{`"k"`, "BINARY"}},
		"key without spaces":  {"CREATE TABLE a (k TEXT COLLATE RTRIM PRIMARY KEY)", declare("a", "k"), []string{`"k"`, "BINARY"}},
		"half of a pair":      {"CREATE TABLE a (id INTEGER, n TEXT, m TEXT, PRIMARY KEY (id, m))", pairOf(declare("a", "id", "n")), []string{`["id" "n"]`, "UNIQUE INDEX"}},
		"pair without case":   {"CREATE TABLE a (id INTEGER, n TEXT COLLATE NOCASE, PRIMARY KEY (id, n))", pairOf(declare("a", "id", "n")), []string{`"n"`, "BINARY"}},
		"a pair is fine":      {"CREATE TABLE a (n TEXT, id INTEGER, UNIQUE (n, id))", pairOf(declare("a", "id", "n")), nil},
		"generated is fine":   {"CREATE TABLE a (id INTEGER PRIMARY KEY, n TEXT AS (id || '!'))", declare("a", "id", "n"), nil},
		"unique is fine":      {"CREATE TABLE a (n TEXT, id INTEGER UNIQUE)", declare("a", "id"), nil},
		"any case is fine":    {"CREATE TABLE Aa (ID INTEGER PRIMARY KEY)", declare("aA", "id"), nil},
		"compared NOCASE":     {"CREATE TABLE a (id INTEGER PRIMARY KEY, n TEXT COLLATE NOCASE)", compared(declare("a", "id", "n")), []string{`"n"`, "BINARY"}},
		"other column NOCASE": {"CREATE TABLE a (id INTEGER PRIMARY KEY, n TEXT COLLATE NOCASE)", declare("a", "id", "n"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			db, _ := create(t, c.create)
			source := sqlitefeed.New(db)
			defer source.Close()
			err := source.Setup(context.Background(), []*schema.Table{c.table})
			if (err != nil) != (c.want != nil) {
				t.Fatalf("Setup: %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not name %s", err, want)
				}
			}
		})
	}
}

func TestSetupRefusesLinkWithoutCase(t *testing.T) {
	db, _ := create(t, "CREATE TABLE a (id INTEGER PRIMARY KEY, owner TEXT COLLATE NOCASE)")
	table := declare("a", "id", "owner")
	table.Links = []int{1}
	source := sqlitefeed.New(db)
	defer source.Close()
	if err := source.Setup(context.Background(), []*schema.Table{table}); err == nil || !strings.Contains(err.Error(), `"owner"`) {
		t.Errorf("Setup: %v", err)
	}
}

func TestSetupRefusesMemory(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = sqlitefeed.New(db).Setup(context.Background(), nil)
	if err == nil || !strings.Contains(err.Error(), "open a file") {
		t.Errorf("Setup: %v", err)
	}
}

// TestSetupWarns names what can keep changes out of the log.
func TestSetupWarns(t *testing.T) {
	db, _ := create(t, createNotes,
		"CREATE UNIQUE INDEX by_length ON notes (length(body))",
		"CREATE TABLE kinds (id INTEGER PRIMARY KEY)",
		"CREATE TABLE parts (id INTEGER PRIMARY KEY, note_id INTEGER REFERENCES notes ON DELETE CASCADE, kind_id INTEGER REFERENCES kinds)",
		"CREATE TRIGGER keep BEFORE DELETE ON parts BEGIN SELECT RAISE(FAIL, 'kept'); END",
		"CREATE TRIGGER stop BEFORE DELETE ON parts BEGIN SELECT RAISE(ABORT, 'kept'); END",
	)
	var log strings.Builder
	source := sqlitefeed.New(db, sqlitefeed.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	defer source.Close()
	if err := source.Setup(context.Background(), []*schema.Table{notes, declare("parts", "id"), declare("kinds", "id")}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"table=notes name=by_length", "table=notes name=keep"} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("%q is not warned of once: %s", want, log.String())
		}
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 2 {
		t.Errorf("warned %d times: %s", n, log.String())
	}
}

func TestSetupSwitchesToWAL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd % name?.db")
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	run(t, db, "PRAGMA journal_mode=DELETE", createNotes)
	source, recorder := follow(t, db, notes)
	run(t, db, "INSERT INTO notes VALUES (1, 'a')")
	wantFed(t, source, recorder, "notes 1 →1,a")
	var mode string
	if err := db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("the journal mode is %s: %v", mode, err)
	}
}

// TestSetupWaits lets Setup meet a writer that holds the lock.
func TestSetupWaits(t *testing.T) {
	db, _ := create(t, createNotes)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	source := sqlitefeed.New(db, quiet)
	defer source.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := source.Setup(ctx, []*schema.Table{notes}); err == nil || !strings.Contains(err.Error(), "lock") {
		t.Errorf("Setup does not wait for the lock: %v", err)
	}
	tx.Rollback()
	if err := source.Setup(context.Background(), []*schema.Table{notes}); err != nil {
		t.Error(err)
	}
}

// TestOddTables follows tables that need care.
func TestOddTables(t *testing.T) {
	db, _ := create(t,
		`CREATE TABLE "we ""ird' näme" ("gro""up" INTEGER PRIMARY KEY, "a b" TEXT)`,
		`CREATE TABLE pairs (a TEXT, id INTEGER, PRIMARY KEY (id)) WITHOUT ROWID`,
		`CREATE TABLE strict (id INTEGER PRIMARY KEY, n TEXT, d ANY) STRICT`,
		`CREATE TABLE generated (id INTEGER PRIMARY KEY, n TEXT, up TEXT AS (upper(n)), low TEXT AS (lower(n)) STORED)`,
		`CREATE TABLE tree (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES tree ON DELETE CASCADE)`,
		`CREATE TABLE nokey (id INTEGER UNIQUE, n TEXT)`,
	)
	odd := &schema.Table{Name: `we "ird' näme`, Columns: []schema.Column{{Name: `gro"up`, Kind: schema.Int}, {Name: "a b", Kind: schema.Text}}}
	pairs := declare("pairs", "a", "id")
	pairs.Key = 1
	source, recorder := follow(t, db, odd, pairs, declare("strict", "id", "d"), declare("generated", "id", "up", "low"),
		declare("tree", "id", "parent_id"), declare("nokey", "id", "n"))
	for _, step := range []string{
		`INSERT INTO "we ""ird' näme" VALUES (7, 'x')`,
		`INSERT INTO pairs VALUES ('p', 1)`,
		`UPDATE pairs SET a = 'q'`,
		`INSERT INTO strict VALUES (1, 'n', 'd')`,
		`INSERT INTO generated (id, n) VALUES (1, 'aB')`,
		`UPDATE generated SET n = 'Ab'`, // what is declared stays the same
		`INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2)`,
		`DELETE FROM tree WHERE id = 1`,
		`INSERT INTO nokey VALUES (NULL, 'unnamed')`, // nothing can name it
		`UPDATE nokey SET id = 5`,
	} {
		run(t, db, step)
		recorder.Reach(source)
	}
	wantFed(t, source, recorder,
		`we "ird' näme 7 →7,x`,
		`pairs 1 →p,1`, `pairs 1 p,1→q,1`,
		`strict 1 →1,d`,
		`generated 1 →1,AB,ab`,
		`tree 1 →1,null`, `tree 2 →2,1`, `tree 3 →3,2`,
		`tree 3 3,2→`, `tree 2 2,1→`, `tree 1 1,null→`,
		`nokey 5 →5,unnamed`,
	)
}

// TestAuthorTriggers follows what an author's triggers write to other tables,
// and a key of two columns beside another primary key.
func TestAuthorTriggers(t *testing.T) {
	db, _ := create(t,
		"CREATE TABLE members (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, board_id INTEGER NOT NULL, role TEXT COLLATE NOCASE, UNIQUE (board_id, user_id))",
		"CREATE TABLE boards (id INTEGER PRIMARY KEY, members_id INTEGER DEFAULT 0)",
		"CREATE TRIGGER count_in AFTER INSERT ON members BEGIN UPDATE boards SET members_id = members_id + 1 WHERE id = NEW.board_id; END",
		"CREATE TRIGGER count_out AFTER DELETE ON members BEGIN UPDATE boards SET members_id = members_id - 1 WHERE id = OLD.board_id; END",
		"INSERT INTO boards (id) VALUES (1)")
	members := declare("members", "user_id", "board_id", "role")
	members.Columns = append(members.Columns, schema.Column{Name: "(user_id,board_id)", Kind: schema.Tuple, Parts: []int{0, 1}})
	members.Key = 3
	source, recorder := follow(t, db, members, declare("boards", "id", "members_id"))
	for _, step := range []string{
		"INSERT INTO members VALUES (1, 7, 1, 'owner')",
		"REPLACE INTO members VALUES (1, 8, 1, 'guest')", // displaces 7,1 by the primary key
		"UPDATE members SET role = 'GUEST'",
		"UPDATE members SET id = 5", // nothing that is declared
		"DELETE FROM members",
	} {
		run(t, db, step)
		recorder.Reach(source)
	}
	wantFed(t, source, recorder,
		"members 7,1 →7,1,owner,7,1", "boards 1 1,0→1,1",
		"members 7,1 7,1,owner,7,1→", "members 8,1 →8,1,guest,8,1", "boards 1 1,1→1,2",
		"members 8,1 8,1,guest,8,1→8,1,GUEST,8,1",
		"members 8,1 8,1,GUEST,8,1→", "boards 1 1,2→1,1")
}

// TestReplace displaces rows through unique indexes, with and without DELETE
// triggers firing for them.
func TestReplace(t *testing.T) {
	users := declare("users", "id", "name", "mail", "org_id")
	for _, recursive := range []string{"0", "1"} {
		db, _ := create(t, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE COLLATE NOCASE, mail TEXT, org_id INTEGER, UNIQUE (org_id, mail))")
		db.SetMaxOpenConns(1)
		run(t, db, "PRAGMA recursive_triggers="+recursive)
		source, recorder := follow(t, db, users)
		state := feedtest.State{}
		for _, step := range []string{
			"INSERT INTO users VALUES (1, 'ada', 'a', 1), (2, 'bob', 'b', 1), (3, 'cyd', 'c', 1)",
			"REPLACE INTO users VALUES (4, 'ADA', 'x', 2)",                                     // displaces 1
			"REPLACE INTO users (name, mail, org_id) VALUES ('bob', 'c', 1)",                   // displaces 2 and 3
			"INSERT OR IGNORE INTO users VALUES (9, 'bob', 'y', 3)",                            // displaces none
			"INSERT INTO users VALUES (9, 'bob', 'z', 3) ON CONFLICT DO UPDATE SET mail = 'm'", // none
			"INSERT INTO users VALUES (6, 'dan', 'd', 1), (7, 'eve', 'e', 1)",
			"UPDATE OR REPLACE users SET name = 'dan' WHERE id = 7", // displaces 6
			"UPDATE OR REPLACE users SET id = 4 WHERE id = 7",       // displaces 4 by its key
			"BEGIN", "REPLACE INTO users VALUES (8, 'dan', 'q', 1)", // displaces 4
			"INSERT INTO users VALUES (4, 'again', 'again', 1)", "COMMIT", // which comes again
		} {
			run(t, db, step)
		}
		recorder.Reach(source)
		for _, commit := range recorder.Commits() {
			state.Follow(t, commit)
		}
		got := make(map[string]bool)
		for _, row := range state[users] {
			got[words(row)] = true
		}
		want := map[string]bool{"4,again,again,1": true, "5,bob,m,1": true, "8,dan,q,1": true}
		if !maps.Equal(got, want) {
			t.Errorf("with recursive_triggers=%s fed %v, want %v", recursive, got, want)
		}
		var rows int
		if err := db.QueryRow("SELECT count(*) FROM users").Scan(&rows); err != nil || rows != len(want) {
			t.Errorf("the table has %d rows: %v", rows, err)
		}
	}
}

// TestKeysDisagree lets two versions of an app declare different keys of one
// table: they agree on the triggers, and each follows its own key.
func TestKeysDisagree(t *testing.T) {
	db, path := create(t, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
	byName := declare("users", "id", "name")
	byName.Key = 1
	one, first := follow(t, db, declare("users", "id", "name"))
	two, second := follow(t, openDB(t, path), byName)
	run(t, db, "INSERT INTO users VALUES (1, 'ada')", "REPLACE INTO users VALUES (1, 'bob')", "REPLACE INTO users VALUES (2, 'bob')")
	for range 3 { // polls enough to see triggers put back by turns
		run(t, db, "CREATE TABLE x (y)", "DROP TABLE x")
		first.Reach(one)
		second.Reach(two)
	}
	for _, r := range []*feedtest.Recorder{first, second} {
		state := feedtest.State{}
		for _, commit := range r.Commits() {
			state.Follow(t, commit)
		}
		for _, rows := range state {
			if len(rows) != 1 {
				t.Errorf("%d rows are left of one", len(rows))
			}
		}
		if starts := r.Starts(1); len(starts) != 1 {
			t.Errorf("started again: %+v", starts)
		}
	}
}

// TestUntouched shows that the triggers leave alone what a writer sees.
func TestUntouched(t *testing.T) {
	db, _ := create(t, createNotes)
	db.SetMaxOpenConns(1)
	source, recorder := follow(t, db, notes)
	result, err := db.Exec("INSERT INTO notes (id, body) VALUES (41, 'a'), (42, 'b')")
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := result.LastInsertId(); id != 42 {
		t.Errorf("the last inserted id is %d", id)
	}
	if n, _ := result.RowsAffected(); n != 2 {
		t.Errorf("%d rows are affected", n)
	}
	recorder.Reach(source)
}

// TestAuthorHook shows that an author's commit hook, set after the
// connection opened, works, and that commits are seen without ours.
func TestAuthorHook(t *testing.T) {
	db, _ := create(t, createNotes)
	source, recorder := follow(t, db, notes)
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	calls := 0
	err = c.Raw(func(raw any) error {
		raw.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 { calls++; return 0 })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(context.Background(), "INSERT INTO notes VALUES (1, 'a')"); err != nil {
		t.Fatal(err)
	}
	wantFed(t, source, recorder, "notes 1 →1,a")
	if calls != 1 {
		t.Errorf("the author's hook was called %d times", calls)
	}
}
