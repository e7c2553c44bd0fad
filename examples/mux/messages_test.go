package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/pando-sync/pando/internal/wiretest"
)

// seedClient is a client of the original: it knows envelopes and nothing else.
type seedClient struct {
	*wiretest.Socket

	t *testing.T
}

// enter connects to a room as the owner of a token, or as nobody.
func enter(t *testing.T, url, secret string) *seedClient {
	t.Helper()
	header := http.Header{}
	if secret != "" {
		header.Set("Authorization", "Token "+secret)
	}
	return &seedClient{wiretest.Plain(t, url+"/demultiplex/room/", header), t}
}

// told is what a binding tells of a row.
type told struct {
	Action string         `json:"action"`
	PK     int64          `json:"pk"`
	Data   map[string]any `json:"data"`
	Model  string         `json:"model"`
}

// wants reads one frame, which must be the envelope of an action and nothing else,
// and returns it. A message of "" is no data.
func (c *seedClient) wants(action, message string) told {
	c.t.Helper()
	frame := c.Read()
	var envelope struct {
		Stream  string `json:"stream"`
		Payload told   `json:"payload"`
	}
	strict := json.NewDecoder(strings.NewReader(frame))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&envelope); err != nil {
		c.t.Fatalf("got %s, want an envelope: %v", frame, err)
	}
	got := envelope.Payload
	if envelope.Stream != "message-stream" || got.Action != action || got.Model != "api.message" || got.PK == 0 {
		c.t.Fatalf("got %s, want %s", frame, action)
	}
	if message == "" && got.Data != nil || message != "" && got.Data["message"] != message {
		c.t.Fatalf("got %s, want the message %q", frame, message)
	}
	return got
}

// saysf sends a payload on the messages' stream.
func (c *seedClient) saysf(format string, args ...any) {
	c.t.Helper()
	c.Send(ws.OpText, `{"stream":"message-stream","payload":`+fmt.Sprintf(format, args...)+`}`)
}

// of is the same client in a part of the test.
func (c *seedClient) of(t *testing.T) *seedClient { return &seedClient{c.Of(t), t} }

// TestRawSQLAndTheRESTAPIBroadcastAlike tells everybody in the group once of every
// row, in the same words, be it written by a socket, by REST or by SQL on another
// connection.
func TestRawSQLAndTheRESTAPIBroadcastAlike(t *testing.T) { everywhere(t, testBroadcastAlike) }

func testBroadcastAlike(t *testing.T, d *demo) {
	secret := d.token(t, "ada")
	ada, nobody := enter(t, d.url, secret), enter(t, d.url, "")
	everybody := func(t *testing.T, action, message string) (got told) {
		t.Helper()
		for _, c := range []*seedClient{ada, nobody} {
			got = c.of(t).wants(action, message)
		}
		return got
	}
	var made told
	t.Run("a socket", func(t *testing.T) {
		ada := ada.of(t)
		ada.saysf(`{"action":"create","data":{"message":"hello world"}}`)
		made = everybody(t, "create", "hello world")
		if made.Data["author"] != "ada" || !strings.HasSuffix(fmt.Sprint(made.Data["created_at"]), "Z") || len(made.Data) != 3 {
			t.Errorf("the new message is %v", made.Data)
		}
		ada.saysf(`{"action":"update","pk":%d,"data":{"message":"by socket"}}`, made.PK)
		if changed := everybody(t, "update", "by socket"); changed.PK != made.PK || changed.Data["created_at"] != made.Data["created_at"] {
			t.Errorf("the changed message is %+v, was %+v", changed, made)
		}
	})
	t.Run("the REST api", func(t *testing.T) {
		ask(t, secret, http.MethodPut, fmt.Sprint(d.url, "/api/messages/", made.PK), `{"message":"by REST"}`)
		everybody(t, "update", "by REST")
		ask(t, secret, http.MethodPost, d.url+"/api/messages", `{"message":"also by REST"}`)
		everybody(t, "create", "also by REST")
	})
	t.Run("raw SQL", func(t *testing.T) {
		other := d.another(t)
		execOn(t, other, `UPDATE messages SET message = 'by SQL' WHERE id = $1`, made.PK)
		everybody(t, "update", "by SQL")
		execOn(t, other, `DELETE FROM messages WHERE id = $1`, made.PK)
		everybody(t, "delete", "")
	})
	t.Run("a socket again", func(t *testing.T) {
		ada.of(t).saysf(`{"action":"delete","pk":%d}`, made.PK+1)
		everybody(t, "delete", "")
	})
}

// TestBulkStatementsBroadcastAfterCommitOncePerRowAndCommit with what each row is then,
// and nothing of what was taken back.
func TestBulkStatementsBroadcastAfterCommitOncePerRowAndCommit(t *testing.T) {
	everywhere(t, testTransactions)
}

func testTransactions(t *testing.T, d *demo) {
	client := enter(t, d.url, "")
	client.Send(ws.OpText, `{"stream":"nothing","payload":{},"id":1}`)
	client.Want(`"unknown_stream"`) // it is there before anything is written
	in := func(commit bool, statements ...string) {
		t.Helper()
		tx, err := d.db.BeginTx(t.Context(), nil)
		must(t, err)
		defer tx.Rollback()
		for _, s := range statements {
			_, err := tx.ExecContext(t.Context(), s)
			must(t, err)
		}
		if commit {
			must(t, tx.Commit())
		}
	}
	const insert = `INSERT INTO messages (message, author) VALUES ('one', 'ada'), ('two', 'ada'), ('three', 'grace')`
	in(false, insert)
	in(true, insert, `UPDATE messages SET message = message || '!'`, `DELETE FROM messages WHERE message = 'two!'`)
	client.wants("create", "one!")
	client.wants("create", "three!")
	in(true, `UPDATE messages SET message = upper(message)`)
	client.wants("update", "ONE!")
	client.wants("update", "THREE!")
	in(true, `DELETE FROM messages`)
	client.wants("delete", "")
	client.wants("delete", "")
}

// TestRefusals has mistakes answered by exactly one error each, and the socket
// live.
func TestRefusals(t *testing.T) { everywhere(t, testRefusals) }

func testRefusals(t *testing.T, d *demo) {
	ada, grace, nobody := enter(t, d.url, d.token(t, "ada")), enter(t, d.url, d.token(t, "grace")), enter(t, d.url, "")
	ada.saysf(`{"action":"create","data":{"message":"Ada's"}}`)
	pk := ada.wants("create", "Ada's").PK
	grace.wants("create", "Ada's")
	nobody.wants("create", "Ada's")
	own := fmt.Sprintf(`"pk":%d`, pk)
	for _, c := range []struct {
		client        *seedClient
		payload, code string
		status        int
		fields        string
	}{
		{nobody, `{"action":"create","data":{"message":"hello"}}`, "denied", 403, ""},
		{nobody, `{"action":"delete",` + own + `}`, "denied", 403, ""},
		{grace, `{"action":"update",` + own + `,"data":{"message":"Grace's"}}`, "denied", 403, ""},
		{grace, `{"action":"delete",` + own + `}`, "denied", 403, ""},
		{ada, `{"action":"create","data":{"message":" "}}`, "invalid", 400, "message"},
		{ada, `{"action":"create","data":{"message":7}}`, "invalid", 400, "message"},
		{ada, `{"action":"create","data":{"message":"x","author":"grace"}}`, "invalid", 400, "author"},
		{ada, `{"action":"update",` + own + `,"data":{"secret":1}}`, "invalid", 400, "secret"},
		{ada, `{"action":"update","pk":9999,"data":{"message":"x"}}`, "not_found", 404, ""},
		{ada, `{"action":"shout"}`, "bad_request", 400, ""},
	} {
		c.client.Send(ws.OpText, `{"stream":"message-stream","id":7,"payload":`+c.payload+`}`)
		var got struct {
			Stream  string
			ID      int
			Payload struct {
				Type, Code string
				Status     int
				Fields     map[string]string
			}
		}
		frame := c.client.Read()
		if err := json.Unmarshal([]byte(frame), &got); err != nil {
			t.Fatal(err)
		}
		p := got.Payload
		if got.Stream != "message-stream" || got.ID != 7 || p.Type != "error" || p.Code != c.code || p.Status != c.status {
			t.Errorf("%s gets %s, want %s", c.payload, frame, c.code)
		}
		if c.fields != "" && p.Fields[c.fields] == "" {
			t.Errorf("%s gets %s, want the field %s", c.payload, frame, c.fields)
		}
	}
	for _, frame := range []string{`{"stream":"nothing","payload":{}}`, `{"stream":"message-stream"}`, `{"stream":"message-stream","payload":[]}`, `{`} {
		ada.Send(ws.OpText, frame)
		ada.Want(`"type":"error"`)
	}
	ada.saysf(`{"action":"update",%s,"data":{"message":"after all"}}`, own)
	for _, c := range []*seedClient{ada, grace, nobody} {
		c.wants("update", "after all")
	}
}

// TestReplies gives who asks by an id the same as it tells the others.
func TestReplies(t *testing.T) { everywhere(t, testReplies) }

func testReplies(t *testing.T, d *demo) {
	ada := enter(t, d.url, d.token(t, "ada"))
	var reply, row map[string]any
	ada.Send(ws.OpText, `{"stream":"message-stream","id":3,"payload":{"action":"create","data":{"message":"hello"}}}`)
	for range 2 { // in either order
		var frame map[string]any
		must(t, json.Unmarshal([]byte(ada.Read()), &frame))
		payload, _ := frame["payload"].(map[string]any)
		if frame["id"] == nil {
			row = payload
			continue
		}
		reply, _ = payload["value"].(map[string]any)
	}
	if reply == nil || !cmp.Equal(reply, row) {
		t.Errorf("the reply is %v, the others are told %v", reply, row)
	}
}

// TestTheDemultiplexerIsAtItsPathWithARoomName of the characters that the pattern has;
// other paths are no sockets.
func TestTheDemultiplexerIsAtItsPathWithARoomName(t *testing.T) {
	d := newDemo(t, onFile(t))
	for path, want := range map[string]int{"/demultiplex/a-b/": 404, "/demultiplex/": 404, "/demultiplex/room/": 101} {
		if got := upgrade(t, d.url+path); got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
}

func upgrade(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	must(t, err)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		req.Header.Set(name, value)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	must(t, err)
	resp.Body.Close()
	return resp.StatusCode
}

func execOn(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), query, args...)
	must(t, err)
}
