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

// tell sends a redis-server a command and returns the first line of its answer.
func tell(t *testing.T, url, command string, patience time.Duration) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "redis://"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

func told(t *testing.T, url, command, want string) {
	t.Helper()
	if got, err := tell(t, url, command, time.Minute); got != want || err != nil {
		t.Errorf("%s: the server says %q, %v, want %q", command, got, err, want)
	}
}

func TestRedisStopsStartsAndStandsStill(t *testing.T) {
	servers.Need(t, "redis")
	s, err := servers.Redis(t.Context(), servers.RedisOptions{Keep: true, Conf: "databases 3"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	url := s.URL()
	told(t, url, "SELECT 3", "-ERR DB index is out of range")
	told(t, url, "SET a 1", "+OK")
	s.Pause()
	if got, err := tell(t, url, "PING", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a server that stands still says %q, %v", got, err)
	}
	s.Resume()
	told(t, url, "PING", "+PONG")
	for _, end := range []func(){s.Kill, s.Stop} {
		end()
		if _, err := tell(t, url, "PING", time.Minute); err == nil {
			t.Error("the server is still there")
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.URL() != url {
			t.Errorf("the server is at %s, was at %s", s.URL(), url)
		}
		told(t, url, "EXISTS a", ":1")
	}
	s.Stop()
	if err := s.Clear(); err != nil {
		t.Error(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	told(t, url, "EXISTS a", ":0")
}

func TestRedisForgets(t *testing.T) {
	servers.Need(t, "redis")
	s, err := servers.Redis(t.Context(), servers.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	told(t, s.URL(), "SET a 1", "+OK")
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	told(t, s.URL(), "EXISTS a", ":0")
}

func TestSharedRedis(t *testing.T) {
	if a, b := servers.SharedRedis(t), servers.SharedRedis(t); a != b {
		t.Error("two tests have two servers")
	}
}
