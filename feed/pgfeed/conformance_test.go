package pgfeed_test

import (
	"database/sql"
	"log/slog"
	"testing"

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
	Serial:     "bigserial PRIMARY KEY",
	Numbered:   true,
	Concurrent: true,
	Restless:   true,
	Lasting:    true,
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
