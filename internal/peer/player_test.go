package peer_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"

	"github.com/pando-sync/pando/internal/peer"
	"github.com/pando-sync/pando/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// player is a server that shows one scope by the frames that it is given.
type player struct {
	t       *testing.T
	url     string
	hello   string
	opened  string
	loading bool // of a snapshot, parts are still to come

	mu   sync.Mutex // guards conn
	conn net.Conn
}

func servePlayer(t *testing.T, types []wire.Type, channel string) *player {
	t.Helper()
	list, err := json.Marshal(types)
	if err != nil {
		t.Fatal(err)
	}
	p := &player{
		t: t, hello: fmt.Sprintf(`{"stream":"@","payload":{"type":"hello","epoch":"e","types":%s}}`, list),
		opened: fmt.Sprintf(`{"type":"opened","channel":%q,"epoch":"e","scopes":[{"id":"#1"}]}`, channel),
	}
	var open sync.WaitGroup // connections, which the server does not wait for
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Done()
		p.serve(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		open.Wait()
	})
	p.url = "ws" + strings.TrimPrefix(server.URL, "http")
	return p
}

func (p *player) serve(w http.ResponseWriter, r *http.Request) {
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer conn.Close()
	p.mu.Lock()
	p.conn = conn
	p.mu.Unlock()
	p.say(p.hello)
	for {
		text, err := wsutil.ReadClientText(conn)
		if err != nil {
			return
		}
		var m struct {
			Stream  string
			ID      uint64
			Payload struct{ Type string }
		}
		if err := json.Unmarshal(text, &m); err != nil {
			p.t.Error(err)
		}
		payload := `{"type":"pong"}`
		if m.Payload.Type == "open" {
			payload = p.opened
		}
		p.say(fmt.Sprintf(`{"stream":%q,"id":%d,"payload":%s}`, m.Stream, m.ID, payload))
	}
}

func (p *player) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := wsutil.WriteServerText(p.conn, []byte(text)); err != nil {
		p.t.Error(err)
	}
}

// dial connects, for as long as the test.
func (p *player) dial(change ...func(*peer.Config)) *peer.Conn {
	p.t.Helper()
	cfg := peer.Config{URL: p.url}
	for _, c := range change {
		c(&cfg)
	}
	conn, err := peer.Dial(p.t.Context(), cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(conn.Close)
	p.ping(conn)
	return conn
}

// ping waits until the client has handled all that was said.
func (p *player) ping(conn *peer.Conn) {
	p.t.Helper()
	if _, err := conn.Request(p.t.Context(), wire.Control, map[string]string{"type": "ping"}); err != nil {
		p.t.Fatal(err)
	}
}

// start starts a stream and waits for the answer.
func (p *player) start(conn *peer.Conn, st *peer.Stream) error {
	answer := make(chan error, 1)
	st.Start(conn, func(err error) { answer <- err })
	return <-answer
}

// play says state frames, one, or several as one commit, and waits until they
// are handled.
func (p *player) play(conn *peer.Conn, one json.RawMessage, several []json.RawMessage) {
	p.t.Helper()
	payloads := several
	if one != nil {
		payloads = []json.RawMessage{one}
	} else {
		p.say(`{"stream":"@","payload":{"type":"begin","v":1}}`)
	}
	for _, payload := range payloads {
		var f wire.StateFrame
		if err := json.Unmarshal(payload, &f); err != nil {
			p.t.Fatal(err)
		}
		p.loading = f.Snapshot == "first" || f.Snapshot == "more"
		p.say(fmt.Sprintf(`{"stream":"#1","payload":%s}`, payload))
	}
	if one == nil {
		p.say(`{"stream":"@","payload":{"type":"end","v":1}}`)
	}
	p.ping(conn)
}
