package servers

import (
	"context"
	"fmt"
	"strconv"
	"testing"
)

// NATSOptions are how a nats-server differs from others.
type NATSOptions struct {
	// Conf is appended to the server's configuration, in its own syntax.
	Conf string
}

// NATSServer is a nats-server with JetStream, without a password. Apart from its
// folders it is configured as it comes.
type NATSServer struct{ single }

// NATS starts a nats-server of its own and returns when it takes connections.
func NATS(ctx context.Context, opts NATSOptions) (*NATSServer, error) {
	s := &NATSServer{}
	err := s.begin(ctx, "nats", "Server is ready",
		func(file string) []string { return []string{"-c", file} },
		func() string {
			return fmt.Sprintf("listen: \"127.0.0.1:%d\"\nserver_name: \"pando-%[1]d\"\njetstream { store_dir: %q }\n%s\n", s.port, s.Data(), opts.Conf)
		})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// URL is where clients connect.
func (s *NATSServer) URL() string { return "nats://127.0.0.1:" + strconv.Itoa(s.port) }

var sharedNATS = shared(func(ctx context.Context) (*NATSServer, error) { return NATS(ctx, NATSOptions{}) })

// SharedNATS is the nats-server that the tests of a process share, each with
// names of its own. They do not stop it. The package's TestMain must use Main.
func SharedNATS(t testing.TB) *NATSServer {
	t.Helper()
	return borrow(t, "nats", sharedNATS)
}
