package redisbroker

import (
	"slices"
	"time"

	"github.com/pando-sync/pando/broker"
)

// queue is what this process knows of a queue that it reads, or whose channels
// it has put into groups. The messages sent to it wait in its host.
//
// One that NewChannel has made is the process's own. What is sent to groups with
// channels of it comes by the groups' topics, and waits here, in line with word of
// each message that waits in the host: both come over the same connection where
// they come from the same host, so that what one process sends is read in order.
type queue struct {
	name  string
	topic string
	host  *host
	own   bool

	// Guarded by the Broker's mutex:

	// line is what has come for an own queue and was not read.
	line []item
	// gap tells that messages were lost behind the last of line, head that they were
	// before its first.
	gap, head bool
	// look tells that the host may have messages of which line has no word; news
	// counts what says so.
	look bool
	news uint64
	// listens tells that the topic is heard; readers are the calls of Receive.
	listens bool
	readers []*reader
	// read is when somebody last read, or ceased to wait, and at first when the
	// queue was made; renewed is when its memberships last were.
	read, renewed time.Time
}

// item is a message to a group, or word of one in the host, of whose Message only
// Gap counts.
type item struct {
	broker.Message

	mail  bool
	until time.Time
}

// reader is a call of Receive. Its wake has a value when it is to look again.
type reader struct{ wake chan struct{} }

// queueOf returns a queue that nobody knows of yet.
func (b *Broker) queueOf(name string) *queue {
	return &queue{name: name, topic: b.cfg.key(queueKey, name), host: b.hostOf(name), read: time.Now()}
}

// wake has all readers look again. The mutex is held.
func (q *queue) wake() {
	for _, r := range q.readers {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// touch counts as reading, for a channel that is put into a group. The mutex is
// held.
func (q *queue) touch() { q.read = time.Now() }

// seek notes that the host may have messages of which line has no word. The mutex
// is held.
func (q *queue) seek() {
	q.look = true
	q.news++
}

// lose notes that messages were lost. The mutex is held.
func (q *queue) lose() {
	q.gap = true
	q.seek()
	q.wake()
}

// expire drops what was not read in time. The mutex is held.
func (q *queue) expire(now time.Time) {
	n := 0
	for n < len(q.line) && !now.Before(q.line[n].until) {
		if q.line[n].mail {
			q.seek() // the host knows what has expired; this may have been word of another one
		}
		q.head = q.head || q.line[n].Gap || !q.line[n].mail
		n++
	}
	q.line = slices.Delete(q.line, 0, n)
}

// add puts an item at the end. The mutex is held.
func (q *queue) add(i item) {
	i.Gap, q.gap = q.gap, false
	q.line = append(q.line, i)
	q.wake()
}

// hear takes what a host publishes.
func (b *Broker) hear(topic, message string) {
	kind, name := b.cfg.kindOf(topic)
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch kind {
	case queueKey:
		if q := b.queues[name]; q != nil {
			b.mail(q, now)
		}
	case groupKey:
		if s := b.sets[name]; s != nil {
			b.deliver(s, message, now)
		}
	case flushKey:
		b.forget(message)
	}
}

// mail takes word of a message in the host. The mutex is held.
func (b *Broker) mail(q *queue, now time.Time) {
	q.expire(now)
	if q.own && len(q.line) < 2*b.most {
		q.add(item{mail: true, until: now.Add(b.cfg.Expiry)})
		return
	}
	q.seek()
	q.wake()
}

// deliver puts a message to a group into the queues of this process. The mutex is
// held.
func (b *Broker) deliver(s *set, body string, now time.Time) {
	for channel := range s.members {
		q := b.queues[broker.Queue(channel)]
		q.expire(now)
		if len(q.line) >= b.cfg.CapacityOf(channel) {
			b.dropped.Add(1)
			q.gap = true
			continue
		}
		q.add(item{Message: broker.Message{Channel: channel, Group: s.name, Body: []byte(body)}, until: now.Add(b.cfg.Expiry)})
	}
}

// forget ends all memberships of this process and empties its queues, once for
// each flush. The mutex is held.
func (b *Broker) forget(flush string) {
	if b.flushed == flush {
		return
	}
	b.flushed = flush
	for _, s := range b.sets {
		for channel := range s.members {
			b.part(s, channel)
		}
	}
	for _, q := range b.queues {
		q.line = nil
		q.lose()
	}
}

// turn notes that a host was lost, or is there again: between, messages may have
// been lost of what it publishes, and of the queues that it has.
func (b *Broker) turn(h *host) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.queues {
		if q.own || q.host == h {
			q.lose()
		}
	}
}
