package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/schema"
)

// searched is the order of a search.
var searched = schema.AsList(schema.ListSpec{Name: "SearchChannel", Order: []string{"word"}, Limit: 20})

// runtime waits until a board's runtime state is as it should be.
func runtime(t *testing.T, s *pandotest.Stream[Board], what string, ok func(*BoardRuntime) bool) {
	t.Helper()
	s.Wait(t, what, func(*Board) bool {
		var r BoardRuntime
		if err := s.Runtime(&r); err != nil {
			t.Error(err)
		}
		return ok(&r)
	})
}

func TestTyping(t *testing.T) { everywhere(t, testTyping) }

func testTyping(t *testing.T, d *demo) {
	ada, grace := d.board(t, "ada", 1), d.board(t, "grace", 1)
	ada.Call(t, nil, "typing", 5)
	runtime(t, grace, "Ada typing", func(r *BoardRuntime) bool {
		return slices.Equal(r.Typing, []Typing{{Person{1, "Ada Lovelace"}, 5}})
	})
	ada.Call(t, nil, "typing", 6)
	runtime(t, grace, "Ada at another card", func(r *BoardRuntime) bool { return len(r.Typing) == 1 && r.Typing[0].Card == 6 })
	ada.Call(t, nil, "typing", 0)
	runtime(t, grace, "Ada having stopped", func(r *BoardRuntime) bool { return len(r.Typing) == 0 })
	var r BoardRuntime
	if err := ada.Runtime(&r); err != nil || len(r.Typing) != 0 {
		t.Errorf("Ada sees herself type: %+v, %v", r.Typing, err)
	}
}

func TestTypingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &BoardChannel{}
		must(t, c.OnTyping(t.Context(), Typing{Person{2, "Grace"}, 5}))
		<-time.After(typingFor / 2) // of a clock that jumps
		must(t, c.OnTyping(t.Context(), Typing{Person{2, "Grace"}, 5}))
		<-time.After(typingFor - time.Millisecond)
		synctest.Wait()
		if got := len(c.Runtime().Typing); got != 1 {
			t.Fatalf("%d type, want Grace, who has said so again", got)
		}
		<-time.After(time.Millisecond)
		synctest.Wait()
		if got := len(c.Runtime().Typing); got != 0 {
			t.Errorf("%d type after %s", got, typingFor)
		}
		must(t, c.OnTyping(t.Context(), Typing{Person{2, "Grace"}, 5}))
		c.OnDisconnect(t.Context())
		<-time.After(time.Hour)
		if got := len(c.Runtime().Typing); got != 1 {
			t.Errorf("a channel that is closed was changed: %d type", got)
		}
	})
}

func TestUnread(t *testing.T) { everywhere(t, testUnread) }

func testUnread(t *testing.T, d *demo) {
	ada, grace := d.board(t, "ada", 1), d.board(t, "grace", 1)
	window := d.board(t, "ada", 1)
	unread := func(n int) func(*BoardRuntime) bool { return func(r *BoardRuntime) bool { return r.Unread == n } }
	runtime(t, ada, "nothing unread at first", unread(0))
	must(t, create("Comment", fields{"body": "One"}, "Card", 5, "comments")(grace))
	must(t, create("Comment", fields{"body": "Two"}, "Card", 6, "comments")(grace))
	must(t, create("Comment", fields{"body": "My own"}, "Card", 6, "comments")(ada))
	runtime(t, ada, "two unread", unread(2))
	runtime(t, window, "two unread in the other window", unread(2))
	runtime(t, grace, "one unread", unread(1))
	must(t, remove("Comment", lastComment(t, d, "Two"))(grace))
	runtime(t, ada, "one deleted", unread(1))
	ada.Call(t, nil, "readComments")
	runtime(t, ada, "all read", unread(0))
	runtime(t, window, "all read in the other window", unread(0))
	runtime(t, grace, "still one unread", unread(1))
}

func lastComment(t *testing.T, d *demo, body string) (id int64) {
	t.Helper()
	must(t, d.db.QueryRowContext(t.Context(), `SELECT max(id) FROM comments WHERE body = $1`, body).Scan(&id))
	return id
}

func TestMention(t *testing.T) { everywhere(t, testMention) }

func testMention(t *testing.T, d *demo) {
	ada := d.board(t, "ada", 1)
	notices := make(chan string, 9)
	for _, name := range []string{"grace", "mary"} {
		client := d.connect(t, name)
		client.Tap(func(frame []byte) {
			if strings.Contains(string(frame), `"notice"`) {
				var m struct{ Payload struct{ Name, Value string } }
				if err := json.Unmarshal(frame, &m); err != nil {
					t.Error(err)
				}
				notices <- name + ": " + m.Payload.Name + ": " + m.Payload.Value
			}
		})
		pandotest.Open[Board](t, client, "boards/1")
	}
	must(t, create("Comment", fields{"body": "Nobody, @nobody."}, "Card", 5, "comments")(ada))
	must(t, create("Comment", fields{"body": "@grace, have you seen @grace's mail?"}, "Card", 5, "comments")(ada))
	must(t, create("Comment", fields{"body": "(@mary)"}, "Card", 5, "comments")(ada))
	// Two pages hear of it in any order.
	want := map[string]bool{
		"grace: mention: Ada Lovelace mentioned you: " + guide: true,
		"mary: mention: Ada Lovelace mentioned you: " + guide:  true,
	}
	for range len(want) {
		select {
		case got := <-notices:
			if !want[got] {
				t.Errorf("got the notice %q, want one of %v", got, want)
			}
			delete(want, got)
		case <-time.After(10 * time.Second):
			t.Fatalf("no notice came, want %v", want)
		}
	}
}

func TestSearch(t *testing.T) { everywhere(t, testSearch) }

func testSearch(t *testing.T, d *demo) {
	found := pandotest.Open[[]Hit](t, d.connect(t, "grace"), "boards/1/words/re/rf", searched)
	titles := func(hits *[]Hit) string {
		var all []string
		for _, h := range *hits {
			all = append(all, h.Word+"="+h.Card.Title)
		}
		return strings.Join(all, ";")
	}
	const before = `reader=Check every text with a screen reader;release=Pick a name for the release;retire=Retire the old importer`
	if got := titles(found.State()); got != before {
		t.Fatalf("found %s", got)
	}
	const title = `re\"act, "re"s ]  Re`
	d.exec(t, `UPDATE cards SET title = $1 WHERE id = 1`, title)
	found.Wait(t, "words of another title", func(hits *[]Hit) bool {
		return titles(hits) == `re=`+title+`;re\"act,=`+title+`;`+before
	})
	d.exec(t, `DELETE FROM cards WHERE id = 1`)
	found.Wait(t, "words of a card that is deleted", func(hits *[]Hit) bool { return titles(hits) == before })
}
