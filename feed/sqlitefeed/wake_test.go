package sqlitefeed_test

import (
	"context"
	"database/sql"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/schema"
)

// arrivals is a sink that tells when commits arrive.
type arrivals struct {
	started chan struct{}
	commits chan arrival
}

type arrival struct {
	at   time.Time
	rows int
}

func (a *arrivals) Start(string, feed.Position, string) { a.started <- struct{}{} }
func (a *arrivals) Advance(feed.Position)               {}
func (a *arrivals) Stall(string)                        {}
func (a *arrivals) Commit(c *feed.Commit) {
	a.commits <- arrival{time.Now(), len(c.Changes)}
}

// notes is the table of tests that need one.
var notes = &schema.Table{Name: "notes", Columns: []schema.Column{{Name: "id", Kind: schema.Int}, {Name: "body", Kind: schema.Text, Nullable: true}}}

const createNotes = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT)"

// followNotes makes a database with notes and follows it.
func followNotes(b testing.TB) (db *sql.DB, path string, sink *arrivals) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "app.db")
	db = openDB(b, path)
	if _, err := db.Exec(createNotes); err != nil {
		b.Fatal(err)
	}
	source := sqlitefeed.New(db)
	if err := source.Setup(context.Background(), []*schema.Table{notes}); err != nil {
		b.Fatal(err)
	}
	sink = &arrivals{started: make(chan struct{}, 1), commits: make(chan arrival, 16)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- source.Run(ctx, sink) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		source.Close()
	})
	<-sink.started
	return db, path, sink
}

// report reports the median and the 99th percentile of latencies.
func report(b *testing.B, latencies []time.Duration) {
	slices.Sort(latencies)
	b.ReportMetric(float64(latencies[len(latencies)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(0, "ns/op")
}

// quietTime lies between two commits, so that each meets a resting feed.
const quietTime = 5 * time.Millisecond

// BenchmarkWakeInProcess measures from the return of a commit in this process
// to its arrival in the sink.
func BenchmarkWakeInProcess(b *testing.B) {
	db, _, sink := followNotes(b)
	var latencies []time.Duration
	rest := time.NewTicker(quietTime)
	defer rest.Stop()
	for b.Loop() {
		if _, err := db.Exec("INSERT INTO notes (body) VALUES ('x')"); err != nil {
			b.Fatal(err)
		}
		committed := time.Now()
		latencies = append(latencies, max(0, (<-sink.commits).at.Sub(committed)))
		<-rest.C
	}
	report(b, latencies)
}

// BenchmarkWakeForeign measures from when the sqlite3 program is told to
// commit to the arrival in the sink; the program's own work is part of it.
func BenchmarkWakeForeign(b *testing.B) {
	_, path, sink := followNotes(b)
	shell := startShell(b, path)
	var latencies []time.Duration
	rest := time.NewTicker(quietTime)
	defer rest.Stop()
	for b.Loop() {
		written := time.Now()
		shell("INSERT INTO notes (body) VALUES ('x');")
		latencies = append(latencies, (<-sink.commits).at.Sub(written))
		<-rest.C
	}
	report(b, latencies)
}

// BenchmarkIdle measures the share of a core that following costs while
// nothing happens.
func BenchmarkIdle(b *testing.B) {
	followNotes(b)
	time.Sleep(1200 * time.Millisecond) // past the busy second after the start
	var before, after syscall.Rusage
	start := time.Now()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		time.Sleep(100 * time.Millisecond)
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(100*float64(used)/float64(time.Since(start)), "%core")
	b.ReportMetric(0, "ns/op")
}

// sqlite3 is the path of the sqlite3 program.
func sqlite3(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("sqlite3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the sqlite3 program is missing: apt-get install sqlite3")
		}
		t.Skip("the sqlite3 program is missing: apt-get install sqlite3")
	}
	return path
}

// startShell starts the sqlite3 program on a file and returns what feeds it
// lines.
func startShell(t testing.TB, path string) func(line string) {
	t.Helper()
	shell := exec.Command(sqlite3(t), "-batch", path)
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	shell.Stdout, shell.Stderr = &out, &out
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := shell.Wait(); err != nil {
			t.Errorf("sqlite3: %v: %s", err, out.String())
		}
	})
	send := func(line string) {
		if _, err := io.WriteString(in, line+"\n"); err != nil {
			t.Fatalf("sqlite3: %v", err)
		}
	}
	send(".timeout 30000")
	send("PRAGMA synchronous=NORMAL;")
	return send
}
