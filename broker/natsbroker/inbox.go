package natsbroker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/pando-sync/pando/broker"
)

// queue is the unread messages of a channel, or of all parts of a process, that
// have come to this Broker.
type queue struct {
	// sub is nil while the channel is not heard.
	sub      *nats.Subscription
	messages []message
	// gap tells that messages were lost behind the last one, failed that the
	// connection was and that nobody was told.
	gap, failed bool
	waiting     []*receiver
	// read is when somebody last read, or ceased to wait, and at first when the
	// queue was made.
	read time.Time
}

type message struct {
	broker.Message

	number uint64
	until  time.Time
}

// receiver is a call of Receive that waits. It is handed one result at most.
type receiver struct {
	queues []string
	got    chan result
}

type result struct {
	message broker.Message
	err     error
}

// workers is the queue group of NATS that those share who read one channel.
const workers = "readers"

// hear has a channel be heard. The mutex is held.
func (b *Broker) hear(name string) (err error) {
	q := b.queue(name)
	if q.sub != nil {
		return nil
	}
	if process(name) {
		q.sub, err = b.link.nc.ChanSubscribe(b.subjects.queue(name), b.in)
	} else {
		q.sub, err = b.link.nc.ChanQueueSubscribe(b.subjects.queue(name), workers, b.in)
	}
	if err != nil {
		return b.link.fail(err)
	}
	return nil
}

func (b *Broker) queue(name string) *queue {
	q := b.queues[name]
	if q == nil {
		q = &queue{read: time.Now()}
		b.queues[name] = q
	}
	return q
}

// put hands a message to who waits for it, or keeps it, or drops it when there is
// no room. The mutex is held.
func (b *Broker) put(m broker.Message) {
	if b.closed {
		return
	}
	q := b.queue(broker.Queue(m.Channel))
	if len(q.waiting) > 0 {
		m.Gap, q.gap = q.gap, false
		b.hand(q.waiting[0], result{message: m})
		return
	}
	now := time.Now()
	q.expire(now)
	if len(q.messages) >= b.cfg.Limits.CapacityOf(m.Channel) {
		b.dropped++
		q.gap = true
		return
	}
	m.Gap, q.gap = q.gap, false
	b.last++
	q.messages = append(q.messages, message{m, b.last, now.Add(b.cfg.Limits.Expiry)})
}

// hand gives a result to a receiver, which then waits for nothing more.
func (b *Broker) hand(r *receiver, what result) {
	b.forgo(r)
	r.got <- what
}

// forgo ends a receiver's waiting.
func (b *Broker) forgo(r *receiver) {
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

// Receive implements broker.Broker. When the connection is lost one call for each
// channel gets an error; the next waits until messages come again.
func (b *Broker) Receive(ctx context.Context, channels ...string) (broker.Message, error) {
	if err := broker.CheckReceive(channels); err != nil {
		return broker.Message{}, fmt.Errorf("receive: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return broker.Message{}, err
	}
	r, ready := b.wait(channels)
	if r == nil {
		return ready.done()
	}
	select {
	case what := <-r.got:
		return what.done()
	case <-ctx.Done():
	}
	b.mu.Lock()
	b.forgo(r)
	b.mu.Unlock()
	select {
	case what := <-r.got: // a message must not be lost with a reader that was late
		return what.done()
	default:
		return broker.Message{}, ctx.Err()
	}
}

func (r result) done() (broker.Message, error) {
	if r.err != nil {
		return broker.Message{}, fmt.Errorf("receive: %w", r.err)
	}
	return r.message, nil
}

// wait returns what there is for the channels, or a receiver that waits for it.
func (b *Broker) wait(channels []string) (*receiver, result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.open(); err != nil {
		return nil, result{err: err}
	}
	for _, name := range channels {
		if err := b.hear(name); err != nil {
			return nil, result{err: err}
		}
	}
	if what, ok := b.next(channels); ok {
		return nil, what
	}
	r := &receiver{queues: channels, got: make(chan result, 1)}
	for _, name := range channels {
		q := b.queues[name]
		q.waiting = append(q.waiting, r)
	}
	return r, result{}
}

// next takes the oldest message of the channels, or word of what was lost behind
// the last. The mutex is held.
func (b *Broker) next(channels []string) (result, bool) {
	now := time.Now()
	var oldest *queue
	for _, name := range channels {
		q := b.queues[name]
		q.read = now
		q.expire(now)
		switch {
		case len(q.messages) > 0:
			if oldest == nil || q.messages[0].number < oldest.messages[0].number {
				oldest = q
			}
		case q.failed:
			q.failed = false
			return result{err: errLost}, true
		case q.gap:
			q.gap = false
			return result{message: broker.Message{Channel: name, Gap: true}}, true
		}
	}
	if oldest == nil {
		return result{}, false
	}
	m := oldest.messages[0].Message
	oldest.messages = slices.Delete(oldest.messages, 0, 1)
	return result{message: m}, true
}

// sweep forgets what is old: members that nobody reads, channels that are heard
// for nobody, and at last that there was something to be told of them.
func (b *Broker) sweep(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, g := range b.groups {
		for channel, added := range g.members {
			if b.died(channel, added, now) {
				b.discard(name, channel)
			}
		}
	}
	b.peers.sweep(now)
	limits := b.cfg.Limits
	for name, q := range b.queues {
		q.expire(now)
		if len(q.waiting) > 0 || len(q.messages) > 0 {
			continue
		}
		unread := now.Sub(q.read)
		if q.sub != nil && unread >= limits.Expiry && (!process(name) || unread >= limits.GroupExpiry) {
			q.unhear()
		}
		if unread >= max(limits.Expiry, limits.GroupExpiry) {
			delete(b.queues, name)
		}
	}
}

// abandon forgets a channel that nobody knows of yet.
func (b *Broker) abandon(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if q := b.queues[name]; q != nil {
		q.unhear()
		delete(b.queues, name)
	}
}

// unhear has NATS give a channel's messages to nobody, or to others.
func (q *queue) unhear() {
	q.sub.Unsubscribe() //nolint:errcheck // it fails for a connection that is closed, and has none then
	q.sub, q.gap = nil, true
}
