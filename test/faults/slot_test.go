package faults_test

import (
	"strings"
	"testing"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/membroker"
)

// TestAbandonedSlot leaves the durable slot alone: check names it and what it
// holds, and a node that comes after the server has given it up says so and shows
// what is.
func TestAbandonedSlot(t *testing.T) {
	server := private(t, map[string]string{"max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB", "max_wal_size": "48MB"})
	b := newBooks(t, server)
	stream, err := membroker.NewStream(broker.StreamConfig{})
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, stream.Close)
	shared := func() parts {
		p := b.alone()
		p.stream = stream.Join()
		return p
	}
	n := newNode(t, shared()).run(t)
	f := serve(t, n)
	w := b.watch(t, f, 1)
	w.shows(t, 0)
	b.turn(t, 1)
	w.shows(t, 1)
	f.use(nil)
	n.halt(t)

	b.turn(t, 1)
	command := newNode(t, shared()).app
	if err := command.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	faults, hints, err := command.Check(t.Context())
	told := strings.Join(hints, "\n")
	if len(faults) > 0 || err != nil || !strings.Contains(told, "is read by nobody and has the server keep") || !strings.Contains(told, "pg_drop_replication_slot") {
		t.Errorf("check tells %q and %q, %v", faults, hints, err)
	}

	until(t, "the slot is lost", func() bool {
		b.turn(t, 1)
		b.exec(t, "SELECT pg_switch_wal()", "CHECKPOINT")
		var lost bool
		if err := b.db.QueryRow("SELECT wal_status = 'lost' FROM pg_replication_slots").Scan(&lost); err != nil {
			t.Fatal(err)
		}
		return lost
	})
	n = newNode(t, shared()).run(t)
	f.use(n)
	w.agrees(t)
	n.log.tells(t, "lost")
	b.turn(t, 1)
	w.agrees(t)
}
