package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/manage"
)

// TestTheSeedsSettingsHaveTheirCounterpartsInConfiguration opens what they name.
func TestTheSeedsSettingsHaveTheirCounterpartsInConfiguration(t *testing.T) {
	layer := func(t *testing.T, s manage.Settings) broker.Broker {
		t.Helper()
		s.DB = filepath.Join(t.TempDir(), "mux.db")
		b, err := backend.Open(t.Context(), settings(s), kinds()...)
		must(t, err)
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
		return b.Broker
	}
	t.Run("the in-memory backend", func(t *testing.T) {
		if b := layer(t, manage.Settings{}); b != nil {
			t.Errorf("without a URL the layer is a %T", b)
		}
	})
	t.Run("capacity 200 and expiry 10, unless set", func(t *testing.T) {
		for _, c := range []struct {
			given    manage.Settings
			capacity int
			expiry   time.Duration
		}{{manage.Settings{}, 200, 10 * time.Second}, {manage.Settings{Capacity: 7, Expiry: time.Minute}, 7, time.Minute}} {
			if got := settings(c.given).Layer(); got.Capacity != c.capacity || got.Expiry != c.expiry {
				t.Errorf("%+v: got %+v", c.given, got)
			}
		}
	})
	t.Run("hosts", func(t *testing.T) {
		servers.Need(t, "redis")
		one, two := redisServer(t), redisServer(t)
		b := layer(t, manage.Settings{Broker: one.URL() + "," + two.URL()})
		for i := range 50 {
			must(t, b.Send(t.Context(), fmt.Sprint("mail.", i), []byte("hello")))
		}
		for _, s := range []*servers.RedisServer{one, two} {
			if n, err := strconv.Atoi(strings.TrimPrefix(says(t, s, "DBSIZE"), ":")); err != nil || n < 10 {
				t.Errorf("of 50 channels a host has %d, %v", n, err)
			}
		}
	})
	t.Run("capacity", func(t *testing.T) {
		servers.Need(t, "redis")
		b := layer(t, manage.Settings{Broker: servers.SharedRedis(t).URL(), Capacity: 3, Namespace: namespace(t)})
		for range 3 {
			must(t, b.Send(t.Context(), "mail", nil))
		}
		if err := b.Send(t.Context(), "mail", nil); !errors.Is(err, broker.ErrChannelFull) {
			t.Errorf("a fourth message: %v", err)
		}
	})
	t.Run("expiry", func(t *testing.T) {
		servers.Need(t, "redis")
		b := layer(t, manage.Settings{Broker: servers.SharedRedis(t).URL(), Expiry: 50 * time.Millisecond, Namespace: namespace(t)})
		must(t, b.Send(t.Context(), "mail", []byte("old")))
		<-time.After(150 * time.Millisecond)
		if m, err := b.Receive(t.Context(), "mail"); err != nil || !m.Gap || len(m.Body) > 0 {
			t.Errorf("received %q, %v, want word of what is gone", m.Body, err)
		}
	})
}

// TestInMemoryByDefaultAndRedisBySettingOneVariable starts the program both ways, and
// asks Redis which groups are heard of it.
func TestInMemoryByDefaultAndRedisBySettingOneVariable(t *testing.T) {
	servers.Need(t, "redis")
	server := redisServer(t)
	for variable, want := range map[string]bool{"": false, "PANDO_BROKER=" + server.URL(): true} {
		t.Run(fmt.Sprintf("with Redis %v", want), func(t *testing.T) {
			env := []string{"PANDO_DB=" + filepath.Join(t.TempDir(), "mux.db")}
			if variable != "" {
				env = append(env, variable)
			}
			client := enter(t, start(t, env), "")
			client.saysf(`{"action":"subscribe"}`)
			client.Want(`"action":"snapshot"`)
			if got := strings.Contains(says(t, server, "PUBSUB CHANNELS"), "message-update"); got != want {
				t.Errorf("Redis hears of the connection's group: %v, want %v", got, want)
			}
		})
	}
}

// redisServer is one of the test's own.
func redisServer(t *testing.T) *servers.RedisServer {
	t.Helper()
	s, err := servers.Redis(context.WithoutCancel(t.Context()), servers.RedisOptions{})
	must(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// says is what a server answers to a command, up to that of another one behind it.
func says(t *testing.T, s *servers.RedisServer, command string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL(), "redis://"))
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, command+"\r\nPING\r\n")
	must(t, err)
	var answer []string
	for lines := bufio.NewScanner(conn); lines.Scan() && lines.Text() != "+PONG"; {
		answer = append(answer, lines.Text())
	}
	return strings.Join(answer, "\n")
}
