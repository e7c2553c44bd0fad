package pando_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/mux"
)

// bindOwn is a binding whose functions write by themselves, in the message's
// transaction.
func bindOwn(b *booth, _ *pando.Config) []mux.Entry {
	exec(b.t, b.db, `CREATE TABLE pins (id INTEGER PRIMARY KEY, room TEXT NOT NULL, text TEXT NOT NULL UNIQUE); INSERT INTO pins VALUES (1, 'a', 'first')`)
	pins := &mux.Binding[Pinned]{
		Stream: "pins", Fields: []string{"text"},
		GroupNames: func(m *Pinned) []string { return []string{"room." + m.Room} },
		HasPermission: func(ctx context.Context, user pando.Identity, _ mux.Op, _, _ *Pinned) (bool, error) {
			var pins int
			err := pando.TxOf(ctx).QueryRowContext(ctx, "SELECT count(*) FROM pins").Scan(&pins)
			return user.ID == "ada" && pins < 3, err
		},
		Create: func(ctx context.Context, _ pando.Identity, data mux.Data[Pinned]) (any, error) {
			pin := data.New()
			if pin.Text == "twice" {
				return nil, pando.Errorf("conflict", "there are two of them")
			}
			result, err := pando.TxOf(ctx).ExecContext(ctx, "INSERT INTO pins (room, text) VALUES ('a', ?)", pin.Text+"!")
			if err != nil || pin.Text == "half" {
				return nil, errors.Join(err, errors.New("half of it is done"))
			}
			return result.LastInsertId()
		},
	}
	d := b.lobby()
	d.Consumers["pins"] = pins
	return []mux.Entry{mux.RouteClass(d, hallPath)}
}

// TestWithAnIdTheSenderGetsOneReplyAfterTheCommitOrACodedError has each answer followed
// by that of the next message, so that there is no second one.
func TestWithAnIdTheSenderGetsOneReplyAfterTheCommitOrACodedError(t *testing.T) {
	b := serveBooth(t, bindOwn)
	for _, c := range []struct{ statement, user, payload, want string }{
		{"400 bad action", "ada", `{"action":"jump"}`, `"type":"error","code":"bad_request","status":400`},
		{"400 bad data", "ada", `{"action":"create","data":[]}`, `"type":"error","code":"bad_request","status":400`},
		{
			"400 bad data per field", "ada", `{"action":"update","pk":1,"data":{"text":7}}`,
			`"type":"error","code":"invalid","status":400,"message":"text: want a string of UTF-8","retry":false,"fields":{"text":"want a string of UTF-8"}}`,
		},
		{
			"400 a field that is not declared", "ada", `{"action":"create","data":{"text":"x","room":"b"}}`,
			`"type":"error","code":"invalid","status":400,"message":"room: is no field that may be written"`,
		},
		{"403 denied", "eve", `{"action":"delete","pk":1}`, `"type":"error","code":"denied","status":403`},
		{"404 no such row", "ada", `{"action":"update","pk":9,"data":{"text":"x"}}`, `"type":"error","code":"not_found","status":404`},
		{"409 conflict of the author's", "ada", `{"action":"create","data":{"text":"twice"}}`, `"type":"error","code":"conflict","status":409`},
		{"500 what is no fault of the client", "ada", `{"action":"create","data":{"text":"half"}}`, `"type":"error","code":"internal","status":500`},
		{
			"one reply after the commit, a key sent on create is ignored", "ada", `{"action":"create","data":{"text":"new","id":1}}`,
			`"type":"result","value":{"action":"create","pk":2,"data":{"text":"new!"},"model":"pando_test.pinned"}`,
		},
		{"409 conflict of the database's", "ada", `{"action":"update","pk":2,"data":{"text":"first"}}`, `"type":"error","code":"conflict","status":409`},
	} {
		t.Run(c.statement, func(t *testing.T) {
			s := wiretest.Plain(t, b.server.URL+"/hall/b/", as(c.user))
			s.Sendf(`{"stream":"pins","id":7,"payload":%s}`, c.payload)
			s.Want(`{"stream":"pins","id":7,"payload":{` + c.want)
			if strings.Contains(c.want, "result") {
				var pins int
				if err := b.db.QueryRow("SELECT count(*) FROM pins WHERE text = 'new!'").Scan(&pins); err != nil || pins != 1 {
					t.Errorf("%d pins are there as the reply comes (%v), want 1", pins, err)
				}
			}
			s.Sendf(`{"stream":"pins","id":8,"payload":{"action":"jump"}}`)
			s.Want(`{"stream":"pins","id":8,"payload":{"type":"error","code":"bad_request"`)
		})
	}
	t.Run("without one there is no reply, but an error", func(t *testing.T) {
		s := wiretest.Plain(t, b.server.URL+"/hall/b/", as("ada"))
		s.Sendf(`{"stream":"pins","payload":{"action":"update","pk":2,"data":{"text":"unanswered"}}}`)
		s.Sendf(`{"stream":"pins","payload":{"action":"update","pk":9,"data":{"text":"x"}}}`)
		s.Want(`{"stream":"pins","payload":{"type":"error","code":"not_found","status":404`)
		var text string
		if err := b.db.QueryRow("SELECT text FROM pins WHERE id = 2").Scan(&text); err != nil || text != "unanswered" {
			t.Errorf("the text is %q, %v", text, err)
		}
	})
	var pins int
	if err := b.db.QueryRow("SELECT count(*) FROM pins").Scan(&pins); err != nil || pins != 2 {
		t.Errorf("%d pins are there (%v), want the first and the one that was made", pins, err)
	}
}
