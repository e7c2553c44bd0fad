package pando_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando"
)

// session is the id of a connection.
func (r *reader) session() string {
	r.t.Helper()
	var hello struct{ Payload struct{ Session string } }
	if err := json.Unmarshal([]byte(r.Hello), &hello); err != nil || len(hello.Payload.Session) < 26 {
		r.t.Fatalf("%s has no session of 128 bits: %v", r.Hello, err)
	}
	return hello.Payload.Session
}

// back opens a doc as a client does that comes back from another session, and
// returns the runtime state that it is shown.
func (d *bureau) back(user, previous, doc, resume string) (*reader, string) {
	d.t.Helper()
	r := &reader{socket: dial(d.t, d.server, nil)}
	r.Sendf(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1,"token":%q,"previous":%q}}`, user, previous)
	r.until(`"connected"`)
	r.Sendf(`{"stream":"s1","id":2,"payload":{"type":"open","route":"docs/%s"%s}}`, doc, resume)
	r.until(`"opened"`)
	return r, r.until(`"type":"runtime"`)
}

// shows fails the test unless a text has come.
func (r *reader) shows(text string) {
	r.t.Helper()
	r.flush()
	wants(r.t, r.got.String(), text)
}

const anew = `"set":{"note":"","unread":0}`

func TestRuntimeStateGoesOnAfterADrop(t *testing.T) {
	d := openBureau(t)
	ada := d.dial("ada")
	ada.act("read", `[3]`, "")
	first := ada.session()
	ada.Conn.Close()
	<-d.left
	again, shown := d.back("ada", first, "1", `,"resume":{"epoch":"x","versions":[1]}`)
	wants(t, shown, `"set":{"note":"read","unread":3}`)
	wants(t, again.act("resume", `[]`, ""), `"value":true`)
	again.act("read", `[1]`, "")
	again.shows(`"unread":4`)
	second := again.session()
	again.Conn.Close()
	<-d.left
	for name, got := range map[string]func() (*reader, string){
		"the second time":     func() (*reader, string) { return d.back("ada", second, "1", "") },
		"from the first once": func() (*reader, string) { return d.back("ada", first, "1", "") },
	} {
		r, shown := got()
		wants(t, shown, `"note":"read"`)
		if got := r.act("resume", `[]`, ""); !strings.Contains(got, `"value":false`) {
			t.Errorf("%s: a client without a tree has resumed: %s", name, got)
		}
	}
	for name, got := range map[string]func() (*reader, string){
		"another user":          func() (*reader, string) { return d.back("grace", second, "1", "") },
		"another doc":           func() (*reader, string) { return d.back("ada", second, "2", "") },
		"another session":       func() (*reader, string) { return d.back("ada", strings.Repeat("A", 26), "1", "") },
		"something long":        func() (*reader, string) { return d.back("ada", strings.Repeat("A", 1000), "1", "") },
		"no session that ended": func() (*reader, string) { return d.back("ada", "", "1", "") },
	} {
		if _, shown := got(); !strings.Contains(shown, anew) {
			t.Errorf("%s: got %s", name, shown)
		}
	}
}

func TestRuntimeStateGoesOnBeforeTheDropIsNoticed(t *testing.T) {
	d := openBureau(t)
	ada := d.dial("ada")
	ada.act("read", `[3]`, "")
	again, shown := d.back("ada", ada.session(), "1", "")
	wants(t, shown, `"set":{"note":"read","unread":3}`)
	again.act("read", `[1]`, "")
	again.shows(`"unread":4`)
	ada.act("read", `[2]`, "") // each has its own from then on
	ada.shows(`"unread":5`)
	again.never(`"unread":5`)
}

func TestRuntimeStateEndsWithWhatTheClientEnds(t *testing.T) {
	for name, end := range map[string]func(r *reader){
		"close": func(r *reader) {
			r.Sendf(`{"stream":"s1","id":3,"payload":{"type":"close"}}`)
			r.until(`"closed"`)
		},
		"goodbye": func(r *reader) {
			if err := ws.WriteFrame(r.Conn, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))); err != nil {
				r.t.Fatal(err)
			}
			r.until("close 1000")
			r.Conn.Close()
		},
	} {
		d := openBureau(t)
		ada := d.dial("ada")
		ada.act("read", `[3]`, "")
		end(ada)
		<-d.left
		if _, shown := d.back("ada", ada.session(), "1", ""); !strings.Contains(shown, anew) {
			t.Errorf("%s: got %s", name, shown)
		}
	}
}

func TestFreshRuntime(t *testing.T) {
	d := openBureau(t, pando.FreshRuntime())
	ada := d.dial("ada")
	ada.act("read", `[3]`, "")
	if _, shown := d.back("ada", ada.session(), "1", ""); !strings.Contains(shown, anew) {
		t.Errorf("got %s", shown)
	}
	ada.Conn.Close()
	<-d.left
	if _, shown := d.back("ada", ada.session(), "1", ""); !strings.Contains(shown, anew) {
		t.Errorf("got %s", shown)
	}
}

func TestALongTurnShowsWhatItDoes(t *testing.T) {
	d := openBureau(t)
	ada := d.dial("ada")
	ada.Sendf(`{"stream":"s1","id":3,"payload":{"type":"action","name":"progress","args":[]}}`)
	ada.until(`"note":"half"`) // while the action runs
	close(d.release)
	ada.until(`"id":3,"payload":{"type":"result"`)
	ada.shows(`"set":{"note":"whole"}`)
}

// Progress tells how far it is.
func (c *DeskChannel) Progress(context.Context) error {
	if err := c.SetRuntime(func(r *DeskRuntime) { r.Note = "half" }); err != nil {
		return err
	}
	<-c.desk.release
	return c.SetRuntime(func(r *DeskRuntime) { r.Note = "whole" })
}

func TestOnConnectFindsTheRuntimeState(t *testing.T) {
	d := openBureau(t)
	seen := make(chan string, 2)
	d.onConnect = func(_ context.Context, c *DeskChannel) error {
		seen <- fmt.Sprintf("%d %v", c.Runtime().Unread, c.Resumed())
		return c.SetRuntime(func(r *DeskRuntime) { r.Unread++ })
	}
	ada := d.dial("ada")
	ada.act("read", `[3]`, "")
	_, shown := d.back("ada", ada.session(), "1", `,"resume":{"epoch":"x","versions":[1]}`)
	wants(t, shown, `"unread":5`)
	if first, second := <-seen, <-seen; first != "0 false" || second != "4 true" {
		t.Errorf("OnConnect saw %q and %q", first, second)
	}
}
