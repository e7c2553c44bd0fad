package redisbroker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/broker"
)

// Broker is a channel layer on Redis, and the way to its streams.
type Broker struct {
	cfg   Config
	hosts []*host
	// ctx ends with Close.
	ctx   context.Context //nolint:containedctx // it is the life of the goroutines
	end   context.CancelFunc
	tasks sync.WaitGroup

	// most is the largest capacity of a channel.
	most    int
	dropped atomic.Uint64

	mu     sync.Mutex // guards what follows, and the queues and sets
	queues map[string]*queue
	sets   map[string]*set
	// flushed is the flush that was heard of last, which several hosts tell of.
	flushed string
}

var _ broker.Broker = (*Broker)(nil)

// New returns a broker that connects to its hosts. That one of them is not there
// yet is no error: until it is, what needs it fails.
func New(cfg Config) (*Broker, error) {
	cfg, options, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Broker{cfg: cfg, most: cfg.Capacity, queues: map[string]*queue{}, sets: map[string]*set{}}
	for _, c := range cfg.Capacities {
		b.most = max(b.most, c.Messages)
	}
	b.ctx, b.end = context.WithCancel(context.Background())
	for _, o := range options {
		h, err := newHost(b.ctx, o, cfg.Logger)
		if err != nil {
			return nil, errors.Join(err, b.Close())
		}
		h.hear, h.turn = b.hear, b.turn
		h.begin(cfg.key(flushKey, ""))
		b.hosts = append(b.hosts, h)
		b.tasks.Go(h.keep)
	}
	b.tasks.Go(b.tend)
	return b, nil
}

// Close implements broker.Broker.
func (b *Broker) Close() error {
	b.end()
	b.tasks.Wait()
	for _, h := range b.hosts {
		h.close()
	}
	return nil
}

// failed tells what an operation's error is: ErrClosed whatever it was, once the
// broker is closed.
func (b *Broker) failed(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case b.ctx.Err() != nil:
		return broker.ErrClosed
	default:
		return fmt.Errorf("%s: %w", op, err)
	}
}

// NewChannel implements broker.Broker.
func (b *Broker) NewChannel(ctx context.Context, prefix string) (string, error) {
	name := prefix + "." + strings.ToLower(rand.Text()) + "!"
	if err := broker.CheckChannel(name); err != nil {
		return "", fmt.Errorf("new channel: %w", err)
	}
	q := b.queueOf(name)
	if err := q.host.want(ctx, q.topic); err != nil {
		return "", b.failed("new channel", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	q.own, q.listens = true, true
	b.queues[name] = q
	return name, nil
}

// Send implements broker.Broker.
func (b *Broker) Send(ctx context.Context, channel string, body []byte) error {
	if err := check(broker.CheckChannel(channel), body); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	name := broker.Queue(channel)
	result, err := b.hostOf(name).script(ctx, sendScript,
		[]string{b.cfg.key(queueKey, name), b.cfg.key(markKey, name)},
		[]string{channel, string(body), strconv.Itoa(b.cfg.CapacityOf(channel)), millis(b.cfg.Expiry), millis(b.cfg.GroupExpiry)})
	if err != nil {
		return b.failed("send to "+channel, err)
	}
	if sent, err := result.AsBool(); err != nil {
		return b.failed("send to "+channel, err)
	} else if !sent {
		return fmt.Errorf("send to %s: %w", channel, broker.ErrChannelFull)
	}
	return nil
}

func check(name error, body []byte) error {
	if name == nil && len(body) > broker.MaxMessage {
		return fmt.Errorf("%w: %d bytes, %d are the most", broker.ErrMessageTooLarge, len(body), broker.MaxMessage)
	}
	return name
}

// millis is a duration for a script.
func millis(d time.Duration) string {
	return strconv.FormatInt(max(1, d.Milliseconds()), 10)
}

// Dropped implements broker.Broker. What is sent to a group is dropped, and
// counted, by the process that has the member, for channels that NewChannel has
// made there, and else by the one that sends.
func (b *Broker) Dropped() uint64 { return b.dropped.Load() }
