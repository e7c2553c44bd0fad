// Package membroker is a broker.Broker in the memory of one process: for
// development, tests, and apps that run as a single process. What one process
// sends reaches no other.
//
// It has no goroutines. A channel and its unread messages are forgotten once
// they have expired; groups end with their last member.
package membroker

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pando-sync/pando/broker"
)

// Broker is a channel layer in memory. Apps that share one are nodes of one
// layer.
type Broker struct {
	cfg broker.Config

	mu      sync.Mutex // guards what follows
	closed  bool
	queues  map[string]*queue
	groups  map[string]map[string]time.Time // when each member was added
	last    uint64                          // numbers messages
	dropped uint64
	swept   time.Time
}

var _ broker.Broker = (*Broker)(nil)

// queue is the unread messages of a channel, or of all parts of a process.
type queue struct {
	messages []message
	// gap tells that messages were lost behind the last one.
	gap     bool
	waiting []*receiver
	// read is when somebody last read, or ceased to wait, and at first when the
	// queue was made; readers tells that there was somebody.
	read    time.Time
	readers bool
}

type message struct {
	broker.Message

	number uint64
	until  time.Time
}

// receiver is a call of Receive that waits. It is handed one message at most.
type receiver struct {
	queues []string
	got    chan broker.Message
}

// New returns a broker without channels.
func New(cfg broker.Config) (*Broker, error) {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, err
	}
	return &Broker{cfg: cfg, queues: map[string]*queue{}, groups: map[string]map[string]time.Time{}, swept: time.Now()}, nil
}

// NewChannel implements broker.Broker.
func (b *Broker) NewChannel(_ context.Context, prefix string) (string, error) {
	name := prefix + "." + strings.ToLower(rand.Text()) + "!"
	if err := broker.CheckChannel(name); err != nil {
		return "", fmt.Errorf("new channel: %w", err)
	}
	return name, nil
}

// Send implements broker.Broker.
func (b *Broker) Send(ctx context.Context, channel string, body []byte) error {
	if err := check(ctx, broker.CheckChannel(channel), body); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return broker.ErrClosed
	}
	b.sweep(time.Now())
	if !b.put(broker.Message{Channel: channel, Body: bytes.Clone(body)}) {
		return fmt.Errorf("send to %s: %w", channel, broker.ErrChannelFull)
	}
	return nil
}

// GroupSend implements broker.Broker.
func (b *Broker) GroupSend(ctx context.Context, group string, body []byte) error {
	if err := check(ctx, broker.CheckGroup(group), body); err != nil {
		return fmt.Errorf("send to a group: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return broker.ErrClosed
	}
	now := time.Now()
	b.sweep(now)
	for channel, added := range b.groups[group] {
		if b.died(channel, added, now) {
			b.discard(group, channel)
			continue
		}
		if !b.put(broker.Message{Channel: channel, Group: group, Body: bytes.Clone(body)}) {
			b.dropped++
			b.queues[broker.Queue(channel)].gap = true
		}
	}
	return nil
}

func check(ctx context.Context, name error, body []byte) error {
	switch {
	case name != nil:
		return name
	case len(body) > broker.MaxMessage:
		return fmt.Errorf("%w: %d bytes, %d are the most", broker.ErrMessageTooLarge, len(body), broker.MaxMessage)
	}
	return ctx.Err()
}

// put hands a message to who waits for it, or keeps it; false tells that there
// is no room. The mutex is held.
func (b *Broker) put(m broker.Message) bool {
	name := broker.Queue(m.Channel)
	q := b.queue(name)
	if len(q.waiting) > 0 {
		m.Gap, q.gap = q.gap, false
		b.hand(q.waiting[0], m)
		return true
	}
	now := time.Now()
	q.expire(now)
	if len(q.messages) >= b.cfg.CapacityOf(m.Channel) {
		return false
	}
	m.Gap, q.gap = q.gap, false
	b.last++
	q.messages = append(q.messages, message{m, b.last, now.Add(b.cfg.Expiry)})
	return true
}

func (b *Broker) queue(name string) *queue {
	q := b.queues[name]
	if q == nil {
		q = &queue{read: time.Now()}
		b.queues[name] = q
	}
	return q
}

// hand gives a message to a receiver, which then waits for nothing more.
func (b *Broker) hand(r *receiver, m broker.Message) {
	b.leave(r)
	r.got <- m
}

func (b *Broker) leave(r *receiver) {
	for _, name := range r.queues {
		q := b.queues[name]
		if q == nil { // the broker was closed meanwhile
			continue
		}
		q.waiting = slices.DeleteFunc(q.waiting, func(o *receiver) bool { return o == r })
		q.read = time.Now()
	}
}

// expire drops what was not read in time.
func (q *queue) expire(now time.Time) {
	n := 0
	for n < len(q.messages) && !now.Before(q.messages[n].until) {
		n++
	}
	if n == 0 {
		return
	}
	q.messages = slices.Delete(q.messages, 0, n)
	if len(q.messages) > 0 {
		q.messages[0].Gap = true
	} else {
		q.gap = true
	}
}

// Receive implements broker.Broker.
func (b *Broker) Receive(ctx context.Context, channels ...string) (broker.Message, error) {
	if err := broker.CheckReceive(channels); err != nil {
		return broker.Message{}, fmt.Errorf("receive: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return broker.Message{}, err
	}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return broker.Message{}, broker.ErrClosed
	}
	if m, ok := b.take(channels); ok {
		b.mu.Unlock()
		return m, nil
	}
	r := &receiver{queues: channels, got: make(chan broker.Message, 1)}
	for _, name := range channels {
		q := b.queue(name)
		q.waiting = append(q.waiting, r)
	}
	b.mu.Unlock()
	select {
	case m, ok := <-r.got:
		return handed(m, ok)
	case <-ctx.Done():
	}
	b.mu.Lock()
	b.leave(r)
	b.mu.Unlock()
	select {
	case m, ok := <-r.got: // a message must not be lost with a reader that was late
		return handed(m, ok)
	default:
		return broker.Message{}, ctx.Err()
	}
}

func handed(m broker.Message, ok bool) (broker.Message, error) {
	if !ok {
		return broker.Message{}, broker.ErrClosed
	}
	return m, nil
}

// take takes the oldest message of the channels, or word of a gap behind the
// last. The mutex is held.
func (b *Broker) take(channels []string) (broker.Message, bool) {
	now := time.Now()
	var oldest *queue
	for _, name := range channels {
		q := b.queue(name)
		q.read, q.readers = now, true
		q.expire(now)
		switch {
		case len(q.messages) == 0 && q.gap:
			q.gap = false
			return broker.Message{Channel: name, Gap: true}, true
		case len(q.messages) > 0 && (oldest == nil || q.messages[0].number < oldest.messages[0].number):
			oldest = q
		}
	}
	if oldest == nil {
		return broker.Message{}, false
	}
	m := oldest.messages[0].Message
	oldest.messages = slices.Delete(oldest.messages, 0, 1)
	return m, true
}

// GroupAdd implements broker.Broker.
func (b *Broker) GroupAdd(ctx context.Context, group, channel string) error {
	if err := checkMember(ctx, group, channel); err != nil {
		return fmt.Errorf("add to a group: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return broker.ErrClosed
	}
	b.sweep(time.Now())
	members := b.groups[group]
	if members == nil {
		members = map[string]time.Time{}
		b.groups[group] = members
	}
	members[channel] = time.Now()
	return nil
}

// GroupDiscard implements broker.Broker.
func (b *Broker) GroupDiscard(ctx context.Context, group, channel string) error {
	if err := checkMember(ctx, group, channel); err != nil {
		return fmt.Errorf("discard from a group: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return broker.ErrClosed
	}
	b.discard(group, channel)
	return nil
}

func checkMember(ctx context.Context, group, channel string) error {
	if err := broker.CheckGroup(group); err != nil {
		return err
	}
	if err := broker.CheckChannel(channel); err != nil {
		return err
	}
	return ctx.Err()
}

func (b *Broker) discard(group, channel string) {
	members := b.groups[group]
	if delete(members, channel); len(members) == 0 {
		delete(b.groups, group)
	}
}

// died tells whether nobody has read a member's channel for so long that it
// counts as dead.
func (b *Broker) died(channel string, added, now time.Time) bool {
	alive := added
	if q := b.queues[broker.Queue(channel)]; q != nil {
		if len(q.waiting) > 0 {
			return false
		}
		if q.read.After(alive) {
			alive = q.read
		}
	}
	return now.Sub(alive) >= b.cfg.GroupExpiry
}

// sweep forgets what has expired, now and then: the cost of a message does not
// grow with the number of channels. The mutex is held.
func (b *Broker) sweep(now time.Time) {
	if now.Sub(b.swept) < b.cfg.Expiry {
		return
	}
	b.swept = now
	for group, members := range b.groups {
		for channel, added := range members {
			if b.died(channel, added, now) {
				b.discard(group, channel)
			}
		}
	}
	for name, q := range b.queues {
		q.expire(now)
		if len(q.messages) == 0 && len(q.waiting) == 0 && now.Sub(q.read) >= max(b.cfg.Expiry, b.cfg.GroupExpiry) {
			delete(b.queues, name)
		}
	}
}

// Dropped implements broker.Broker.
func (b *Broker) Dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Flush implements broker.Broker.
func (b *Broker) Flush(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return broker.ErrClosed
	}
	b.groups = map[string]map[string]time.Time{}
	for name, q := range b.queues {
		q.messages, q.gap = nil, q.readers && len(q.waiting) == 0
		for len(q.waiting) > 0 {
			b.hand(q.waiting[0], broker.Message{Channel: name, Gap: true})
		}
		if !q.readers {
			delete(b.queues, name)
		}
	}
	return nil
}

// Close implements broker.Broker.
func (b *Broker) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, q := range b.queues {
		for len(q.waiting) > 0 {
			r := q.waiting[0]
			b.leave(r)
			close(r.got)
		}
	}
	b.queues, b.groups = nil, nil
	return nil
}

// Sizes are the numbers of channels and groups that are held.
func (b *Broker) Sizes() (channels, groups int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queues), len(b.groups)
}
