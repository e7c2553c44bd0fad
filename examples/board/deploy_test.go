package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pando-sync/pando/client"
	"github.com/pando-sync/pando/internal/guidetest"
	"github.com/pando-sync/pando/internal/servers"
)

// proxies run those of deploy before two nodes and return their URLs.
var proxies = map[string]func(t *testing.T, first, second *node) string{"nginx": nginx, "caddy": caddy}

// deployed is a file of deploy with the addresses of two nodes in it, and what is
// changed besides.
func deployed(t *testing.T, file string, first, second *node, changes ...string) string {
	t.Helper()
	text, err := os.ReadFile("deploy/" + file)
	must(t, err)
	changes = append(changes, "board-1:8000", strings.TrimPrefix(first.url, "http://"), "board-2:8000", strings.TrimPrefix(second.url, "http://"))
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(string(text), changes[i]) {
			t.Fatalf("%s has no %q", file, changes[i])
		}
	}
	return strings.NewReplacer(changes...).Replace(string(text))
}

// nginx runs that of deploy. What is changed is where things are, and that it
// loses patience after a second.
func nginx(t *testing.T, first, second *node) string {
	t.Helper()
	program, addr, dir := servers.Program(t, "nginx"), free(t), t.TempDir()
	site := deployed(t, "nginx.conf", first, second, "listen 80;", "listen "+addr+";", "proxy_read_timeout 60s;", "proxy_read_timeout 1s;")
	conf := filepath.Join(dir, "nginx.conf")
	must(t, os.WriteFile(conf, fmt.Appendf(nil, `daemon off; master_process off; pid %[1]s/pid; error_log stderr warn;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	%[2]s
}`, dir, site), 0o600))
	valid(t, exec.CommandContext(t.Context(), program, "-t", "-c", conf))
	runProxy(t, exec.Command(program, "-c", conf), addr)
	return "http://" + addr
}

// caddy runs that of deploy. What is changed is where things are, and that it asks
// nobody for certificates.
func caddy(t *testing.T, first, second *node) string {
	t.Helper()
	program, addr, dir := servers.Program(t, "caddy"), free(t), t.TempDir()
	must(t, os.WriteFile(dir+"/Caddyfile", []byte("{\n\tadmin off\n}\n"+deployed(t, "Caddyfile", first, second, "board.example.com", "http://"+addr)), 0o600))
	child := exec.Command(program, "run", "--config", dir+"/Caddyfile", "--adapter", "caddyfile")
	child.Env = caddyHome(dir)
	runProxy(t, child, addr)
	return "http://" + addr
}

// caddyHome is an environment in which Caddy keeps nothing but in a folder.
func caddyHome(dir string) []string {
	return append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
}

// TestCaddyfile has Caddy read the file as it stands.
func TestCaddyfile(t *testing.T) {
	program, dir := servers.Program(t, "caddy"), t.TempDir()
	for _, args := range [][]string{{"validate", "--adapter", "caddyfile", "--config", "deploy/Caddyfile"}, {"fmt", "--diff", "deploy/Caddyfile"}} {
		child := exec.CommandContext(t.Context(), program, args...)
		child.Env = caddyHome(dir)
		valid(t, child)
	}
}

// valid runs what looks at a proxy's configuration.
func valid(t *testing.T, look *exec.Cmd) {
	t.Helper()
	if out, err := look.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", look, err, out)
	}
}

// runProxy runs a proxy until the test ends, and waits until a node is behind it.
func runProxy(t *testing.T, child *exec.Cmd, addr string) {
	t.Helper()
	var log bytes.Buffer
	child.Stderr = &log
	must(t, child.Start())
	t.Cleanup(func() {
		child.Process.Signal(syscall.SIGTERM)
		if err := child.Wait(); err != nil || t.Failed() {
			t.Logf("%s: %v\n%s", child.Path, err, log.String())
		}
	})
	(&node{t: t, url: "http://" + addr}).await(http.StatusOK)
}

// free is an address that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// TestProxy has clients before each proxy of deploy: they stay connected for longer
// than its patience, pages of its host may connect and others may not, and when
// a node ends they go on at what is left.
func TestProxy(t *testing.T) {
	for name, proxy := range proxies {
		t.Run(name, func(t *testing.T) {
			servers.Need(t, "postgres", "nats", name)
			c := newCluster(t, servers.SharedNATS(t).URL(), "proxied"+name)
			first, second := c.start("PANDO_HEARTBEAT=400ms"), c.start("PANDO_HEARTBEAT=400ms")
			throughProxy(t, c, first, proxy(t, first, second))
		})
	}
}

func throughProxy(t *testing.T, c *cluster, first *node, url string) {
	t.Helper()
	for origin, want := range map[string]int{url: http.StatusSwitchingProtocols, "http://elsewhere.example": http.StatusForbidden} {
		if got := upgrade(t, url, origin); got != want {
			t.Errorf("a page of %s gets %d, want %d", origin, got, want)
		}
	}
	secret := c.token("ada")
	var streams []*client.Stream[Board]
	for range 4 {
		streams = append(streams, follow[Board](t, c.connect(url, secret), "boards/1"))
	}
	idle := time.After(3 * time.Second) // of an idle time-out of one
	for waiting := true; waiting; {
		changed := streams[0].Changed()
		if streams[0].Stale() {
			t.Fatal("the connection was lost, as it was idle")
		}
		select {
		case <-idle:
			waiting = false
		case <-changed:
		}
	}
	first.stop()
	_, card := find(new(streams[0].State()), guide)
	for i, s := range streams {
		must(t, s.Save(t.Context(), "Card", card.ID, fields{"title": fmt.Sprint("Saved ", i)}))
	}
	for _, s := range streams {
		eventually(t, s, "the last title", func(b Board) bool { return cardOf(&b, "Saved 3") != nil })
	}
}

// upgrade is the status that a page of an origin gets for a WebSocket.
func upgrade(t *testing.T, url, origin string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/ws", http.NoBody)
	must(t, err)
	for name, value := range map[string]string{
		"Origin": origin, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		req.Header.Set(name, value)
	}
	resp, err := probe.Do(req)
	must(t, err)
	resp.Body.Close()
	return resp.StatusCode
}

// TestGuides finds what the guides to deployments quote in the files of deploy.
func TestGuides(t *testing.T) {
	for _, name := range []string{"deploying", "scaling"} {
		guidetest.Quotes(t, "../../docs/guides/"+name+".md", map[string][]string{
			"go": {"*.go"}, "nginx": {"deploy/nginx.conf"}, "caddyfile": {"deploy/Caddyfile"}, "dockerfile": {"deploy/Dockerfile"},
			"yaml": {"deploy/*.yaml"}, "sh": {"deploy/commands.sh"}, "sql": {"deploy/postgres.sql"},
		})
	}
}
