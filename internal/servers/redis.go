package servers

import (
	"context"
	"fmt"
	"strconv"
	"testing"
)

// RedisOptions are how a redis-server differs from others.
type RedisOptions struct {
	// Keep has the server keep what it is told in its folder, on disk before it
	// answers, and read it at the next Start. Without it the server starts empty.
	Keep bool
	// Conf is appended to the server's configuration, in its own syntax.
	Conf string
}

// RedisServer is a redis-server without a password.
type RedisServer struct{ single }

// Redis starts a redis-server of its own and returns when it takes connections.
func Redis(ctx context.Context, opts RedisOptions) (*RedisServer, error) {
	keep := "appendonly no"
	if opts.Keep {
		keep = "appendonly yes\nappendfsync always"
	}
	s := &RedisServer{}
	err := s.begin(ctx, "redis", "Ready to accept connections",
		func(file string) []string { return []string{file} },
		func() string {
			return fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %q\nsave \"\"\n%s\n%s\n", s.port, s.Data(), keep, opts.Conf)
		})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// URL is where clients connect.
func (s *RedisServer) URL() string { return "redis://127.0.0.1:" + strconv.Itoa(s.port) }

var sharedRedis = shared(func(ctx context.Context) (*RedisServer, error) { return Redis(ctx, RedisOptions{}) })

// SharedRedis is the redis-server that the tests of a process share, each with a
// prefix of its own. They do not stop it. The package's TestMain must use Main.
func SharedRedis(t testing.TB) *RedisServer {
	t.Helper()
	return borrow(t, "redis", sharedRedis)
}
