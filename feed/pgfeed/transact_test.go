package pgfeed_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/schema"
)

// accounts is a table with every sort of constraint.
var accounts = declare("accounts", "id int", "name text?", "size int?", "mood text?", "list_id int?", "code text?", "at time?")

// accountStatements create it, with a trigger that refuses the name "forbidden".
var accountStatements = []string{
	"CREATE TYPE mood AS ENUM ('happy', 'sad')",
	`CREATE TABLE accounts (id bigserial PRIMARY KEY, name text NOT NULL UNIQUE, size smallint CHECK (size > 0), mood mood,
		list_id bigint REFERENCES accounts (id), code varchar(3), at timestamptz(0))`,
	"CREATE UNIQUE INDEX lower_names ON accounts (lower(name))",
	`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.name = 'forbidden' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$`,
	"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION refuse()",
}

// accountSource is a source over the table with two rows.
func accountSource(t *testing.T) (source *pgfeed.Source, db *sql.DB) {
	t.Helper()
	db, dsn := freshDB(t, accountStatements...)
	execAll(t, db, "INSERT INTO accounts (name) VALUES ('a'), ('b')")
	source = openSource(t, dsn)
	if err := source.Setup(t.Context(), []*schema.Table{accounts}); err != nil {
		t.Fatal(err)
	}
	return source, db
}

// set names columns of accounts.
func set(values map[string]schema.Value) (all []feed.Assignment) {
	for i, c := range accounts.Columns {
		if v, ok := values[c.Name]; ok {
			all = append(all, feed.Assignment{Column: i, Value: v})
		}
	}
	return all
}

func beginTx(t *testing.T, source *pgfeed.Source) feed.Tx {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	tx, err := source.Begin(ctx)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tx.Rollback(); err != nil {
			t.Errorf("Rollback at the end: %v", err)
		}
		cancel()
	})
	return tx
}

// TestRefusals tells what a database refuses, and of which column.
func TestRefusals(t *testing.T) {
	source, _ := accountSource(t)
	for name, c := range map[string]struct {
		values map[string]schema.Value
		want   feed.Constraint
		column string
	}{
		"unique":              {map[string]schema.Value{"name": text("a")}, feed.Unique, "name"},
		"unique expression":   {map[string]schema.Value{"name": text("A")}, feed.Unique, ""},
		"key":                 {map[string]schema.Value{"id": number(2), "name": text("c")}, feed.Unique, "id"},
		"missing":             {map[string]schema.Value{"size": number(1)}, feed.NotNull, "name"},
		"check":               {map[string]schema.Value{"name": text("c"), "size": number(0)}, feed.Check, ""},
		"out of range":        {map[string]schema.Value{"name": text("c"), "size": number(70000)}, feed.Check, ""},
		"no label":            {map[string]schema.Value{"name": text("c"), "mood": text("angry")}, feed.Check, ""},
		"too long":            {map[string]schema.Value{"name": text("c"), "code": text("long")}, feed.Check, ""},
		"foreign key":         {map[string]schema.Value{"name": text("c"), "list_id": number(99)}, feed.ForeignKey, ""},
		"trigger":             {map[string]schema.Value{"name": text("forbidden")}, feed.Check, ""},
		"a text with NUL":     {map[string]schema.Value{"name": text("a\x00b")}, feed.Check, "name"},
		"a text of bad UTF-8": {map[string]schema.Value{"name": text("a\xff")}, feed.Check, "name"},
	} {
		t.Run(name, func(t *testing.T) {
			tx := beginTx(t, source)
			_, err := tx.Insert(t.Context(), accounts, set(c.values))
			met, ok := errors.AsType[*feed.ConstraintError](err)
			if !ok {
				t.Fatalf("Insert: %v, want a *feed.ConstraintError", err)
			}
			column := ""
			if met.Column >= 0 {
				column = accounts.Columns[met.Column].Name
			}
			if met.Constraint != c.want || column != c.column {
				t.Errorf("constraint %d of %q: %v; want %d of %q", met.Constraint, column, err, c.want, c.column)
			}
		})
	}
}

// TestCutTimes cuts a time to what its column can tell, which PostgreSQL rounds.
func TestCutTimes(t *testing.T) {
	source, _ := accountSource(t)
	tx := beginTx(t, source)
	late := schema.TimeValue(time.Date(2026, 1, 2, 3, 4, 5, 999_999_000, time.UTC))
	key, err := tx.Insert(t.Context(), accounts, set(map[string]schema.Value{"name": text("c"), "at": late}))
	if err != nil {
		t.Fatal(err)
	}
	rows := byKey(t, feed.Query{Table: accounts, Values: []schema.Value{key}}, func(q feed.Query, fn func(schema.Row) error) error {
		return tx.Rows(t.Context(), q, feed.Shared, fn)
	})
	if got := rows[key][6]; got.Str() != "2026-01-02T03:04:05.000000Z" {
		t.Errorf("the time is %s", got)
	}
}

// TestDeadlock has two transactions wait for each other: one of them is rolled
// back for certain, and the other goes on.
func TestDeadlock(t *testing.T) {
	source, db := accountSource(t)
	txs := []feed.Tx{beginTx(t, source), beginTx(t, source)}
	name := func(s string) []feed.Assignment { return set(map[string]schema.Value{"code": text(s)}) }
	for i, tx := range txs {
		if err := tx.Update(t.Context(), accounts, number(int64(i+1)), name("x")); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 2)
	for i, tx := range txs {
		go func() {
			err := tx.Update(context.Background(), accounts, number(int64(2-i)), name("y"))
			if err != nil {
				err = errors.Join(err, tx.Rollback())
			} else {
				err = tx.Commit()
			}
			ended <- err
		}()
	}
	first, second := <-ended, <-ended
	if (first == nil) == (second == nil) {
		t.Fatalf("of two that wait for each other: %v, %v", first, second)
	}
	if err := errors.Join(first, second); !errors.Is(err, feed.ErrRolledBack) {
		t.Errorf("the one that was rolled back: %v", err)
	}
	if n := count(t, db, "SELECT count(*) FROM accounts WHERE code = 'y'"); n != 1 {
		t.Errorf("%d rows were changed by both, want 1", n)
	}
}

// TestCommitOfAFailedTransaction commits what a statement has failed in.
func TestCommitOfAFailedTransaction(t *testing.T) {
	source, _ := accountSource(t)
	tx := beginTx(t, source)
	if _, err := tx.SQL().Exec("SELECT 1 / 0"); err == nil {
		t.Fatal("no error")
	}
	if err := tx.Commit(); !errors.Is(err, feed.ErrRolledBack) {
		t.Errorf("Commit: %v, want to know that it was rolled back", err)
	}
}

// TestLostConnection commits when the server has ended the connection: nothing is
// known of the transaction.
func TestLostConnection(t *testing.T) {
	source, db := accountSource(t)
	tx := beginTx(t, source)
	var process int
	if err := tx.SQL().QueryRow("SELECT pg_backend_pid()").Scan(&process); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Insert(t.Context(), accounts, set(map[string]schema.Value{"name": text("lost")})); err != nil {
		t.Fatal(err)
	}
	execAll(t, db, fmt.Sprintf("SELECT pg_terminate_backend(%d, 30000)", process))
	if err := tx.Commit(); err == nil || errors.Is(err, feed.ErrRolledBack) {
		t.Errorf("Commit: %v, want an error after which nothing is known", err)
	}
	if n := count(t, db, "SELECT count(*) FROM accounts WHERE name = 'lost'"); n != 0 {
		t.Error("it was committed")
	}
}

// TestIsolation has the handle's transactions be serializable by default: those of
// Begin are not, and see what was committed meanwhile.
func TestIsolation(t *testing.T) {
	db, dsn := freshDB(t, accountStatements...)
	execAll(t, db, "INSERT INTO accounts (name) VALUES ('a')", "ALTER DATABASE "+databaseName(dsn)+" SET default_transaction_isolation = 'serializable'")
	source := openSource(t, dsn)
	if err := source.Setup(t.Context(), []*schema.Table{accounts}); err != nil {
		t.Fatal(err)
	}
	tx := beginTx(t, source)
	one := feed.Query{Table: accounts, Values: []schema.Value{number(1)}}
	read := func() string {
		return byKey(t, one, func(q feed.Query, fn func(schema.Row) error) error {
			return tx.Rows(t.Context(), q, feed.Exclusive, fn)
		})[number(1)][1].Str()
	}
	if _, err := tx.SQL().Exec("SELECT count(*) FROM accounts"); err != nil {
		t.Fatal(err)
	}
	execAll(t, db, "UPDATE accounts SET name = 'b'")
	if got := read(); got != "b" {
		t.Errorf("a transaction reads %q, want what was committed before it locks", got)
	}
	if err := tx.Update(t.Context(), accounts, number(1), set(map[string]schema.Value{"name": text("c")})); err != nil {
		t.Error(err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
}

// TestReplacedRow locks a row that another transaction is about to have deleted and
// inserted anew: it was there all the time.
func TestReplacedRow(t *testing.T) {
	source, db := accountSource(t)
	other, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback() // for a test that has failed
	for _, statement := range []string{"DELETE FROM accounts WHERE id = 2", "INSERT INTO accounts (id, name) VALUES (2, 'anew')"} {
		if _, err := other.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	tx := beginTx(t, source)
	var process int
	if err := tx.SQL().QueryRow("SELECT pg_backend_pid()").Scan(&process); err != nil {
		t.Fatal(err)
	}
	read := make(chan map[schema.Value]schema.Row)
	go func() {
		defer close(read)
		q := feed.Query{Table: accounts, Values: []schema.Value{number(1), number(2), number(3)}}
		read <- byKey(t, q, func(q feed.Query, fn func(schema.Row) error) error {
			return tx.Rows(context.Background(), q, feed.Exclusive, fn)
		})
	}()
	for count(t, db, fmt.Sprintf("SELECT count(*) FROM pg_locks WHERE pid = %d AND NOT granted", process)) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("the read does not wait")
		}
	}
	if err := other.Commit(); err != nil {
		t.Fatal(err)
	}
	rows := <-read
	if len(rows) != 2 || rows[number(2)] == nil || rows[number(2)][1].Str() != "anew" {
		t.Errorf("read %v, want the row as it is now and the other one", rows)
	}
}

// TestAuthorsSettings reads within a transaction whose session writes otherwise,
// and leaves the author's statements as they are.
func TestAuthorsSettings(t *testing.T) {
	source, _ := accountSource(t)
	tx := beginTx(t, source)
	show := func() (zone, style string) {
		if err := tx.SQL().QueryRow("SELECT current_setting('TimeZone'), current_setting('DateStyle')").Scan(&zone, &style); err != nil {
			t.Fatal(err)
		}
		return zone, style
	}
	if _, err := tx.SQL().Exec("SET TIME ZONE 'Asia/Kolkata'; SET LOCAL datestyle = 'German, DMY'"); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.SQL().Exec("UPDATE accounts SET at = '2026-01-02 03:04:05Z'"); err != nil {
		t.Fatal(err)
	}
	rows := byKey(t, feed.Query{Table: accounts, Values: []schema.Value{number(1)}}, func(q feed.Query, fn func(schema.Row) error) error {
		return tx.Rows(t.Context(), q, feed.Shared, fn)
	})
	if got := rows[number(1)][6]; got.Str() != "2026-01-02T03:04:05.000000Z" {
		t.Errorf("the time is %s", got)
	}
	if zone, style := show(); zone != "Asia/Kolkata" || style != "German, DMY" {
		t.Errorf("the author's settings are %s and %s", zone, style)
	}
}

// TestClaimsAreForgotten claims after some are old, while another transaction has
// one of them.
func TestClaimsAreForgotten(t *testing.T) {
	source, db := accountSource(t)
	execAll(t, db, fmt.Sprintf("INSERT INTO pando.claims SELECT 'ann', i::text, '', '', now() - interval '%d seconds' FROM generate_series(1, 20) i", feed.ClaimsKept+5),
		"INSERT INTO pando.claims VALUES ('ann', 'young', '', 'reply', now() - interval '10 seconds')")
	held, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer held.Rollback()
	if _, err := held.Exec("SELECT * FROM pando.claims WHERE key = '7' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	tx := beginTx(t, source)
	reply, done, err := tx.Claim(t.Context(), feed.Claim{Owner: "ann", Key: "young"})
	if !done || string(reply) != "reply" || err != nil {
		t.Errorf("the young claim: %q %t %v", reply, done, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "SELECT count(*) FROM pando.claims WHERE key <> 'young'"); n != 1 {
		t.Errorf("%d old claims are left, want the one that is held", n)
	}
	// Keys that the database cannot hold are claimed, too.
	odd := feed.Claim{Owner: "nul \x00", Key: strings.Repeat("\xff", 10), Print: "p"}
	for _, want := range []bool{false, true} {
		tx := beginTx(t, source)
		if _, done, err := tx.Claim(t.Context(), odd); done != want || err != nil {
			t.Errorf("an odd claim: %t %v, want %t", done, err, want)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBeginWaitsForAConnection gives up when the context ends.
func TestBeginWaitsForAConnection(t *testing.T) {
	db, dsn := freshDB(t, accountStatements...)
	narrow := openDB(t, dsn)
	narrow.SetMaxOpenConns(1)
	source := pgfeed.New(narrow, dsn, quiet)
	defer func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := source.Setup(t.Context(), []*schema.Table{accounts}); err != nil {
		t.Fatal(err)
	}
	tx := beginTx(t, source)
	ctx, cancel := context.WithCancel(context.Background())
	waited := make(chan error)
	go func() {
		_, err := source.Begin(ctx)
		waited <- err
	}()
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("Begin: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	beginTx(t, source)
	if n := count(t, db, "SELECT count(*) FROM accounts"); n != 0 {
		t.Errorf("%d rows", n)
	}
}
