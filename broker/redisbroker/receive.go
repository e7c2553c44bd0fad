package redisbroker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/pando-sync/pando/broker"
)

// Receive implements broker.Broker. When the connection to a host is lost,
// readers are told of a gap at once, and again when it is back; between, Receive
// fails after a while.
func (b *Broker) Receive(ctx context.Context, channels ...string) (broker.Message, error) {
	if err := broker.CheckReceive(channels); err != nil {
		return broker.Message{}, fmt.Errorf("receive: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return broker.Message{}, err
	}
	r := &reader{wake: make(chan struct{}, 1)}
	queues := b.enter(r, channels)
	defer b.exit(r, queues)
	m, err := b.receive(ctx, r, queues)
	switch {
	case err == nil:
		return m, nil
	case ctx.Err() != nil && b.ctx.Err() == nil:
		return broker.Message{}, ctx.Err()
	default:
		return broker.Message{}, b.failed("receive", err)
	}
}

// enter has r wait for the channels.
func (b *Broker) enter(r *reader, channels []string) []*queue {
	b.mu.Lock()
	defer b.mu.Unlock()
	queues := make([]*queue, 0, len(channels))
	for _, name := range channels {
		q := b.queues[name]
		if q == nil {
			q = b.queueOf(name)
			b.queues[name] = q
		}
		q.readers = append(q.readers, r)
		q.read = time.Now()
		queues = append(queues, q)
	}
	return queues
}

func (b *Broker) exit(r *reader, queues []*queue) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range queues {
		q.readers = slices.DeleteFunc(q.readers, func(o *reader) bool { return o == r })
		q.read = time.Now()
	}
}

func (b *Broker) receive(ctx context.Context, r *reader, queues []*queue) (broker.Message, error) {
	failed := b.listen(ctx, queues)
	for b.ctx.Err() == nil {
		m, from := b.next(queues)
		switch {
		case m != nil:
			return *m, nil
		case failed != nil: // who reads had to be told of a gap first
			b.mu.Lock()
			from.giveBack()
			b.mu.Unlock()
			return broker.Message{}, failed
		case len(from.queues) > 0:
			if m, failed = b.ask(from); m != nil {
				return *m, nil
			}
			continue
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return broker.Message{}, ctx.Err()
		case <-b.ctx.Done():
		}
	}
	return broker.Message{}, broker.ErrClosed
}

// question is queues of one host that are to be asked for their oldest message,
// with their news at that time.
type question struct {
	queues []*queue
	news   []uint64
}

func (q *question) add(o *queue) {
	q.queues, q.news = append(q.queues, o), append(q.news, o.news)
}

// next returns what is here to be read, or which queues of a host are to be
// asked.
func (b *Broker) next(queues []*queue) (*broker.Message, question) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	var from question
	for _, q := range queues {
		q.expire(now)
		if m := q.first(); m != nil {
			from.giveBack()
			return m, question{}
		}
		switch {
		case len(from.queues) > 0 && from.queues[0].host != q.host: // the next time
		case len(q.line) > 0:
			q.line = slices.Delete(q.line, 0, 1)
			from.add(q)
		case q.look:
			from.add(q)
		}
	}
	return nil, from
}

// first takes the first message of the line, or word of a gap before or behind
// it; nil where the line begins with word of a message in the host, or is empty.
// The mutex is held.
func (q *queue) first() *broker.Message {
	empty := len(q.line) == 0
	switch {
	case !empty && !q.line[0].mail:
		m := q.line[0].Message
		m.Gap, q.head = m.Gap || q.head, false
		q.line = slices.Delete(q.line, 0, 1)
		return &m
	case q.head, empty && q.gap, !empty && q.line[0].Gap:
		if q.head = false; empty {
			q.gap = false
		} else {
			q.line[0].Gap = false
		}
		return &broker.Message{Channel: q.name, Gap: true}
	default:
		return nil
	}
}

// giveBack has queues be asked another time. The mutex is held.
func (q *question) giveBack() {
	for _, o := range q.queues {
		o.seek()
	}
}

// listen has word come of what is sent to the queues. A queue that is not own is
// heard while it is read, and for a while longer.
func (b *Broker) listen(ctx context.Context, queues []*queue) error {
	for _, q := range queues {
		if b.listens(q) {
			continue
		}
		if err := q.host.want(ctx, q.topic); err != nil {
			return err
		}
		b.mu.Lock()
		if q.listens {
			q.host.leave(q.topic) // another reader was quicker
		}
		q.listens = true
		q.seek() // what came before was not heard
		b.mu.Unlock()
	}
	return nil
}

func (b *Broker) listens(q *queue) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return q.listens
}

// ask takes the oldest message of queues from their host. What is taken must not
// be lost with a caller that gives up: it is not asked for the caller's time.
func (b *Broker) ask(from question) (*broker.Message, error) {
	keys := make([]string, 0, 2*len(from.queues))
	for _, q := range from.queues {
		keys = append(keys, b.cfg.key(queueKey, q.name), b.cfg.key(markKey, q.name))
	}
	result, err := from.queues[0].host.script(b.ctx, takeScript, keys, nil)
	place, entry := -1, ""
	if err == nil {
		place, entry, err = taken(result)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, q := range from.queues {
		switch {
		case errors.Is(err, errUnreachable):
			q.seek()
		case err != nil:
			q.head = true // it may have been taken
			q.seek()
			q.wake()
		case place < 0 && q.news == from.news[i]:
			q.look = false
		case place >= 0 && place != i:
			q.seek() // the word that there was of its message is used up
		}
	}
	if err != nil || place < 0 {
		return nil, err
	}
	q := from.queues[place]
	m, err := parse(q.name, entry)
	if err != nil {
		return nil, err
	}
	if q.head || q.gap && len(q.line) == 0 { // it was lost while the host was asked
		m.Gap, q.head, q.gap = true, false, q.gap && len(q.line) > 0
	}
	return &m, nil
}

// taken returns the place of the queue that the answer of takeScript is about, -1
// for none, and the entry.
func taken(result rueidis.RedisResult) (place int, entry string, err error) {
	answer, err := result.ToArray()
	if err != nil || len(answer) == 0 {
		return -1, "", err
	}
	n, err := answer[0].AsInt64()
	if err != nil || len(answer) == 1 {
		return int(n) - 1, "", err
	}
	entry, err = answer[1].ToString()
	return int(n) - 1, entry, err
}

// parse makes a message of an entry; an empty one tells of a gap.
func parse(queue, entry string) (broker.Message, error) {
	if entry == "" {
		return broker.Message{Channel: queue, Gap: true}, nil
	}
	_, rest, _ := strings.Cut(entry, ":")
	channel, rest, ok := strings.Cut(rest, ":")
	group, body, full := strings.Cut(rest, ":")
	if !ok || !full {
		return broker.Message{}, errors.New("an entry of a queue is none of ours: does another program use its prefix?")
	}
	return broker.Message{Channel: channel, Group: group, Body: bytes.Clone([]byte(body)), Gap: entry[0] == '1'}, nil
}
