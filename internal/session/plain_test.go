package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/internal/wiretest"
)

// TestMessagesOfOneStreamAreHandledInOrder has a thousand of them come back.
func TestMessagesOfOneStreamAreHandledInOrder(t *testing.T) {
	const frames = 1000
	v := &venue{streams: map[string]handler{"echo": echo}}
	s := plain(t, v.open(t, session.Config{}))
	go func() { // without waiting
		for i := range frames {
			s.Sendf(`{"stream":"echo","id":%d,"payload":{"n":%d}}`, i+1, i)
		}
	}()
	for i := range frames {
		for _, want := range []string{
			fmt.Sprintf(`{"stream":"echo","payload":{"n":%d}}`, i),
			fmt.Sprintf(`{"stream":"echo","id":%d,"payload":{"type":"result","value":{"n":%d}}}`, i+1, i),
		} {
			if got := s.Read(); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
	}
}

// blocker is a handler that waits until it is let go.
func blocker() (h handler, entered, release chan struct{}) {
	entered, release = make(chan struct{}, 1), make(chan struct{})
	return func(ctx context.Context, _ func(json.RawMessage), payload json.RawMessage) (json.RawMessage, error) {
		select {
		case entered <- struct{}{}:
		default:
		}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return payload, nil
	}, entered, release
}

// TestASlowHandlerOnOneStreamDelaysNoOther has a thousand frames wait for it meanwhile.
func TestASlowHandlerOnOneStreamDelaysNoOther(t *testing.T) {
	slow, entered, release := blocker()
	v := &venue{streams: map[string]handler{"slow": slow, "echo": echo}}
	s := plain(t, v.open(t, session.Config{}))
	for i := range 1000 {
		s.Sendf(`{"stream":"slow","id":%d,"payload":{"n":%d}}`, i+1, i)
	}
	<-entered
	for i := range 100 {
		s.Sendf(`{"stream":"echo","payload":{"n":%d}}`, i)
		s.Want(fmt.Sprintf(`{"stream":"echo","payload":{"n":%d}}`, i))
	}
	close(release)
	for i := range 1000 {
		s.Want(fmt.Sprintf(`{"stream":"slow","id":%d,"payload":{"type":"result","value":{"n":%d}}}`, i+1, i))
	}
}

func TestMessagesThatWaitAreBounded(t *testing.T) {
	slow, entered, release := blocker()
	v := &venue{streams: map[string]handler{"slow": slow, "echo": echo}}
	s := plain(t, v.open(t, session.Config{}))
	body := strings.Repeat("x", 60<<10)
	s.Sendf(`{"stream":"slow","payload":{"first":true}}`)
	<-entered
	const fit = (1 << 20) / (60<<10 + 8)
	for range fit {
		s.Sendf(`{"stream":"slow","payload":{"x":%q}}`, body)
	}
	s.Sendf(`{"stream":"echo","id":1,"payload":{}}`)
	s.Want(`{"stream":"echo","payload":{}}`) // nothing is refused so far
	s.Want(`"id":1`)
	s.Sendf(`{"stream":"slow","payload":{"x":%q}}`, body)
	s.Want(`{"stream":"slow","payload":{"type":"error","code":"rate_limited","status":429`)
	s.Sendf(`{"stream":"slow","id":9,"payload":{"x":%q}}`, body)
	s.Want(`{"stream":"slow","id":9,"payload":{"type":"error","code":"rate_limited"`)
	close(release)
	s.Sendf(`{"stream":"echo","payload":{"after":true}}`)
	s.Want(`{"after":true}`)
}

// TestAGapIsToldBehindWhatWasTaken has a client read nothing until something is
// lost.
func TestAGapIsToldBehindWhatWasTaken(t *testing.T) {
	v := &venue{streams: map[string]handler{"echo": echo}}
	s := plain(t, v.open(t, session.Config{}))
	s.Sendf(`{"stream":"echo","payload":{}}`)
	s.Want("{}") // it is open
	line := v.last().Lines["echo"]
	body := strings.Repeat("x", 32<<10)
	taken := 0
	for line.Tell(wire.Message("echo", 0, map[string]any{"n": taken, "x": body})) {
		taken++
	}
	if line.Tell(wire.Message("echo", 0, json.RawMessage(`{"small":true}`))) {
		t.Error("something is taken behind what was lost")
	}
	sent := make(chan error, 1)
	go func() { sent <- line.Send(t.Context(), wire.Message("echo", 0, json.RawMessage(`{"waited":true}`))) }()
	for n := range taken {
		s.Want(fmt.Sprintf(`{"stream":"echo","payload":{"n":%d,`, n))
	}
	s.Want(`{"stream":"echo","payload":{"type":"error","code":"gap","status":503`)
	s.Want(`{"waited":true}`)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if !line.Tell(wire.Message("echo", 0, json.RawMessage(`{"again":true}`))) {
		t.Error("nothing is taken after the gap")
	}
	s.Want(`{"again":true}`)
	line.Gap()
	s.Want(`"code":"gap"`)
}

func TestWhoWaitsForRoomHearsOfTheEnd(t *testing.T) {
	v := &venue{streams: map[string]handler{"echo": echo}}
	s := plain(t, v.open(t, session.Config{}))
	s.Sendf(`{"stream":"echo","payload":{}}`)
	s.Want("{}")
	line := v.last().Lines["echo"]
	f := wire.Message("echo", 0, map[string]any{"x": strings.Repeat("x", 64<<10)})
	send := func(ctx context.Context) chan error {
		ended := make(chan error)
		go func() {
			var err error
			for err == nil { // until nothing fits
				err = line.Send(ctx, f)
			}
			ended <- err
		}()
		return ended
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := send(ctx)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	ended = send(t.Context())
	s.Conn.Close()
	<-ended
}

// TestASocketKilledWithoutAGoodbyeEndsWithinTheHeartbeat has a proxy swallow
// everything.
func TestASocketKilledWithoutAGoodbyeEndsWithinTheHeartbeat(t *testing.T) {
	for name, protocol := range map[string]http.Header{"plain": nil, "pando.v1": {"Sec-Websocket-Protocol": {"pando.v1"}}} {
		t.Run(name, func(t *testing.T) {
			v := &venue{streams: map[string]handler{"echo": echo}}
			url := v.open(t, session.Config{Heartbeat: 400 * time.Millisecond})
			proxy := wiretest.Between(t, strings.TrimPrefix(url, "http://"))
			s := wiretest.Plain(t, "http://"+proxy.Address, protocol)
			live := plain(t, url)
			proxy.Die()
			for v.app.server.Sessions() > 1 { // the other one answers pings as it reads
				live.Sendf(`{"stream":"echo","payload":{}}`)
				live.Want("{}")
			}
			s.Conn.Close()
			if name == "plain" && fmt.Sprint(v.hasClosed()) != "[echo @]" {
				t.Errorf("closed: %v", v.hasClosed())
			}
		})
	}
}

func TestWhoMayNotBeIsClosedAfterTheFirstFrame(t *testing.T) {
	v := &venue{streams: map[string]handler{"echo": echo}, enter: func(session.Entrance) error { return rpc.Errorf("denied", "not you") }}
	url := v.open(t, session.Config{ConnectTimeout: 50 * time.Millisecond})
	silent := plain(t, url)
	silent.Want(`"code":"denied","status":403`)
	silent.Want("close 4403")
	v.enter = func(session.Entrance) error { return rpc.Errorf("unauthenticated", "who?") }
	s := plain(t, v.open(t, session.Config{}))
	s.Sendf("no JSON")
	s.Want(`"code":"unauthenticated","status":401`)
	s.Want("close 4401")
}

func TestASystemMessageIsNotForPlainClients(t *testing.T) {
	v := &venue{streams: map[string]handler{"echo": echo}}
	s := plain(t, v.open(t, session.Config{}))
	v.app.server.Broadcast(wire.Message(wire.Control, 0, wire.System{Type: "system", Kind: "message", Text: "Backup at noon."}))
	s.Sendf(`{"stream":"echo","payload":{}}`)
	s.Want(`{"stream":"echo","payload":{}}`)
	v.app.server.Maintenance("Back soon.", time.Minute)
	s.Want("close 1001")
}

// TestStreamsAreToldOnceTheyAreOpen has one that opens slowly, and one that is
// refused.
func TestStreamsAreToldOnceTheyAreOpen(t *testing.T) {
	release := make(chan struct{})
	v := &venue{streams: map[string]handler{"slow": echo, "shut": echo}, opening: func(name string) error {
		if name == "shut" {
			return rpc.Errorf("denied", "not here")
		}
		<-release
		return nil
	}}
	v.enter = func(e session.Entrance) error {
		for _, name := range []string{"slow", "shut"} { // before anybody is connected
			e.Lines[name].Tell(wire.Message(name, 0, json.RawMessage(`{"early":true}`)))
		}
		return nil
	}
	s := plain(t, v.open(t, session.Config{}))
	s.Want(`{"stream":"shut","payload":{"type":"error","code":"denied"`)
	s.Sendf(`{"stream":"slow","payload":{"n":1}}`)
	s.Sendf(`{"stream":"shut","payload":{"n":1}}`)
	s.Want(`{"stream":"@","payload":{"type":"error","code":"unknown_stream","status":404`)
	close(release)
	s.Want(`{"stream":"slow","payload":{"early":true}}`)
	s.Want(`{"stream":"slow","payload":{"n":1}}`)
}

func TestPlainTextIsOneMessageEach(t *testing.T) {
	v := &venue{streams: map[string]handler{"@": func(_ context.Context, _ func(json.RawMessage), text json.RawMessage) (json.RawMessage, error) {
		return nil, rpc.Errorf("heard", "%s", text)
	}}}
	s := plain(t, v.open(t, session.Config{}))
	s.Sendf("not JSON")
	s.Want(`{"stream":"@","payload":{"type":"error","code":"heard","status":400,"message":"not JSON"`)
	s.Send(ws.OpBinary, "x")
	s.Want("bad_frame")
	v.last().Tell(wire.Text([]byte("and back")))
	if got := s.Read(); got != "and back" {
		t.Errorf("got %s", got)
	}
}

func TestTheSubprotocolIsAgreedTo(t *testing.T) {
	v := &venue{streams: map[string]handler{"echo": echo}}
	place := v.open(t, session.Config{})
	for _, url := range []string{place, start(t, &app{}, session.Config{})} {
		s := wiretest.Dial(t, url, http.Header{"Sec-Websocket-Protocol": {"chat", "pando.v1"}})
		if s.Protocol != "pando.v1" {
			t.Errorf("got %q", s.Protocol)
		}
	}
	if s := wiretest.Plain(t, place, http.Header{"Sec-Websocket-Protocol": {"chat"}}); s.Protocol != "" {
		t.Errorf("got %q", s.Protocol)
	}
}
