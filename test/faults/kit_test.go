package faults_test

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"go.uber.org/goleak"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/feed/relay"
	"github.com/pando-sync/pando/internal/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main(m)) }

// patience bounds every wait of these tests.
const patience = time.Minute

// until polls for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for begin := time.Now(); !ok(); <-ticker.C {
		if time.Since(begin) > patience {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// atEnd calls a function with the test's end.
func atEnd(t *testing.T, end func() error) {
	t.Helper()
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, db.Close)
	return db
}

// private is a PostgreSQL of the test's own.
func private(t *testing.T, conf map[string]string) *servers.PostgresServer {
	t.Helper()
	servers.Need(t, "postgres")
	server, err := servers.Postgres(t.Context(), servers.PostgresOptions{Conf: conf})
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, server.Close)
	return server
}

// parts are what a node is made of.
type parts struct {
	// handle and replication are the database's URLs.
	handle, replication string
	// stream carries the commits; nil has the node follow the database itself.
	stream broker.Stream
	broker broker.Broker
}

// node is an app of a process of its own, as far as others can tell.
type node struct {
	app *pando.App
	log *journal
	// stop ends Run, and ended has what it returned.
	stop  context.CancelFunc
	ended chan error
}

// newNode makes a node that does not run.
func newNode(t *testing.T, p parts) *node {
	t.Helper()
	n := &node{log: &journal{}}
	logger := slog.New(slog.NewTextHandler(n.log, nil))
	database := pgfeed.New(open(t, p.handle), p.replication, pgfeed.WithLogger(logger))
	var source feed.Source = database
	if p.stream != nil {
		source = relay.New(database, p.stream, relay.WithLogger(logger))
	}
	n.declare(t, source, p.broker, logger)
	return n
}

// declare makes the node's app.
func (n *node) declare(t *testing.T, source feed.Source, b broker.Broker, logger *slog.Logger) {
	t.Helper()
	atEnd(t, source.Close)
	// A feed that stands still is looked at four times as often as scopes linger.
	app, err := pando.New(pando.Config{Source: source, Broker: b, Logger: logger, Linger: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("ledgers/{id}", pando.For(func() *LedgerChannel { return &LedgerChannel{} }, pando.Public(),
		pando.Writable[Entry](pando.Delete((*LedgerChannel).CanDeleteEntry))))
	n.app = app
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("a node's log:\n%s", n.log)
		}
	})
}

// run runs the node until halt or the test's end.
func (n *node) run(t *testing.T) *node {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	n.stop, n.ended = stop, make(chan error, 1)
	ended := n.ended
	go func() { ended <- n.app.Run(ctx) }()
	t.Cleanup(func() { n.halt(t) })
	return n
}

// halt ends the node as a deployment does.
func (n *node) halt(t *testing.T) {
	t.Helper()
	if n.stop == nil {
		return
	}
	n.stop()
	n.stop = nil
	if err := n.result(t); err != nil {
		t.Errorf("Run ends by %v", err)
	}
}

// fails waits until Run ends by itself, and returns its error.
func (n *node) fails(t *testing.T) error {
	t.Helper()
	err := n.result(t)
	n.stop()
	n.stop = nil
	if err == nil {
		t.Fatal("Run ends without an error")
	}
	return err
}

func (n *node) result(t *testing.T) error {
	t.Helper()
	select {
	case err := <-n.ended:
		return err
	case <-time.After(patience):
		t.Fatal("Run does not end")
		return nil
	}
}

// front is the one address of nodes that come and go.
type front struct {
	url string
	app atomic.Pointer[pando.App]
}

// serve begins to serve a node, if there is one.
func serve(t *testing.T, n *node) *front {
	t.Helper()
	f := &front{}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	f.use(n)
	return f
}

// use has clients come to a node; nil for none.
func (f *front) use(n *node) {
	if n == nil {
		f.app.Store(nil)
		return
	}
	f.app.Store(n.app)
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	app := f.app.Load()
	if app == nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	app.ServeHTTP(w, r)
}

// probe keeps no connections, which would outlive tests.
var probe = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}

// health waits until /healthz has a status.
func (f *front) health(t *testing.T, status int) {
	t.Helper()
	until(t, "/healthz is "+http.StatusText(status), func() bool { return f.status(t, "healthz") == status })
}

// status is what a page is answered with, 0 when it is not.
func (f *front) status(t *testing.T, page string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/"+page, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := probe.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// journal is what a node has logged.
type journal struct {
	mu   sync.Mutex // guards the text
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// tells waits until the node has logged a text.
func (j *journal) tells(t *testing.T, text string) {
	t.Helper()
	until(t, "the log has "+text, func() bool { return strings.Contains(j.String(), text) })
}
