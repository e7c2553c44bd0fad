package pando_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pando-sync/pando"
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

// TestAMessageToABindingHasOneReplyAfterTheCommit sends messages with an id, of which
// each gets one answer, and none without.
func TestAMessageToABindingHasOneReplyAfterTheCommit(t *testing.T) {
	b := serveBooth(t, bindOwn)
	ada, eve := b.plain("/hall/b/", "ada"), b.plain("/hall/b/", "eve")
	for _, c := range []struct{ payload, want string }{
		{`{"action":"jump"}`, `"type":"error","code":"bad_request","status":400`},
		{`{"action":"create","data":{"text":"x","room":"b"}}`, `"type":"error","code":"invalid","status":400`},
		{`{"action":"update","pk":9,"data":{"text":"x"}}`, `"type":"error","code":"not_found","status":404`},
		{`{"action":"update","pk":1,"data":{"text":7}}`, `"type":"error","code":"invalid","status":400`},
		{`{"action":"create","data":{"text":"twice"}}`, `"type":"error","code":"conflict","status":409`},
		{`{"action":"create","data":{"text":"half"}}`, `"type":"error","code":"internal","status":500`},
		{`{"action":"create","data":{"text":"new","id":1}}`, `"type":"result","value":{"action":"create","pk":2,"data":{"text":"new!"},"model":"pando_test.pinned"}`},
	} {
		ada.Sendf(`{"stream":"pins","id":7,"payload":%s}`, c.payload)
		ada.Want(`{"stream":"pins","id":7,"payload":{` + c.want)
	}
	var pins int
	if err := b.db.QueryRow("SELECT count(*) FROM pins WHERE text IN ('first', 'new!')").Scan(&pins); err != nil || pins != 2 {
		t.Errorf("%d pins are there as the reply comes (%v), want 2", pins, err)
	}
	ada.Sendf(`{"stream":"pins","payload":{"action":"update","pk":2,"data":{"text":"unanswered"}}}`)
	ada.Sendf(`{"stream":"pins","id":8,"payload":{"action":"update","pk":2,"data":{"text":"first"}}}`)
	ada.Want(`{"stream":"pins","id":8,"payload":{"type":"error","code":"conflict","status":409`)
	eve.Sendf(`{"stream":"pins","id":9,"payload":{"action":"delete","pk":1}}`)
	eve.Want(`{"stream":"pins","id":9,"payload":{"type":"error","code":"denied","status":403`)
}
