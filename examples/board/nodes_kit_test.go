package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/pando-sync/pando/client"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/token"
)

// asProgram is the variable that makes the test binary the board.
const asProgram = "BOARD_TEST_PROGRAM"

// patience bounds every step of these tests.
const patience = 30 * time.Second

// brokers are those that the tests of several nodes run on.
var brokers = map[string]func(testing.TB) string{
	"nats":  func(t testing.TB) string { return servers.SharedNATS(t).URL() },
	"redis": func(t testing.TB) string { return servers.SharedRedis(t).URL() },
}

// cluster is what the nodes of one board share.
type cluster struct {
	t     *testing.T
	env   []string
	db    *sql.DB
	users *token.Store
}

// onBrokers runs a test on PostgreSQL with each broker.
func onBrokers(t *testing.T, namespace string, test func(*cluster)) {
	for name, url := range brokers {
		t.Run(name, func(t *testing.T) {
			servers.Need(t, "postgres", name)
			test(newCluster(t, url(t), namespace))
		})
	}
}

// newCluster returns a board without nodes on an empty database. The namespace
// sets it apart on the broker.
func newCluster(t *testing.T, broker, namespace string) *cluster {
	t.Helper()
	database := servers.Database(t)
	db, err := sql.Open("pgx", database)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return &cluster{t, []string{
		asProgram + "=1", "PANDO_DB=" + database, "PANDO_BROKER=" + broker, "PANDO_NAMESPACE=" + namespace,
		"PANDO_ADDR=127.0.0.1:0", "PANDO_DRAIN=300ms",
	}, db, token.New(db)}
}

// node is one process of the board.
type node struct {
	t      *testing.T
	url    string
	child  *exec.Cmd
	log    *bytes.Buffer
	exited chan error
}

// start starts a node and waits until it takes clients. It is ended with the
// test; what it has logged is shown when that has failed.
func (c *cluster) start(more ...string) *node {
	c.t.Helper()
	n := c.begin(more...)
	n.await(http.StatusOK)
	return n
}

// begin starts a node.
func (c *cluster) begin(more ...string) *node {
	c.t.Helper()
	child := exec.CommandContext(context.WithoutCancel(c.t.Context()), os.Args[0], "runserver")
	child.Env = slices.Concat(os.Environ(), c.env, more)
	n := &node{t: c.t, child: child, log: &bytes.Buffer{}, exited: make(chan error, 1)}
	child.Stderr = n.log
	out, err := child.StdoutPipe()
	must(c.t, err)
	must(c.t, child.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		c.t.Fatalf("the node has ended: %v\n%s", child.Wait(), n.log)
	}
	n.url = strings.TrimPrefix(lines.Text(), "board: listening on ")
	go func() {
		for lines.Scan() { // the rest is for people
		}
		n.exited <- child.Wait()
	}()
	c.t.Cleanup(func() {
		n.stop()
		if c.t.Failed() {
			c.t.Logf("the log of %s:\n%s", n.url, n.log)
		}
	})
	return n
}

// await waits until /readyz has a status.
func (n *node) await(status int) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if readiness(ctx, n.url) == status {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			n.t.Fatalf("%s/readyz is not %d", n.url, status)
		}
	}
}

// stop ends the node as an orchestrator does, and waits.
func (n *node) stop() {
	n.t.Helper()
	if n.exited == nil {
		return
	}
	if err := n.child.Process.Signal(syscall.SIGTERM); err != nil {
		n.t.Logf("stop a node: %v", err)
	}
	select {
	case err := <-n.exited:
		if err != nil {
			n.t.Errorf("%s ended with %v", n.url, err)
		}
	case <-time.After(patience):
		n.t.Errorf("%s does not end", n.url)
		n.child.Process.Kill()
		<-n.exited
	}
	n.exited = nil
}

// probe asks for health without keeping connections, which would outlive tests.
var probe = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}

// readiness is the status of a server's /readyz, 0 when there is none.
func readiness(ctx context.Context, url string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", http.NoBody)
	if err != nil {
		return 0
	}
	resp, err := probe.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// token logs a user in.
func (c *cluster) token(username string) string {
	c.t.Helper()
	id, err := userID(c.t.Context(), c.db, username)
	must(c.t, err)
	issued, err := c.users.Issue(c.t.Context(), id)
	must(c.t, err)
	return issued
}

// connect returns a client that comes back by itself.
func (c *cluster) connect(url, secret string) *client.Client {
	c.t.Helper()
	made := client.New(url, client.Options{
		Token:  func(context.Context) (string, error) { return secret, nil },
		Logger: slog.New(slog.DiscardHandler),
	})
	c.t.Cleanup(made.Close)
	return made
}

// follow opens a route.
func follow[S any](t *testing.T, c *client.Client, route string) *client.Stream[S] {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := client.Open[S](ctx, c, route)
	if err != nil {
		t.Fatalf("open %s: %v", route, err)
	}
	return s
}

// eventually waits for a state, or a runtime state.
func eventually[S any](t *testing.T, s *client.Stream[S], what string, ok func(S) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		changed := s.Changed()
		if ok(s.State()) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%s did not come: %v, %s", what, s.Err(), s.JSON())
		}
	}
}

// balancer is a proxy before nodes: who comes goes to one that is ready, in turn.
type balancer struct {
	mu    sync.Mutex // guards what follows
	nodes []*url.URL
	ready map[string]bool
	turn  int
}

// balance begins to ask the nodes every now and then whether they are ready.
func balance(t *testing.T) *balancer {
	b := &balancer{ready: map[string]bool{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			b.look(ctx)
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return b
}

func (b *balancer) look(ctx context.Context) {
	b.mu.Lock()
	nodes := slices.Clone(b.nodes)
	b.mu.Unlock()
	for _, n := range nodes {
		ready := readiness(ctx, n.String()) == http.StatusOK
		b.mu.Lock()
		b.ready[n.Host] = ready
		b.mu.Unlock()
	}
}

// use sets the nodes there are.
func (b *balancer) use(t *testing.T, nodes ...*node) {
	var all []*url.URL
	for _, n := range nodes {
		at, err := url.Parse(n.url)
		must(t, err)
		all = append(all, at)
	}
	b.mu.Lock()
	b.nodes = all
	b.mu.Unlock()
	b.look(t.Context())
}

func (b *balancer) next() *url.URL {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.nodes {
		b.turn++
		if n := b.nodes[b.turn%len(b.nodes)]; b.ready[n.Host] {
			return n
		}
	}
	return nil
}

// ServeHTTP passes a request on.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to := b.next()
	if to == nil {
		http.Error(w, "no server is ready", http.StatusBadGateway)
		return
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.SetXForwarded()
			p.Out.Host = p.In.Host
		},
		Transport: passing,
	}
	proxy.ServeHTTP(w, r)
}

var passing = &http.Transport{DisableKeepAlives: true}
