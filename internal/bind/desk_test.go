package bind_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

type (
	person struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	// article has a column of each form that data has.
	article struct {
		ID        int64          `json:"id"`
		Title     string         `json:"title"`
		Body      *string        `json:"body"`
		Stars     int32          `json:"stars"`
		Price     string         `json:"price"`
		Ref       [16]byte       `json:"ref"`
		PostedAt  *time.Time     `json:"posted_at"`
		Doc       map[string]any `json:"doc"`
		OwnerID   *int64         `json:"-"`
		Owner     *person        `json:"owner"`
		Loud      string         `json:"loud" pando:"computed:Shout"`
		Locked    string         `json:"locked" pando:"readonly"`
		Note      string         `json:"note" pando:"writeonly"`
		Internal  string         `json:"-"`
		DeletedAt *time.Time     `json:"deleted_at" bun:",soft_delete"`
	}
)

func (a *article) Shout() string { return strings.ToUpper(a.Title) }

// Validate implements the hook.
func (a *article) Validate(context.Context) error {
	if a.Title == "forbidden" {
		return rpc.Invalid("title", "is a word that is not used")
	}
	return nil
}

// desk is a database of articles, and what an app makes of a binding.
type desk struct {
	t      testing.TB
	db     *sql.DB
	source feed.Writer
	model  *bind.Model
	served *bind.Served
	tables []string // that it serves
	// attempts is how often a transaction was begun; the first again of them are
	// rolled back in place of their commit.
	attempts, again atomic.Int32
}

// ada is who writes.
var ada = token.Identity{ID: "ada"}

// articles are a binding of all fields, of which everything may be written.
func articles() *bind.Spec {
	return &bind.Spec{
		Stream: "articles", Model: "news.article", GoType: reflect.TypeFor[article](), Fields: []string{bind.AllFields},
		Groups: func(any) []string { return []string{"readers"} },
		Permit: func(context.Context, token.Identity, bind.Op, any, any) (bool, error) { return true, nil },
	}
}

// onEach runs a test on both databases.
func onEach(t *testing.T, run func(t *testing.T, open func(*bind.Spec) *desk)) {
	t.Helper()
	onEachOf(t, articlesDDL, func(t *testing.T, d func() *desk) {
		t.Helper()
		run(t, func(s *bind.Spec) *desk { return d().serve(s) })
	})
}

// onEachOf is onEach over other tables; the desk has yet to serve a binding.
func onEachOf(t *testing.T, ddl string, run func(t *testing.T, open func() *desk)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { run(t, func() *desk { return sqliteOf(t, ddl) }) })
	t.Run("postgres", func(t *testing.T) {
		servers.Need(t, "postgres")
		run(t, func() *desk { return postgresOf(t, ddl) })
	})
}

func onSQLite(t testing.TB, spec *bind.Spec) *desk {
	t.Helper()
	return sqliteOf(t, articlesDDL).serve(spec)
}

func sqliteOf(t testing.TB, ddl string) *desk {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := &desk{t: t, db: db}
	d.exec(strings.NewReplacer("SERIAL", "INTEGER", "UUID", "TEXT", "NUMERIC", "TEXT", "TIMESTAMP", "TEXT", "JSONB", "TEXT").Replace(ddl))
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	d.source = source
	return d
}

func onPostgres(t testing.TB, spec *bind.Spec) *desk {
	t.Helper()
	return postgresOf(t, articlesDDL).serve(spec)
}

func postgresOf(t testing.TB, ddl string) *desk {
	t.Helper()
	url := servers.Database(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := &desk{t: t, db: db}
	d.exec(strings.NewReplacer("NUMERIC", "NUMERIC(10,2)", "TIMESTAMP", "TIMESTAMPTZ").Replace(ddl))
	source := pgfeed.New(db, url)
	t.Cleanup(func() { source.Close() })
	d.source = source
	return d
}

const articlesDDL = `
CREATE TABLE people (id SERIAL PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE articles (
	id SERIAL PRIMARY KEY,
	title TEXT NOT NULL UNIQUE,
	body TEXT,
	stars INTEGER NOT NULL DEFAULT 3 CHECK (stars <= 5),
	price NUMERIC NOT NULL DEFAULT '0.50',
	ref UUID NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
	posted_at TIMESTAMP,
	doc JSONB NOT NULL DEFAULT '{}',
	owner_id BIGINT REFERENCES people (id),
	locked TEXT NOT NULL DEFAULT 'fast',
	note TEXT NOT NULL DEFAULT 'none',
	internal TEXT NOT NULL DEFAULT 'kept',
	deleted_at TIMESTAMP
);
INSERT INTO people (name) VALUES ('Ada'), ('Bob');
INSERT INTO articles (title, stars, owner_id) VALUES ('first', 1, 1), ('second', 2, NULL);
`

func (d *desk) serve(spec *bind.Spec) *desk {
	d.t.Helper()
	if err := d.setup(spec); err != nil {
		d.t.Fatal(err)
	}
	return d
}

// setup serves a binding, unless the database is not as it is declared.
func (d *desk) setup(spec *bind.Spec) (err error) {
	reg := schema.NewRegistry()
	d.served = &bind.Served{Transact: d.transact}
	if d.model, err = d.served.Add(reg, spec); err != nil {
		return err
	}
	for _, table := range reg.Tables {
		d.tables = append(d.tables, table.Name)
	}
	return d.source.Setup(d.t.Context(), reg.Tables)
}

type txKey struct{}

// txOf is the transaction that a binding's function runs in.
func txOf(ctx context.Context) *sql.Tx {
	tx, _ := ctx.Value(txKey{}).(*sql.Tx)
	return tx
}

// transact is as an app's.
func (d *desk) transact(ctx context.Context, fn func(context.Context, feed.Tx) (json.RawMessage, error)) (json.RawMessage, error) {
	for {
		d.attempts.Add(1)
		tx, err := d.source.Begin(ctx)
		if err != nil {
			return nil, err
		}
		reply, err := fn(context.WithValue(ctx, txKey{}, tx.SQL()), tx)
		switch {
		case err == nil && d.again.Add(-1) < 0:
			err = tx.Commit()
		case err == nil:
			err = errors.Join(feed.ErrRolledBack, tx.Rollback())
		default:
			err = errors.Join(err, tx.Rollback())
		}
		if _, refused := errors.AsType[*feed.ConstraintError](err); refused || !errors.Is(err, feed.ErrRolledBack) {
			return reply, err
		}
	}
}

func (d *desk) exec(query string, args ...any) {
	d.t.Helper()
	if _, err := d.db.Exec(query, args...); err != nil {
		d.t.Fatal(err)
	}
}

// of has failures be those of a part of the test.
func (d *desk) of(t testing.TB) *desk {
	d.t = t
	return d
}

// send is a message of ada's and its reply.
func (d *desk) send(payload string) (string, error) {
	d.t.Helper()
	reply, err := bind.Receive(d.served.With(d.t.Context()), d.model.Spec, ada, json.RawMessage(payload))
	return string(reply), err
}

// replies sends what is to be answered.
func (d *desk) replies(payload, want string) {
	d.t.Helper()
	switch got, err := d.send(payload); {
	case err != nil:
		d.t.Fatalf("%s: %v", payload, err)
	case got != want:
		d.t.Fatalf("%s:\nthe reply is %s\nwant         %s", payload, got, want)
	}
}

// refused sends what is to be refused with an error like "invalid: title: is empty".
// Nothing may have changed then.
func (d *desk) refused(payload, want string) {
	d.t.Helper()
	before := d.dump()
	reply, err := d.send(payload)
	public, _ := rpc.Public(err)
	if err == nil {
		d.t.Fatalf("%s: the reply is %s, want the error %s", payload, reply, want)
	}
	if got := public.Error(); got != want {
		d.t.Fatalf("%s:\nthe error is %s (%v)\nwant         %s", payload, got, err, want)
	}
	for name := range public.Fields {
		if !strings.Contains(public.Message, name+": ") {
			d.t.Errorf("%s: the message %q does not tell of %s", payload, public.Message, name)
		}
	}
	if after := d.dump(); after != before {
		d.t.Fatalf("%s: it was refused and has written\n%s\nfrom\n%s", payload, after, before)
	}
}

// dump is all that the tables hold, a line for each row.
func (d *desk) dump() string {
	d.t.Helper()
	var lines []string
	for _, table := range d.tables {
		for _, row := range d.rows("SELECT * FROM " + table + " ORDER BY 1, 2") {
			lines = append(lines, table+" "+strings.Join(row, " "))
		}
	}
	return strings.Join(lines, "\n")
}

// rows are the values of a query's rows as texts, "column=value".
func (d *desk) rows(query string, args ...any) [][]string {
	d.t.Helper()
	rows, err := d.db.Query(query, args...)
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		d.t.Fatal(err)
	}
	var all [][]string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			d.t.Fatal(err)
		}
		var row []string
		for i, v := range values {
			text := "NULL"
			if v.Valid {
				text = strconv.Quote(v.String)
			}
			row = append(row, columns[i]+"="+text)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	return all
}

// value is the one value that a query reads.
func (d *desk) value(query string, args ...any) string {
	d.t.Helper()
	rows := d.rows(query, args...)
	if len(rows) != 1 || len(rows[0]) != 1 {
		d.t.Fatalf("%s: %d rows", query, len(rows))
	}
	_, value, _ := strings.Cut(rows[0][0], "=")
	return value
}
