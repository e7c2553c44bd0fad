package pando_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando/internal/wiretest"
)

// TestABadFrameGetsExactlyOneErrorFrameAndTheSocketLives has frames that are none
// between others, whose echoes are all that comes besides.
func TestABadFrameGetsExactlyOneErrorFrameAndTheSocketLives(t *testing.T) {
	b := serveBooth(t, routeHall)
	const (
		nowhere = `{"stream":"@","payload":{"type":"error","code":"bad_frame","status":400`
		atEcho  = `{"stream":"echo","payload":{"type":"error","code":"bad_frame","status":400`
	)
	for statement, frames := range map[string][]struct {
		op          ws.OpCode
		frame, want string
	}{
		"an unknown stream": {
			{ws.OpText, `{"stream":"nobody","payload":{}}`, `{"stream":"@","payload":{"type":"error","code":"unknown_stream","status":404`},
		},
		"a missing key": {
			{ws.OpText, `{"payload":{}}`, nowhere},
			{ws.OpText, `{"stream":"echo"}`, atEcho}, // with the stream, which is known
		},
		"a payload that is no object": {
			{ws.OpText, `{"stream":"echo","payload":7}`, atEcho}, {ws.OpText, `{"stream":"echo","payload":null}`, atEcho},
			{ws.OpText, `{"stream":"echo","payload":[]}`, atEcho}, {ws.OpText, `{"stream":"echo","payload":"{}"}`, atEcho},
		},
		"bad JSON":       {{ws.OpText, `{"stream":"echo",`, nowhere}, {ws.OpText, `[]`, nowhere}, {ws.OpText, ``, nowhere}, {ws.OpText, "\xff", nowhere}},
		"a binary frame": {{ws.OpBinary, `{"stream":"echo","payload":{}}`, nowhere}},
	} {
		t.Run(statement, func(t *testing.T) {
			s := wiretest.Plain(t, b.server.URL+"/hall/a/", as("ada"))
			for _, c := range frames {
				s.Send(c.op, c.frame)
				s.Sendf(`{"stream":"other","payload":{"n":1}}`)
				// The other stream has a line of its own: it may come first.
				got := []string{s.Read(), s.Read()}
				slices.SortFunc(got, func(a, b string) int { return strings.Index(a, `"error"`) - strings.Index(b, `"error"`) })
				if got[0] != `{"stream":"other","payload":{"n":1}}` || !strings.HasPrefix(got[1], c.want) {
					t.Errorf("%q: got %s, want %s", c.frame, got, c.want)
				}
			}
			s.Sendf(`{"stream":"echo","payload":{"n":2}}`)
			s.Want(`{"stream":"echo","payload":{"n":2}}`)
		})
	}
}

// TestWhatConsumersFailWithIsTheirStreamsError and not the socket's, and tells no
// more than it may.
func TestWhatConsumersFailWithIsTheirStreamsError(t *testing.T) {
	b := serveBooth(t, routeHall)
	for _, c := range []struct{ statement, message, want string }{
		{"a panic is that stream's error", `"payload":{"say":"panic"}`, `"code":"internal","status":500`},
		{"what went wrong is an error that tells nothing", `"payload":{"say":"fail"}`, `"code":"internal","status":500`},
		{"a coded error has its status", `"payload":{"say":"deny"}`, `"code":"denied","status":403,"message":"not you"`},
		{"a code of the author's is 400", `"payload":{"say":"own"}`, `"code":"tired","status":400`},
		{"with the id of the message", `"id":3,"payload":{"n":"x"}`, `"code":"invalid","status":400`},
	} {
		t.Run(c.statement, func(t *testing.T) {
			s := wiretest.Plain(t, b.server.URL+"/hall/a/", as("ada"))
			for _, stream := range []string{"echo", "other"} {
				s.Sendf(`{"stream":%q,%s}`, stream, c.message)
				id, _, _ := strings.Cut(c.message, `"payload"`)
				want := `{"stream":"` + stream + `",` + id + `"payload":{"type":"error",` + c.want
				if got := s.Read(); !strings.HasPrefix(got, want) || strings.Contains(got, "secret") {
					t.Errorf("got %s, want %s", got, want)
				}
			}
			s.Sendf(`{"stream":"other","payload":{"n":2}}`) // the socket lives
			s.Want(`{"stream":"other","payload":{"n":2}}`)
		})
	}
	if b.log.count("a secret") != 2 || b.log.count("at the disco") < 2 {
		t.Error("the log does not tell")
	}
}
