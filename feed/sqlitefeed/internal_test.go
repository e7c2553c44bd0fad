package sqlitefeed

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

var trimmed = &schema.Table{Name: "t", Columns: []schema.Column{{Name: "id", Kind: schema.Int}}}

// newTrimmed returns a set-up source and a handle that writes its database.
func newTrimmed(t *testing.T, age time.Duration, rows int64) (*Source, *sql.DB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "_pragma=busy_timeout(30000)"}).String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	s := New(db, WithRetention(age, rows), WithLogger(slog.New(slog.DiscardHandler)))
	if err := s.Setup(context.Background(), []*schema.Table{trimmed}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		db.Close()
	})
	return s, db
}

// insert adds n rows in one transaction.
func insert(t *testing.T, db *sql.DB, n int) {
	t.Helper()
	_, err := db.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO t SELECT (SELECT coalesce(max(id), 0) FROM t) + i FROM n", n)
	if err != nil {
		t.Fatal(err)
	}
}

// logged returns how many rows the log has, and trimmed-through.
func logged(t *testing.T, db *sql.DB) (rows, through int64) {
	t.Helper()
	if err := db.QueryRow("SELECT (SELECT count(*) FROM pando_log), trimmed FROM pando_meta").Scan(&rows, &through); err != nil {
		t.Fatal(err)
	}
	return rows, through
}

func TestTrim(t *testing.T) {
	const all = 2*trimBatch + 500
	for _, c := range []struct {
		name    string
		age     time.Duration
		rows    int64
		read    feed.Position
		after   time.Duration
		through int64
	}{
		{"young and few", time.Hour, all, all, time.Minute, 0},
		{"too many", time.Hour, 300, all, 0, all - 300},
		{"too old", time.Hour, all, all, 2 * time.Hour, all},
		{"unread", time.Hour, 10, 1200, 2 * time.Hour, 1200},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, db := newTrimmed(t, c.age, c.rows)
			insert(t, db, all)
			if err := s.trim(context.Background(), s.file, c.read, time.Now().Add(c.after)); err != nil {
				t.Fatal(err)
			}
			rows, through := logged(t, db)
			if through != c.through || rows != all-c.through {
				t.Errorf("trimmed through %d, %d rows left, want through %d", through, rows, c.through)
			}
			insert(t, db, 1)
			if head, err := s.Head(context.Background()); err != nil || head != all+1 {
				t.Errorf("after trimming the numbers go on with %d: %v", head, err)
			}
		})
	}
}

// starts is a sink that counts.
type starts struct {
	mu      sync.Mutex
	reasons []string
}

func (s *starts) Start(_ string, _ feed.Position, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reasons = append(s.reasons, reason)
}
func (*starts) Commit(*feed.Commit)   {}
func (*starts) Advance(feed.Position) {}
func (*starts) Stall(string)          {}

// TestTrimmedPastReader polls by hand, so that the reader lags behind.
func TestTrimmedPastReader(t *testing.T) {
	ctx := context.Background()
	s, db := newTrimmed(t, time.Hour, 10)
	sink := &starts{}
	r := &follower{source: s, file: s.file, tables: s.tables, sink: sink}
	if err := r.open(ctx); err != nil {
		t.Fatal(err)
	}
	defer r.conn.close()
	look := func() {
		t.Helper()
		if _, err := r.poll(ctx); err != nil {
			t.Fatal(err)
		}
	}
	look()
	insert(t, db, 50)
	if err := s.trim(ctx, s.file, 100, time.Now()); err != nil { // another process has read it
		t.Fatal(err)
	}
	look()
	insert(t, db, 5)
	look()
	if len(sink.reasons) != 2 || !strings.Contains(sink.reasons[1], "trimmed") {
		t.Errorf("started because %q", sink.reasons)
	}
	if r.last != 55 {
		t.Errorf("read through %d", r.last)
	}
}

// TestDroppedForGood ends Run with an error that names what is missing.
func TestDroppedForGood(t *testing.T) {
	s, db := newTrimmed(t, time.Hour, 10)
	s.patience = time.Millisecond
	if _, err := db.Exec("DROP TABLE t"); err != nil {
		t.Fatal(err)
	}
	err := s.Run(context.Background(), &starts{})
	if err == nil || !strings.Contains(err.Error(), `table "t" does not exist`) {
		t.Errorf("Run: %v", err)
	}
}

// TestQueryPlans wants every read by a key or an indexed link to use the
// index.
func TestQueryPlans(t *testing.T) {
	ctx := context.Background()
	s, db := newTrimmed(t, time.Hour, 10)
	if _, err := db.Exec(`CREATE TABLE wide (id INTEGER PRIMARY KEY, k TEXT UNIQUE, u TEXT UNIQUE, raw BLOB UNIQUE, parent INTEGER); CREATE INDEX by_parent ON wide (parent)`); err != nil {
		t.Fatal(err)
	}
	table := &schema.Table{Name: "wide", Columns: []schema.Column{
		{Name: "id", Kind: schema.Int}, {Name: "k", Kind: schema.Text}, {Name: "u", Kind: schema.UUID}, {Name: "raw", Kind: schema.Bytes}, {Name: "parent", Kind: schema.Int},
	}}
	c, err := s.file.acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.file.release(c, nil)
	values := []schema.Value{schema.IntValue(1), schema.TextValue("k"), uuidValue(t), schema.BytesValue([]byte("raw")), schema.IntValue(1)}
	for i, v := range values {
		q := feed.Query{Table: table, Column: i, Values: []schema.Value{v}}
		s, err := newSelection(&q, func(int, aspect) (storage, error) { return storage{form: canonical}, nil })
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		err = c.query(ctx, "EXPLAIN QUERY PLAN "+s.sql(), s.args, func(row []driver.Value) error {
			plan = append(plan, fmt.Sprint(row[3]))
			return nil
		})
		if err != nil || len(plan) == 0 || !strings.HasPrefix(plan[0], "SEARCH wide USING") {
			t.Errorf("by %s: %q %v", table.Columns[i].Name, plan, err)
		}
	}
}

func uuidValue(t *testing.T) schema.Value {
	v, err := schema.UUID.FromDriver("f47ac10b-58cc-4372-a567-0e02b2c3d479")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestUUIDForms finds rows by UUIDs however they are stored.
func TestUUIDForms(t *testing.T) {
	s, db := newTrimmed(t, time.Hour, 10)
	table := &schema.Table{Name: "u", Columns: []schema.Column{{Name: "id", Kind: schema.UUID}}}
	if _, err := db.Exec(`CREATE TABLE u (id PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	if err := s.Setup(context.Background(), []*schema.Table{table}); err != nil {
		t.Fatal(err)
	}
	for _, stored := range []any{
		"f47ac10b-58cc-4372-a567-0e02b2c3d479", "F47AC10B-58CC-4372-A567-0E02B2C3D479", "f47ac10b58cc4372a5670e02b2c3d479",
		[]byte{0xf4, 0x7a, 0xc1, 0x0b, 0x58, 0xcc, 0x43, 0x72, 0xa5, 0x67, 0x0e, 0x02, 0xb2, 0xc3, 0xd4, 0x79},
	} {
		if _, err := db.Exec("DELETE FROM u"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("INSERT INTO u VALUES (?)", stored); err != nil {
			t.Fatal(err)
		}
		snapshot, err := s.Snapshot(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		err = snapshot.Rows(context.Background(), feed.Query{Table: table, Values: []schema.Value{uuidValue(t)}}, func(row schema.Row) error {
			found++
			return nil
		})
		if err != nil || found != 1 {
			t.Errorf("%T %v: found %d rows: %v", stored, stored, found, err)
		}
		if err := snapshot.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestMisfitReportedOnce logs a column whose values do not fit, not each row.
func TestMisfitReportedOnce(t *testing.T) {
	var log strings.Builder
	s := New(nil, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	for range 3 {
		row := s.canonicalRow(&schema.Table{Name: "t", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "n", Kind: schema.Int}}}, []driver.Value{int64(1), "many"}, nil)
		if !row[1].IsNull() {
			t.Errorf("a misfit is shown as %v", row[1])
		}
	}
	if n := strings.Count(log.String(), "column=t.n"); n != 1 {
		t.Errorf("reported %d times: %s", n, log.String())
	}
}

// Woken takes the hint that a commit is near, if there is one.
func Woken(s *Source) bool {
	select {
	case <-s.wake:
		return true
	default:
		return false
	}
}

// TestTrimClaims forgets claims only after they were kept long enough.
func TestTrimClaims(t *testing.T) {
	ctx := context.Background()
	s, db := newTrimmed(t, time.Hour, 10)
	now := time.Now()
	const old = trimBatch + 10
	if _, err := db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO pando_claims (owner, key, print, at) SELECT 'ann', i, '', ? FROM n`, old, now.Unix()-feed.ClaimsKept-1); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO pando_claims (owner, key, print, at) VALUES ('ann', 'kept', '', ?)", now.Unix()-feed.ClaimsKept); err != nil {
		t.Fatal(err)
	}
	if err := s.trim(ctx, s.file, 0, now); err != nil {
		t.Fatal(err)
	}
	var keys string
	if err := db.QueryRow("SELECT group_concat(key) FROM pando_claims").Scan(&keys); err != nil || keys != "kept" {
		t.Errorf("left are %.40q: %v", keys, err)
	}
}
