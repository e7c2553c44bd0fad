package natsbroker

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/pando-sync/pando/broker"
)

// arrivals is how many messages may wait to be put into the channels that they
// are for, which takes no time to speak of. More are dropped, and told as a gap.
const arrivals = 1 << 12

// Broker is one process's end of a channel layer on NATS.
type Broker struct {
	cfg      Config
	subjects subjects
	link     *link
	// in has what comes for all subscriptions, so that it is taken in the order in
	// which it came.
	in    chan *nats.Msg
	ended chan struct{}
	wg    sync.WaitGroup

	mu      sync.Mutex // guards what follows
	closed  bool
	queues  map[string]*queue
	groups  map[string]*group
	last    uint64 // numbers messages
	dropped uint64
	// flushes are those of this Broker that are under way, by their name.
	flushes map[string]chan struct{}
	streams map[*Stream]struct{}
	peers   peers
}

var _ broker.Broker = (*Broker)(nil)

// New connects to NATS, and again by itself for as long as it takes when the
// connection is lost. That there is no server yet is no error: until there is, what
// needs it fails. A server that refuses the connection, or does not take messages of
// broker.MaxMessage, is one. In a cluster New first listens a moment for the other
// processes.
func New(cfg Config) (*Broker, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Broker{
		cfg: cfg, subjects: subjects{cfg.Prefix}, in: make(chan *nats.Msg, arrivals), ended: make(chan struct{}),
		queues: map[string]*queue{}, groups: map[string]*group{}, flushes: map[string]chan struct{}{}, streams: map[*Stream]struct{}{}, peers: newPeers(),
	}
	b.link = &link{slow: b.overrun, down: b.down, back: b.back, first: b.meet}
	if err := b.link.connect(cfg); err != nil {
		return nil, err
	}
	for _, subject := range []string{b.subjects.of(kindFlush), b.subjects.of(kindBeat, "*"), b.subjects.of(kindAsk, b.peers.id)} {
		if _, err := b.link.nc.ChanSubscribe(subject, b.in); err != nil {
			b.link.close()
			return nil, fmt.Errorf("natsbroker: %w", err)
		}
	}
	b.beat()
	b.wg.Go(b.run)
	b.link.begin()
	b.meet()
	return b, nil
}

// NewChannel implements broker.Broker. The channel is heard from now on.
func (b *Broker) NewChannel(ctx context.Context, prefix string) (string, error) {
	name := prefix + "." + strings.ToLower(rand.Text()) + "!"
	if err := broker.CheckChannel(name); err != nil {
		return "", fmt.Errorf("new channel: %w", err)
	}
	b.mu.Lock()
	err := b.open()
	if err == nil {
		err = b.hear(name)
	}
	b.mu.Unlock()
	if err == nil {
		if err = b.link.confirm(ctx); err == nil {
			b.spread(ctx)
			return name, nil
		}
		b.abandon(name)
	}
	return "", fmt.Errorf("new channel: %w", err)
}

// open returns ErrClosed when the broker is closed. The mutex is held.
func (b *Broker) open() error {
	if b.closed {
		return broker.ErrClosed
	}
	return nil
}

// Send implements broker.Broker. It returns when the server has the message; a
// channel that nobody reads, or that is full, is no error.
func (b *Broker) Send(ctx context.Context, channel string, body []byte) error {
	if err := b.send(ctx, broker.CheckChannel(channel), b.subjects.channel(channel), body); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// GroupSend implements broker.Broker. It returns when the server has the
// message; what full members drop their own Brokers count.
func (b *Broker) GroupSend(ctx context.Context, group string, body []byte) error {
	if err := b.send(ctx, broker.CheckGroup(group), b.subjects.group(group), body); err != nil {
		return fmt.Errorf("send to a group: %w", err)
	}
	return nil
}

func (b *Broker) send(ctx context.Context, name error, subject string, body []byte) error {
	switch {
	case name != nil:
		return name
	case len(body) > broker.MaxMessage:
		return fmt.Errorf("%w: %d bytes, %d are the most", broker.ErrMessageTooLarge, len(body), broker.MaxMessage)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return b.link.publish(ctx, subject, body)
}

// run takes in what comes, and forgets what is old, until the broker is closed.
func (b *Broker) run() {
	sweep := time.NewTicker(max(min(b.cfg.Limits.Expiry, b.cfg.Limits.GroupExpiry), minSweep))
	defer sweep.Stop()
	beat := time.NewTicker(beatInterval)
	defer beat.Stop()
	for {
		select {
		case m := <-b.in:
			b.take(m)
		case <-sweep.C:
			b.sweep(time.Now())
		case <-beat.C:
			b.beat()
		case <-b.ended:
			return
		}
	}
}

// minSweep bounds how often is looked for what is old.
const minSweep = 10 * time.Millisecond

// take puts a message where it belongs.
func (b *Broker) take(m *nats.Msg) {
	kind, name := b.subjects.parse(m.Subject)
	if kind == kindAsk {
		m.Respond(nil) //nolint:errcheck // who asks has a time limit
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch kind {
	case kindChannel:
		b.put(broker.Message{Channel: name, Body: m.Data})
	case kindGroup:
		b.fanOut(name, m.Data)
	case kindBeat:
		b.hark(name, m.Data)
	case kindFlush:
		b.forget()
		if done := b.flushes[string(m.Data)]; done != nil {
			delete(b.flushes, string(m.Data))
			close(done)
		}
	}
}

// fanOut puts a group's message into its members that are here, a copy into each.
// The mutex is held.
func (b *Broker) fanOut(name string, body []byte) {
	g := b.groups[name]
	if g == nil {
		return // it has just been left
	}
	now := time.Now()
	for channel, added := range g.members {
		if b.died(channel, added, now) {
			b.discard(name, channel)
			continue
		}
		b.put(broker.Message{Channel: channel, Group: name, Body: bytes.Clone(body)})
	}
}

// Flush implements broker.Broker. The Brokers of all processes forget; it returns
// when this one has.
func (b *Broker) Flush(ctx context.Context) error {
	name, done := rand.Text(), make(chan struct{})
	b.mu.Lock()
	b.flushes[name] = done
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.flushes, name)
	}()
	ctx, cancel := b.link.during(ctx)
	defer cancel()
	err := b.link.publish(ctx, b.subjects.of(kindFlush), []byte(name))
	if err == nil {
		select {
		case <-done:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

// forget forgets all messages and groups. The mutex is held.
func (b *Broker) forget() {
	for name := range b.groups {
		b.leave(name)
	}
	for _, q := range b.queues {
		q.messages = nil
	}
	b.lose(broker.Message{Gap: true})
}

// down tells readers that the connection is lost: each call that waits, or the
// next one.
func (b *Broker) down() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.queues {
		q.failed = true
		for len(q.waiting) > 0 {
			q.failed = false
			b.hand(q.waiting[0], result{err: errLost})
		}
	}
}

// back tells readers that messages may have been lost, once none are any more.
func (b *Broker) back() {
	ctx, cancel := b.link.during(context.Background())
	b.spread(ctx)
	cancel()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.queues {
		q.failed = false
	}
	b.peers.begin()
	b.lose(broker.Message{Gap: true})
}

// lose tells all readers of a gap, now or when they receive next. The mutex is
// held.
func (b *Broker) lose(word broker.Message) {
	for name, q := range b.queues {
		q.gap = true
		word.Channel = name
		for len(q.waiting) > 0 {
			q.gap = false
			b.hand(q.waiting[0], result{message: word})
		}
	}
}

// overrun tells all readers of a gap: what came too fast is dropped for all
// subscriptions alike.
func (b *Broker) overrun(*nats.Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lose(broker.Message{Gap: true})
}

// Dropped implements broker.Broker: it is the number of messages that came to
// this Broker for channels that were full.
func (b *Broker) Dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Close implements broker.Broker. It ends the Broker's Streams, too.
func (b *Broker) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	for _, q := range b.queues {
		for len(q.waiting) > 0 {
			b.hand(q.waiting[0], result{err: broker.ErrClosed})
		}
	}
	streams := b.streams
	b.queues, b.groups, b.streams = nil, nil, nil
	b.mu.Unlock()
	var errs []error
	for s := range streams {
		errs = append(errs, s.Close())
	}
	close(b.ended)
	b.link.close()
	b.wg.Wait()
	return errors.Join(errs...)
}
