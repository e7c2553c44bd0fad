package sqlitefeed

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// PartChanges is partChanges, for the conformance suite.
const PartChanges = partChanges

// partsSink counts what comes in parts and keeps none of it.
type partsSink struct {
	t        *testing.T
	starts   []string
	parts    int
	changes  int
	position feed.Position
	open     bool
	// measured is the largest heap after a part.
	measured uint64
	// onPart is called with each part; it may be nil.
	onPart func(n int)
}

func (s *partsSink) Start(_ string, head feed.Position, reason string) {
	s.starts = append(s.starts, reason)
	s.position, s.open, s.parts, s.changes = head, false, 0, 0
}
func (s *partsSink) Advance(p feed.Position) { s.position = p }
func (s *partsSink) Stall(string)            {}

func (s *partsSink) Commit(c *feed.Commit) {
	if len(c.Changes) == 0 || len(c.Changes) > partChanges+1 {
		s.t.Errorf("a part has %d changes", len(c.Changes))
	}
	if s.open && c.Position != s.position || c.Position < s.position {
		s.t.Errorf("a part has position %d after %d", c.Position, s.position)
	}
	s.position, s.open = c.Position, c.More
	s.parts++
	s.changes += len(c.Changes)
	if s.parts%10 == 0 {
		s.measured = max(s.measured, heap())
	}
	if s.onPart != nil {
		s.onPart(s.parts)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// newFollower returns a follower that the test polls by hand.
func newFollower(t *testing.T, s *Source, sink feed.Sink, tables ...*schema.Table) *follower {
	t.Helper()
	if err := s.Setup(context.Background(), tables); err != nil {
		t.Fatal(err)
	}
	r := &follower{source: s, file: s.file, tables: tables, sink: sink, nextCheck: time.Now().Add(time.Hour)}
	if err := r.open(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.conn.close() })
	look(t, r)
	return r
}

func look(t *testing.T, r *follower) {
	t.Helper()
	if _, err := r.poll(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestLargeTransaction feeds one of two hundred thousand rows, while no more
// than a few parts of it are in memory.
func TestLargeTransaction(t *testing.T) {
	rows := 200_000
	if underRace {
		rows = 12 * partChanges
	}
	s, db := newTrimmed(t, time.Hour, 10_000_000)
	sink := &partsSink{t: t}
	if _, err := db.Exec("CREATE TABLE large (id INTEGER PRIMARY KEY, note TEXT)"); err != nil {
		t.Fatal(err)
	}
	large := &schema.Table{Name: "large", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "note", Kind: schema.Text}}}
	r := newFollower(t, s, sink, large)
	before := heap()
	_, err := db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO large SELECT i, 'a note of some length, so that rows weigh something: ' || i FROM n`, rows)
	if err != nil {
		t.Fatal(err)
	}
	look(t, r)
	if sink.changes != rows || sink.open || sink.position != r.last || sink.parts < rows/partChanges {
		t.Errorf("fed %d changes in %d parts through %d, open: %t", sink.changes, sink.parts, sink.position, sink.open)
	}
	// All rows together take some 60 MB.
	if grown := int64(sink.measured) - int64(before); grown > 16<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
}

// TestLargeRows ends parts by the size of their rows.
func TestLargeRows(t *testing.T) {
	s, db := newTrimmed(t, time.Hour, 1000)
	sink := &partsSink{t: t}
	if _, err := db.Exec("CREATE TABLE large (id INTEGER PRIMARY KEY, note TEXT)"); err != nil {
		t.Fatal(err)
	}
	large := &schema.Table{Name: "large", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "note", Kind: schema.Text}}}
	r := newFollower(t, s, sink, large)
	if _, err := db.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO large SELECT i, ? FROM n", strings.Repeat("x", partBytes/8)); err != nil {
		t.Fatal(err)
	}
	look(t, r)
	if sink.changes != 50 || sink.parts < 6 || sink.open {
		t.Errorf("fed %d changes in %d parts", sink.changes, sink.parts)
	}
}

// TestTornCommit fails between two parts: the feed starts again after what the
// commit did.
func TestTornCommit(t *testing.T) {
	s, db := newTrimmed(t, time.Hour, 1_000_000)
	ctx, cancel := context.WithCancel(context.Background())
	sink := &partsSink{t: t, onPart: func(int) { cancel() }}
	r := newFollower(t, s, sink, trimmed)
	insert(t, db, 3*partChanges)
	if _, err := r.poll(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("poll: %v", err)
	}
	if !sink.open || sink.parts == 0 {
		t.Fatalf("fed %d parts, open: %t", sink.parts, sink.open)
	}
	look(t, r)
	if len(sink.starts) != 2 || !strings.Contains(sink.starts[1], "could not be read to its end") || sink.position != 3*partChanges {
		t.Errorf("started because %q at %d", sink.starts, sink.position)
	}
	insert(t, db, 1)
	look(t, r)
	if len(sink.starts) != 2 || sink.changes != 1 {
		t.Errorf("after the start fed %d changes, started because %q", sink.changes, sink.starts)
	}
}

// TestConflictsInParts lets rows stand in the way by the thousand, of which
// only those that were displaced are deleted.
func TestConflictsInParts(t *testing.T) {
	const rows = partChanges + partChanges/4
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.Join(t.TempDir(), "app.db")}).String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE u (a INTEGER, b BLOB, name INTEGER UNIQUE, PRIMARY KEY (a, b)) WITHOUT ROWID"); err != nil {
		t.Fatal(err)
	}
	users := &schema.Table{Name: "u", Columns: []schema.Column{
		{Name: "(a,b)", Kind: schema.Tuple, Parts: []int{1, 2}}, {Name: "a", Kind: schema.Int}, {Name: "b", Kind: schema.Bytes}, {Name: "name", Kind: schema.Int},
	}}
	s := New(db, WithLogger(slog.New(slog.DiscardHandler)))
	defer s.Close()
	state := make(map[schema.Value]schema.Row)
	sink := &stateSink{state: state}
	r := newFollower(t, s, sink, users)
	const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
	for _, statement := range []string{
		numbers + "INSERT INTO u SELECT i, zeroblob(i % 2), i FROM n",
		numbers + "INSERT OR IGNORE INTO u SELECT -i, x'00', i FROM n",
		numbers + "INSERT OR REPLACE INTO u SELECT -i, x'', i FROM n WHERE i % 100 = 0",
	} {
		if _, err := db.Exec(statement, rows); err != nil {
			t.Fatal(err)
		}
		look(t, r)
	}
	var held int
	if err := db.QueryRow("SELECT count(*) FROM u").Scan(&held); err != nil || held != len(state) || held != rows {
		t.Errorf("the table has %d rows, fed %d: %v", held, len(state), err)
	}
	for _, row := range state {
		if name := row[3].Int(); (name%100 == 0) != (row[1].Int() < 0) {
			t.Fatalf("fed %v", row)
		}
	}
}

// stateSink keeps the rows of one table.
type stateSink struct{ state map[schema.Value]schema.Row }

func (*stateSink) Start(string, feed.Position, string) {}
func (*stateSink) Advance(feed.Position)               {}
func (*stateSink) Stall(string)                        {}
func (s *stateSink) Commit(c *feed.Commit) {
	for _, change := range c.Changes {
		if change.New == nil {
			delete(s.state, change.Key)
		} else {
			s.state[change.Key] = change.New
		}
	}
}
