package manage

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// healthcheck is the command by which containers without a shell ask a server how
// it is.
type healthcheck struct {
	Addr    string        `default:"127.0.0.1:8000" env:"PANDO_ADDR" help:"Address that the server listens at."`
	Path    string        `default:"/readyz" help:"What to ask: /readyz, /healthz or /livez, with the prefix that the app is mounted at."`
	Timeout time.Duration `default:"5s" help:"How long the answer may take."`
}

// Run fails unless the server of this machine answers 200. It opens no project.
func (h *healthcheck) Run(env *environment, _ *commands) error {
	host, port, err := net.SplitHostPort(h.Addr)
	if err != nil {
		return fmt.Errorf("read --addr %q: %w", h.Addr, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost" // who listens everywhere listens there
	}
	ctx, cancel := context.WithTimeout(env.ctx, h.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+h.Path, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s: %w", h.Path, err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", h.Path, resp.Status)
	}
	fmt.Fprintln(env.stdout, "ok")
	return nil
}
