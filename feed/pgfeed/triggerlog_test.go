package pgfeed_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/feed/pgfeed"
)

// triggered is harness with a log that triggers write.
func triggered(t testing.TB) feedtest.Harness {
	h := harness(t)
	h.Open = func(testing.TB) feed.Source { return pgfeed.New(h.DB, "", quiet, pgfeed.WithTriggerLog()) }
	return h
}

func TestTriggerLog(t *testing.T) {
	feedtest.RunOnly(t, triggered, "Changes", "Setup", "Kinds", "Keys", "Large", "Order", "Join", "TwoSources", "Restart", "Lossy", "Cancel")
}

// TestTriggerLogBesideOpenTransactions tells what commits while others are open,
// and what those had written before when they commit.
func TestTriggerLogBesideOpenTransactions(t *testing.T) {
	url, exec := database(t)
	db := openDB(t, url)
	f := followed{Source: open(t, url, items(), pgfeed.WithTriggerLog()), t: t}
	f.Recorder, _ = feedtest.Record(t, f.Source)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("INSERT INTO items VALUES (1, 1, 'a', '')"); err != nil {
		t.Fatal(err)
	}
	exec("INSERT INTO items VALUES (2, 1, 'b', '')")
	if c := f.changes(); len(c) != 1 || c[0].Key != number(2) {
		t.Errorf("changes are %v", c)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if c := f.changes(); len(c) != 1 || c[0].Key != number(1) {
		t.Errorf("changes are %v", c)
	}
	exec("SET session_replication_role = replica; UPDATE items SET name = 'c' WHERE id = 1; RESET session_replication_role")
	if c := f.changes(); len(c) != 1 || c[0].New[2] != text("c") {
		t.Errorf("changes are %v", c)
	}
	exec("TRUNCATE items")
	if reason := f.restarted(2); !strings.Contains(reason, "TRUNCATE") {
		t.Errorf("started again: %s", reason)
	}
	// Truncating has given the table another file, of which all is told, too.
	exec("DROP TRIGGER pando_log ON items")
	until(t, "the trigger is put back", func() bool {
		exec("DELETE FROM items", "INSERT INTO items VALUES (3, 1, 'd', '')")
		starts := f.Starts(1)
		return strings.Contains(starts[len(starts)-1].Reason, "rebuilt") && len(f.Commits()) > 0
	})
}

// TestTriggerLogIsTrimmed reads all again when the log no longer has what was not
// read.
func TestTriggerLogIsTrimmed(t *testing.T) {
	url, exec := database(t)
	source := open(t, url, items(), pgfeed.WithTriggerLog(), pgfeed.WithRetention(time.Nanosecond, 1_000_000))
	exec("INSERT INTO items VALUES (1, 1, 'a', '')")
	recorder, stop := feedtest.Record(t, source)
	recorder.Reach(source)
	stop()
	db := openDB(t, url)
	var rows int
	if err := db.QueryRow("SELECT count(*) FROM pando.log").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows are kept, %v", rows, err)
	}
	if err := source.Uninstall(t.Context()); err != nil {
		t.Error(err)
	}
	exec("INSERT INTO items VALUES (2, 1, 'b', '')")
}
