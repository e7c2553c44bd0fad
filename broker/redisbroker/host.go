package redisbroker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/pando-sync/pando/broker"
)

// Times of a connection. A silent one is tried at most two heartbeats after it was
// last heard: so a loss is noticed within a second.
const (
	// heartbeat is how often a silent connection is tried, patience how long the
	// answer may take.
	heartbeat = 150 * time.Millisecond
	patience  = 550 * time.Millisecond
	// dialing is how long a connection may take to be made.
	dialing = time.Second
	// opTime is how long an operation may take, and upTime how long it waits for a
	// host that is being connected.
	opTime = 3 * time.Second
	upTime = time.Second
	// shortPause and longPause are between attempts to connect.
	shortPause = 20 * time.Millisecond
	longPause  = 500 * time.Millisecond
	// tellAgain is how often the log tells that a host is not there.
	tellAgain = 30 * time.Second
)

// Sizes of a connection: what may wait for answers, as a power of two, and its
// buffers.
const (
	ringScale   = 9
	bufferBytes = 64 << 10
)

var (
	// errLost is what ends with a connection: it may have been done.
	errLost = errors.New("the connection is lost")
	// errLate is what took too long: it may be done yet.
	errLate = errors.New("the answer takes too long")
	// errUnreachable is what was not begun for want of one.
	errUnreachable = errors.New("cannot be reached (is it running, and are address, user and password right?)")
)

// host is one server. Its keeper is a goroutine that holds the connection which
// hears what is published, and keeps it subscribed to what is wanted:
//
//	down ──connected, all topics confirmed──► up
//	 ▲                                        │
//	 └────closed, or silent for too long──────┘
//
// Commands go over other connections, but only while the host is up: so every
// loss is noticed by the heartbeat of the first.
type host struct {
	// ctx ends with the broker.
	ctx    context.Context //nolint:containedctx // it is the keeper's
	name   string
	client rueidis.Client // for commands
	events rueidis.Client // for what is published
	logger *slog.Logger
	// hear is called with what is published, in order, and must not block; turn
	// when the host is lost, and when it is up again.
	hear func(topic, message string)
	turn func(h *host)

	// wanted has one value when topics are to be subscribed or left.
	wanted chan struct{}

	mu     sync.Mutex // guards what follows
	topics map[string]*topic
	// dirty are the names of topics that the connection may not be subscribed to as
	// they are wanted.
	dirty map[string]struct{}
	// up ends when the connection is lost; nil while there is none.
	up *life
	// changed is closed, and made anew, when up changes; was tells that there has
	// been a connection, why is what the last one failed with.
	changed chan struct{}
	was     bool
	why     error
}

// life is the time of one connection.
type life struct {
	ctx context.Context //nolint:containedctx // it is the life of a connection, not of a call
	end context.CancelFunc
}

// newHost returns a host that its keeper is to connect.
func newHost(ctx context.Context, opts rueidis.ClientOption, logger *slog.Logger) (*host, error) {
	opts.ForceSingleClient, opts.DisableCache, opts.DisableRetry = true, true, true
	// One connection, so that the commands of a caller stay in order, which always
	// waits for answers in the background, so that a caller's end is noticed.
	opts.PipelineMultiplex, opts.AlwaysPipelining = -1, true
	opts.RingScaleEachConn = ringScale
	opts.ReadBufferEachConn, opts.WriteBufferEachConn = bufferBytes, bufferBytes
	opts.ClientName = cmp.Or(opts.ClientName, "pando")
	opts.Dialer.Timeout = dialing
	h := &host{
		ctx: ctx, name: nameOf(opts), logger: logger.With("redis", nameOf(opts)),
		wanted: make(chan struct{}, 1), topics: map[string]*topic{}, dirty: map[string]struct{}{}, changed: make(chan struct{}),
	}
	var err error
	opts.Dialer.KeepAlive, opts.ConnWriteTimeout = heartbeat, patience
	if h.events, err = rueidis.NewClient(opts); h.events == nil {
		return nil, fmt.Errorf("redisbroker: %s: %w", h.name, err)
	}
	// A large message may keep its connection busy for longer than a heartbeat.
	opts.Dialer.KeepAlive, opts.ConnWriteTimeout = opTime, opTime
	if h.client, err = rueidis.NewClient(opts); h.client == nil {
		h.events.Close()
		return nil, fmt.Errorf("redisbroker: %s: %w", h.name, err)
	}
	// That the server is not there yet is no error: the keeper goes on trying.
	return h, nil
}

func (h *host) close() {
	h.events.Close()
	h.client.Close()
}

// keep connects, and connects again, until the broker is closed.
func (h *host) keep() {
	pause, told := shortPause, time.Time{}
	for h.ctx.Err() == nil {
		was, err := h.connect(h.ctx)
		h.mu.Lock()
		h.why = err
		h.mu.Unlock()
		switch {
		case h.ctx.Err() != nil:
			return
		case was:
			pause, told = shortPause, time.Now()
			h.logger.WarnContext(h.ctx, "lost the connection to redis: connecting again", "error", err)
		case time.Since(told) >= tellAgain:
			told = time.Now()
			h.logger.WarnContext(h.ctx, "cannot connect to redis: trying again", "error", err)
		}
		select {
		case <-time.After(pause):
		case <-h.ctx.Done():
		}
		pause = min(2*pause, longPause)
	}
}

// connect makes a connection and keeps its subscriptions until it is lost. It
// tells whether the host was up.
func (h *host) connect(ctx context.Context) (was bool, err error) {
	line, release := h.events.Dedicate()
	defer release()
	ended := line.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage: func(m rueidis.PubSubMessage) { h.hear(m.Channel, m.Message) },
	})
	defer h.lost(ctx, &was)
	for {
		if err := h.reconcile(ctx, line); err != nil {
			line.Close()
			return was, err
		}
		if !was {
			// A server that reads its data still confirms, but does not answer this.
			if err := line.Do(ctx, line.B().Ping().Build()).Error(); err != nil {
				line.Close()
				return false, err
			}
			was = true
			h.raise(ctx)
		}
		select {
		case <-h.wanted:
		case err := <-ended:
			return was, cmp.Or(err, errLost)
		case <-ctx.Done():
			line.Close()
			return was, ctx.Err()
		}
	}
}

func (h *host) raise(ctx context.Context) {
	h.mu.Lock()
	up := &life{}
	up.ctx, up.end = context.WithCancel(ctx)
	h.set(up)
	again := h.was
	h.was = true
	h.mu.Unlock()
	if again {
		h.logger.InfoContext(ctx, "connected to redis again: readers are told of a gap")
		h.turn(h)
	}
}

// set changes up. The mutex is held.
func (h *host) set(up *life) {
	h.up = up
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *host) lost(ctx context.Context, was *bool) {
	h.mu.Lock()
	if h.up != nil {
		h.up.end()
		h.set(nil)
	}
	for name, t := range h.topics {
		if t.on {
			t.on, t.ready = false, make(chan struct{})
		}
		h.dirty[name] = struct{}{}
	}
	h.mu.Unlock()
	if *was && ctx.Err() == nil {
		h.turn(h)
	}
}

// life waits until the host is up, for a while.
func (h *host) life(ctx context.Context) (*life, error) {
	var late <-chan time.Time
	for {
		h.mu.Lock()
		up, changed := h.up, h.changed
		h.mu.Unlock()
		if up != nil {
			return up, nil
		}
		if late == nil {
			timer := time.NewTimer(upTime)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-changed:
		case <-late:
			return nil, h.unreachable()
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-h.ctx.Done():
			return nil, broker.ErrClosed
		}
	}
}

func (h *host) unreachable() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Errorf("redis at %s %w: %w", h.name, errUnreachable, cmp.Or(h.why, errLate))
}

// do calls fn with a context that ends with the connection, and when an operation
// has taken too long.
func (h *host) do(ctx context.Context, fn func(ctx context.Context) error) error {
	return h.doFor(ctx, opTime, fn)
}

func (h *host) doFor(ctx context.Context, limit time.Duration, fn func(ctx context.Context) error) error {
	up, err := h.life(ctx)
	if err != nil {
		return err
	}
	op, cancel := context.WithTimeoutCause(ctx, limit, errLate)
	defer cancel()
	stop := context.AfterFunc(up.ctx, cancel)
	defer stop()
	err = fn(op)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case up.ctx.Err() != nil:
		return fmt.Errorf("redis at %s: %w", h.name, errLost)
	case op.Err() != nil:
		return fmt.Errorf("redis at %s: %w", h.name, context.Cause(op))
	default:
		return fmt.Errorf("redis at %s: %w", h.name, err)
	}
}

// script runs a script.
func (h *host) script(ctx context.Context, s *rueidis.Lua, keys, args []string) (rueidis.RedisResult, error) {
	var result rueidis.RedisResult
	err := h.do(ctx, func(ctx context.Context) error {
		result = s.Exec(ctx, h.client, keys, args)
		if err := result.Error(); err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
		return nil
	})
	return result, err
}
