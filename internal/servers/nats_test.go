package servers_test

import (
	"bufio"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/internal/servers"
)

// greet returns the first line that a server says to who connects.
func greet(t *testing.T, url string, patience time.Duration) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "nats://"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func TestNATSStopsStartsAndStandsStill(t *testing.T) {
	servers.Need(t, "nats")
	s, err := servers.NATS(t.Context(), servers.NATSOptions{Conf: "max_payload: 2MB"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	url := s.URL()
	hello, err := greet(t, url, time.Minute)
	if err != nil || !strings.Contains(hello, `"jetstream":true`) || !strings.Contains(hello, `"max_payload":2097152`) {
		t.Errorf("the server says %q, %v", hello, err)
	}
	s.Pause()
	if hello, err := greet(t, url, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a server that stands still says %q, %v", hello, err)
	}
	s.Resume()
	if _, err := greet(t, url, time.Minute); err != nil {
		t.Errorf("the server does not go on: %v", err)
	}
	for _, end := range []func(){s.Kill, s.Stop} {
		end()
		if _, err := greet(t, url, time.Minute); err == nil {
			t.Error("the server is still there")
		}
		if _, err := os.Stat(s.Data()); err != nil {
			t.Error(err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.URL() != url {
			t.Errorf("the server is at %s, was at %s", s.URL(), url)
		}
	}
	s.Stop()
	if err := s.Clear(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.Data()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Clear: %v", err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSharedNATS(t *testing.T) {
	if a, b := servers.SharedNATS(t), servers.SharedNATS(t); a != b {
		t.Error("two tests have two servers")
	}
}
