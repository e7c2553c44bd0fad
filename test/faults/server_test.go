package faults_test

import (
	"net/http"
	"testing"

	"github.com/pando-sync/pando/client"
)

// TestServerIsKilled kills PostgreSQL under a node: it says that the feed stands
// still, and goes on by itself.
func TestServerIsKilled(t *testing.T) {
	server := private(t, nil)
	b := newBooks(t, server)
	n := newNode(t, b.alone()).run(t)
	f := serve(t, n)
	w := b.watch(t, f, 1)
	w.shows(t, 0)
	b.turn(t, 1)
	for range 2 {
		w.agrees(t)
		server.Kill()
		f.health(t, http.StatusServiceUnavailable)
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.health(t, http.StatusOK)
		b.eventually(t, 1)
	}
	w.agrees(t)
	n.log.tells(t, "the feed stands still")
	n.log.tells(t, "continuity was lost")
}

// TestServerStandsStill has a node hear nothing of PostgreSQL, while others write
// there: load balancers are told within seconds, clients once what they show is
// too old, and when it answers again they have what is.
func TestServerStandsStill(t *testing.T) {
	b := newBooks(t, private(t, nil))
	url, s := through(t, b.dsn)
	n := newNode(t, parts{handle: url, replication: url}).run(t)
	f := serve(t, n)
	w := b.watch(t, f, 1)
	w.shows(t, 0)
	b.turn(t, 1)
	w.shows(t, 1)
	f.health(t, http.StatusOK)

	thaw := s.freeze(t)
	b.turn(t, 1)
	f.health(t, http.StatusServiceUnavailable)
	n.log.tells(t, "PostgreSQL does not answer")
	if got := f.status(t, "readyz"); got != http.StatusOK {
		t.Errorf("new clients are sent away at once: /readyz is %d", got)
	}
	if w.client.Status() != client.Online {
		t.Error("a client is sent away at once")
	}
	until(t, "the client is told", func() bool { return w.client.Status() == client.Reconnecting })
	if got := f.status(t, "readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("new clients are sent here: /readyz is %d", got)
	}
	late := b.watch(t, f, 2)
	b.turn(t, 2)
	b.turn(t, 1)
	if w.shown() != 1 || late.shown() != -1 {
		t.Errorf("the clients show %d and %d of a server that does not answer", w.shown(), late.shown())
	}
	thaw()
	w.shows(t, 3)
	late.shows(t, 1)
	f.health(t, http.StatusOK)
	b.turn(t, 1)
	w.shows(t, 4)
}
