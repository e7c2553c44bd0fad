package write_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a database, a tree over it, and the writer of both.
type bench struct {
	t      testing.TB
	db     *sql.DB
	source *sqlitefeed.Source
	tree   *schema.Tree
	writer *write.Writer
	offers map[string]*write.Offer
}

// workbench makes a database by SQL, and a tree in which everything may be
// written.
func workbench(t testing.TB, ddl string, root any, options ...schema.Option) *bench {
	t.Helper()
	return workbenches(t, ddl, nil, root, options...)
}

// workbenches is a workbench with another tree beside, in which nothing is
// written.
func workbenches(t testing.TB, ddl string, beside, root any, options ...schema.Option) *bench {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	b := &bench{t: t, db: db, offers: map[string]*write.Offer{}}
	b.exec(ddl)
	reg := schema.NewRegistry()
	if b.tree, err = reg.Tree(reflect.TypeOf(root), options...); err != nil {
		t.Fatal(err)
	}
	var offers []*write.Offer
	for _, typ := range reg.Types {
		if strings.ContainsAny(typ.Name[:1], "@#") || !slices.Contains(b.tree.Types(), typ) {
			continue
		}
		if _, err := reg.ReadWhole(reg.Types, typ.GoType); err != nil {
			t.Fatal(err)
		}
		o := &write.Offer{
			Writable: &schema.Writable{
				Type: typ, Save: true, Create: true, Delete: true,
				In: write.Places(b.tree, typ),
			},
			Permit:  map[write.Op]permit{write.Save: anyone, write.Create: anyone, write.Delete: anyone},
			CanLink: map[*schema.Type]func(context.Context, any, schema.Row) error{},
		}
		b.offers[typ.Name] = o
		offers = append(offers, o)
	}
	if beside != nil {
		if _, err := reg.Tree(reflect.TypeOf(beside)); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range offers { // final now
		o.Fields = b.tree.WriteFields(o.Type)
	}
	b.source = sqlitefeed.New(b.db)
	t.Cleanup(func() { b.source.Close() })
	if err := b.source.Setup(t.Context(), reg.Tables); err != nil {
		t.Fatal(err)
	}
	b.writer = write.New(b.tree, offers...)
	return b
}

type permit = func(ctx context.Context, channel any, c *write.Change) error

func anyone(context.Context, any, *write.Change) error { return nil }

func (b *bench) exec(query string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(query, args...); err != nil {
		b.t.Fatal(err)
	}
}

// anchored is a stream of an anchor, whom user sees, with values for the tree's
// conditions.
func (b *bench) anchored(anchor string, user int64, env ...schema.Value) *write.Stream {
	b.t.Helper()
	s := &write.Stream{Env: env}
	if user != 0 {
		s.User = schema.IntValue(user)
	}
	if anchor != "" {
		var err error
		if s.Anchor, err = b.tree.Root.Type.Table.ParseKey(anchor); err != nil {
			b.t.Fatal(err)
		}
	}
	return s
}

// object is the members of a JSON object.
func object(t testing.TB, text string) map[string]json.RawMessage {
	t.Helper()
	if text == "" {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return members
}

// apply makes a write and commits it, or rolls it back.
func (b *bench) apply(s *write.Stream, r write.Request) (string, error) {
	b.t.Helper()
	tx, err := b.source.Begin(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(); err != nil {
			b.t.Error(err)
		}
	}()
	done, err := b.writer.Apply(b.t.Context(), tx, s, &r)
	if err != nil {
		return "", err
	}
	if err := tx.Commit(); err != nil {
		return "", b.writer.Refused(&r, err)
	}
	if done.Key.IsNull() {
		return "", nil
	}
	return done.Key.String(), nil
}

func (b *bench) save(s *write.Stream, typ, id, data string) error {
	b.t.Helper()
	_, err := b.apply(s, write.Request{Op: write.Save, Type: typ, ID: id, Data: object(b.t, data)})
	return err
}

func (b *bench) delete(s *write.Stream, typ, id string) error {
	b.t.Helper()
	_, err := b.apply(s, write.Request{Op: write.Delete, Type: typ, ID: id})
	return err
}

// create creates a row in "List 3 cards", or "" for a list.
func (b *bench) create(s *write.Stream, typ, in, data string) (string, error) {
	b.t.Helper()
	return b.apply(s, write.Request{Op: write.Create, Type: typ, In: strings.Fields(in), Data: object(b.t, data)})
}

// dump is all that the database holds but Pando's own tables.
func (b *bench) dump() string {
	b.t.Helper()
	var out strings.Builder
	for _, table := range b.texts("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'pando%' AND name NOT LIKE 'sqlite%' ORDER BY name") {
		rows := b.texts(fmt.Sprintf("SELECT json_array(rowid, %s) FROM %q ORDER BY rowid", b.columns(table), table))
		fmt.Fprintf(&out, "%s\n  %s\n", table, strings.Join(rows, "\n  "))
	}
	return out.String()
}

func (b *bench) columns(table string) string {
	return strings.Join(b.texts("SELECT 'quote(' || name || ')' FROM pragma_table_info(?)", table), ", ")
}

// texts are the values of a query's one column.
func (b *bench) texts(query string, args ...any) []string {
	b.t.Helper()
	rows, err := b.db.Query(query, args...)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	var texts []string
	for rows.Next() {
		var text sql.NullString
		if err := rows.Scan(&text); err != nil {
			b.t.Fatal(err)
		}
		if !text.Valid {
			text.String = "NULL"
		}
		texts = append(texts, text.String)
	}
	if err := rows.Err(); err != nil {
		b.t.Fatal(err)
	}
	return texts
}

// one is the value of a query.
func (b *bench) one(query string, args ...any) string {
	b.t.Helper()
	return strings.Join(b.texts(query, args...), ";")
}

// code is the code of an error with the names of the fields that it tells of,
// "invalid title", "ok" for none.
func code(err error) string {
	if err == nil {
		return "ok"
	}
	coded, whole := rpc.Public(err)
	if !whole {
		return "internal: " + err.Error()
	}
	names := make([]string, 0, len(coded.Fields))
	for name := range coded.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(append([]string{coded.Code}, names...), " ")
}

// want checks how a write ended. One that failed has changed nothing.
func (b *bench) want(what, want string, before string, err error) {
	b.t.Helper()
	if got := code(err); got != want {
		b.t.Errorf("%s: got %s (%v), want %s", what, got, err, want)
	}
	if after := b.dump(); err != nil && after != before {
		b.t.Errorf("%s: refused (%v), but the database has changed from\n%s\nto\n%s", what, err, before, after)
	}
}

var _ feed.Writer = (*sqlitefeed.Source)(nil)

var errBoom = errors.New("boom")
