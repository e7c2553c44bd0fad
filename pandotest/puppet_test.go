package pandotest

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
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// puppet is a server that says what a test has it say.
type puppet struct {
	t   *testing.T
	url string

	mu    sync.Mutex // guards what follows
	conn  net.Conn
	opens map[string]answer // by route
	// resumes are what each open asked to resume.
	resumes []string
}

// answer is what an open is answered with, and the frames that follow.
type answer struct {
	payload string
	frames  []string
}

func newPuppet(t *testing.T) *puppet {
	t.Helper()
	p := &puppet{t: t, opens: map[string]answer{}}
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
	p.url = server.URL
	return p
}

const hello = `{"stream":"@","payload":{"type":"hello","epoch":"e","types":[` +
	`{"name":"Album","fields":["id","name"]},` +
	`{"name":"Song","fields":["id","title","@album_id","@position"]},` +
	`{"name":"@SongsChannel","fields":["@id","@position"]},` +
	`{"name":"Copy","fields":["shelf","number","note","@(shelf,number)"]}]}}`

func (p *puppet) serve(w http.ResponseWriter, r *http.Request) {
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer conn.Close()
	p.mu.Lock()
	p.conn = conn
	p.mu.Unlock()
	p.say(hello)
	for {
		text, err := wsutil.ReadClientText(conn)
		if err != nil {
			return
		}
		p.answer(text)
	}
}

// answer replies to a request: to an open with what the test has given for its
// route, and plainly to all else.
func (p *puppet) answer(text []byte) {
	var m struct {
		Stream  string
		ID      uint64
		Payload struct {
			Type, Route string
			Resume      json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &m); err != nil {
		p.t.Error(err)
	}
	a := answer{payload: `{"type":"connected"}`}
	switch m.Payload.Type {
	case "open":
		p.mu.Lock()
		a = p.opens[m.Payload.Route]
		p.resumes = append(p.resumes, string(m.Payload.Resume))
		p.mu.Unlock()
	case "close":
		a.payload = `{"type":"closed"}`
	case "action":
		a.payload = `{"type":"result","value":null}`
	}
	p.say(fmt.Sprintf(`{"stream":%q,"id":%d,"payload":%s}`, m.Stream, m.ID, a.payload))
	p.state(a.frames...)
}

// open has opens of a route answered with scopes, as "#1" or "#1 resumed", and
// with frames behind that.
func (p *puppet) open(route, channel, scopes string, frames ...string) {
	var list []string
	for s := range strings.SplitSeq(scopes, ",") {
		id, resumed, _ := strings.Cut(s, " ")
		list = append(list, fmt.Sprintf(`{"id":%q,"resumed":%t}`, id, resumed != ""))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	payload := fmt.Sprintf(`{"type":"opened","channel":%q,"epoch":"e","scopes":[%s]}`, channel, strings.Join(list, ","))
	p.opens[route] = answer{payload, frames}
}

// resumed is what the newest open asked to resume.
func (p *puppet) resumed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resumes[len(p.resumes)-1]
}

func (p *puppet) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := wsutil.WriteServerText(p.conn, []byte(text)); err != nil {
		p.t.Error(err)
	}
}

// state says state frames, each a scope's id and a payload: "#1 {…}".
func (p *puppet) state(frames ...string) {
	for _, f := range frames {
		scope, payload, _ := strings.Cut(f, " ")
		p.say(fmt.Sprintf(`{"stream":%q,"payload":%s}`, scope, payload))
	}
}

// commit says the frames of one commit.
func (p *puppet) commit(frames ...string) {
	p.say(`{"stream":"@","payload":{"type":"begin","v":1}}`)
	p.state(frames...)
	p.say(`{"stream":"@","payload":{"type":"end","v":1}}`)
}

func (p *puppet) dial() *Client {
	p.t.Helper()
	c := NewClient(p.url, "")
	p.redial(c)
	p.t.Cleanup(c.Drop)
	return c
}

func (p *puppet) redial(c *Client) {
	p.t.Helper()
	if err := c.Dial(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// read waits until the client has read all that was said.
func (p *puppet) read(c *Client) {
	p.t.Helper()
	if _, err := c.request(p.t.Context(), "any", map[string]any{"type": "action"}); err != nil {
		p.t.Fatal(err)
	}
}
