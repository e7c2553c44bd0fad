package pando_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

type Memo struct {
	ID     int64  `json:"id"`
	Text   string `json:"text"`
	UserID int64  `json:"-"`
}

type Room struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Memos []Memo `json:"memos" pando:"user_key:user_id"`
}

// RoomChannel is a room in which everybody sees only the own memos.
type RoomChannel struct {
	pando.Channel[Room, pando.NoRuntime]
}

func (*RoomChannel) HasPermission(context.Context) (bool, error) { return true, nil }

const rooms = `
CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE memos (id INTEGER PRIMARY KEY, room_id INTEGER, user_id INTEGER, text TEXT NOT NULL);
INSERT INTO rooms VALUES (1, 'hall');
INSERT INTO memos VALUES (1, 1, 1, 'ONE'), (2, 1, 2, 'TWO'), (3, 1, NULL, 'NOBODY');
`

func TestRowsOfOneUserAloneOverTheSocket(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, rooms)
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: names{}})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("rooms/{id}", pando.For(func() *RoomChannel { return &RoomChannel{} }, pando.Public()))
	server := pandotest.Serve(t, app)
	open := func(user string, resume string) (r *reader, opened string) {
		r = &reader{socket: dial(t, server, nil)}
		r.connect(user)
		r.Sendf(`{"stream":"s1","id":2,"payload":{"type":"open","route":"rooms/1"%s}}`, resume)
		return r, r.until(`"id":2`)
	}
	one, opened := open("1", "")
	if strings.Count(opened, `"resumed":false`) != 2 {
		t.Errorf("opened two parts as %s", opened)
	}
	one.until(`"end"`)
	two, _ := open("2", "")
	nobody, opened := open("", "")
	if strings.Count(opened, `"resumed":false`) != 1 {
		t.Errorf("opened the public part as %s", opened)
	}
	exec(t, db, "BEGIN; UPDATE memos SET user_id = 2 WHERE id = 1; UPDATE memos SET text = 'MINE' WHERE id = 2; UPDATE rooms SET name = 'lounge'; COMMIT")
	for _, r := range []*reader{one, two} {
		r.until(`"begin"`)
		got := r.Read() + r.Read()
		if r.until(`"end"`); strings.Count(got, `"stream":"#`) != 2 {
			t.Errorf("between begin and end stands %s", got)
		}
		r.got.WriteString(got)
	}
	nobody.until("lounge")
	exec(t, db, "UPDATE memos SET text = 'ONE AND ONLY' WHERE id = 1")
	two.until("ONE AND ONLY")
	one.never("ONE AND ONLY")
	one.never("TWO")
	one.never("MINE")
	if !strings.Contains(two.got.String(), "MINE") {
		t.Error("a user's own memo was not sent")
	}
	for _, r := range []*reader{one, two, nobody} {
		r.never("NOBODY")
	}
	nobody.never(`"ONE`)
	for user, want := range map[string]string{
		"1": `{"id":"1","name":"lounge","memos":[]}`,
		"2": `{"id":"1","name":"lounge","memos":[{"id":"1","text":"ONE AND ONLY"},{"id":"2","text":"MINE"}]}`,
		"":  `{"id":"1","name":"lounge","memos":[]}`,
	} {
		if _, body := get(t, server.URL+"/state/rooms/1", user); strings.TrimSpace(body) != want {
			t.Errorf("user %q: /state is %s", user, body)
		}
	}
	// The client's own tree, before and after it was away.
	client := server.Connect(t, "2")
	room := pandotest.Open[Room](t, client, "rooms/1")
	client.Drop()
	exec(t, db, "BEGIN; UPDATE memos SET user_id = 1 WHERE id = 1; UPDATE rooms SET name = 'attic'; COMMIT")
	if err := client.Dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := room.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	room.Wait(t, "the attic", func(r *Room) bool { return r.Name == "attic" })
	if got := fmt.Sprint(room.State().Memos); got != "[{2 MINE 0}]" {
		t.Errorf("the memos are %s", got)
	}
}
