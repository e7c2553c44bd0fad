package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

// act sends a request for an action.
func (s *socket) act(id int, name string) {
	s.Sendf(`{"stream":"s1","id":%d,"payload":{"type":"action","name":%q,"args":[]}}`, id, name)
}

// begin connects and opens the stream s1.
func (s *socket) begin() {
	s.connect()
	s.open("s1")
	s.Want(`"snapshot":"only"`)
}

// untilEnd returns actions that tell that they have begun and last as long as
// their context, and what tells so.
func untilEnd() (carryOut func(context.Context, *wire.Request) (json.RawMessage, uint64, error), begun, returned chan string) {
	begun, returned = make(chan string, 200), make(chan string, 200)
	return func(ctx context.Context, req *wire.Request) (json.RawMessage, uint64, error) {
		begun <- req.Name
		<-ctx.Done()
		returned <- req.Name
		return nil, 0, ctx.Err()
	}, begun, returned
}

func TestCloseEndsWhatRunsAndKeepsTheRestFromBeginning(t *testing.T) {
	a := &app{}
	var begun, returned chan string
	a.carryOut, begun, returned = untilEnd()
	a.closing = func(bool) {
		if len(returned) != 2 {
			t.Error("the stream was closed before its requests had returned")
		}
	}
	s := dial(t, start(t, a, session.Config{}))
	s.begin()
	s.act(10, "first")
	s.act(11, "beside")
	<-begun
	<-begun
	s.act(12, "waits")
	s.Sendf(`{"stream":"s1","id":13,"payload":{"type":"close"}}`)
	answers := s.Read() + s.Read() + s.Read() // in any order
	for _, want := range []string{
		`{"stream":"s1","id":10,"payload":{"type":"error","code":"unavailable","message":"the request was given up","retry":true}}`,
		`{"stream":"s1","id":11,"payload":{"type":"error","code":"unavailable","message":"the request was given up","retry":true}}`,
		`{"stream":"s1","id":12,"payload":{"type":"error","code":"unknown_stream","message":"stream s1 is not open","retry":false}}`,
	} {
		if !strings.Contains(answers, want) {
			t.Errorf("got %v, want among them %s", answers, want)
		}
	}
	s.Want(`"id":13,"payload":{"type":"closed"}`)
	if a.closed.Load() != 1 || len(begun) > 0 {
		t.Errorf("closed %d times; %d requests began after close", a.closed.Load(), len(begun))
	}
	s.open("s1") // the name is free again
}

func TestCloseEndsAnOpeningThatLasts(t *testing.T) {
	began := make(chan struct{})
	s := dial(t, start(t, &app{opening: func(ctx context.Context, _ session.OpenRequest) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}}, session.Config{}))
	s.connect()
	s.Sendf(`{"stream":"s1","id":2,"payload":{"type":"open","route":"notes/1"}}`)
	<-began
	s.Sendf(`{"stream":"s1","id":3,"payload":{"type":"close"}}`)
	s.Want(`"id":2,"payload":{"type":"error","code":"unavailable"`)
	s.Want(`"id":3,"payload":{"type":"error","code":"unknown_stream"`)
}

func TestEndOfTheConnectionEndsWhatRuns(t *testing.T) {
	a := &app{}
	var begun, returned chan string
	a.carryOut, begun, returned = untilEnd()
	closed := make(chan bool, 1)
	a.closing = func(lost bool) {
		if len(returned) != 2 {
			t.Error("the stream was closed before its requests had returned")
		}
		closed <- lost
	}
	s := dial(t, start(t, a, session.Config{}))
	s.begin()
	s.act(10, "first")
	s.act(11, "beside")
	<-begun
	<-begun
	s.Conn.Close()
	if lost := <-closed; !lost {
		t.Error("the end of the connection was taken for the client's goodbye")
	}
}

func TestGoodbyeIsNoLoss(t *testing.T) {
	for code, lost := range map[ws.StatusCode]bool{1000: false, 1001: true, 4000: true} {
		closed := make(chan bool, 1)
		s := dial(t, start(t, &app{closing: func(lost bool) { closed <- lost }}, session.Config{}))
		s.begin()
		frame := ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, "")))
		if err := ws.WriteFrame(s.Conn, frame); err != nil {
			t.Fatal(err)
		}
		s.Conn.Close()
		if got := <-closed; got != lost {
			t.Errorf("close %d: lost is %v, want %v", code, got, lost)
		}
	}
}

func TestConcurrentRequestsRunBesideTheLine(t *testing.T) {
	release := make(chan struct{})
	var running sync.WaitGroup
	running.Add(3)
	a := &app{carryOut: func(_ context.Context, req *wire.Request) (json.RawMessage, uint64, error) {
		if req.Name != "last" {
			running.Done()
			<-release
		}
		return json.RawMessage("1"), 0, nil
	}}
	s := dial(t, start(t, a, session.Config{}))
	s.begin()
	s.act(10, "first")
	s.act(11, "besideA")
	s.act(12, "besideB")
	s.act(13, "last")
	running.Wait() // the first, and two beside it
	close(release)
	got := s.Read() + s.Read() + s.Read() + s.Read()
	for id := 10; id < 14; id++ {
		if strings.Count(got, fmt.Sprintf(`"id":%d,`, id)) != 1 {
			t.Errorf("request %d has not one answer: %s", id, got)
		}
	}
	if strings.Index(got, `"id":13,`) < strings.Index(got, `"id":10,`) {
		t.Error("what runs in line was not in order")
	}
}

func TestConcurrentRequestsAreBounded(t *testing.T) {
	const perStream, perSession = 16, 64
	a := &app{}
	var begun chan string
	a.carryOut, begun, _ = untilEnd()
	s := dial(t, start(t, a, session.Config{}))
	s.connect()
	id := 100
	flood := func(stream string, n int) {
		for range n {
			id++
			s.Sendf(`{"stream":%q,"id":%d,"payload":{"type":"action","name":"beside","args":[]}}`, stream, id)
		}
	}
	for i := range perSession / perStream {
		name := fmt.Sprintf("s%d", i)
		s.open(name)
		if i == 0 {
			s.Want(`"snapshot":"only"`)
		}
		flood(name, perStream+1)
		s.Want(fmt.Sprintf(`"id":%d,"payload":{"type":"error","code":"rate_limited","message":"more than 16`, id))
	}
	s.open("more")
	flood("more", 1)
	s.Want(`"code":"rate_limited","message":"more than 64`)
	s.Sendf(`{"stream":"s0","id":3,"payload":{"type":"close"}}`)
	for range perStream {
		s.Want(`"code":"unavailable"`)
	}
	s.Want(`"id":3,"payload":{"type":"closed"}`)
	flood("more", perStream) // their places are free again
	for range perSession + perStream {
		<-begun
	}
}

func TestConcurrentRequestsWaitForPermission(t *testing.T) {
	asked, answer := make(chan struct{}, 1), make(chan error)
	a := &app{
		permit: func(context.Context) error {
			asked <- struct{}{}
			return <-answer
		},
		carryOut: func(context.Context, *wire.Request) (json.RawMessage, uint64, error) {
			return json.RawMessage("1"), 0, nil
		},
	}
	watches := make(chan *stream, 1)
	a.opened = func(st *stream) { watches <- st }
	s := dial(t, start(t, a, session.Config{}))
	s.begin()
	st := <-watches
	st.watch.Recheck()
	<-asked
	s.act(10, "besideA")
	s.act(11, "inLine")
	s.Sendf(`{"stream":"@","id":5,"payload":{"type":"ping"}}`)
	s.Want("pong") // nothing was carried out
	answer <- nil
	got := s.Read() + s.Read()
	if strings.Count(got, `"type":"result"`) != 2 {
		t.Fatalf("got %s", got)
	}
	st.watch.Recheck()
	<-asked
	s.act(12, "besideB")
	s.Sendf(`{"stream":"@","id":5,"payload":{"type":"ping"}}`)
	s.Want("pong")
	answer <- errors.New("the answer is lost")
	got = s.Read() + s.Read() // in any order
	if !strings.Contains(got, `"stream":"s1","payload":{"type":"closed"`) || !strings.Contains(got, `"id":12,"payload":{"type":"error","code":"unknown_stream"`) {
		t.Errorf("got %s", got)
	}
}

func TestKeysAreChecked(t *testing.T) {
	s := dial(t, start(t, &app{}, session.Config{}))
	s.begin()
	for key, want := range map[string]string{
		"aB3_-":                 `"type":"result"`,
		strings.Repeat("k", 64): `"type":"result"`,
		strings.Repeat("k", 65): `"code":"bad_request"`,
		"a.b":                   `"code":"bad_request"`,
		"a b":                   `"code":"bad_request"`,
	} {
		s.Sendf(`{"stream":"s1","id":5,"payload":{"type":"action","name":"a","args":[],"key":%q}}`, key)
		s.Want(want)
	}
}

// lineOf starts an app and returns the line of its stream s1, which is open.
func lineOf(t *testing.T, a *app, cfg session.Config) (session.Line, *socket) {
	t.Helper()
	lines := make(chan session.Line, 1)
	a.opening = func(_ context.Context, req session.OpenRequest) error {
		select {
		case lines <- req.Line:
		default: // of another stream
		}
		return nil
	}
	s := dial(t, start(t, a, cfg))
	s.begin()
	return <-lines, s
}

func TestDutiesRunInLine(t *testing.T) {
	a := &app{hold: make(chan struct{}), entered: make(chan struct{})}
	line, s := lineOf(t, a, session.Config{})
	s.act(10, "first")
	<-a.entered
	did := make(chan int, 200)
	taken := 0
	for line.Do(func(context.Context) { did <- taken }) {
		taken++
	}
	if taken != 128 {
		t.Errorf("%d duties wait: want a bound of 128", taken)
	}
	s.act(11, "second") // duties do not take the clients' places
	if len(did) > 0 {
		t.Error("a duty was done while an action ran")
	}
	close(a.hold)
	s.Want(`"id":10,`)
	s.Want(`"id":11,`)
	if len(did) != taken {
		t.Errorf("%d of %d duties were done before the request behind them", len(did), taken)
	}
}

func TestDutiesEndWithTheStream(t *testing.T) {
	line, s := lineOf(t, &app{}, session.Config{})
	began, ended := make(chan struct{}), make(chan error, 1)
	line.Do(func(ctx context.Context) {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
	})
	line.Do(func(context.Context) { t.Error("a duty began after its stream was closed") })
	<-began
	s.Sendf(`{"stream":"s1","id":3,"payload":{"type":"close"}}`)
	s.Want(`"id":3,"payload":{"type":"closed"}`)
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if line.Do(func(context.Context) {}) || line.Notify(wire.Beat) {
		t.Error("a closed stream takes duties, or notices")
	}
}

func TestPanicOfADutyIsItsOwn(t *testing.T) {
	var log safeBuffer
	line, s := lineOf(t, &app{}, session.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	line.Do(func(context.Context) { panic("at the disco") })
	s.act(10, "alive")
	s.Want(`"value":"alive"`)
	if text := log.String(); strings.Count(text, "at the disco") != 1 || !strings.Contains(text, "line_test.go") {
		t.Errorf("the log says %q", text)
	}
}

// doubted has the connection of a stream doubt whose it is; what is sent to
// answer is the outcome.
func doubted(t *testing.T) (line session.Line, s *socket, answer chan<- error) {
	t.Helper()
	asked, answers := make(chan struct{}), make(chan error)
	var connected atomic.Bool
	a := &app{identify: func() error {
		if !connected.Load() {
			return nil
		}
		asked <- struct{}{}
		return <-answers
	}}
	line, s = lineOf(t, a, session.Config{})
	connected.Store(true)
	table := a.tree.Root.Type.Table
	a.db.Commit(feed.Change{Table: table, Key: schema.IntValue(1), New: schema.Row{schema.IntValue(1), schema.TextValue("changed")}})
	a.db.Deliver()
	<-asked
	return line, s, answers
}

func TestDutiesWaitForTheIdentity(t *testing.T) {
	line, s, answer := doubted(t)
	settled := make(chan struct{})
	early := make(chan bool, 1)
	line.Do(func(context.Context) {
		select {
		case <-settled:
			early <- false
		default:
			early <- true
		}
	})
	s.Sendf(`{"stream":"@","id":5,"payload":{"type":"ping"}}`)
	s.Want("pong")
	close(settled)
	answer <- nil
	if <-early {
		t.Error("it ran while the identity was in doubt")
	}
}

func TestDutiesEndWithTheIdentity(t *testing.T) {
	line, s, answer := doubted(t)
	ran := make(chan struct{}, 1)
	line.Do(func(context.Context) { ran <- struct{}{} })
	s.Sendf(`{"stream":"@","id":5,"payload":{"type":"ping"}}`)
	s.Want("pong")
	answer <- token.ErrInvalid
	s.Want("close 4401")
	for line.Do(func(context.Context) {}) { // until the stream is closed
		runtime.Gosched()
	}
	if len(ran) > 0 {
		t.Error("it ran for somebody whose token is not valid")
	}
}

// safeBuffer is a log that a server and a test may use at once.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func notice(n int) *wire.Frame {
	return wire.Message("s1", 0, wire.Notice{Type: "notice", Name: "n", Value: json.RawMessage(strconv.Itoa(n))})
}

func TestNoticesComeBehindTheAnswerToOpen(t *testing.T) {
	a := &app{opening: func(_ context.Context, req session.OpenRequest) error {
		if !req.Notify(notice(1)) {
			return errors.New("the notice is not taken")
		}
		return nil
	}}
	s := dial(t, start(t, a, session.Config{}))
	s.connect()
	s.open("s1")
	got := s.Read() + s.Read() // with the snapshot, in any order
	if !strings.Contains(got, `{"stream":"s1","payload":{"type":"notice","name":"n","value":1}}`) {
		t.Errorf("got %s", got)
	}
}

func TestNoticesAreHeldInDoubtAndBounded(t *testing.T) {
	answer := make(chan error)
	a := &app{permit: func(context.Context) error { return <-answer }}
	streams := make(chan *stream, 1)
	a.opened = func(st *stream) { streams <- st }
	line, s := lineOf(t, a, session.Config{})
	st := <-streams
	st.watch.Recheck()
	n := 0
	for line.Notify(notice(n)) {
		n++
	}
	if n != 64 {
		t.Errorf("%d notices wait: want a bound of 64", n)
	}
	s.Sendf(`{"stream":"@","id":5,"payload":{"type":"ping"}}`)
	s.Want("pong") // and no notice
	answer <- nil
	for i := range n {
		s.Want(fmt.Sprintf(`"value":%d}}`, i))
	}
	st.watch.Recheck()
	large := wire.Message("s1", 0, wire.Notice{Type: "notice", Name: "n", Value: json.RawMessage(`"` + strings.Repeat("x", 600<<10) + `"`)})
	if !line.Notify(large) || line.Notify(large) {
		t.Error("the bytes of notices that wait are not bounded")
	}
	answer <- errors.New("the answer is lost")
	s.Want(`"stream":"s1","payload":{"type":"closed"`)
	s.Sendf(`{"stream":"@","id":5,"payload":{"type":"ping"}}`)
	s.Want("pong") // what was held is gone with the stream
}

func TestUnreadNoticesOfALostConnectionAreForgotten(t *testing.T) {
	closed := make(chan bool, 1)
	a := &app{closing: func(lost bool) { closed <- lost }}
	line, s := lineOf(t, a, session.Config{})
	if tcp, ok := s.Conn.(*net.TCPConn); !ok || tcp.SetLinger(0) != nil {
		t.Fatal("cannot break the connection")
	}
	s.Conn.Close()
	<-closed
	if line.Notify(notice(1)) {
		t.Error("a stream whose connection is gone takes notices")
	}
}
