package faults_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/client"
	"github.com/pando-sync/pando/internal/servers"
)

// TestAbsentStandby has commits wait for a standby that never answers: they are in
// the log, and reads do not see them. Who shows what they touch already, who comes
// afterwards and who comes at the same moment is shown them meanwhile, and nobody
// loses them again.
func TestAbsentStandby(t *testing.T) {
	server := private(t, map[string]string{"synchronous_commit": "local"})
	b := newBooks(t, server)
	f := serve(t, newNode(t, b.alone()).run(t))
	early := b.watch(t, f, 1)
	early.shows(t, 0)
	var all []*watcher
	release := noStandby(t, server, b)

	// Before any reads: the feed delivers it to one who is there.
	first := b.waiting(t, 1, 2, 3, 4)
	early.shows(t, 1)
	for id := 2; id <= 4; id++ {
		all = append(all, b.watch(t, f, id))
	}
	// Back with what it had, to a server that cannot read it.
	early.client.Reconnect()

	// At the same moment as the reads.
	second := b.waiting(t, 5, 6, 7, 8, 9, 10, 11, 12)
	for id := 5; id <= ledgers; id++ {
		all = append(all, b.watch(t, f, id))
	}
	last := b.watch(t, f, 2)
	untilWaiting(t, b, 2)
	// Nobody has to wait for the standby to be shown what the log has.
	for _, w := range append(all, early, last) {
		w.shows(t, 1)
	}
	release()
	for _, done := range []<-chan error{first, second} {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	for id := 1; id <= ledgers; id++ {
		b.turn(t, id)
	}
	for _, w := range append(all, early, last) {
		w.shows(t, 2)
	}
}

// TestWriteOfARowThatIsNotVisible has a client delete a row that it is shown while
// nobody can read it yet: that is no row that is not there.
func TestWriteOfARowThatIsNotVisible(t *testing.T) {
	server := private(t, map[string]string{"synchronous_commit": "local"})
	b := newBooks(t, server)
	f := serve(t, newNode(t, b.alone()).run(t))
	c := client.New(f.url, client.Options{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ledger, err := client.Open[Ledger](ctx, c, "ledgers/1")
	if err != nil {
		t.Fatal(err)
	}
	shows := func(entries int) {
		if _, err := ledger.Wait(ctx, func(l Ledger) bool { return len(l.Entries) == entries }); err != nil {
			t.Fatalf("%d entries: %v", entries, err)
		}
	}
	shows(2)
	release := noStandby(t, server, b)
	tx, err := b.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"SET LOCAL synchronous_commit = on",
		"INSERT INTO entries VALUES (100, 1, 1, 0)",
	} {
		if _, err := tx.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	committed := make(chan error, 1)
	go func() { committed <- tx.Commit() }()
	shows(3)
	deleted := make(chan error, 1)
	go func() { deleted <- ledger.Delete(ctx, "Entry", 100) }()
	// Another transaction, from its beginning to its end.
	b.turn(t, 2)
	release()
	if err := errors.Join(<-committed, <-deleted); err != nil {
		t.Fatal(err)
	}
	shows(2)
}

// waiting commits a turn of ledgers that waits for the standby.
func (b *books) waiting(t *testing.T, ids ...int) <-chan error {
	t.Helper()
	tx, err := b.begin(context.WithoutCancel(t.Context()), ids...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("SET LOCAL synchronous_commit = on"); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		b.begun[id].Add(1)
	}
	done := make(chan error, 1)
	go func() { done <- tx.Commit() }()
	return done
}

// untilWaiting waits until so many commits wait for the standby.
func untilWaiting(t *testing.T, b *books, want int) {
	t.Helper()
	until(t, fmt.Sprintf("%d commits wait", want), func() bool {
		var n int
		if err := b.db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == want
	})
}

// noStandby has commits that ask for it wait until release is called, or the
// test's end.
func noStandby(t *testing.T, server *servers.PostgresServer, b *books) (release func()) {
	t.Helper()
	set := func(name string) {
		if err := server.SetConf(context.WithoutCancel(t.Context()), "synchronous_standby_names", name); err != nil {
			t.Error(err)
		}
	}
	release = sync.OnceFunc(func() { set("") })
	t.Cleanup(release)
	set("nobody")
	// The server takes the setting in its own time.
	until(t, "commits wait", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := b.db.ExecContext(ctx, "BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_logical_emit_message(true, 'probe', ''); COMMIT")
		return err != nil
	})
	untilWaiting(t, b, 0) // the probe has gone
	return release
}
