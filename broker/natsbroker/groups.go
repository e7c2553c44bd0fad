package natsbroker

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/pando-sync/pando/broker"
)

// group is the members of a group that this Broker has added, with when. It is
// subscribed to while it has some.
type group struct {
	sub     *nats.Subscription
	members map[string]time.Time
	// spread tells that the servers know of sub.
	spread bool
}

// GroupAdd implements broker.Broker, for channels that are read here. It returns
// when the servers have heard of it.
func (b *Broker) GroupAdd(ctx context.Context, group, channel string) error {
	if err := b.add(ctx, group, channel); err != nil {
		return fmt.Errorf("add to a group: %w", err)
	}
	return nil
}

func (b *Broker) add(ctx context.Context, name, channel string) error {
	if err := checkMember(ctx, name, channel); err != nil {
		return err
	}
	now := time.Now()
	g, was, err := b.enter(name, channel, now)
	if err != nil {
		return err
	}
	if err := b.announce(ctx, g); err != nil {
		if !was {
			b.takeBack(name, channel, now)
		}
		return err
	}
	return nil
}

// announce waits until the servers know of a group's subscription. Whoever adds
// one more member waits, too, while the first has not come through.
func (b *Broker) announce(ctx context.Context, g *group) error {
	if err := b.link.confirm(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	done := g.spread
	b.mu.Unlock()
	if done {
		return nil
	}
	ctx, cancel := b.link.during(ctx)
	defer cancel()
	b.spread(ctx)
	if err := ctx.Err(); err != nil {
		return b.link.why(ctx, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	g.spread = true
	return nil
}

// enter makes a channel a member and tells whether it was one before.
func (b *Broker) enter(name, channel string, now time.Time) (g *group, was bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.open(); err != nil {
		return nil, false, err
	}
	g = b.groups[name]
	if g == nil {
		sub, err := b.link.nc.ChanSubscribe(b.subjects.group(name), b.in)
		if err != nil {
			return nil, false, b.link.fail(err)
		}
		g = &group{sub: sub, members: map[string]time.Time{}}
		b.groups[name] = g
	}
	b.queue(broker.Queue(channel))
	_, was = g.members[channel]
	g.members[channel] = now
	return g, was, nil
}

// takeBack undoes what enter did, unless the member was added again since.
func (b *Broker) takeBack(name, channel string, added time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if g := b.groups[name]; g != nil && g.members[channel].Equal(added) {
		b.discard(name, channel)
	}
}

// GroupDiscard implements broker.Broker. What comes after it has returned does
// not reach the channel.
func (b *Broker) GroupDiscard(ctx context.Context, group, channel string) error {
	if err := checkMember(ctx, group, channel); err != nil {
		return fmt.Errorf("discard from a group: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.open(); err != nil {
		return err
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

// discard ends a membership, and the group with its last one. The mutex is held.
func (b *Broker) discard(name, channel string) {
	g := b.groups[name]
	if g == nil {
		return
	}
	if delete(g.members, channel); len(g.members) == 0 {
		b.leave(name)
	}
}

// leave ends a group. The mutex is held.
func (b *Broker) leave(name string) {
	b.groups[name].sub.Unsubscribe() //nolint:errcheck // it fails for a connection that is closed, and has none then
	delete(b.groups, name)
}

// died tells whether nobody has read a member's channel for so long that it
// counts as dead. The mutex is held.
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
	return now.Sub(alive) >= b.cfg.Limits.GroupExpiry
}
