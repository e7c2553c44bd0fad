package pando_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/pandotest"
)

// leaving is a broker that tells which groups a node leaves.
type leaving struct {
	broker.Broker

	left chan string
}

func (l leaving) GroupDiscard(ctx context.Context, group, channel string) error {
	l.left <- group
	return l.Broker.GroupDiscard(ctx, group, channel)
}

// TestASocketKilledWithoutAGoodbyeLeavesItsGroups has what lies between swallow
// everything that either side sends.
func TestASocketKilledWithoutAGoodbyeLeavesItsGroups(t *testing.T) {
	layer := leaving{memory(t), make(chan string, 16)}
	b := newBooth(t, func(b *booth, cfg *pando.Config) []mux.Entry {
		cfg.Broker, cfg.Heartbeat = layer, 200*time.Millisecond
		return routeHall(b, cfg)
	})
	b.server = pandotest.Serve(t, b.app)
	between := swallow(t, strings.TrimPrefix(b.server.URL, "http://"))
	s := wiretest.Plain(t, "http://"+between.address+"/hall/a/", as("ada"))
	s.Sendf(`{"stream":"echo","payload":{"n":1}}`)
	s.Want(`"n":1`)
	between.dead.Store(true)
	if got := <-layer.left; got != "room.a" {
		t.Errorf("left %s", got)
	}
	if got := b.notes(); strings.Count(got, "-echo") != 1 {
		t.Errorf("called: %s", got)
	}
}

// proxy passes bytes on until it is dead.
type proxy struct {
	address string
	dead    atomic.Bool
}

// swallow returns a proxy of one connection to an address.
func swallow(t *testing.T, to string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: listener.Addr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		in, err := listener.Accept()
		if err != nil {
			return
		}
		defer in.Close()
		out, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		back := make(chan struct{})
		go func() {
			defer close(back)
			p.pass(in, out)
		}()
		p.pass(out, in)
		out.Close()
		<-back
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return p
}

// pass copies until an end is closed; once the proxy is dead it only reads.
func (p *proxy) pass(to io.Writer, from io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if p.dead.Load() {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestAConnectionThatIsRefusedLeavesNothing has groups that cannot be joined.
func TestAConnectionThatIsRefusedLeavesNothing(t *testing.T) {
	layer := leaving{memory(t), make(chan string, 16)}
	b := newBooth(t, func(b *booth, cfg *pando.Config) []mux.Entry {
		cfg.Broker = layer
		d := b.lobby()
		d.ConnectionGroups = func(mux.Args) []string { return []string{"good", "no group"} }
		return []mux.Entry{mux.RouteClass(d, hallPath)}
	})
	b.server = pandotest.Serve(t, b.app)
	if got := b.refusal("/hall/a/", "ada"); got != http.StatusInternalServerError {
		t.Errorf("got %d", got)
	}
	if got := <-layer.left; got != "good" {
		t.Errorf("left %s", got)
	}
	s := b.session("/ws", "ada")
	s.Sendf(`{"stream":"s1","id":2,"payload":{"type":"open","route":"/hall/a/","consumer":"echo"}}`)
	s.Want(`"code":"internal","status":500`)
	if got := <-layer.left; got != "good" {
		t.Errorf("left %s", got)
	}
	if got := b.notes(); got != "" {
		t.Errorf("called: %s", got)
	}
}
