package group

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/pando-sync/pando/broker"
)

// nodePrefix begins the names of nodes' channels, for which a capacity of their
// own may be configured: "pando.node.*".
const nodePrefix = "pando.node"

// Open gives the node its channel. Without a broker it does nothing.
func (g *Groups) Open(ctx context.Context) error {
	if g.cfg.Broker == nil {
		return nil
	}
	var err error
	g.channel, err = g.cfg.Broker.NewChannel(ctx, nodePrefix)
	return err
}

// Bounds of the pause before a broker that failed is tried again.
const (
	shortPause = 20 * time.Millisecond
	longPause  = time.Second
)

// Run takes in what the broker has for the node, until ctx ends. It is called
// once, after Open.
func (g *Groups) Run(ctx context.Context) {
	if g.cfg.Broker == nil {
		return
	}
	pause := shortPause
	for ctx.Err() == nil {
		m, err := g.cfg.Broker.Receive(ctx, g.channel)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, broker.ErrClosed):
			g.cfg.Logger.ErrorContext(ctx, "the broker is closed: groups reach nobody any more")
			g.gap()
			return
		case err != nil:
			g.cfg.Logger.WarnContext(ctx, "cannot receive from the broker: trying again", "error", err)
			if pause = wait(ctx, pause); !g.rejoin(ctx) {
				return
			}
			g.gap()
		default:
			pause = shortPause
			g.take(ctx, m)
		}
	}
}

// wait waits, and returns how long to wait the next time.
func wait(ctx context.Context, pause time.Duration) time.Duration {
	select {
	case <-time.After(pause):
	case <-ctx.Done():
	}
	return min(2*pause, longPause)
}

func (g *Groups) take(ctx context.Context, m broker.Message) {
	if m.Gap {
		g.cfg.Logger.WarnContext(ctx, "messages of the broker were lost: streams with consumers are told of a gap")
		if !g.rejoin(ctx) {
			return
		}
		g.gap()
	}
	if len(m.Body) == 0 {
		return
	}
	msg := &Message{}
	if err := json.Unmarshal(m.Body, msg); err != nil {
		g.cfg.Logger.ErrorContext(ctx, "a message of a group is none of ours", "group", m.Group, "error", err)
		return
	}
	g.deliver(m.Group, msg)
}

// rejoin has the node be in its groups, which a broker that has lost messages
// may have forgotten. It tries until it has succeeded, or until ctx ends.
func (g *Groups) rejoin(ctx context.Context) bool {
	for _, s := range g.pinAll() {
		for pause := shortPause; ctx.Err() == nil; {
			err := g.join(ctx, s)
			if err == nil {
				break
			}
			g.cfg.Logger.WarnContext(ctx, "cannot join a group again: trying again", "group", s.name, "error", err)
			pause = wait(ctx, pause)
		}
		g.unpin(s)
	}
	return ctx.Err() == nil
}

func (g *Groups) join(ctx context.Context, s *set) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if !s.joined {
		return nil
	}
	return g.cfg.Broker.GroupAdd(ctx, s.name, g.channel)
}

func (g *Groups) pinAll() []*set {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*set, 0, len(g.sets))
	for _, s := range g.sets {
		s.pins++
		all = append(all, s)
	}
	return all
}

// gap tells everybody here that messages may have been lost.
func (g *Groups) gap() {
	for _, fn := range g.gaps {
		fn()
	}
	g.mu.Lock()
	members := make([]Member, 0, len(g.of))
	for m := range g.of {
		members = append(members, m)
	}
	g.mu.Unlock()
	for _, m := range members {
		m.Gap()
	}
}

// Close leaves the groups of the broker that the node is still in.
func (g *Groups) Close(ctx context.Context) error {
	if g.cfg.Broker == nil {
		return nil
	}
	var errs []error
	for _, s := range g.pinAll() {
		if err := s.lock(ctx); err != nil {
			g.unpin(s)
			return errors.Join(append(errs, err)...)
		}
		if s.joined {
			s.joined = false
			errs = append(errs, g.cfg.Broker.GroupDiscard(ctx, s.name, g.channel))
		}
		s.unlock()
		g.unpin(s)
	}
	return errors.Join(errs...)
}
