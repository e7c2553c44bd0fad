package broker

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// Defaults of a Config.
const (
	// DefaultCapacity is the number of unread messages of a channel.
	DefaultCapacity = 100
	// DefaultExpiry is how long a message may wait to be read.
	DefaultExpiry = time.Minute
	// DefaultGroupExpiry is how long a member stays that died without leaving.
	DefaultGroupExpiry = 24 * time.Hour
)

// Config is what every Broker lets be configured. Fields without a value get the
// default.
type Config struct {
	// Capacity is the number of unread messages that a channel holds, for channels
	// that none of Capacities is for.
	Capacity int
	// Capacities are those of single channels: the first one that matches counts.
	Capacities []Capacity
	// Expiry is how long a message may wait to be read.
	Expiry time.Duration
	// GroupExpiry is how long a channel that nobody reads stays in its groups.
	GroupExpiry time.Duration
}

// Capacity is the number of unread messages of the channels that a pattern
// matches: a name, in which * stands for any characters, ? for one and [a-f] for
// one of several, as in path.Match.
type Capacity struct {
	Pattern  string
	Messages int
}

// WithDefaults returns the configuration with its defaults filled in, or an
// error that names the field and the mend.
func (c Config) WithDefaults() (Config, error) {
	if c.Capacity == 0 {
		c.Capacity = DefaultCapacity
	}
	if c.Expiry == 0 {
		c.Expiry = DefaultExpiry
	}
	if c.GroupExpiry == 0 {
		c.GroupExpiry = DefaultGroupExpiry
	}
	if c.Capacity < 0 || c.Expiry < 0 || c.GroupExpiry < 0 {
		return c, fmt.Errorf("broker: Config: Capacity %d, Expiry %s, GroupExpiry %s: want positive values, or 0 for the defaults",
			c.Capacity, c.Expiry, c.GroupExpiry)
	}
	for _, one := range c.Capacities {
		if _, err := path.Match(one.Pattern, ""); err != nil || one.Pattern == "" {
			return c, fmt.Errorf("broker: Config.Capacities: pattern %q: want a name, in which * and ? stand for other characters", one.Pattern)
		}
		if one.Messages <= 0 {
			return c, fmt.Errorf("broker: Config.Capacities: pattern %q: capacity %d: want one message at least", one.Pattern, one.Messages)
		}
	}
	return c, nil
}

// CapacityOf is the capacity of a channel.
func (c Config) CapacityOf(channel string) int {
	for _, one := range c.Capacities {
		if ok, err := path.Match(one.Pattern, channel); ok && err == nil {
			return one.Messages
		}
	}
	return c.Capacity
}

// maxName is the number of characters that a name stays below.
const maxName = 100

// CheckGroup returns an error that wraps ErrBadName for what cannot be a group's
// name.
func CheckGroup(name string) error {
	if !valid(name) {
		return fmt.Errorf("%w: group %q: want 1 to 99 of A-Z a-z 0-9 . _ -", ErrBadName, clip(name))
	}
	return nil
}

// CheckChannel returns an error that wraps ErrBadName for what cannot be a
// channel's name.
func CheckChannel(name string) error {
	process, part, _ := strings.Cut(name, "!")
	if len(name) >= maxName || !valid(process) || part != "" && !valid(part) {
		return fmt.Errorf("%w: channel %q: want 1 to 99 of A-Z a-z 0-9 . _ - and at most one ! behind the first", ErrBadName, clip(name))
	}
	return nil
}

// Queue is the name by which a channel is read: that of its process with the
// "!", or its own.
func Queue(channel string) string {
	if i := strings.IndexByte(channel, '!'); i >= 0 {
		return channel[:i+1]
	}
	return channel
}

// CheckReceive returns an error that wraps ErrBadName for what cannot be read:
// no channels, or a part of a process, which is read as a whole.
func CheckReceive(channels []string) error {
	if len(channels) == 0 {
		return fmt.Errorf("%w: no channel to receive from is named", ErrBadName)
	}
	for _, name := range channels {
		if err := CheckChannel(name); err != nil {
			return err
		}
		if q := Queue(name); q != name {
			return fmt.Errorf("%w: channel %q is part of a process: receive from %q", ErrBadName, name, q)
		}
	}
	return nil
}

func valid(name string) bool {
	if name == "" || len(name) >= maxName {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// clip keeps an error short whatever the name.
func clip(name string) string {
	if len(name) > maxName {
		return name[:maxName] + "…"
	}
	return name
}
