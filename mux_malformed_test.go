package pando_test

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/pandotest"
)

// TestMalformedMessagesAreAnsweredWithAStatusOnBothPaths has errors of a
// demultiplexer's streams have a status of HTTP wherever they come from, and those of
// channels none.
func TestMalformedMessagesAreAnsweredWithAStatusOnBothPaths(t *testing.T) {
	b := newBooth(t, routeHall)
	b.app.Handle("docs/{doc_id}", pando.For(func() *OpenDoc { return &OpenDoc{} }))
	b.server = pandotest.Serve(t, b.app)
	for _, path := range []string{"/ws", "/hall/a/"} {
		s := b.session(path, "ada")
		open(s, "s1", "/hall/a/", "echo")
		s.Sendf(`{"stream":"doc","id":2,"payload":{"type":"open","route":"docs/1"}}`)
		for !strings.Contains(s.Read(), `"snapshot"`) {
		}
		for _, m := range []struct{ text, code string }{
			{`{"stream":%q,"id":9007199254740992,"payload":{"type":"message","data":{}}}`, `"bad_frame"`},
			{`{"stream":%q,"payload":{"type":"close"}}`, `"bad_frame"`},
			{`{"stream":%q,"payload":7}`, `"bad_frame"`},
			{`{"stream":%q,"id":3,"payload":7}`, `"bad_request"`},
			{`{"stream":%q,"id":3,"payload":{"type":7}}`, `"bad_request"`},
			{`{"stream":%q,"id":3,"payload":{"type":"dance"}}`, `"bad_request"`},
			{`{"stream":%q,"id":3,"payload":{"type":"message","key":"a b","data":{}}}`, `"bad_request"`},
			{`{"stream":%q,"id":3,"payload":{"type":"message","data":[]}}`, `"bad_request"`},
			{`{"stream":%q,"id":3,"payload":{"type":"message"}}`, `"bad_request"`},
			{`{"stream":%q,"id":3,"payload":{"type":"action","name":"dance"}}`, ``},
		} {
			for name, status := range map[string]bool{"s1": true, "doc": false} {
				s.Send(ws.OpText, strings.ReplaceAll(m.text, "%q", `"`+name+`"`))
				got := s.Read()
				if !strings.Contains(got, `"stream":"`+name+`"`) || !strings.Contains(got, `"type":"error","code":`+m.code) || strings.Contains(got, `"status":400`) != status {
					t.Errorf("%s: %s: got %s, a status: %t", path, m.text, got, status)
				}
			}
		}
		s.Sendf(`{"stream":"s1","id":4,"payload":{"type":"message","data":{"n":1}}}`)
		s.Want(`"n":1`)
	}
}
