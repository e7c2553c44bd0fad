package redisbroker

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/pando-sync/pando/broker"
)

// DefaultPrefix begins the names of all keys.
const DefaultPrefix = "pando"

// Config is what a Broker needs. Only Hosts must be given.
type Config struct {
	broker.Config

	// Hosts are the servers' URLs: redis://user:password@host:port/database,
	// rediss:// for TLS, unix:///path. Groups, channels and streams are shared among
	// them by their names; all nodes must name the same hosts, in any order. Adding
	// one moves its share of the names, and what they hold is left behind.
	Hosts []string
	// Prefix begins the names of all keys and of what is published, so that several
	// apps can share a server. Names that are published do not know databases: apps
	// that differ only in their database need different prefixes.
	Prefix string
	// Logger gets what happens to the connections; without one it is slog's default.
	Logger *slog.Logger
}

// withDefaults returns the configuration with its defaults, and the options of a
// client for each host.
func (c Config) withDefaults() (Config, []rueidis.ClientOption, error) {
	var err error
	if c.Config, err = c.WithDefaults(); err != nil {
		return c, nil, err
	}
	c.Prefix = cmp.Or(c.Prefix, DefaultPrefix)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if broker.CheckGroup(c.Prefix) != nil {
		return c, nil, fmt.Errorf("redisbroker: Config.Prefix %q: want 1 to 99 of A-Z a-z 0-9 . _ -", c.Prefix)
	}
	if len(c.Hosts) == 0 {
		return c, nil, errors.New("redisbroker: Config.Hosts names no server: want URLs like redis://localhost:6379")
	}
	var all []rueidis.ClientOption
	for i, url := range c.Hosts {
		one, err := rueidis.ParseURL(url)
		if err != nil {
			// The URL may have a password, and so may what the parser says of it.
			return c, nil, fmt.Errorf("redisbroker: Config.Hosts: number %d cannot be read: want a URL like redis://localhost:6379/0", i+1)
		}
		if len(one.InitAddress) != 1 || one.Sentinel.MasterSet != "" {
			return c, nil, fmt.Errorf("redisbroker: Config.Hosts: number %d: want the address of one server: name others as hosts of their own", i+1)
		}
		if slices.ContainsFunc(all, func(o rueidis.ClientOption) bool { return nameOf(o) == nameOf(one) }) {
			return c, nil, fmt.Errorf("redisbroker: Config.Hosts: number %d, %s, is named twice", i+1, nameOf(one))
		}
		all = append(all, one)
	}
	return c, all, nil
}

// nameOf names a host without its password.
func nameOf(o rueidis.ClientOption) string {
	if o.SelectDB == 0 {
		return o.InitAddress[0]
	}
	return fmt.Sprintf("%s/%d", o.InitAddress[0], o.SelectDB)
}

// key is the name of a key, or of what is published. Its parts have no colon.
func (c Config) key(kind, name string) string {
	return c.Prefix + ":" + kind + ":" + name
}

// Kinds of keys.
const (
	// queueKey is a list of unread messages; the same name is published when a
	// message came.
	queueKey = "q"
	// markKey tells that a queue has, or had, messages that nobody has read: "1"
	// that some were lost behind the last.
	markKey = "m"
	// joinedKey is a set of the memberships of a queue's channels.
	joinedKey = "j"
	// groupKey is a sorted set of members, by when they count as dead; the same name
	// is published with each message.
	groupKey = "g"
	// streamKey is a stream, and its other keys.
	streamKey = "s"
	// flushKey is published when all is forgotten.
	flushKey = "f"
)

// kindOf splits what was published into kind and name.
func (c Config) kindOf(key string) (kind, name string) {
	kind, name, _ = strings.Cut(strings.TrimPrefix(key, c.Prefix+":"), ":")
	return kind, name
}
