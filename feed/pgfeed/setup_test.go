package pgfeed_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/schema"
)

// TestSetupRefuses has one line for each thing that cannot be followed, and what
// its message has to have.
func TestSetupRefuses(t *testing.T) {
	db, dsn := freshDB(t)
	execAll(t, db,
		"CREATE TABLE plain (id bigint PRIMARY KEY, name text, other bigint UNIQUE)",
		"CREATE TABLE keyless (id bigint, name text)",
		"CREATE TABLE uniquely (id bigint NOT NULL UNIQUE, name text)",
		"CREATE UNLOGGED TABLE unlogged (id bigint PRIMARY KEY)",
		"CREATE VIEW seen AS SELECT * FROM plain",
		"CREATE TABLE parent (id bigint PRIMARY KEY)", "CREATE TABLE child () INHERITS (parent)",
		"CREATE TABLE guarded (id bigint PRIMARY KEY)", "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY",
		"CREATE TABLE whole (id bigint PRIMARY KEY) PARTITION BY RANGE (id)", "CREATE TABLE piece PARTITION OF whole FOR VALUES FROM (0) TO (10)",
		"CREATE EXTENSION citext", "CREATE COLLATION ignoring (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
		`CREATE TABLE kinds (id bigint PRIMARY KEY, c citext, i text COLLATE ignoring, n numeric, w numeric(5), p char(3), m money, r regclass,
			j jsonb, f real, b bytea, g bigint GENERATED ALWAYS AS (id + 1) STORED, t timestamptz, a int[], u text)`,
		"CREATE ROLE reader_"+databaseName(dsn)+" LOGIN REPLICATION", "GRANT SELECT ON guarded TO reader_"+databaseName(dsn),
	)
	for name, c := range map[string]struct {
		table *schema.Table
		want  string
	}{
		"no table":                {declare("nowhere", "id int"), `table "nowhere" does not exist`},
		"no column":               {declare("plain", "id int", "nothing text"), `column "nothing" of table "plain" does not exist`},
		"no key":                  {declare("plain", "name text"), "neither the primary key nor unique"},
		"another key":             {declare("plain", "other int"), "declare the primary key as key, or"},
		"no identity":             {declare("keyless", "id int"), "neither the primary key nor unique"},
		"unique without identity": {declare("uniquely", "id int"), "REPLICA IDENTITY USING INDEX uniquely_id_key"},
		"unlogged":                {declare("unlogged", "id int"), "SET LOGGED"},
		"view":                    {declare("seen", "id int"), "is a view"},
		"inherited":               {declare("parent", "id int"), "inherit"},
		"citext compared":         {declare("kinds", "id int", "c text!"), "TYPE text"},
		"nondeterministic":        {declare("kinds", "id int", "i text!"), "collation"},
		"numeric as int":          {declare("kinds", "id int", "n int"), "declare it as float64 or, exactly, as string"},
		"numeric compared":        {declare("kinds", "id int", "n float!"), "does not compare as the float"},
		"money":                   {declare("kinds", "id int", "m text"), "TYPE numeric"},
		"regclass":                {declare("kinds", "id int", "r text"), "search_path"},
		"json compared":           {declare("kinds", "id int", "j json!"), "does not compare"},
		"bytea as text":           {declare("kinds", "id int", "b text"), "[]byte"},
		"generated":               {declare("kinds", "id int", "g int"), "generated"},
		"time as int":             {declare("kinds", "id int", "t int"), "time.Time"},
		"array as int":            {declare("kinds", "id int", "a int"), "a slice"},
		"text as uuid compared":   {declare("kinds", "id int", "u uuid!"), "does not compare as the uuid"},
		"bigint as text, a float": {declare("kinds", "id float"), "int64"},
	} {
		t.Run(name, func(t *testing.T) {
			source := openSource(t, dsn)
			err := source.Setup(t.Context(), []*schema.Table{c.table})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Setup: %v, want %q", err, c.want)
			}
			if _, err := source.Check(t.Context(), []*schema.Table{c.table}); err == nil {
				t.Error("Check accepts it")
			}
		})
	}
	t.Run("all at once", func(t *testing.T) {
		err := openSource(t, dsn).Setup(t.Context(), []*schema.Table{declare("nowhere", "id int"), declare("seen", "id int")})
		if err == nil || !strings.Contains(err.Error(), "nowhere") || !strings.Contains(err.Error(), "seen") {
			t.Errorf("Setup: %v", err)
		}
	})
	t.Run("partition and whole", func(t *testing.T) {
		err := openSource(t, dsn).Setup(t.Context(), []*schema.Table{declare("whole", "id int"), declare("piece", "id int")})
		if err == nil || !strings.Contains(err.Error(), "partition") {
			t.Errorf("Setup: %v", err)
		}
	})
	t.Run("row level security", func(t *testing.T) {
		err := openSource(t, as(t, dsn, "reader_"+databaseName(dsn))).Setup(t.Context(), []*schema.Table{declare("guarded", "id int")})
		if err == nil || !strings.Contains(err.Error(), "BYPASSRLS") {
			t.Errorf("Setup: %v", err)
		}
	})
	t.Run("twice one table", func(t *testing.T) {
		err := openSource(t, dsn).Setup(t.Context(), []*schema.Table{declare("plain", "id int"), declare("public.plain", "id int")})
		if err == nil || !strings.Contains(err.Error(), "one table") {
			t.Errorf("Setup: %v", err)
		}
	})
	if n := count(t, db, "SELECT count(*) FROM pg_namespace WHERE nspname = 'pando'"); n != 0 {
		t.Error("a Setup that refused left something")
	}
}

// TestSetupAccepts has rows be found by columns of all types that may serve.
func TestSetupAccepts(t *testing.T) {
	_, dsn := freshDB(t, "CREATE TYPE state AS ENUM ('new', 'old')", "CREATE SCHEMA other",
		`CREATE TABLE other.things (id uuid PRIMARY KEY, i smallint, f double precision, t text, c char(3), e state, d date, a timestamptz, b bytea, y boolean)`)
	things := declare("other.things", "id uuid!", "i int!", "f float!", "t text!", "c text!", "e text!", "d time!", "a time!", "b bytes!", "y bool!")
	for i := range things.Columns {
		things.Links = append(things.Links, i)
	}
	source := openSource(t, dsn)
	if err := source.Setup(t.Context(), []*schema.Table{things}); err != nil {
		t.Fatal(err)
	}
	snapshot, err := source.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	for i, v := range []schema.Value{{}, schema.IntValue(1), schema.FloatValue(-1.5), schema.TextValue("x"), schema.TextValue("x"), schema.TextValue("none")} {
		if v.IsNull() {
			continue
		}
		rows := byKey(t, feed.Query{Table: things, Column: i, Values: []schema.Value{v}}, func(q feed.Query, fn func(schema.Row) error) error {
			return snapshot.Rows(t.Context(), q, fn)
		})
		if len(rows) != 0 {
			t.Errorf("%d rows in an empty table", len(rows))
		}
	}
}

func databaseName(dsn string) string {
	name := dsn[strings.LastIndexByte(dsn, '/')+1:]
	name, _, _ = strings.Cut(name, "?")
	return name
}

func count(t testing.TB, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

var (
	itemTable    = declare("items", "id int", "name text?")
	noteTable    = declare("notes", "id int", "text text?")
	messageTable = declare("pando_messages", "id text", "topic text", "kind text", "body text", "created_at int")
)

const createItemTable = "CREATE TABLE items (id bigint PRIMARY KEY, name text)"

// TestPrintedIsWhatSetupRuns has one role run what another prints.
func TestPrintedIsWhatSetupRuns(t *testing.T) {
	db, dsn := freshDB(t, createItemTable)
	role := "app_" + databaseName(dsn)
	execAll(t, db, "CREATE ROLE "+role+" LOGIN")
	tables := []*schema.Table{itemTable, messageTable}
	app := openSource(t, as(t, dsn, role))
	if err := app.Setup(t.Context(), tables); err == nil || !strings.Contains(err.Error(), "REPLICATION") {
		t.Fatalf("Setup by a role that may nothing: %v", err)
	}
	execAll(t, db, "ALTER ROLE "+role+" REPLICATION")
	err := app.Setup(t.Context(), tables)
	if err == nil || !strings.Contains(err.Error(), "migrate --print-sql") || !strings.Contains(err.Error(), "CREATE SCHEMA") {
		t.Fatalf("Setup by a role that may not create: %v", err)
	}
	printed, err := app.Print(t.Context(), tables)
	if err != nil || len(printed) == 0 {
		t.Fatalf("Print: %q %v", printed, err)
	}
	grants, err := app.Grants(t.Context(), tables, role)
	if err != nil {
		t.Fatal(err)
	}
	execAll(t, db, append(printed, grants...)...)
	if printed, err = app.Print(t.Context(), tables); err != nil || len(printed) != 0 {
		t.Errorf("after what was printed is run: %q %v", printed, err)
	}
	if ready, err := app.Check(t.Context(), tables); !ready || err != nil {
		t.Errorf("Check: %t %v", ready, err)
	}
	if err := app.Setup(t.Context(), tables); err != nil {
		t.Fatal(err)
	}
	// The role can do all that an app does.
	recorder, _ := feedtest.Record(t, app)
	tx, err := app.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := tx.Claim(t.Context(), feed.Claim{Owner: "a", Key: "k"}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		table *schema.Table
		set   []feed.Assignment
	}{
		{itemTable, []feed.Assignment{{Column: 0, Value: schema.IntValue(1)}}},
		{messageTable, []feed.Assignment{
			{Column: 0, Value: schema.TextValue("m")}, {Column: 1, Value: schema.TextValue("t")}, {Column: 2, Value: schema.TextValue("k")},
			{Column: 3, Value: schema.TextValue("b")}, {Column: 4, Value: schema.IntValue(5)},
		}},
	} {
		if _, err := tx.Insert(t.Context(), row.table, row.set); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	recorder.Reach(app)
	if commits := recorder.Commits(); len(commits) != 1 || len(commits[0].Changes) != 2 {
		t.Errorf("the feed has %d commits", len(commits))
	}
	if n := count(t, db, "SELECT count(*) FROM pando.messages"); n != 1 {
		t.Errorf("%d messages in Pando's schema", n)
	}
	if err := app.Renew(t.Context()); err != nil {
		t.Errorf("Renew: %v", err)
	}
}

// TestSetupAtOnce has several processes set up at once.
func TestSetupAtOnce(t *testing.T) {
	_, dsn := freshDB(t, createItemTable, "CREATE TABLE notes (id bigint PRIMARY KEY, text text)")
	var all sync.WaitGroup
	for i := range 6 {
		source := openSource(t, dsn)
		tables := [][]*schema.Table{{itemTable, messageTable}, {noteTable}, {itemTable, noteTable}}[i%3]
		all.Go(func() {
			if err := source.Setup(context.Background(), tables); err != nil {
				t.Errorf("Setup: %v", err)
			}
		})
	}
	all.Wait()
	if ready, err := openSource(t, dsn).Check(t.Context(), []*schema.Table{itemTable, noteTable, messageTable}); !ready || err != nil {
		t.Errorf("Check: %t %v", ready, err)
	}
}

// TestPublicationGrows lets a release that declares less leave what another needs.
func TestPublicationGrows(t *testing.T) {
	db, dsn := freshDB(t, createItemTable, "CREATE TABLE notes (id bigint PRIMARY KEY, text text)")
	for _, tables := range [][]*schema.Table{{itemTable}, {itemTable, noteTable}, {noteTable}} {
		if err := openSource(t, dsn).Setup(t.Context(), tables); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, db, "SELECT count(*) FROM pg_publication_tables WHERE pubname = 'pando'"); n != 2 {
		t.Errorf("%d tables are published, want 2", n)
	}
	execAll(t, db, "ALTER PUBLICATION pando SET (publish = 'insert')")
	source := openSource(t, dsn)
	if ready, err := source.Check(t.Context(), []*schema.Table{itemTable}); ready || err != nil {
		t.Errorf("Check of a publication that leaves out updates: %t %v", ready, err)
	}
	if err := source.Setup(t.Context(), []*schema.Table{itemTable}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "SELECT count(*) FROM pg_publication WHERE pubname = 'pando' AND pubdelete AND pubviaroot"); n != 1 {
		t.Error("the publication was not put right")
	}
	execAll(t, db, "ALTER PUBLICATION pando SET TABLE items WHERE (id > 5)")
	if err := source.Setup(t.Context(), []*schema.Table{itemTable}); err == nil || !strings.Contains(err.Error(), "leaves out rows") {
		t.Errorf("Setup with a publication that filters: %v", err)
	}
}

// TestFullIdentity sets the identity of the tables that are named, with their
// partitions, and no other.
func TestFullIdentity(t *testing.T) {
	db, dsn := freshDB(t, createItemTable, "CREATE TABLE notes (id bigint UNIQUE, text text)",
		"CREATE TABLE parts (id bigint PRIMARY KEY) PARTITION BY RANGE (id)", "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)")
	full, tables := pgfeed.WithFullIdentity("notes", "parts"), []*schema.Table{itemTable, noteTable, declare("parts", "id int")}
	for range 2 {
		if err := openSource(t, dsn, full).Setup(t.Context(), tables); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, db, "SELECT count(*) FROM pg_class WHERE relreplident = 'f' AND relname IN ('notes', 'parts', 'parts_1')"); n != 3 {
		t.Errorf("%d tables have the identity FULL, want 3", n)
	}
	if n := count(t, db, "SELECT count(*) FROM pg_class WHERE relreplident = 'f'"); n != 3 {
		t.Errorf("%d tables have the identity FULL, want 3", n)
	}
	err := openSource(t, dsn, pgfeed.WithFullIdentity("item")).Setup(t.Context(), []*schema.Table{itemTable})
	if err == nil || !strings.Contains(err.Error(), "WithFullIdentity") {
		t.Errorf("Setup with a name that is not declared: %v", err)
	}
}

// TestUninstall leaves a database as it was before Setup.
func TestUninstall(t *testing.T) {
	db, dsn := freshDB(t, createItemTable)
	inventory := func() (all []string) {
		rows, err := db.Query(`SELECT 'relation ' || oid::regclass FROM pg_class WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'pg_toast', 'information_schema'))
			UNION ALL SELECT 'schema ' || nspname FROM pg_namespace UNION ALL SELECT 'publication ' || pubname FROM pg_publication
			UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
			UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			all = append(all, text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := inventory()
	source := openSource(t, dsn)
	if err := source.Uninstall(t.Context()); err != nil {
		t.Errorf("Uninstall of nothing: %v", err)
	}
	if err := source.Setup(t.Context(), []*schema.Table{itemTable, messageTable}); err != nil {
		t.Fatal(err)
	}
	epoch, err := source.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	execAll(t, db, "SELECT pg_create_logical_replication_slot('pando_"+databaseName(dsn)+"', 'pgoutput')")
	if err := source.Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, inventory()); diff != "" {
		t.Errorf("Uninstall leaves (-before +after):\n%s", diff)
	}
	if err := source.Setup(t.Context(), []*schema.Table{itemTable}); err != nil {
		t.Fatal(err)
	}
	if err := source.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again, err := source.Epoch(t.Context()); err != nil || again == epoch {
		t.Errorf("the epoch after Renew is %q, was %q: %v", again, epoch, err)
	}
}

// TestHints names what slows or fills the server.
func TestHints(t *testing.T) {
	db, dsn := freshDB(t,
		"CREATE TABLE parts (id bigint PRIMARY KEY, item_id bigint, indexed_id bigint, a bigint, b bigint)",
		"CREATE INDEX ON parts (indexed_id, id)")
	parts := declare("parts", "id int", "item_id int?", "indexed_id int?", "a int?", "b int?")
	parts.Columns = append(parts.Columns, schema.Column{Name: "(a,b)", Kind: schema.Tuple, Parts: []int{3, 4}})
	parts.Links = []int{1, 2, 5}
	source := openSource(t, dsn)
	if err := source.Setup(t.Context(), []*schema.Table{parts}); err != nil {
		t.Fatal(err)
	}
	execAll(t, db, "SELECT pg_create_logical_replication_slot('pando_"+databaseName(dsn)+"', 'pgoutput')")
	hints, err := source.Hints(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(hints, "\n")
	for _, want := range []string{`"parts_item_id"`, `"parts_a_b"`, "pg_drop_replication_slot('pando_" + databaseName(dsn) + "')"} {
		if !strings.Contains(text, want) {
			t.Errorf("no hint has %s:\n%s", want, text)
		}
	}
	if len(hints) != 3 {
		t.Errorf("%d hints, want 3:\n%s", len(hints), text)
	}
	for _, hint := range hints { // what a hint says helps
		if _, statement, ok := strings.Cut(hint, ": CREATE INDEX"); ok {
			execAll(t, db, "CREATE INDEX"+statement)
		}
	}
	execAll(t, db, "SELECT pg_drop_replication_slot('pando_"+databaseName(dsn)+"')")
	if hints, err := source.Hints(t.Context()); len(hints) != 0 || err != nil {
		t.Errorf("hints after their mend: %q %v", hints, err)
	}
}

// TestServers refuses servers that cannot be followed.
func TestServers(t *testing.T) {
	db, _ := freshDB(t, createItemTable)
	_, other := freshDB(t)
	tables := []*schema.Table{itemTable}
	for name, c := range map[string]struct{ url, want string }{
		"none":           {"", "no URL"},
		"other database": {other, "the same database"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := pgfeed.New(db, c.url, quiet).Setup(t.Context(), tables); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Setup: %v, want %q", err, c.want)
			}
		})
	}
	t.Run("wal_level", func(t *testing.T) {
		s, err := servers.Postgres(t.Context(), servers.PostgresOptions{Conf: map[string]string{"wal_level": "replica"}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		source := openSource(t, s.URL())
		if err := source.Setup(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "wal_level = logical") {
			t.Errorf("Setup: %v", err)
		}
	})
}

// TestFromPool goes by a pool of pgx.
func TestFromPool(t *testing.T) {
	db, dsn := freshDB(t, createItemTable)
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	source := pgfeed.FromPool(pool, quiet)
	if err := source.Setup(t.Context(), []*schema.Table{itemTable}); err != nil {
		t.Fatal(err)
	}
	recorder, stop := feedtest.Record(t, source)
	execAll(t, db, "INSERT INTO items VALUES (1, 'a')")
	recorder.Reach(source)
	stop()
	if n := len(recorder.Commits()); n != 1 {
		t.Errorf("%d commits", n)
	}
	if err := source.Close(); err != nil {
		t.Error(err)
	}
	if err := pool.Ping(t.Context()); err != nil {
		t.Errorf("Close closed the caller's pool: %v", err)
	}
}
