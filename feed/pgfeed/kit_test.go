package pgfeed_test

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/schema"
)

// freshDB is a fresh database of the shared server, and its URL.
func freshDB(t testing.TB, statements ...string) (db *sql.DB, dsn string) {
	t.Helper()
	dsn = servers.Database(t)
	db = openDB(t, dsn)
	execAll(t, db, statements...)
	return db, dsn
}

func execAll(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// openSource returns a source of a URL that the test's end closes.
func openSource(t testing.TB, dsn string, opts ...pgfeed.Option) *pgfeed.Source {
	t.Helper()
	source, err := pgfeed.Open(dsn, append([]pgfeed.Option{quiet}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return source
}

// as is the URL for another role.
func as(t testing.TB, dsn, role string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	return u.String()
}

// declare declares a table by its columns, "name kind", of which the first is the
// key; a ? after the kind lets it be NULL, a ! has it compared.
func declare(name string, columns ...string) *schema.Table {
	table := &schema.Table{Name: name}
	for _, text := range columns {
		column, rest, _ := strings.Cut(text, " ")
		c := schema.Column{Name: column, Nullable: strings.HasSuffix(rest, "?"), Compared: strings.HasSuffix(rest, "!")}
		for kind := schema.Bool; kind <= schema.JSON; kind++ {
			if kind.String() == strings.TrimRight(rest, "?!") {
				c.Kind = kind
			}
		}
		table.Columns = append(table.Columns, c)
	}
	return table
}
