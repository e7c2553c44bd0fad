package manage

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthcheck(t *testing.T) {
	status := http.StatusOK
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	addr := strings.TrimPrefix(server.URL, "http://")
	b := newBench(t)
	if got := b.run("", "healthcheck", "--addr", addr); got.code != 0 || got.out != "ok\n" || asked != "/readyz" {
		t.Errorf("a server that is ready: %+v at %s", got, asked)
	}
	status = http.StatusServiceUnavailable
	if got := b.run("", "healthcheck", "--addr", addr, "--path", "/live/livez"); got.code != 1 || !strings.Contains(got.errOut, "/live/livez answers 503") {
		t.Errorf("a server that is not: %+v", got)
	}
	_, port, _ := strings.Cut(addr, ":")
	status = http.StatusOK
	if got := b.run("", "healthcheck", "--addr", "0.0.0.0:"+port); got.code != 0 {
		t.Errorf("a server that listens everywhere: %+v", got)
	}
	server.Close()
	if got := b.run("", "healthcheck", "--addr", addr); got.code != 1 || !strings.Contains(got.errOut, "ask the server") {
		t.Errorf("no server: %+v", got)
	}
	if len(b.steps) > 0 {
		t.Errorf("the project was opened: %v", b.steps)
	}
}
