package pgfeed_test

import (
	"database/sql"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

// quiet drops the warnings that tests provoke.
var quiet = pgfeed.WithLogger(slog.New(slog.DiscardHandler))

var dialect = feedtest.Dialect{
	Types: map[schema.Kind]string{
		schema.Bool: "boolean", schema.Int: "bigint", schema.Float: "double precision", schema.Text: "text",
		schema.UUID: "uuid", schema.Time: "timestamptz", schema.Bytes: "bytea", schema.JSON: "jsonb",
	},
	Serial: "bigserial PRIMARY KEY",
	Values: map[schema.Kind][]any{
		schema.Float: {math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64},
		schema.Time: {
			"infinity", "-infinity", "9999-12-31 23:59:59.999999Z", "20000-01-01", "0001-01-01 00:00:00Z BC", "0044-03-15 BC",
			"0001-06-01 12:00:00Z BC", "1800-01-01 00:00:00",
		},
	},
	Unstorable: func(v schema.Value) bool { return v.Kind() == schema.Text && strings.ContainsRune(v.Str(), 0) },
	Times: map[string]func(time.Time) any{
		"an instant": func(t time.Time) any { return t },
		"a text":     func(t time.Time) any { return t.Format(time.RFC3339Nano) },
	},
	Numbered:   true,
	Concurrent: true,
	Restless:   true,
	Lasting:    true,
	Lossy:      rebuild,
}

// harness is a fresh database of the shared server.
func harness(t testing.TB) feedtest.Harness {
	url := servers.Database(t)
	return feedtest.Harness{
		DB: openDB(t, url),
		Open: func(t testing.TB) feed.Source {
			source, err := pgfeed.Open(url, quiet)
			if err != nil {
				t.Fatal(err)
			}
			return source
		},
		Dialect: dialect,
		Large:   pgfeed.PartRows * 3 / 2,
	}
}

func openDB(t testing.TB, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestConformance(t *testing.T) { feedtest.Run(t, harness) }

func TestWriter(t *testing.T) { feedtest.RunWriter(t, harness) }

// rebuild makes a table anew, as some migrations do.
func rebuild(t testing.TB, db *sql.DB, table string) {
	t.Helper()
	execAll(t, db, "BEGIN; ALTER TABLE children DROP CONSTRAINT children_item_id_fkey; CREATE TABLE rebuilt (LIKE "+table+" INCLUDING ALL); INSERT INTO rebuilt SELECT * FROM "+table+
		"; UPDATE rebuilt SET name = 'unseen'; DROP TABLE "+table+"; ALTER TABLE rebuilt RENAME TO "+table+"; COMMIT")
}

// TestPoolWriter runs what a handle takes part in on a pool of pgx.
func TestPoolWriter(t *testing.T) {
	feedtest.RunWriterOnly(t, func(t testing.TB) feedtest.Harness {
		url := servers.Database(t)
		h := feedtest.Harness{DB: openDB(t, url), Dialect: dialect}
		h.Open = func(t testing.TB) feed.Source {
			pool, err := pgxpool.New(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			return pgfeed.FromPool(pool, quiet)
		}
		return h
	}, "RoundTrip", "Constraints", "ContextEnd", "Locks", "Claims")
}
