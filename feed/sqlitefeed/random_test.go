package sqlitefeed

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// randomTables are ways to keep nodes: k is the key, up links to another node
// and changes with its key.
var randomTables = []string{
	"(k INTEGER PRIMARY KEY, up INTEGER REFERENCES n (k) ON UPDATE CASCADE ON DELETE CASCADE, a INTEGER, b INTEGER UNIQUE, g INTEGER AS (a * 10 + b) STORED)",
	"(k INTEGER PRIMARY KEY, up INTEGER REFERENCES n (k) ON UPDATE CASCADE ON DELETE SET NULL, a INTEGER, b INTEGER, g AS (a || '-' || k))",
	"(k INTEGER PRIMARY KEY, up INTEGER REFERENCES n (k) ON UPDATE CASCADE ON DELETE CASCADE, a INTEGER, b INTEGER UNIQUE, g AS (up)) WITHOUT ROWID",
	"(up INTEGER REFERENCES n (k) ON UPDATE CASCADE ON DELETE SET DEFAULT, a INTEGER, b INTEGER, k INTEGER UNIQUE NOT NULL, g AS (k + a))",
	"(id INTEGER PRIMARY KEY, k INTEGER UNIQUE, up INTEGER REFERENCES n (k) ON UPDATE SET NULL ON DELETE CASCADE, a INTEGER, b INTEGER UNIQUE, g TEXT AS (a) STORED)",
}

// randomEvents and randomBodies make an author's triggers. Old and new stand
// for a row of the event, whichever there is.
var (
	randomEvents = []string{
		"BEFORE INSERT", "BEFORE UPDATE", "BEFORE DELETE", "AFTER INSERT", "AFTER UPDATE", "AFTER DELETE",
		"AFTER UPDATE OF a", "BEFORE UPDATE OF k", "AFTER UPDATE OF up",
	}
	randomBodies = []string{
		"UPDATE n SET a = a + 1 WHERE k = row.k",
		"UPDATE n SET a = row.a WHERE k = row.k", // back to what it was
		"UPDATE n SET k = k + 7 WHERE k = row.k AND k < 40",
		"UPDATE n SET b = row.b + 1 WHERE up = row.k",
		"UPDATE OR REPLACE n SET b = b + 1 WHERE k = row.k",
		"UPDATE OR IGNORE n SET k = row.up WHERE k = row.k",
		"DELETE FROM n WHERE k = row.k",
		"DELETE FROM n WHERE up = row.k AND a > 3",
		"INSERT OR IGNORE INTO n (k, up, a, b) VALUES (row.k + 1, row.k, 1, row.b + 1)",
		"INSERT OR REPLACE INTO n (k, a, b) VALUES (row.k, 5, row.b)",
		"INSERT OR REPLACE INTO n (k, a, b) VALUES (row.k + 20, 5, row.b)",
		"INSERT INTO n (k, a, b) VALUES (row.k, 6, 6) ON CONFLICT DO UPDATE SET a = a + 2",
		"SELECT RAISE(IGNORE) WHERE row.a % 2 = 0",
		"SELECT RAISE(FAIL, 'failed') WHERE row.a % 3 = 0",
		"SELECT RAISE(ABORT, 'aborted') WHERE row.a % 5 = 0",
		"SELECT RAISE(ROLLBACK, 'rolled back') WHERE row.a = 4",
	}
)

// randomStatements have X and Y, two numbers.
var randomStatements = []string{
	"INSERT INTO n (k, up, a, b) VALUES (X, Y, X, X)",
	"INSERT INTO n (k, up, a, b) VALUES (X, X, Y, X)", // its own parent
	"INSERT OR REPLACE INTO n (k, up, a, b) VALUES (X, NULL, Y, Y)",
	"INSERT OR FAIL INTO n (k, a, b) VALUES (X, Y, X), (Y, Y, X)",
	"INSERT OR IGNORE INTO n (k, a, b) SELECT k + X, a, b + Y FROM n",
	"INSERT INTO n (k, a, b) VALUES (X, 1, Y) ON CONFLICT DO UPDATE SET a = excluded.a + n.a, k = excluded.k",
	"UPDATE n SET a = a + Y WHERE k = X",
	"UPDATE n SET a = a + 1",
	"UPDATE n SET k = Y WHERE k = X",
	"UPDATE n SET k = -k WHERE k > X",
	"UPDATE OR IGNORE n SET k = k + 1 WHERE k >= X",
	"UPDATE OR REPLACE n SET k = Y WHERE k = X",
	"UPDATE OR REPLACE n SET b = Y WHERE a < X",
	"UPDATE OR FAIL n SET b = Y, a = 1 WHERE a < X",
	"UPDATE n SET a = o.b, up = o.k FROM n AS o WHERE o.k = n.up AND n.k <> X",
	"UPDATE n SET up = Y WHERE k = X",
	"DELETE FROM n WHERE k = X",
	"DELETE FROM n WHERE a > X",
	"REPLACE INTO n (k, up, a, b) SELECT k, up, a + 1, Y FROM n WHERE k > X",
}

var randomTable = &schema.Table{Name: "n", Columns: []schema.Column{
	{Name: "k", Kind: schema.Int}, {Name: "up", Kind: schema.Int, Nullable: true}, {Name: "a", Kind: schema.Int, Nullable: true},
	{Name: "b", Kind: schema.Int, Nullable: true}, {Name: "g", Kind: schema.Text, Nullable: true},
}}

// TestRandomTriggers writes at random to tables with random triggers and
// cascades, and compares what was fed with the table after each transaction.
func TestRandomTriggers(t *testing.T) {
	worlds := 40
	if underRace {
		worlds = 3
	}
	for seed := range uint64(worlds) {
		newRandomWorld(t, seed).run()
		if t.Failed() {
			return
		}
	}
}

// randomWorld is one database, its source, and what the source fed.
type randomWorld struct {
	t        *testing.T
	random   *rand.Rand
	db       *sql.DB
	follower *follower
	sink     *replaySink
	told     []string
}

func newRandomWorld(t *testing.T, seed uint64) *randomWorld {
	w := &randomWorld{t: t, random: rand.New(rand.NewPCG(seed, 0)), sink: &replaySink{}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.Join(t.TempDir(), "app.db")}).String())
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	w.db = db
	t.Cleanup(func() { db.Close() })
	w.tellf("-- seed %d", seed)
	w.do("PRAGMA synchronous=OFF", true)
	w.do(fmt.Sprintf("PRAGMA recursive_triggers=%d", w.random.IntN(2)), true)
	w.do(fmt.Sprintf("PRAGMA foreign_keys=%d", min(w.random.IntN(4), 1)), true)
	w.do("CREATE TABLE n "+pick(w.random, randomTables), true)
	for range w.random.IntN(3) {
		w.addTrigger()
	}
	s := New(db, WithLogger(slog.New(slog.DiscardHandler)))
	t.Cleanup(func() { s.Close() })
	w.follower = newFollower(t, s, w.sink, randomTable)
	for range w.random.IntN(2) {
		w.addTrigger()
	}
	w.poll()
	return w
}

func pick(random *rand.Rand, of []string) string { return of[random.IntN(len(of))] }

func (w *randomWorld) tellf(format string, args ...any) {
	w.told = append(w.told, fmt.Sprintf(format, args...))
}

func (w *randomWorld) addTrigger() {
	event := pick(w.random, randomEvents)
	row := "NEW"
	if strings.Contains(event, "DELETE") || strings.Contains(event, "UPDATE") && w.random.IntN(2) == 0 {
		row = "OLD"
	}
	body := strings.ReplaceAll(pick(w.random, randomBodies), "row.", row+".")
	if !strings.Contains(event, "INSERT") { // by a cascade it would stop the triggers of the parent
		body = strings.ReplaceAll(body, "RAISE(FAIL", "RAISE(ABORT")
	}
	w.do(fmt.Sprintf("CREATE TRIGGER author%d %s ON n BEGIN %s; END", len(w.told), event, body), true)
}

// do runs a statement, which may fail by a constraint or a RAISE.
func (w *randomWorld) do(statement string, must bool) {
	_, err := w.db.Exec(statement)
	w.tellf("%s; -- %v", statement, err)
	if err != nil && must {
		w.t.Fatal(strings.Join(w.told, "\n"))
	}
}

func (w *randomWorld) run() {
	for range 25 {
		statements := w.random.IntN(4)
		if statements > 1 {
			w.do("BEGIN", true)
		}
		for range max(statements, 1) {
			numbers := strings.NewReplacer("X", strconv.Itoa(w.random.IntN(9)), "Y", strconv.Itoa(w.random.IntN(9)))
			w.do(numbers.Replace(pick(w.random, randomStatements)), false)
		}
		if statements > 1 {
			w.do(pick(w.random, []string{"COMMIT", "COMMIT", "ROLLBACK"}), false)
		}
		if w.poll(); w.t.Failed() {
			return
		}
	}
}

// poll feeds what was committed and compares.
func (w *randomWorld) poll() {
	w.sink.told = nil
	look(w.t, w.follower)
	if w.sink.restarted {
		look(w.t, w.follower)
		w.sink.rows, w.sink.restarted = w.read(), false
	}
	if read := w.read(); !maps.EqualFunc(w.sink.rows, read, slices.Equal[schema.Row]) {
		w.t.Errorf("fed %v\nhave %v\nread %v\n%s", w.sink.told, w.sink.rows, read, strings.Join(w.told, "\n"))
	}
	if w.sink.wrong != "" {
		w.t.Errorf("%s\nfed %v\n%s", w.sink.wrong, w.sink.told, strings.Join(w.told, "\n"))
	}
}

func (w *randomWorld) read() map[schema.Value]schema.Row {
	w.t.Helper()
	snapshot, err := w.follower.source.Snapshot(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	defer snapshot.Close()
	rows := make(map[schema.Value]schema.Row)
	all := feed.Query{Table: randomTable, Where: []schema.Bound{{Column: 0, Op: schema.NotNull}}}
	for k := range int64(400) {
		all.Values = append(all.Values, schema.IntValue(k-200))
	}
	err = snapshot.Rows(context.Background(), all, func(row schema.Row) error {
		rows[row[0]] = slices.Clone(row)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// replaySink keeps the rows that were fed, and looks at each Old.
type replaySink struct {
	rows      map[schema.Value]schema.Row
	told      []feed.Change
	wrong     string
	restarted bool
}

func (s *replaySink) Start(string, feed.Position, string) { s.restarted = true }
func (*replaySink) Advance(feed.Position)                 {}
func (*replaySink) Stall(string)                          {}

func (s *replaySink) Commit(c *feed.Commit) {
	for _, change := range c.Changes {
		s.told = append(s.told, change)
		held := s.rows[change.Key]
		if change.Old != nil && !slices.Equal(change.Old, held) {
			s.wrong = fmt.Sprintf("the old row of %s is %v, which was %v", change.Key, change.Old, held)
		}
		if change.Old == nil && change.New != nil && held != nil && !slices.Equal(held, change.New) {
			s.wrong = fmt.Sprintf("the row %s is replaced without a word of its old one, %v", change.Key, held)
		}
		delete(s.rows, change.Key)
		if change.New != nil {
			s.rows[change.Key] = change.New
		}
	}
}
