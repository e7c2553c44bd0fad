package redisbroker

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/pando-sync/pando/broker"
)

// topicsAtOnce bounds a command that subscribes.
const topicsAtOnce = 500

// topic is a name that is subscribed to while anybody wants it.
type topic struct {
	wants int
	// on tells that the server has confirmed the subscription of this connection;
	// ready is closed then.
	on    bool
	ready chan struct{}
}

// begin has the host hear a topic from its first connection on.
func (h *host) begin(name string) {
	h.topics[name] = &topic{wants: 1, ready: make(chan struct{})}
	h.dirty[name] = struct{}{}
}

// want has the host hear a topic, and returns once the server has confirmed it:
// what is published after that is heard. Each call that succeeds needs one of
// leave.
func (h *host) want(ctx context.Context, name string) error {
	h.mu.Lock()
	t := h.topics[name]
	if t == nil {
		t = &topic{ready: make(chan struct{})}
		h.topics[name] = t
	}
	t.wants++
	if !t.on {
		h.dirty[name] = struct{}{}
	}
	h.mu.Unlock()
	if err := h.heard(ctx, name, t); err != nil {
		h.leave(name)
		return err
	}
	return nil
}

// heard waits until a topic that is wanted is confirmed.
func (h *host) heard(ctx context.Context, name string, t *topic) error {
	late := time.NewTimer(opTime)
	defer late.Stop()
	for {
		h.mu.Lock()
		ready, on := t.ready, t.on
		h.mu.Unlock()
		if on {
			return nil
		}
		h.tell()
		if _, err := h.life(ctx); err != nil {
			return err
		}
		select {
		case <-ready:
		case <-late.C:
			return fmt.Errorf("redis at %s does not confirm the subscription of %s", h.name, name)
		case <-ctx.Done():
			return ctx.Err()
		case <-h.ctx.Done():
			return broker.ErrClosed
		}
	}
}

// tell wakes the keeper.
func (h *host) tell() {
	select {
	case h.wanted <- struct{}{}:
	default:
	}
}

func (h *host) leave(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[name]
	if t == nil {
		return
	}
	if t.wants--; t.wants == 0 {
		h.dirty[name] = struct{}{}
		h.tell()
	}
}

// reconcile has the server send what is wanted, and nothing else.
func (h *host) reconcile(ctx context.Context, line rueidis.DedicatedClient) error {
	for {
		add, drop := h.differences()
		if len(add)+len(drop) == 0 {
			return nil
		}
		if len(drop) > 0 {
			if err := line.Do(ctx, line.B().Unsubscribe().Channel(drop...).Build()).Error(); err != nil {
				return fmt.Errorf("unsubscribe: %w", err)
			}
		}
		if len(add) > 0 {
			// The answer is the server's confirmation.
			if err := line.Do(ctx, line.B().Subscribe().Channel(add...).Build()).Error(); err != nil {
				return fmt.Errorf("subscribe: %w", err)
			}
			h.confirm(add)
		}
	}
}

// differences returns topics to subscribe and to leave, some of those that may
// have changed. The latter are forgotten: who wants one again makes it anew.
func (h *host) differences() (add, drop []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name := range h.dirty {
		if len(add)+len(drop) == topicsAtOnce {
			break
		}
		delete(h.dirty, name)
		switch t := h.topics[name]; {
		case t == nil:
		case t.wants == 0:
			delete(h.topics, name)
			if t.on {
				drop = append(drop, name)
			}
		case !t.on:
			add = append(add, name)
		}
	}
	return add, drop
}

func (h *host) confirm(names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range names {
		if t := h.topics[name]; !t.on { // only the keeper removes topics
			t.on = true
			close(t.ready)
		}
	}
}
