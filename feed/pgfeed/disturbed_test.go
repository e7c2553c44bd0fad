package pgfeed_test

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/schema"
)

// TestDisturbed does to a server what others may not suffer. Commits wait, where
// they ask for it, for a standby that never answers; and nobody but they flush the
// log.
func TestDisturbed(t *testing.T) {
	server := privateServer(t, map[string]string{
		"synchronous_commit": "local", "wal_writer_delay": "10s", "bgwriter_delay": "10s",
	})
	for _, c := range []struct {
		name string
		run  func(*testing.T, *servers.PostgresServer, string)
	}{
		{"IdleHead", testIdleHead},
		{"AbsentStandby", testAbsentStandby},
		{"TruncateWaits", testTruncateWaits},
		{"OpenTransactionIsNamed", testOpenTransactionIsNamed},
		{"PermanentErrors", testPermanentErrors},
		{"Restarts", testServerRestarts},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, drop, err := server.Database(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := drop(); err != nil {
					t.Error(err)
				}
			})
			c.run(t, server, url)
		})
	}
}

// privateServer is a server of the test's own.
func privateServer(t *testing.T, conf map[string]string) *servers.PostgresServer {
	t.Helper()
	servers.Need(t, "postgres")
	server, err := servers.Postgres(t.Context(), servers.PostgresOptions{Conf: conf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// noStandby has commits that ask for it wait until the test's end, or until
// release is called.
func noStandby(t *testing.T, server *servers.PostgresServer, db *sql.DB) (release func()) {
	t.Helper()
	set := func(name string) {
		if err := server.SetConf(context.WithoutCancel(t.Context()), "synchronous_standby_names", name); err != nil {
			t.Error(err)
		}
	}
	release = sync.OnceFunc(func() { set("") })
	t.Cleanup(release)
	set("nobody")
	until(t, "commits wait", func() bool {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		probe := make(chan error, 1)
		go func() {
			_, err := db.ExecContext(ctx, "BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_logical_emit_message(true, 'probe', ''); COMMIT")
			probe <- err
		}()
		for {
			select {
			case <-probe:
				return false
			default:
			}
			var waits bool
			err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')").Scan(&waits)
			if err != nil {
				t.Fatal(err)
			}
			if waits {
				cancel()
				<-probe
				return true
			}
		}
	})
	return release
}

// commitWaiting begins to commit a statement by a transaction that waits for the
// standby, and returns where it ends.
func commitWaiting(t *testing.T, db *sql.DB, statement string) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	ctx := context.WithoutCancel(t.Context())
	go func() {
		_, err := db.ExecContext(ctx, "BEGIN; SET LOCAL synchronous_commit = on; "+statement+"; COMMIT")
		done <- err
	}()
	return done
}

func run(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// until polls for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for begin := time.Now(); !ok(); <-ticker.C {
		if time.Since(begin) > deadline {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// readItems reads the keys of the items in a snapshot.
func readItems(t *testing.T, snapshot feed.Snapshot, table *schema.Table) map[schema.Value]schema.Row {
	t.Helper()
	rows := make(map[schema.Value]schema.Row)
	err := snapshot.Rows(t.Context(), feed.Query{Table: table, Column: 1, Values: []schema.Value{number(1)}}, func(row schema.Row) error {
		rows[row[0]] = row
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// testServerRestarts kills and stops the server under the feed, which stands still
// and begins anew: what was committed meanwhile is read.
func testServerRestarts(t *testing.T, server *servers.PostgresServer, url string) {
	db := openDB(t, url)
	run(t, db, createItems)
	table := items()
	f := follow(t, url, table)
	epoch := f.Starts(1)[0].Epoch
	for i, down := range []func(){server.Kill, server.Stop} {
		run(t, db, "INSERT INTO items SELECT count(*) + 1, 1, 'a', '' FROM items")
		f.Reach(f.Source)
		down()
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := f.Starts(i + 2)[i+1]
		if start.Epoch != epoch || !strings.Contains(start.Reason, "continuity") {
			t.Errorf("started again by %+v in epoch %s", start, epoch)
		}
		var snapshot feed.Snapshot
		until(t, "connections of before are gone", func() (ok bool) {
			var err error
			snapshot, err = f.Snapshot(t.Context())
			return err == nil
		})
		if rows := readItems(t, snapshot, table); len(rows) != i+1 {
			t.Errorf("%d rows after restart %d", len(rows), i+1)
		}
		snapshot.Close()
	}
}

// TestConnectionIsKilled ends the replication connection again and again while
// others write: the rows at each start and the commits after it make the end.
func TestConnectionIsKilled(t *testing.T) {
	url, exec := database(t)
	table := items()
	f := follow(t, url, table)
	var writers sync.WaitGroup
	stop := make(chan struct{})
	writers.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			exec("INSERT INTO items SELECT coalesce(max(id), 0) + 1, 1, 'a', '' FROM items")
		}
	})
	for n := 2; n < 5; n++ {
		exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database()")
		if reason := f.restarted(n); !strings.Contains(reason, "continuity") {
			t.Errorf("started again: %s", reason)
		}
	}
	snapshot, err := f.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	state := feedtest.State{table: readItems(t, snapshot, table)}
	close(stop)
	writers.Wait()
	f.Reach(f.Source)
	for _, c := range f.Commits() {
		if !snapshot.Saw(c) {
			state.Follow(t, c)
		}
	}
	last, err := f.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer last.Close()
	if got, want := len(state[table]), len(readItems(t, last, table)); got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
}

// testAbsentStandby delivers a commit that nobody sees, since it waits for a
// standby that never answers: snapshots say that they did not see it, whatever its
// place in the log, until it is visible.
func testAbsentStandby(t *testing.T, server *servers.PostgresServer, url string) {
	db := openDB(t, url)
	run(t, db, createItems)
	table := items()
	f := follow(t, url, table)
	before, err := f.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()

	release := noStandby(t, server, db)
	released := commitWaiting(t, db, "INSERT INTO items VALUES (1, 1, 'waits', '')")
	until(t, "the commit is fed", func() bool { return len(f.Commits()) == 1 })
	// Another one, of a later number and place, is visible at once.
	run(t, db, "INSERT INTO items VALUES (2, 1, 'goes', '')")
	if len(f.changes()) != 2 {
		t.Fatalf("fed %v", f.Commits())
	}
	waits, goes := f.Commits()[0], f.Commits()[1]
	during, err := f.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer during.Close()
	f.Reach(f.Source)
	if rows := readItems(t, during, table); len(rows) != 1 || rows[number(2)] == nil || during.Saw(waits) || !during.Saw(goes) || during.Position() <= goes.Position {
		t.Errorf("read %v at %d, saw %t %t", rows, during.Position(), during.Saw(waits), during.Saw(goes))
	}
	if before.Saw(waits) || before.Saw(goes) {
		t.Error("an old snapshot saw later commits")
	}
	source, ok := f.Source.(*pgfeed.Source)
	if !ok {
		t.Fatal("no source of its own")
	}
	if seen, err := source.Visible(t.Context(), []uint64{waits.Transaction, goes.Transaction}); seen != 0 || err != nil {
		t.Errorf("%d are visible, %v", seen, err)
	}
	if seen, err := source.Visible(t.Context(), []uint64{goes.Transaction, waits.Transaction}); seen != 1 || err != nil {
		t.Errorf("%d are visible, %v", seen, err)
	}

	// Who begins to follow now waits, since nobody would tell it of the commit.
	late := open(t, url, table)
	begun := begin(t, late)
	select {
	case <-begun:
		t.Error("a feed starts while a commit before it is not visible")
	case err := <-released:
		t.Fatalf("the commit did not wait: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	release()
	if err := wait(t, released, "the commit ends"); err != nil {
		t.Fatal(err)
	}
	wait(t, begun, "a feed starts once all is visible")
	after, err := f.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if rows := readItems(t, after, table); len(rows) != 2 || !after.Saw(waits) {
		t.Errorf("read %v, saw %t", rows, after.Saw(waits))
	}
}

// testTruncateWaits starts again after a TRUNCATE only when reads see it.
func testTruncateWaits(t *testing.T, server *servers.PostgresServer, url string) {
	db := openDB(t, url)
	run(t, db, createItems, "INSERT INTO items VALUES (1, 1, 'a', '')")
	table := items()
	f := follow(t, url, table)
	release := noStandby(t, server, db)
	released := commitWaiting(t, db, "TRUNCATE items")
	until(t, "the feed stands still", func() bool { return strings.Contains(f.Stalled(), "TRUNCATE") })
	if n := len(f.Starts(1)); n != 1 {
		t.Errorf("%d starts", n)
	}
	release()
	if err := wait(t, released, "the commit ends"); err != nil {
		t.Fatal(err)
	}
	f.restarted(2)
	snapshot, err := f.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	if rows := readItems(t, snapshot, table); len(rows) != 0 {
		t.Errorf("read %v", rows)
	}
}

// TestCommitOrder commits in another order than that of the transactions' numbers.
func TestCommitOrder(t *testing.T) {
	url, _ := database(t)
	db := openDB(t, url)
	f := follow(t, url, items())
	var open []*sql.Tx
	for i := range 3 {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if _, err := tx.Exec("INSERT INTO items VALUES ($1, 1, 'a', '')", i); err != nil {
			t.Fatal(err)
		}
		open = append(open, tx)
	}
	var seen []feed.Snapshot
	for _, i := range []int{2, 0, 1} {
		if err := open[i].Commit(); err != nil {
			t.Fatal(err)
		}
		snapshot, err := f.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer snapshot.Close()
		seen = append(seen, snapshot)
	}
	f.Reach(f.Source)
	for i, c := range f.Commits() {
		if want := number(int64([]int{2, 0, 1}[i])); c.Changes[0].Key != want {
			t.Errorf("commit %d is of %s, want %s", i, c.Changes[0].Key, want)
		}
		for j, snapshot := range seen {
			if snapshot.Saw(c) != (j >= i) {
				t.Errorf("snapshot %d saw commit %d: %t", j, i, snapshot.Saw(c))
			}
		}
	}
	if n := len(f.Commits()); n != 3 {
		t.Errorf("%d commits", n)
	}
}

// testOpenTransactionIsNamed begins to follow beside a transaction that nobody
// ends.
func testOpenTransactionIsNamed(t *testing.T, server *servers.PostgresServer, url string) {
	db := openDB(t, url)
	run(t, db, createItems)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var pid string
	if err := tx.QueryRow("SELECT pg_current_xact_id()::text, pg_backend_pid()::text").Scan(new(string), &pid); err != nil {
		t.Fatal(err)
	}
	var warnings lockedBuffer
	source := open(t, url, items(), pgfeed.WithLogger(slog.New(slog.NewTextHandler(&warnings, nil))))
	begun := begin(t, source)
	until(t, "the open transaction is named", func() bool { return strings.Contains(warnings.String(), "pid "+pid) })
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	wait(t, begun, "the feed starts")
}

// lockedBuffer is a buffer that a logger writes and a test reads.
type lockedBuffer struct {
	mu sync.Mutex // guards the buffer
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestLostSlot makes the durable slot anew after the server has given it up.
func TestLostSlot(t *testing.T) {
	server := privateServer(t, map[string]string{"max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB", "max_wal_size": "48MB"})
	url, _, err := server.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db := openDB(t, url)
	run(t, db, createItems)
	source := open(t, url, items())
	next := func() (part feed.Part) {
		err := own(t, source, func(ctx context.Context, log feed.Log) (err error) {
			part, err = log.Next(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return part
	}
	next()
	until(t, "the slot is lost", func() bool {
		run(t, db, "INSERT INTO items SELECT coalesce(max(id), 0) + 1, 1, 'a', '' FROM items", "SELECT pg_switch_wal()", "CHECKPOINT")
		var lost bool
		if err := db.QueryRow("SELECT wal_status = 'lost' FROM pg_replication_slots").Scan(&lost); err != nil {
			t.Fatal(err)
		}
		return lost
	})
	if part := next(); !strings.Contains(part.Reset, "lost") {
		t.Errorf("went on with %+v", part)
	}
}

// testPermanentErrors end Run, with what to do.
func testPermanentErrors(t *testing.T, server *servers.PostgresServer, url string) {
	db := openDB(t, url)
	run(t, db, createItems)
	other, _, err := server.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	runs := func(name string, source *pgfeed.Source, want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		if err := source.Run(ctx, make(onStart, 10)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Run ends by %v", name, err)
		}
	}
	wrong := pgfeed.New(db, other, quiet)
	defer wrong.Close()
	if err := wrong.Setup(t.Context(), []*schema.Table{items()}); err == nil {
		runs("another database", wrong, "give pgfeed.New both of one database")
	}
	source := open(t, url, items())
	run(t, db, "DROP PUBLICATION pando")
	unpublished := make(chan struct{})
	go func() {
		defer close(unpublished)
		runs("no publication", source, "migrate")
	}()
	until(t, "the feed has failed", func() bool {
		select {
		case <-unpublished:
			return true
		default:
			run(t, db, "INSERT INTO items SELECT coalesce(max(id), 0) + 1, 1, 'a', '' FROM items")
			return false
		}
	})
}

// TestDroppedColumn ends Run when a declared column stays away.
func TestDroppedColumn(t *testing.T) {
	url, exec := database(t)
	source := open(t, url, items())
	source.SetPatience(time.Nanosecond)
	ended := make(chan error, 1)
	started := make(onStart, 1)
	go func() { ended <- source.Run(t.Context(), started) }()
	wait(t, started, "the feed starts")
	exec("ALTER TABLE items DROP COLUMN name")
	if err := wait(t, ended, "Run ends"); err == nil || !strings.Contains(err.Error(), `"name"`) {
		t.Errorf("Run ends by %v", err)
	}
}

// onStart is a sink that tells of its starts.
type onStart chan struct{}

func (s onStart) Start(string, feed.Position, string) { s <- struct{}{} }
func (onStart) Commit(*feed.Commit)                   {}
func (onStart) Advance(feed.Position)                 {}
func (onStart) Stall(string)                          {}

// begin runs a source until the test ends.
func begin(t *testing.T, source feed.Source) (started <-chan struct{}) {
	t.Helper()
	starts := make(onStart, 10)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- source.Run(ctx, starts) }()
	t.Cleanup(func() {
		stop()
		if err := wait(t, ended, "Run ends"); err != nil {
			t.Error(err)
		}
	})
	return starts
}

// wait waits for what comes by a channel.
func wait[T any](t *testing.T, from <-chan T, what string) (came T) {
	t.Helper()
	select {
	case came = <-from:
	case <-time.After(deadline):
		t.Fatalf("waited in vain until %s", what)
	}
	return came
}

// testIdleHead has the feed pass the head of a server on which nobody commits.
func testIdleHead(t *testing.T, server *servers.PostgresServer, url string) {
	db := openDB(t, url)
	run(t, db, createItems)
	f := follow(t, url, items())
	for range 5 {
		// A record that nobody flushes and that is nobody's commit.
		run(t, db, "SELECT pg_logical_emit_message(false, 'other', 'x')")
		begin := time.Now()
		f.Reach(f.Source)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("the feed passed the head after %s", took)
		}
	}
}
