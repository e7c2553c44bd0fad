package pando_test

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/membroker"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/internal/servers"
)

// hearing is a server whose channel hears events, as one process has it.
type hearing struct {
	app   *pando.App
	ended chan error
	stop  context.CancelFunc
	log   *strings.Builder
}

// hear runs a server until the test ends, without a broker unless one is given.
func hear(t *testing.T, url, schema string, b broker.Broker) *hearing {
	t.Helper()
	db := openPostgres(t, url)
	source := pgfeed.New(db, url, pgfeed.WithSchema(schema), pgfeed.WithLogger(slog.New(slog.DiscardHandler)))
	h := &hearing{ended: make(chan error, 1), log: &strings.Builder{}}
	app, err := pando.New(pando.Config{Source: source, Broker: b, Logger: slog.New(slog.NewTextHandler(h.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("docs/{doc_id}", pando.For(func() *hearingDoc { return &hearingDoc{} },
		pando.Consume("news", (*hearingDoc).OnNews), pando.Public()))
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	h.app, h.stop = app, stop
	done := make(chan struct{})
	go func() { defer close(done); h.ended <- app.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// serves waits until the server takes clients.
func (h *hearing) serves(t *testing.T) {
	t.Helper()
	select {
	case <-h.app.Ready():
	case err := <-h.ended:
		t.Fatalf("the server has ended: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("the server does not serve")
	}
}

// TestStandAlone has a second server end whose streams would not hear those of the
// first: not one that takes over from the first, has another schema, or is told
// that one process is enough.
func TestStandAlone(t *testing.T) {
	servers.Need(t, "postgres")
	url := servers.Database(t)
	exec(t, openPostgres(t, url), "CREATE TABLE docs (id bigint PRIMARY KEY, body text NOT NULL)")
	first := hear(t, url, "pando", nil)
	first.serves(t)
	if !strings.Contains(first.log.String(), "set Config.Broker") {
		t.Errorf("the log is %q", first.log)
	}
	hear(t, url, "another", nil).serves(t)

	second := hear(t, url, "pando", nil)
	select {
	case err := <-second.ended:
		if err == nil || !strings.Contains(err.Error(), "set Config.Broker, or stop the other server first") {
			t.Errorf("the second server ends with %v", err)
		}
	case <-second.app.Ready():
		t.Error("the second server serves")
	}

	own, err := membroker.New(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	told := hear(t, url, "pando", own)
	told.serves(t)
	told.stop()
	if err := <-told.ended; err != nil {
		t.Error(err)
	}

	next := hear(t, url, "pando", nil)
	awaitFollowers(t, openPostgres(t, url), 3) // those of both schemas, and the next one
	first.stop()
	next.serves(t)
	if err := <-first.ended; err != nil {
		t.Errorf("the first server ends with %v", err)
	}
	if !strings.Contains(next.log.String(), "set Config.Broker") {
		t.Errorf("the log is %q", next.log)
	}
}

// awaitFollowers waits until so many processes follow the database.
func awaitFollowers(t *testing.T, db *sql.DB, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		var n int
		err := db.QueryRowContext(ctx, `SELECT count(*) FROM pg_replication_slots WHERE temporary AND active AND database = current_database()`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if n == want {
			tick.Stop()
			return
		}
		<-tick.C
	}
}
