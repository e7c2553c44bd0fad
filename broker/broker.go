// Package broker is the port of the channel layer: named channels, and groups
// of them, that carry messages between the parts of an app, on one machine or
// many. A message is delivered at most once, first in first out within a
// channel, to one reader.
//
// # Names
//
// A name has 1 to 99 characters of A-Z a-z 0-9 . _ -. A channel's may have one
// "!" besides: what stands up to it names a process, what follows, and may be
// empty, a part of it. A process reads all its parts together, by its name up to
// the "!".
//
// # Bounds
//
// A channel holds as many unread messages as its capacity allows; the parts of a
// process count together. A message that is not read in time is gone. Whoever
// reads is told of what was lost, see Message.Gap.
//
// # Concurrency
//
// A Broker is safe for concurrent use.
package broker

import (
	"context"
	"errors"
)

// Errors of a Broker.
var (
	// ErrChannelFull is returned by Send when the channel holds as many unread
	// messages as its capacity allows.
	ErrChannelFull = errors.New("broker: the channel is full")
	// ErrMessageTooLarge is returned for a message over MaxMessage.
	ErrMessageTooLarge = errors.New("broker: the message is too large")
	// ErrBadName is wrapped by the errors for names that are not allowed.
	ErrBadName = errors.New("broker: bad name")
	// ErrClosed is returned once the broker is closed.
	ErrClosed = errors.New("broker: closed")
)

// MaxMessage is the size of a message in bytes that every Broker carries.
const MaxMessage = 1 << 20

// Broker is a channel layer.
type Broker interface {
	// NewChannel returns the name of a channel that only the caller reads, which
	// begins with prefix and ends with "!". The caller may append names of parts.
	NewChannel(ctx context.Context, prefix string) (string, error)
	// Send puts a message into a channel, as a copy. A full channel is
	// ErrChannelFull.
	Send(ctx context.Context, channel string, message []byte) error
	// Receive waits for the next message of any of the channels: those of one
	// channel come in order. Any number of callers may wait for a channel: one of
	// them gets the message.
	Receive(ctx context.Context, channels ...string) (Message, error)
	// GroupAdd makes a channel a member of a group, GroupDiscard ends that. What is
	// sent to the group after GroupAdd has returned reaches the channel. Adding a
	// member again, and discarding one that is none, do nothing.
	GroupAdd(ctx context.Context, group, channel string) error
	GroupDiscard(ctx context.Context, group, channel string) error
	// GroupSend puts a message into every channel of a group. For a member that is
	// full it is dropped and counted.
	GroupSend(ctx context.Context, group string, message []byte) error
	// Dropped is the number of messages that this Broker has dropped for full
	// members.
	Dropped() uint64
	// Flush forgets all channels and groups. Whoever reads a channel is told of a
	// gap, now or when they receive next, and has to join its groups again.
	Flush(ctx context.Context) error
	// Close ends all calls with ErrClosed.
	Close() error
}

// Message is what Receive returns.
type Message struct {
	Channel string
	Body    []byte
	// Group is the group that it was sent to, "" for one that was sent to the
	// channel itself.
	Group string
	// Gap tells that messages for the channel may have been lost before this one:
	// a group's was dropped since the channel was full, one was not read in time,
	// or the connection to the broker was gone. A message that only tells of a gap
	// has no Body.
	Gap bool
}
