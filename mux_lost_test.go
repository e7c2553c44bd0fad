package pando_test

import (
	"context"
	"net/http"
	"strings"
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

// TestAHeartbeatFindsASocketThatDiedWithoutLeaving its groups: what lies between
// swallows everything that either side sends.
func TestAHeartbeatFindsASocketThatDiedWithoutLeaving(t *testing.T) {
	layer := leaving{memory(t), make(chan string, 16)}
	b := newBooth(t, func(b *booth, cfg *pando.Config) []mux.Entry {
		cfg.Broker, cfg.Heartbeat = layer, 200*time.Millisecond
		return routeHall(b, cfg)
	})
	b.server = pandotest.Serve(t, b.app)
	between := wiretest.Between(t, strings.TrimPrefix(b.server.URL, "http://"))
	s := wiretest.Plain(t, "http://"+between.Address+"/hall/a/", as("ada"))
	s.Sendf(`{"stream":"echo","payload":{"n":1}}`)
	s.Want(`"n":1`)
	between.Die()
	if got := <-layer.left; got != "room.a" {
		t.Errorf("left %s", got)
	}
	if got := b.notes(); strings.Count(got, "-echo") != 1 {
		t.Errorf("called: %s", got)
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
