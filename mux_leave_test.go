package pando_test

import (
	"strings"
	"testing"

	"github.com/pando-sync/pando/internal/wiretest"
)

// TestWhoHasLeftAGroupIsSentNoMorePartsOfIt has a client that reads nothing leave the
// group of the rows that it is sent. Behind the answer there is none of them.
func TestWhoHasLeftAGroupIsSentNoMorePartsOfIt(t *testing.T) {
	for _, face := range []string{"plain", "pando.v1"} {
		t.Run(face, func(t *testing.T) {
			b := serveBooth(t, bindPins)
			exec(t, b.db, `WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 14000)
				INSERT INTO pins SELECT i, 'a', printf('secret %01000d', i) FROM n`)
			var s *wiretest.Socket
			say := `{"stream":%q,"id":%d,"payload":%s}`
			if face == "plain" {
				s = b.plain("/hall/a/", "ada")
			} else {
				say = `{"stream":%q,"id":%d,"payload":{"type":"message","data":%s}}`
				s = b.session("/hall/a/", "ada")
				for _, name := range []string{"pins", "echo"} {
					s.Sendf(`{"stream":%q,"id":2,"payload":{"type":"open"}}`, name)
					s.Want("opened")
				}
			}
			s.Sendf(say, "pins", 5, `{"action":"subscribe"}`)
			parts := 0
			for got := ""; !strings.Contains(got, `"action":"snapshot"`); parts++ {
				got = s.Read()
			}
			s.Sendf(say, "echo", 6, `{"say":"part","group":"room.a"}`)
			gap := false
			for got := ""; !strings.Contains(got, `"id":6,"payload":{"type":"result"`); parts++ {
				got = s.Read()
				gap = gap || strings.Contains(got, `"gap"`)
			}
			for got := ""; !strings.Contains(got, `"rows":[]`); {
				got = s.Read()
				gap = gap || strings.Contains(got, `"gap"`)
				if strings.Contains(got, "secret") {
					t.Fatalf("behind the answer comes %.100s", got)
				}
			}
			if !gap {
				t.Errorf("no gap is told of, among %d frames", parts)
			}
		})
	}
}
