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

	"go.yaml.in/yaml/v3"

	"github.com/pando-sync/pando/client"
	"github.com/pando-sync/pando/internal/guidetest"
	"github.com/pando-sync/pando/internal/servers"
)

// nginx runs the proxy of deploy before two nodes and returns its URL. What is
// changed is where things are, and that it loses patience after a second.
func nginx(t *testing.T, first, second *node) string {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("nginx is not installed")
		}
		t.Skip("nginx is not installed: apt install nginx")
	}
	text, err := os.ReadFile("deploy/nginx.conf")
	must(t, err)
	addr := free(t)
	site := strings.NewReplacer(
		"board-1:8000", strings.TrimPrefix(first.url, "http://"), "board-2:8000", strings.TrimPrefix(second.url, "http://"),
		"listen 80;", "listen "+addr+";", "proxy_read_timeout 60s;", "proxy_read_timeout 1s;",
	).Replace(string(text))
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	must(t, os.WriteFile(conf, []byte(fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr warn;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	%[2]s
}`, dir, site)), 0o600))
	if out, err := exec.CommandContext(t.Context(), program, "-t", "-c", conf).CombinedOutput(); err != nil {
		t.Fatalf("nginx -t: %v\n%s", err, out)
	}
	child := exec.Command(program, "-c", conf)
	var log bytes.Buffer
	child.Stderr = &log
	must(t, child.Start())
	t.Cleanup(func() {
		child.Process.Signal(syscall.SIGTERM)
		if err := child.Wait(); err != nil || t.Failed() {
			t.Logf("nginx: %v\n%s", err, log.String())
		}
	})
	(&node{t: t, url: "http://" + addr}).await(http.StatusOK)
	return "http://" + addr
}

// free is an address that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// TestProxy has clients before the nginx of deploy: they stay connected for longer
// than its patience, pages of its host may connect and others may not, and when
// one node after the other ends they go on at what is left.
func TestProxy(t *testing.T) {
	servers.Need(t, "postgres", "nats")
	c := newCluster(t, servers.SharedNATS(t).URL(), "proxied")
	first, second := c.start("PANDO_HEARTBEAT=400ms"), c.start("PANDO_HEARTBEAT=400ms")
	url := nginx(t, first, second)
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

// parseYAML reads a file of deploy.
func parseYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile("deploy/" + file)
	must(t, err)
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestCompose holds compose.yaml to itself and to nginx.conf: nodes have what they
// depend on, and enough time to end.
func TestCompose(t *testing.T) {
	var file struct {
		Services map[string]struct {
			Environment any
			DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
			Grace       string                                `yaml:"stop_grace_period"`
		}
	}
	parseYAML(t, "compose.yaml", &file)
	proxy, err := os.ReadFile("deploy/nginx.conf")
	must(t, err)
	for _, name := range []string{"board-1", "board-2"} {
		s := file.Services[name]
		env, _ := s.Environment.(map[string]any)
		if !strings.Contains(string(proxy), name+":8000") {
			t.Errorf("nginx.conf does not know %s", name)
		}
		for variable, service := range map[string]string{"PANDO_DB": "postgres", "PANDO_BROKER": "nats", "PANDO_CACHE": "mongo"} {
			if _, ok := s.DependsOn[service]; !ok || !strings.Contains(fmt.Sprint(env[variable]), service) {
				t.Errorf("%s: %s is %v, and it depends on %v", name, variable, env[variable], s.DependsOn)
			}
		}
		drain, err := time.ParseDuration(fmt.Sprint(env["PANDO_DRAIN"]))
		must(t, err)
		patience, err := time.ParseDuration(s.Grace)
		must(t, err)
		if patience < drain+16*time.Second {
			t.Errorf("%s is killed after %s, and may take %s and 16 s", name, patience, drain)
		}
	}
	for name, s := range file.Services {
		for other := range s.DependsOn {
			if _, ok := file.Services[other]; !ok {
				t.Errorf("%s depends on %s, which there is not", name, other)
			}
		}
	}
}

// TestKubernetes holds the manifest to what a stop takes.
func TestKubernetes(t *testing.T) {
	var manifest struct {
		Spec struct {
			Template struct {
				Spec struct {
					Grace      int `yaml:"terminationGracePeriodSeconds"`
					Containers []struct {
						Env []struct{ Name, Value string }
					}
				}
			}
		}
	}
	parseYAML(t, "kubernetes.yaml", &manifest)
	pod := manifest.Spec.Template.Spec
	for _, e := range pod.Containers[0].Env {
		if e.Name != "PANDO_DRAIN" {
			continue
		}
		drain, err := time.ParseDuration(e.Value)
		must(t, err)
		if patience := time.Duration(pod.Grace) * time.Second; patience < drain+16*time.Second {
			t.Errorf("a pod is killed after %s, and may take %s and 16 s", patience, drain)
		}
		return
	}
	t.Error("the pods do not drain")
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
