package session_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/internal/wire"
)

// closing closes a server beside the test, and waits for it in the end.
func closing(t *testing.T, server *session.Server) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Close(context.WithoutCancel(t.Context()), time.Second)
	}()
	t.Cleanup(func() { <-done })
}

func TestWhatHasBegunIsAnsweredBeforeTheServerCloses(t *testing.T) {
	a := &app{hold: make(chan struct{}), entered: make(chan struct{})}
	url := start(t, a, session.Config{})
	busy, idle := dial(t, url), dial(t, url)
	for _, s := range []*socket{busy, idle} {
		s.connect()
		s.open("s1")
		s.Want("snapshot")
	}
	busy.Sendf(`[{"stream":"s1","id":3,"payload":{"type":"action","name":"first","args":[]}},
		{"stream":"s1","id":4,"payload":{"type":"action","name":"behind it","args":[]}}]`)
	<-a.entered
	closing(t, a.server)
	idle.Want("close 1001")
	// The stop is under way; what is asked now does not begin either.
	busy.Sendf(`{"stream":"s1","id":5,"payload":{"type":"action","name":"too late","args":[]}}`)
	close(a.hold)
	busy.Want(`"value":"first"`)
	busy.Want("close 1001")
}

func TestWhatHasBegunIsAnsweredInMaintenance(t *testing.T) {
	a := &app{hold: make(chan struct{}), entered: make(chan struct{})}
	s := dial(t, start(t, a, session.Config{}))
	s.begin()
	s.act(3, "first")
	<-a.entered
	a.server.Maintenance("Back soon.", time.Minute)
	s.Want(`"kind":"maintenance"`)
	close(a.hold)
	s.Want(`"value":"first"`)
	s.Want("close 1001")
}

func TestWhatDoesNotEndIsCutOff(t *testing.T) {
	for name, leave := range map[string]func(*session.Server){
		"when the server closes": func(s *session.Server) { closing(t, s) },
		"in maintenance":         func(s *session.Server) { s.Maintenance("", time.Minute) },
	} {
		t.Run(name, func(t *testing.T) { testCutOff(t, leave) })
	}
}

func testCutOff(t *testing.T, leave func(*session.Server)) {
	t.Helper()
	entered, cut := make(chan struct{}), make(chan error, 1)
	a := &app{carryOut: func(ctx context.Context, _ *wire.Request) (json.RawMessage, uint64, error) {
		close(entered)
		<-ctx.Done()
		cut <- ctx.Err()
		return nil, 0, ctx.Err()
	}}
	s := dial(t, start(t, a, session.Config{LeaveTimeout: 50 * time.Millisecond}))
	s.connect()
	s.open("s1")
	s.Want("snapshot")
	s.Sendf(`{"stream":"s1","id":3,"payload":{"type":"action","name":"endless","args":[]}}`)
	<-entered
	leave(a.server)
	for s.Read() != "close 1001" { // maintenance is told before
	}
	s.Conn.Close()
	if err := <-cut; err == nil {
		t.Error("it was not cut off")
	}
}
