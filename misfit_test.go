package pando_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

type gauge struct {
	ID    int64 `json:"id"`
	Count int64 `json:"count"`
}

func (gauge) TableName() string { return "gauges" }

type gaugeChannel struct {
	pando.Channel[gauge, pando.NoRuntime]
}

func (*gaugeChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// lockedBuffer is a log that a test reads while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestNumbersThatJavaScriptCannotHoldAreReportedOnce(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, "CREATE TABLE gauges (id INTEGER PRIMARY KEY, count INTEGER NOT NULL); INSERT INTO gauges VALUES (1, 1)")
	var log lockedBuffer
	source := sqlitefeed.New(db)
	defer source.Close()
	app, err := pando.New(pando.Config{Source: source, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("gauges/{id}", pando.For(func() *gaugeChannel { return &gaugeChannel{} }, pando.Public()))
	st := pandotest.Open[gauge](t, pandotest.Serve(t, app).Connect(t, ""), "gauges/1")
	for _, n := range []int64{1 << 53, 1<<53 + 2} {
		exec(t, db, "UPDATE gauges SET count = ?", n)
		st.Wait(t, "the number", func(g *gauge) bool { return g.Count == n })
	}
	if got := strings.Count(log.String(), "tag the field"); got != 1 {
		t.Errorf("the mend is named %d times, want once:\n%s", got, log.String())
	}
}
