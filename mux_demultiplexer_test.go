package pando_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/mux"
)

// TestHelloIsSentOnlyIfTheClientNegotiatesTheSubprotocol at one path, which serves
// both.
func TestHelloIsSentOnlyIfTheClientNegotiatesTheSubprotocol(t *testing.T) {
	b := serveBooth(t, routeHall)
	for _, c := range []struct {
		statement string
		asked     []string
		hello     bool
	}{
		{"of pando.v1", []string{"pando.v1"}, true},
		{"of pando.v1 among others", []string{"chat", "pando.v1"}, true},
		{"of another", []string{"chat"}, false},
		{"of none", nil, false},
	} {
		t.Run(c.statement, func(t *testing.T) {
			header := as("ada")
			for _, name := range c.asked {
				header.Add("Sec-WebSocket-Protocol", name)
			}
			s := wiretest.Plain(t, b.server.URL+"/hall/a/", header)
			if c.hello {
				s.Want(`"type":"hello"`)
				return
			}
			s.Sendf(`{"stream":"echo","payload":{"n":1}}`)
			if got := s.Read(); got != `{"stream":"echo","payload":{"n":1}}` {
				t.Errorf("the first frame is %s", got)
			}
		})
	}
}

// TestAJSONConsumerHasConnectReceiveAndDisconnectWithThePathsArguments on both faces.
func TestAJSONConsumerHasConnectReceiveAndDisconnectWithThePathsArguments(t *testing.T) {
	for _, face := range []string{"plain", "pando.v1"} {
		t.Run(face, func(t *testing.T) {
			b := serveBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
				note := func(event string, s *mux.Stream) {
					b.note(fmt.Sprintf("%s %s %s %s", event, s.Name(), s.Args()["room_name"], s.Args()["page"]))
				}
				d := &mux.Demultiplexer{Public: true, Consumers: map[string]mux.Consumer{"chat": mux.JSON[spoken]{
					OnConnect: func(_ context.Context, s *mux.Stream) error {
						note("connect", s)
						return nil
					},
					OnReceive: func(_ context.Context, s *mux.Stream, p spoken) (any, error) {
						note("receive "+p.Say, s)
						return nil, nil
					},
					OnDisconnect: func(_ context.Context, s *mux.Stream) { note("disconnect", s) },
				}}}
				return []mux.Entry{mux.RouteClass(d, "^/demultiplex/(?P<room_name>[a-zA-Z0-9_]+)/(?P<page>[0-9]+)/")}
			})
			const path = "/demultiplex/Room_1/7/"
			var s *wiretest.Socket
			if face == "plain" {
				s = b.plain(path, "")
				s.Sendf(`{"stream":"chat","id":1,"payload":{"say":"hi"}}`)
			} else {
				s = b.session("/ws", "ada")
				open(s, "chat", path, "chat")
				s.Sendf(`{"stream":"chat","id":1,"payload":{"type":"message","data":{"say":"hi"}}}`)
			}
			s.Want(`"id":1,"payload":{"type":"result","value":null}`)
			s.Conn.Close()
			b.server.Stop(t)
			const want = "connect chat Room_1 7, receive hi chat Room_1 7, disconnect chat Room_1 7"
			if got := b.notes(); got != want {
				t.Errorf("called: %s, want %s", got, want)
			}
		})
	}
}

// TestASlowHandlerOnOneStreamDelaysNoOther has one that takes two seconds, behind which
// messages of its own stream wait, in order.
func TestASlowHandlerOnOneStreamDelaysNoOther(t *testing.T) {
	const takes = 2 * time.Second
	b := serveBooth(t, func(b *booth, _ *pando.Config) []mux.Entry {
		d := b.lobby()
		slow := b.echo()
		receive := slow.OnReceive
		slow.OnReceive = func(ctx context.Context, s *mux.Stream, p spoken) (any, error) {
			if p.N == 1 {
				select {
				case <-time.After(takes):
				case <-ctx.Done():
				}
			}
			return receive(ctx, s, p)
		}
		d.Consumers["slow"] = slow
		return []mux.Entry{mux.RouteClass(d, hallPath)}
	})
	for _, face := range []struct{ name, message, echo, reply string }{
		{"plain", `{"stream":%q,"id":%d,"payload":{"n":%d}}`, `{"stream":%q,"payload":{"n":%d}}`, `{"stream":%q,"id":%d,"payload":{"type":"result","value":"a"}}`},
		{
			"pando.v1", `{"stream":%q,"id":%d,"payload":{"type":"message","data":{"n":%d}}}`, `{"stream":%q,"payload":{"type":"message","data":{"n":%d}}}`,
			`{"stream":%q,"id":%d,"payload":{"type":"result","value":"a"}}`,
		},
	} {
		t.Run(face.name, func(t *testing.T) {
			t.Parallel()
			s := wiretest.Plain(t, b.server.URL+"/hall/a/", as("ada"))
			if face.name == "pando.v1" {
				s = wiretest.Dial(t, b.server.URL+"/hall/a/", protocolAs("ada"))
				s.Sendf(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1}}`)
				s.Want("connected")
				open(s, "slow", "", "slow")
				open(s, "echo", "", "echo")
			}
			begun := time.Now()
			for n := range 10 {
				s.Sendf(face.message, "slow", 10+n, n+1)
			}
			longest := time.Duration(0)
			for n := range 100 { // all of these come before any of those
				sent := time.Now()
				s.Sendf(face.message, "echo", 100+n, n+1)
				s.Want(fmt.Sprintf(face.echo, "echo", n+1))
				s.Want(fmt.Sprintf(face.reply, "echo", 100+n))
				longest = max(longest, time.Since(sent))
			}
			for n := range 10 {
				s.Want(fmt.Sprintf(face.echo, "slow", n+1))
				s.Want(fmt.Sprintf(face.reply, "slow", 10+n))
			}
			if took := time.Since(begun); took < takes {
				t.Errorf("the slow handler took %s, want %s at least", took, takes)
			}
			t.Logf("the other stream's longest answer took %s", longest)
		})
	}
}

// TestInAndOutAreEnvelopesOfStreamAndPayload has every frame of a plain connection be
// one, and what comes in with other keys besides.
func TestInAndOutAreEnvelopesOfStreamAndPayload(t *testing.T) {
	b := serveBooth(t, routeHall)
	s := b.plain("/hall/a/", "ada")
	for _, frame := range []string{
		`{"stream":"echo","payload":{"say":"hi"}}`, `{ "payload" : {"say":"hi"}, "stream" : "echo" }`, `{"stream":"echo","payload":{"say":"hi"},"more":1}`,
	} {
		s.Send(ws.OpText, frame)
		if got := s.Read(); got != `{"stream":"echo","payload":{"say":"hi"}}` {
			t.Errorf("%s: got %s", frame, got)
		}
	}
	if got := b.notes(); strings.Count(got, "+echo") != 1 || strings.Count(got, "+other") != 1 {
		t.Errorf("consumers that were connected: %s, want each of the map's", got)
	}
}
