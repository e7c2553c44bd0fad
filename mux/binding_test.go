package mux_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

// Message is the model.
type Message struct {
	ID     int64  `json:"id"`
	Text   string `json:"message" db:"message"`
	Author string `json:"-"`
	Shout  bool   `json:"shout"`
}

// served is what an app makes of a binding over a database of its own.
func served(t *testing.T, spec *bind.Spec) context.Context {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+"?_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec("CREATE TABLE messages (id INTEGER PRIMARY KEY, message TEXT NOT NULL, author TEXT NOT NULL DEFAULT '', shout BOOLEAN NOT NULL DEFAULT 0)"); err != nil {
		t.Fatal(err)
	}
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	s := &bind.Served{Transact: func(ctx context.Context, fn func(context.Context, feed.Tx) (json.RawMessage, error)) (json.RawMessage, error) {
		tx, err := source.Begin(ctx)
		if err != nil {
			return nil, err
		}
		reply, err := fn(context.WithValue(ctx, txKey{}, tx.SQL()), tx)
		if err != nil {
			return nil, errors.Join(err, tx.Rollback())
		}
		return reply, tx.Commit()
	}}
	reg := schema.NewRegistry()
	if _, err := s.Add(reg, spec); err != nil {
		t.Fatal(err)
	}
	if err := source.Setup(t.Context(), reg.Tables); err != nil {
		t.Fatal(err)
	}
	return s.With(t.Context())
}

type txKey struct{}

// socket is a connection of ada's.
type socket struct{ mux.Socket }

func (socket) User() token.Identity { return token.Identity{ID: "ada"} }

func stream() *mux.Stream { return &mux.Stream{Conn: &mux.Conn{Socket: socket{}}} }

// receive is a message to a consumer and its answer.
func receive(ctx context.Context, t *testing.T, c mux.Consumer, payload string) string {
	t.Helper()
	value, err := c.Receive(ctx, stream(), json.RawMessage(payload))
	if err != nil {
		public, _ := rpc.Public(err)
		return public.Error()
	}
	reply, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(reply)
}

// messages is a binding that everybody may write.
func messages() *mux.Binding[Message] {
	return &mux.Binding[Message]{
		Stream: "message-stream", Fields: []string{mux.AllFields},
		GroupNames: func(*Message) []string { return []string{"message-update"} },
		HasPermission: func(context.Context, token.Identity, mux.Op, *Message, *Message) (bool, error) {
			return true, nil
		},
	}
}

// TestTheDefaultsDoSQLAndTheBindingIsAConsumer has ada create, update and delete a
// row of the database, as far as HasPermission lets her.
func TestTheDefaultsDoSQLAndTheBindingIsAConsumer(t *testing.T) {
	b := messages()
	var asked []string
	b.HasPermission = func(_ context.Context, user token.Identity, op mux.Op, before, after *Message) (bool, error) {
		show := func(m *Message) string {
			if m == nil {
				return "nil"
			}
			return m.Text
		}
		asked = append(asked, strings.Join([]string{user.ID, string(op), show(before), show(after)}, " "))
		return op != mux.Delete || before.Text != "kept", nil
	}
	ctx := served(t, b.Spec())
	for _, c := range []struct{ payload, want string }{
		{`{"action":"create","data":{"message":"hello world"}}`, `{"action":"create","pk":1,"data":{"message":"hello world","shout":false},"model":"mux_test.message"}`},
		{`{"action":"update","pk":1,"data":{"message":"kept"}}`, `{"action":"update","pk":1,"data":{"message":"kept","shout":false},"model":"mux_test.message"}`},
		{`{"action":"delete","pk":1}`, `denied: delete is not permitted`},
		{`{"action":"update","pk":1,"data":{"message":"loose"}}`, `{"action":"update","pk":1,"data":{"message":"loose","shout":false},"model":"mux_test.message"}`},
		{`{"action":"delete","pk":1}`, `{"action":"delete","pk":1,"model":"mux_test.message"}`},
	} {
		if got := receive(ctx, t, b, c.payload); got != c.want {
			t.Errorf("%s: %s, want %s", c.payload, got, c.want)
		}
	}
	want := []string{"ada create nil hello world", "ada update hello world kept", "ada delete kept nil", "ada update kept loose", "ada delete loose nil"}
	if !reflect.DeepEqual(asked, want) {
		t.Errorf("it was asked %q, want %q", asked, want)
	}
	if err := b.Connect(ctx, stream()); err != nil {
		t.Error(err)
	}
	b.Disconnect(ctx, stream())
}

// wrapped is a consumer of an author's own around a binding.
type wrapped struct {
	*mux.Binding[Message]

	seen int
}

func (w *wrapped) Receive(ctx context.Context, s *mux.Stream, payload json.RawMessage) (any, error) {
	w.seen++
	return w.Binding.Receive(ctx, s, payload)
}

func TestOneBindingServesSeveralAppsAndConsumersAroundIt(t *testing.T) {
	b := messages()
	one, two := served(t, b.Spec()), served(t, b.Spec())
	w := &wrapped{Binding: b}
	const create = `{"action":"create","data":{"message":"m"}}`
	for _, want := range []string{`"pk":1`, `"pk":2`} {
		for _, ctx := range []context.Context{one, two} {
			if got := receive(ctx, t, w, create); !strings.Contains(got, want) {
				t.Errorf("%s, want …%s…", got, want)
			}
		}
	}
	if w.seen != 4 || w.Spec() != b.Spec() {
		t.Errorf("the consumer around it saw %d messages", w.seen)
	}
	if got := receive(t.Context(), t, b, create); got != "internal: something went wrong on the server" {
		t.Errorf("without an app: %s", got)
	}
}

// TestABindingMayOverrideCreateUpdateDeleteAndSerialize gives each the context, the
// user, the key and the data that it is of.
func TestABindingMayOverrideCreateUpdateDeleteAndSerialize(t *testing.T) {
	b := messages()
	tx := func(ctx context.Context) *sql.Tx { return ctx.Value(txKey{}).(*sql.Tx) }
	b.Create = func(ctx context.Context, user token.Identity, data mux.Data[Message]) (any, error) {
		if !data.Has("Text") || !data.Has("message") || data.Has("shout") || !reflect.DeepEqual(data.Fields(), []string{"message"}) {
			t.Errorf("it was given %q", data.Fields())
		}
		if err := data.Set("Author", user.ID); err != nil {
			return nil, err
		}
		if err := data.Set("nothing", 1); err == nil {
			t.Error("a field that there is not was set")
		}
		m := data.New()
		result, err := tx(ctx).ExecContext(ctx, "INSERT INTO messages (id, message, author) VALUES (7, ?, ?)", m.Text+"!", m.Author)
		if err != nil {
			return nil, err
		}
		return result.LastInsertId()
	}
	b.Update = func(ctx context.Context, _ token.Identity, key any, data mux.Data[Message]) error {
		m := data.New()
		if m.Author != "ada" || m.ID != 7 || key != int64(7) {
			t.Errorf("the row would be %+v, with the key %v", m, key)
		}
		_, err := tx(ctx).ExecContext(ctx, "UPDATE messages SET message = ? WHERE id = ?", strings.ToUpper(m.Text), key)
		return err
	}
	var deleted []any
	b.Delete = func(_ context.Context, _ token.Identity, key any) error {
		deleted = append(deleted, key)
		return nil
	}
	b.Serialize = func(m *Message) (any, error) { return []string{m.Text, m.Author}, nil }
	ctx := served(t, b.Spec())
	for _, c := range []struct{ payload, want string }{
		{`{"action":"create","data":{"message":"hi"}}`, `{"action":"create","pk":7,"data":["hi!","ada"],"model":"mux_test.message"}`},
		{`{"action":"update","pk":7,"data":{"message":"ho","shout":true}}`, `{"action":"update","pk":7,"data":["HO","ada"],"model":"mux_test.message"}`},
		{`{"action":"delete","pk":"7"}`, `{"action":"delete","pk":7,"model":"mux_test.message"}`},
	} {
		if got := receive(ctx, t, b, c.payload); got != c.want {
			t.Errorf("%s: %s, want %s", c.payload, got, c.want)
		}
	}
	if !reflect.DeepEqual(deleted, []any{int64(7)}) {
		t.Errorf("deleted %v", deleted)
	}
}

func TestSpecHasWhatTheBindingHas(t *testing.T) {
	empty := (&mux.Binding[Message]{Stream: "s"}).Spec()
	if empty.Groups != nil || empty.Permit != nil || empty.Create != nil || empty.Update != nil || empty.Delete != nil || empty.Serialize != nil {
		t.Errorf("functions were made of none: %+v", empty)
	}
	b := messages()
	b.Model, b.OrderBy, b.Limit = "m", []string{"-id"}, 3
	s := b.Spec()
	if s.Model != "m" || s.Limit != 3 || !reflect.DeepEqual(s.OrderBy, b.OrderBy) || !reflect.DeepEqual(s.Fields, b.Fields) ||
		s.GoType != reflect.TypeFor[Message]() || !reflect.DeepEqual(s.Groups(&Message{}), []string{"message-update"}) {
		t.Errorf("%+v", s)
	}
}
