package pando_test

import (
	"context"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/mux"
)

// Pinned is a model that is bound to a stream.
type Pinned struct {
	ID   int64  `json:"id"`
	Room string `json:"room"`
	Text string `json:"text"`
}

// TableName is where pins are.
func (Pinned) TableName() string { return "pins" }

func bindPins(b *booth, _ *pando.Config) []mux.Entry {
	exec(b.t, b.db, `CREATE TABLE pins (id INTEGER PRIMARY KEY, room TEXT NOT NULL, text TEXT NOT NULL); INSERT INTO pins VALUES (1, 'a', 'first')`)
	d := b.lobby()
	d.Consumers["pins"] = pins()
	return []mux.Entry{mux.RouteClass(d, hallPath), mux.RouteClass(d, "^/again/(?P<room>[a-z]+)/")}
}

// pins is the binding of pins.
func pins() *mux.Binding[Pinned] {
	return &mux.Binding[Pinned]{
		Stream: "pins", Fields: []string{mux.AllFields},
		GroupNames: func(m *Pinned) []string { return []string{"room." + m.Room} },
		HasPermission: func(_ context.Context, user pando.Identity, _ mux.Op, _, now *Pinned) (bool, error) {
			return user.ID != "" && (now == nil || now.Text != "forbidden"), nil
		},
	}
}

// TestOutToEachGroupsMembersInTheStreamsEnvelope has everything of what is told, to
// the members of a row's groups and to nobody else.
func TestOutToEachGroupsMembersInTheStreamsEnvelope(t *testing.T) {
	b := serveBooth(t, bindPins)
	one, two, elsewhere := b.plain("/hall/a/", "ada"), b.plain("/again/a/", ""), b.plain("/hall/b/", "ada")
	for _, c := range [][2]string{
		{`INSERT INTO pins VALUES (2, 'a', 'hi')`, `{"action":"create","pk":2,"data":{"room":"a","text":"hi"},"model":"pando_test.pinned"}`},
		{`UPDATE pins SET text = 'ho' WHERE id = 2`, `{"action":"update","pk":2,"data":{"room":"a","text":"ho"},"model":"pando_test.pinned"}`},
		{`DELETE FROM pins WHERE id = 2`, `{"action":"delete","pk":2,"model":"pando_test.pinned"}`},
	} {
		exec(t, b.db, c[0])
		for _, s := range []*wiretest.Socket{one, two} {
			if got, want := s.Read(), `{"stream":"pins","payload":`+c[1]+`}`; got != want {
				t.Errorf("%s: got %s, want %s", c[0], got, want)
			}
		}
	}
	exec(t, b.db, `INSERT INTO pins VALUES (3, 'b', 'here')`)
	elsewhere.Want(`"pk":3`) // and nothing before it
}

// TestBindingsAreTheSameOnBothFaces writes by one, and is told on both, and by the
// database.
func TestBindingsAreTheSameOnBothFaces(t *testing.T) {
	b := serveBooth(t, bindPins)
	plain, other := b.plain("/hall/a/", "ada"), b.plain("/again/b/", "")
	s := b.session("/ws", "ada")
	open(s, "s1", "/again/a/", "pins")
	s.Sendf(`{"stream":"s1","id":3,"payload":{"type":"message","data":{"action":"subscribe"}}}`)
	got := s.Read() + s.Read()
	for _, want := range []string{`"id":3,"payload":{"type":"result","value":null}`, `"data":{"action":"snapshot"`, `"rows":[{"pk":1,"data":{"room":"a","text":"first"}}]`} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s in it", got, want)
		}
	}
	plain.Sendf(`{"stream":"pins","payload":{"action":"create","data":{"room":"a","text":"second"}}}`)
	const second = `"action":"create","pk":2,"data":{"room":"a","text":"second"}`
	plain.Want(`{"stream":"pins","payload":{` + second)
	s.Want(`{"stream":"s1","payload":{"type":"message","data":{` + second)
	plain.Sendf(`{"stream":"pins","id":7,"payload":{"action":"update","pk":2,"data":{"text":"forbidden"}}}`)
	plain.Want(`{"stream":"pins","id":7,"payload":{"type":"error","code":"denied","status":403`)
	exec(t, b.db, `UPDATE pins SET room = 'b' WHERE id = 2`)
	plain.Want(`{"stream":"pins","payload":{"action":"delete","pk":2,"model":"`)
	s.Want(`"data":{"action":"delete","pk":2,"model":"`)
	other.Want(`{"stream":"pins","payload":{"action":"create","pk":2,"data":{"room":"b","text":"second"}`)
	other.Sendf(`{"stream":"pins","id":1,"payload":{"action":"delete","pk":2}}`)
	other.Want(`"id":1,"payload":{"type":"error","code":"denied","status":403`)
}

// TestWhoConnectsIsToldOfRowsAtOnce writes as soon as the handshake is answered.
func TestWhoConnectsIsToldOfRowsAtOnce(t *testing.T) {
	b := serveBooth(t, bindPins)
	for range 10 {
		s := b.plain("/hall/a/", "")
		exec(t, b.db, `UPDATE pins SET text = text || '!' WHERE id = 1`)
		s.Want(`{"stream":"pins","payload":{"action":"update","pk":1,`)
	}
}

func TestAMembershipBringsItsRows(t *testing.T) {
	b := serveBooth(t, bindPins)
	s := b.session("/ws", "ada")
	open(s, "s1", "/hall/b/", "pins")
	open(s, "s2", "/hall/b/", "echo")
	s.Sendf(`{"stream":"s1","id":3,"payload":{"type":"message","data":{"action":"subscribe"}}}`)
	if got := s.Read() + s.Read(); !strings.Contains(got, `"rows":[]`) {
		t.Errorf("got %s", got)
	}
	s.Sendf(`{"stream":"s2","id":4,"payload":{"type":"message","data":{"say":"join","group":"room.a"}}}`)
	if got := s.Read() + s.Read(); !strings.Contains(got, `"rows":[{"pk":1,`) {
		t.Errorf("got %s", got)
	}
}

func TestBindingsAreCheckedBeforeTheStart(t *testing.T) {
	bound := func(stream string) *mux.Binding[Pinned] {
		return &mux.Binding[Pinned]{Stream: stream, Fields: []string{mux.AllFields}, GroupNames: func(*Pinned) []string { return nil }}
	}
	for want, consumers := range map[string][]map[string]mux.Consumer{
		`stream "pins": the binding's Stream is "notes"`: {{"pins": bound("notes")}},
		`two bindings have the stream "pins"`:            {{"pins": bound("pins")}, {"pins": bound("pins")}},
		"GroupNames":                                     {{"pins": &mux.Binding[Pinned]{Stream: "pins", Fields: []string{mux.AllFields}}}},
	} {
		b := newBooth(t, func(*booth, *pando.Config) []mux.Entry {
			var entries []mux.Entry
			for _, c := range consumers {
				entries = append(entries, mux.RouteClass(&mux.Demultiplexer{Consumers: c, Public: true}, "^/x/"))
			}
			return entries
		})
		if err := b.app.Setup(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
