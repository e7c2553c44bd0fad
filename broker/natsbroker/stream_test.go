package natsbroker_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/brokertest"
	"github.com/pando-sync/pando/broker/natsbroker"
	"github.com/pando-sync/pando/internal/servers"
)

// patience is how long a step may take before a test fails.
const patience = 10 * time.Second

// serve starts a server that the test may end.
func serve(t testing.TB) *servers.NATSServer {
	t.Helper()
	servers.Need(t, "nats")
	s, err := servers.NATS(t.Context(), servers.NATSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// jetStream is the server's, as an operator uses it.
func jetStream(t testing.TB, s *servers.NATSServer) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(s.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// rig is a server with one stream, which several processes have opened.
type rig struct {
	t      testing.TB
	server *servers.NATSServer
	cfg    natsbroker.Config
	opened []broker.Stream
}

func newRig(t testing.TB) *rig {
	t.Helper()
	server := serve(t)
	return &rig{t: t, server: server, cfg: config(server.URL())}
}

func (r *rig) open(cfg broker.StreamConfig) broker.Stream {
	r.t.Helper()
	s, err := open(r.t, r.cfg).Stream("commits", cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.opened = append(r.opened, s)
	return s
}

// wipe has an operator remove the stream.
func (r *rig) wipe() {
	r.t.Helper()
	if err := jetStream(r.t, r.server).DeleteStream(r.t.Context(), r.cfg.Prefix+"_commits"); err != nil {
		r.t.Fatal(err)
	}
}

// save copies the server's data; what it returns puts it back. The server does
// not run meanwhile.
func (r *rig) save() func() {
	r.t.Helper()
	kept := filepath.Join(r.t.TempDir(), "data")
	r.stopped(func() error { return os.CopyFS(kept, os.DirFS(r.server.Data())) })
	return func() {
		r.t.Helper()
		r.stopped(func() error {
			return errors.Join(r.server.Clear(), os.CopyFS(r.server.Data(), os.DirFS(kept)))
		})
	}
}

func (r *rig) stopped(do func() error) {
	r.t.Helper()
	r.server.Stop()
	if err := errors.Join(do(), r.server.Start(r.t.Context())); err != nil {
		r.t.Fatal(err)
	}
	r.found()
}

// found waits until all have found the server again.
func (r *rig) found() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	for _, s := range r.opened {
		for {
			_, err := s.Last(ctx)
			if err == nil || errors.Is(err, broker.ErrNoRecord) || errors.Is(err, broker.ErrClosed) {
				break
			}
			if ctx.Err() != nil {
				r.t.Fatalf("the server is not found again: %v", err)
			}
			<-time.After(10 * time.Millisecond)
		}
	}
}

// TestStreamConformance loses the server by having it stand still, which is
// harder to notice than its death.
func TestStreamConformance(t *testing.T) {
	brokertest.RunStream(t, false, func(t testing.TB) brokertest.StreamHarness {
		r := newRig(t)
		return brokertest.StreamHarness{
			Open: r.open, Wipe: r.wipe, Save: r.save, Age: time.Second,
			Lose: r.server.Pause, Find: r.server.Resume,
		}
	})
}
