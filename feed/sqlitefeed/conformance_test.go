package sqlitefeed_test

import (
	"database/sql"
	"log/slog"
	"math"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"modernc.org/sqlite"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quiet drops the warnings that tests provoke.
var quiet = sqlitefeed.WithLogger(slog.New(slog.DiscardHandler))

var dialect = feedtest.Dialect{
	Types: map[schema.Kind]string{
		schema.Bool: "BOOLEAN", schema.Int: "INTEGER", schema.Float: "REAL", schema.Text: "TEXT",
		schema.UUID: "TEXT", schema.Time: "DATETIME", schema.Bytes: "BLOB", schema.JSON: "TEXT",
	},
	Serial:  "INTEGER PRIMARY KEY",
	Replace: true,
	Lossy:   rebuild,
	Values: map[schema.Kind][]any{
		schema.Bool:  {int64(1), "true", "t", "1", "nonsense", 0.5, int64(2)},
		schema.Int:   {"12", "+12", "012", 3.0, "nonsense", 1.5, []byte("7"), float64(1 << 60), 1e300},
		schema.Float: {int64(3), int64(1)<<53 + 1, "nonsense", "1e400", "2.5", math.Inf(1), math.Inf(-1), math.NaN(), math.Copysign(0, -1)},
		schema.Text:  {int64(5), 1.25, []byte{'a', 0, 'b'}, []byte{}, "nul \x00 inside", "bad \xff utf8 \xc3", "nul \x00 bad \xff", "truncated \xe2\x82"},
		schema.UUID:  {[]byte("0123456789abcdef"), "f47ac10b58cc4372a5670e02b2c3d479", "F47AC10B58CC4372A5670E02B2C3D479", "F47ac10b-58cc-4372-a567-0e02b2c3d479", "nonsense"},
		schema.Time:  {int64(1_700_000_000), int64(1_700_000_000_123), 1.5, "2026-01-02", "2026-01-02 03:04:05.000001 +0200 EET m=+0.1", "2026-02-31T00:00:00.000000Z", "nonsense"},
		schema.Bytes: {"text", "nul \x00 inside", int64(1), ""},
		schema.JSON:  {int64(1), 1.5, "not json", `{"a":1,"a":2}`, ` { "b" : 1.0 , "a" : 1e2 } `, []byte(`{"a":1}`)},
	},
	Times: map[string]func(time.Time) any{
		"canonical":         func(t time.Time) any { return t.Format(schema.TimeFormat) },
		"CURRENT_TIMESTAMP": func(t time.Time) any { return t.Format(time.DateTime) },
		"CURRENT_DATE":      func(t time.Time) any { return t.Format(time.DateOnly) },
		"milliseconds":      func(t time.Time) any { return t.Format("2006-01-02T15:04:05.000Z") },
		"RFC 3339":          func(t time.Time) any { return t.Format(time.RFC3339) },
		"unixepoch":         func(t time.Time) any { return t.Unix() },
		"Date.now":          func(t time.Time) any { return t.AddDate(100, 0, 0).UnixMilli() }, // small ones count seconds
		"no one's":          func(t time.Time) any { return t.String() },
	},
}

func TestConformance(t *testing.T) {
	feedtest.Run(t, func(t testing.TB) feedtest.Harness {
		path := filepath.Join(t.TempDir(), "app.db")
		return feedtest.Harness{
			DB:      openDB(t, path),
			Open:    func(t testing.TB) feed.Source { return sqlitefeed.New(openDB(t, path), quiet) },
			Dialect: dialect,
			Large:   sqlitefeed.PartChanges * 3 / 2,
		}
	})
}

func TestWriter(t *testing.T) {
	feedtest.RunWriter(t, func(t testing.TB) feedtest.Harness {
		path := filepath.Join(t.TempDir(), "app.db")
		return feedtest.Harness{
			DB:      openDB(t, path),
			Open:    func(t testing.TB) feed.Source { return sqlitefeed.New(openPlain(t, "sqlite", path), quiet) },
			Dialect: dialect,
		}
	})
}

// TestOtherDriverWrites is TestOtherDriver for transactions.
func TestOtherDriverWrites(t *testing.T) {
	feedtest.RunWriterOnly(t, func(t testing.TB) feedtest.Harness {
		path := filepath.Join(t.TempDir(), "app.db")
		return feedtest.Harness{
			DB:      openWith(t, "foreign", path),
			Open:    func(t testing.TB) feed.Source { return sqlitefeed.New(openPlain(t, "foreign", path), quiet) },
			Dialect: dialect,
		}
	}, "RoundTrip", "WrittenKeys", "Constraints", "Deferred", "ContextEnd", "Locks", "Claims")
}

// foreignDriver stands for the driver of another library: one that the
// package does not know and has no commit hook on.
type foreignDriver struct{ sqlite.Driver }

//nolint:gochecknoinits // a driver is registered once in a process
func init() { sql.Register("foreign", &foreignDriver{}) }

// TestOtherDriver runs what a driver takes part in on one that is not
// modernc's: values on their way in and out, waking, opening and closing. What
// the statements mean is SQLite's.
func TestOtherDriver(t *testing.T) {
	feedtest.RunOnly(t, func(t testing.TB) feedtest.Harness {
		path := filepath.Join(t.TempDir(), "app.db")
		db := openWith(t, "foreign", path)
		return feedtest.Harness{
			DB:      db,
			Open:    func(t testing.TB) feed.Source { return sqlitefeed.New(db, quiet) },
			Dialect: dialect,
		}
	}, "Changes", "Setup", "Kinds", "Keys", "Tuples", "Order", "TwoSources", "Restart", "Cancel")
}

// openDB opens the file as an author would.
func openDB(t testing.TB, path string) *sql.DB { return openWith(t, "sqlite", path) }

func openWith(t testing.TB, driver, path string) *sql.DB {
	t.Helper()
	return openAs(t, driver, path, "_pragma=busy_timeout(30000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)&_txlock=immediate")
}

// openPlain opens the file without waiting for locks, and without taking them
// before they are needed.
func openPlain(t testing.TB, driver, path string) *sql.DB {
	t.Helper()
	return openAs(t, driver, path, "_pragma=foreign_keys(1)")
}

func openAs(t testing.TB, driver, path, options string) *sql.DB {
	t.Helper()
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: options}
	db, err := sql.Open(driver, dsn.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// rebuild copies a table as migrations of SQLite do, which drops its triggers.
func rebuild(t testing.TB, db *sql.DB, table string) {
	t.Helper()
	db.SetMaxOpenConns(1) // one connection, so that the pragma holds
	defer db.SetMaxOpenConns(0)
	for _, statement := range []string{
		"PRAGMA foreign_keys=OFF",
		"BEGIN IMMEDIATE",
		"CREATE TABLE rebuilt (id INTEGER PRIMARY KEY, grp INTEGER NOT NULL, name TEXT, hidden TEXT)",
		"INSERT INTO rebuilt SELECT * FROM " + table,
		"UPDATE rebuilt SET name = 'unseen'",
		"DROP TABLE " + table,
		"ALTER TABLE rebuilt RENAME TO " + table,
		"COMMIT",
		"PRAGMA foreign_keys=ON",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
