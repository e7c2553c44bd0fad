package manage

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/wiretest"
)

// SlowChannel has an action that takes as long as a test wants.
type SlowChannel struct {
	pando.Channel[Desk, pando.NoRuntime]

	begun, release chan struct{}
}

func (*SlowChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// Take fails when it is cut off.
func (c *SlowChannel) Take(ctx context.Context) (string, error) {
	close(c.begun)
	select {
	case <-c.release:
		return "taken", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// visit connects to a server and opens desk 1.
func visit(t *testing.T, url, route string) *wiretest.Socket {
	t.Helper()
	socket := wiretest.Dial(t, url+"/ws", nil)
	socket.Sendf(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1}}`)
	socket.Sendf(`{"stream":"s1","id":2,"payload":{"type":"open","route":%q}}`, route)
	until(socket, `"snapshot"`)
	return socket
}

// until reads up to a message that has a part, and returns it.
func until(socket *wiretest.Socket, part string) string {
	for {
		if m := socket.Read(); strings.Contains(m, part) {
			return m
		}
	}
}

func TestStopLetsAnActionFinish(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	b := deskBench(t, deskTables+"INSERT INTO desks VALUES (1, 'Ada');", func(app *pando.App) {
		app.Handle("slow/{desk_id}", pando.For(func() *SlowChannel { return &SlowChannel{begun: begun, release: release} },
			pando.Actions((*SlowChannel).Take), pando.Public()))
	})
	server := b.start()
	busy, idle := visit(t, server.url, "slow/1"), visit(t, server.url, "desks/1")
	busy.Sendf(`{"stream":"s1","id":3,"payload":{"type":"action","name":"take","args":[]}}`)
	<-begun
	server.stop()
	until(idle, "close 1001") // the stop is under way
	close(release)
	if got := until(busy, `"id":3`); !strings.Contains(got, `"taken"`) {
		t.Errorf("the action's reply is %s", got)
	}
	until(busy, "close 1001")
	if got := server.end(t); got.code != 0 {
		t.Errorf("%+v", got)
	}
}

// status fetches a page and returns its status.
func status(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestDrainLetsLoadBalancersNotice has a server that is asked to stop serve on,
// but say that nobody new should come.
func TestDrainLetsLoadBalancersNotice(t *testing.T) {
	b := deskBench(t, deskTables+"INSERT INTO desks VALUES (1, 'Ada');")
	server := b.start("--drain", "1s")
	before := visit(t, server.url, "desks/1")
	if got := status(t, server.url+"/readyz"); got != http.StatusOK {
		t.Errorf("readyz is %d before", got)
	}
	server.stop()
	for status(t, server.url+"/readyz") != http.StatusServiceUnavailable {
		if t.Context().Err() != nil {
			t.Fatal("readyz stays as it was")
		}
	}
	if healthz, livez := status(t, server.url+"/healthz"), status(t, server.url+"/livez"); healthz != http.StatusOK || livez != http.StatusOK {
		t.Errorf("healthz is %d, livez %d", healthz, livez)
	}
	meanwhile := visit(t, server.url, "desks/1")
	until(before, "close 1001")
	until(meanwhile, "close 1001")
	if got := server.end(t); got.code != 0 {
		t.Errorf("%+v", got)
	}
}

func TestMessagesReachServers(t *testing.T) {
	b := deskBench(t, deskTables+"INSERT INTO desks VALUES (1, 'Ada');")
	server := b.start()
	one, two := visit(t, server.url, "desks/1"), visit(t, server.url, "desks/1")
	b.wantOutcome(b.run("", "broadcast_system_message", "Backup at noon."), 0)
	for _, socket := range []*wiretest.Socket{one, two} {
		if got := until(socket, `"system"`); !strings.Contains(got, `"Backup at noon."`) {
			t.Errorf("it was told %s", got)
		}
	}
	b.wantOutcome(b.run("", "expire_cache"), 0)
	until(one, "close 1001")
	three := visit(t, server.url, "desks/1")
	b.wantOutcome(b.run("", "maintenance", "Back soon.", "--retry-after", "5m"), 0)
	if got := until(three, `"maintenance"`); !strings.Contains(got, `"retry_after":300000`) {
		t.Errorf("it was told %s", got)
	}
	until(three, "close 1001")
	server.stop()
	if got := server.end(t); got.code != 0 {
		t.Errorf("%+v", got)
	}
}

// TestClosingIsBoundedAfterAFailure has a project wait for what does not end, as a pool
// does for a connection that is lent.
func TestClosingIsBoundedAfterAFailure(t *testing.T) {
	lent, closed := make(chan struct{}), make(chan struct{})
	p := &Project{Close: func() error {
		defer close(closed)
		<-lent
		return errors.New("too late")
	}}
	if err := p.closeWithin(time.Millisecond); err == nil || err.Error() != "close: did not end in time" {
		t.Errorf("got %v", err)
	}
	close(lent)
	<-closed
	p.Close = func() error { return errors.New("no disk") }
	if err := p.closeWithin(time.Minute); err == nil || err.Error() != "close: no disk" {
		t.Errorf("got %v", err)
	}
}
