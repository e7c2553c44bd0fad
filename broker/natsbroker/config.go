package natsbroker

import (
	"fmt"
	"log/slog"
	"regexp"

	"github.com/nats-io/nats.go"

	"github.com/pando-sync/pando/broker"
)

// DefaultPrefix begins the names of all subjects and streams.
const DefaultPrefix = "pando"

// Config is what a Broker needs. Fields without a value get the default.
type Config struct {
	// Limits are what every broker lets be configured. Capacity and Expiry count
	// from when a message has reached the process that reads it.
	Limits broker.Config
	// URL names the servers, several with commas; the default is
	// nats://127.0.0.1:4222.
	URL string
	// Prefix sets apart the apps that share a server: 1 to 32 of A-Z a-z 0-9 -,
	// DefaultPrefix by default.
	Prefix string
	// Replicas is how many servers of a cluster keep a Stream; the default is 1.
	Replicas int
	// Options are further ones of the connection: credentials, TLS, its name.
	// Those for pings, reconnects and callbacks are the Broker's own.
	Options []nats.Option
	// Logger is told of lost connections; the default is slog.Default().
	Logger *slog.Logger
}

var goodPrefix = regexp.MustCompile(`^[A-Za-z0-9-]{1,32}$`)

// maxReplicas is what JetStream knows.
const maxReplicas = 5

func (c Config) withDefaults() (Config, error) {
	var err error
	if c.Limits, err = c.Limits.WithDefaults(); err != nil {
		return c, err
	}
	if c.URL == "" {
		c.URL = nats.DefaultURL
	}
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if !goodPrefix.MatchString(c.Prefix) {
		return c, fmt.Errorf("natsbroker: Config.Prefix %q: want 1 to 32 of A-Z a-z 0-9 -", c.Prefix)
	}
	if c.Replicas < 1 || c.Replicas > maxReplicas {
		return c, fmt.Errorf("natsbroker: Config.Replicas %d: want 1 to %d, or 0 for 1", c.Replicas, maxReplicas)
	}
	return c, nil
}
