package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/pando-sync/pando/client"
)

// fake is a server that says what a test has it say.
type fake struct {
	t   *testing.T
	url string
	// upgrade may refuse a connection, by its number from 1 on.
	upgrade func(n int, w http.ResponseWriter, r *http.Request) bool
	// answer is what a request of a type on a connection is answered with; frames
	// follow. "" is no answer.
	answer func(n int, kind string) (payload string, frames []string)
	dials  atomic.Int64
	open   sync.WaitGroup
}

const fakeHello = `{"stream":"@","payload":{"type":"hello","session":"s%d","epoch":"e","heartbeat":%d,"types":[` +
	`{"name":"Shelf","fields":["id","name"]},{"name":"Book","fields":["id","title","read","@shelf_id"]}]}}`

const fakeOpened = `{"type":"opened","channel":"ShelfChannel","epoch":"e","scopes":[{"id":"#1"}]}`

// serveFake serves a fake whose heartbeat is so many milliseconds.
func serveFake(t *testing.T, heartbeat int, f *fake) *client.Client {
	t.Helper()
	f.start(t, heartbeat, (*httptest.Server).Start)
	c := client.New(f.url, client.Options{}).Hasten()
	t.Cleanup(c.Close)
	return c
}

func (f *fake) start(t *testing.T, heartbeat int, start func(*httptest.Server)) *httptest.Server {
	t.Helper()
	f.t = t
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.open.Add(1)
		defer f.open.Done()
		f.serve(heartbeat, w, r)
	}))
	start(server)
	t.Cleanup(func() {
		server.Close()
		f.open.Wait()
	})
	f.url = server.URL
	return server
}

// TestTLSAndHeaders connects to a server of https.
func TestTLSAndHeaders(t *testing.T) {
	cookies := make(chan string, 1)
	f := &fake{
		upgrade: func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			cookies <- r.Header.Get("Cookie")
			return true
		},
		answer: func(int, string) (string, []string) { return fakeOpened, []string{shelfFrame(5, "only", "safe")} },
	}
	server := f.start(t, 0, (*httptest.Server).StartTLS)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	c := client.New(f.url, client.Options{
		TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Header: http.Header{"Cookie": {"session=x"}},
	})
	t.Cleanup(c.Close)
	if s := shelf(t, c, "shelves/1"); s.State().Name != "safe" || <-cookies != "session=x" {
		t.Errorf("got %+v", s.State())
	}
}

func (f *fake) serve(heartbeat int, w http.ResponseWriter, r *http.Request) {
	n := int(f.dials.Add(1))
	if f.upgrade != nil && !f.upgrade(n, w, r) {
		return
	}
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		f.t.Error(err)
		return
	}
	defer conn.Close()
	f.say(conn, fmt.Sprintf(fakeHello, n, heartbeat))
	for {
		text, err := wsutil.ReadClientText(conn)
		if err != nil {
			return
		}
		f.reply(conn, n, text)
	}
}

func (f *fake) reply(conn net.Conn, n int, text []byte) {
	var m struct {
		Stream  string
		ID      uint64
		Payload struct{ Type string }
	}
	if err := json.Unmarshal(text, &m); err != nil {
		f.t.Error(err)
	}
	payload, frames := `{"type":"connected"}`, []string(nil)
	if m.Payload.Type != "connect" {
		payload, frames = f.answer(n, m.Payload.Type)
	}
	if payload != "" {
		f.say(conn, fmt.Sprintf(`{"stream":%q,"id":%d,"payload":%s}`, m.Stream, m.ID, payload))
	}
	for _, frame := range frames {
		f.say(conn, frame)
	}
}

// say says something; who has gone hears nothing.
func (f *fake) say(conn net.Conn, text string) {
	if text == "close" {
		conn.Close()
		return
	}
	if code, found := strings.CutPrefix(text, "close "); found {
		var n int
		fmt.Sscan(code, &n)
		_ = ws.WriteFrame(conn, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(n), "")))
		return
	}
	_ = wsutil.WriteServerText(conn, []byte(text))
}

func shelfFrame(v int, snapshot, name string) string {
	return fmt.Sprintf(`{"stream":"#1","payload":{"v":%d,"snapshot":%q,"set":[[0,["1",%q]]]}}`, v, snapshot, name)
}

// TestSilence gives up a connection on which nothing comes.
func TestSilence(t *testing.T) {
	c := serveFake(t, 20, &fake{answer: func(n int, kind string) (string, []string) {
		return fakeOpened, []string{shelfFrame(5, "only", strconv.Itoa(n))}
	}})
	s := shelf(t, c, "shelves/1")
	wait(t, s, "the third connection", func(s Shelf) bool { return s.Name == "3" })
}

// TestBrokenProtocol reads anew what went back in time, and goes on.
func TestBrokenProtocol(t *testing.T) {
	for name, frames := range map[string][]string{
		"back in time":      {shelfFrame(5, "only", "one"), `{"stream":"#1","payload":{"v":4}}`},
		"no JSON":           {shelfFrame(5, "only", "one"), `{`},
		"bad frame":         {shelfFrame(5, "only", "one"), `{"stream":"#1","payload":{"v":"x"}}`},
		"bad control":       {shelfFrame(5, "only", "one"), `{"stream":"@","payload":[]}`},
		"the connection":    {shelfFrame(5, "only", "one"), "close"},
		"the server fails":  {shelfFrame(5, "only", "one"), "close 1011"},
		"the client sleeps": {shelfFrame(5, "only", "one"), "close 4408"},
	} {
		t.Run(name, func(t *testing.T) {
			c := serveFake(t, 0, &fake{answer: func(n int, _ string) (string, []string) {
				if n == 1 {
					return fakeOpened, frames
				}
				return fakeOpened, []string{shelfFrame(3, "only", "two")}
			}})
			s, err := client.Open[Shelf](within(t), c, "shelves/1")
			if err != nil {
				t.Fatal(err)
			}
			wait(t, s, "the second reading", func(s Shelf) bool { return s.Name == "two" })
		})
	}
}

// TestRefusedForGood does not come back by itself.
func TestRefusedForGood(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		frame  string
		code   string
		as     client.Status
	}{
		"403":    {status: http.StatusForbidden, code: "denied", as: client.Refused},
		"401":    {status: http.StatusUnauthorized, code: "unauthenticated", as: client.NeedsAuth},
		"denied": {frame: "close 4403", code: "denied", as: client.Refused},
		"done":   {frame: "close 1000", code: "closed", as: client.Refused},
		"other":  {frame: "close 4400", code: "protocol", as: client.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{
				upgrade: func(n int, w http.ResponseWriter, _ *http.Request) bool {
					if n == 1 && tt.status > 0 {
						w.WriteHeader(tt.status)
						return false
					}
					return true
				},
				answer: func(n int, _ string) (string, []string) {
					if n == 1 {
						return "", []string{tt.frame}
					}
					return fakeOpened, []string{shelfFrame(5, "only", "back")}
				},
			}
			c := serveFake(t, 0, f)
			_, err := client.Open[Shelf](within(t), c, "shelves/1")
			coded(t, err, tt.code, client.Failed)
			if c.Status() != tt.as || f.dials.Load() != 1 {
				t.Errorf("status %s after %d dials", c.Status(), f.dials.Load())
			}
			c.Reconnect()
			if err := c.Connect(within(t)); err != nil {
				t.Error(err)
			}
			if s := shelf(t, c, "shelves/1"); s.State().Name != "back" {
				t.Errorf("got %+v", s.State())
			}
		})
	}
}

// TestUnavailable asks again for what the server cannot give now.
func TestUnavailable(t *testing.T) {
	asked := 0
	c := serveFake(t, 0, &fake{
		upgrade: func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n == 1 {
				http.Error(w, "later", http.StatusServiceUnavailable)
			}
			return n > 1
		},
		answer: func(int, string) (string, []string) {
			if asked++; asked < 3 {
				return `{"type":"error","code":"unavailable","message":"later","retry":true,"retry_after":1}`, nil
			}
			return fakeOpened, []string{shelfFrame(5, "only", "now")}
		},
	})
	if s := shelf(t, c, "shelves/1"); s.State().Name != "now" {
		t.Errorf("got %+v", s.State())
	}
}

// TestTooLarge does not send for ever what the server does not take.
func TestTooLarge(t *testing.T) {
	c := serveFake(t, 0, &fake{answer: func(_ int, kind string) (string, []string) {
		if kind == "action" {
			return "", []string{"close 1009"}
		}
		return fakeOpened, []string{shelfFrame(5, "only", "x")}
	}})
	s := shelf(t, c, "shelves/1")
	_, err := client.CallOnce[string](within(t), s, "add", "much")
	coded(t, err, "too_large", client.Failed)
}

// TestAnOutcomeThatTheServerDoesNotKnow is told as it is.
func TestAnOutcomeThatTheServerDoesNotKnow(t *testing.T) {
	c := serveFake(t, 0, &fake{answer: func(_ int, kind string) (string, []string) {
		if kind == "action" {
			return `{"type":"error","code":"timeout","message":"given up","retry":false,"outcome":"unknown"}`, nil
		}
		return fakeOpened, []string{shelfFrame(5, "only", "x")}
	}})
	_, err := client.Call[string](within(t), shelf(t, c, "shelves/1"), "add", "x")
	coded(t, err, "timeout", client.Unknown)
}

// TestAnAnswerOutlivesItsConnection has the connection go between the answer and
// its effects, and the next one be of a server that lags behind them.
func TestAnAnswerOutlivesItsConnection(t *testing.T) {
	c := serveFake(t, 0, &fake{answer: func(n int, kind string) (string, []string) {
		const result = `{"type":"result","value":"7","version":9}`
		switch {
		case kind != "action":
			return fakeOpened, []string{shelfFrame(5, "only", "before")}
		case n == 1:
			return result, []string{"close 1001"}
		default:
			return result, []string{shelfFrame(9, "only", "after"), `{"stream":"@","payload":{"type":"mark","v":9}}`}
		}
	}})
	s := shelf(t, c, "shelves/1")
	got, err := client.CallOnce[string](within(t), s, "add", "x")
	if err != nil || got != "7" || s.State().Name != "after" {
		t.Errorf("%q, %v, and the state is %+v", got, err, s.State())
	}
}

// TestMaintenance stays away as long as the server asks for.
func TestMaintenance(t *testing.T) {
	var back atomic.Int64
	told := make(chan client.SystemMessage, 1)
	f := &fake{t: t, answer: func(n int, _ string) (string, []string) {
		if n == 1 {
			back.Store(time.Now().Add(300 * time.Millisecond).UnixNano())
			return fakeOpened, []string{
				shelfFrame(5, "only", "before"),
				`{"stream":"@","payload":{"type":"system","kind":"maintenance","text":"soon","retry_after":300}}`, "close 1001",
			}
		}
		if time.Now().UnixNano() < back.Load() {
			t.Error("the client came back too soon")
		}
		return fakeOpened, []string{shelfFrame(6, "only", "after")}
	}}
	serveFake(t, 0, f)
	c := client.New(f.url, client.Options{System: func(m client.SystemMessage) { told <- m }}).Hasten()
	t.Cleanup(c.Close)
	s := shelf(t, c, "shelves/1")
	if m := <-told; m != (client.SystemMessage{Kind: "maintenance", Text: "soon", RetryAfter: 300 * time.Millisecond}) {
		t.Errorf("got %+v", m)
	}
	wait(t, s, "the server", func(s Shelf) bool { return s.Name == "after" })
}

// TestNoticesThatNobodyTakes tells how many it lost.
func TestNoticesThatNobodyTakes(t *testing.T) {
	var frames []string
	frames = append(frames, shelfFrame(5, "only", "x"))
	for i := range 130 {
		frames = append(frames, fmt.Sprintf(`{"stream":"s1","payload":{"type":"notice","name":"n","value":%d}}`, i))
	}
	frames = append(frames, shelfFrame(6, "only", "all"))
	c := serveFake(t, 0, &fake{answer: func(int, string) (string, []string) { return fakeOpened, frames }})
	s := shelf(t, c, "shelves/1")
	wait(t, s, "all notices", func(s Shelf) bool { return s.Name == "all" })
	var got []client.Notice
	for n, err := range s.Notices(within(t)) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, n); len(got) == 100 {
			break
		}
	}
	if first, last := got[0], got[99]; first.Dropped != 30 || string(first.Value) != "30" || last.Dropped != 0 || string(last.Value) != "129" {
		t.Errorf("from %+v to %+v", first, last)
	}
}

// TestAnUnreachableServer says why nothing comes about.
func TestAnUnreachableServer(t *testing.T) {
	refuse := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.AddrError{Err: "no such place"}
	}
	c := client.New("https://example.com", client.Options{Dial: refuse}).Hasten()
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client.Open[Shelf](ctx, c, "shelves/1")
	if e := coded(t, err, "timeout", client.Failed); !strings.Contains(e.Message, "no such place") {
		t.Errorf("%v does not tell why", e)
	}
}
