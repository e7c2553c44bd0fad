package redisbroker

import (
	"context"
	"time"

	"github.com/pando-sync/pando/broker"
)

// linger is how long a queue is heard after it was read: readers come again.
const linger = 10 * time.Second

// tend renews memberships of what is read, and forgets what is not, until the
// broker is closed.
func (b *Broker) tend() {
	pace := max(min(b.cfg.GroupExpiry/8, 15*time.Second), 10*time.Millisecond)
	tick := time.NewTicker(min(pace, linger/2))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			return
		}
		for _, q := range b.due(time.Now()) {
			if err := b.renew(q); err != nil && b.ctx.Err() == nil {
				b.cfg.Logger.WarnContext(b.ctx, "cannot renew the memberships of a channel: trying again", "channel", q.name, "error", err)
			}
		}
	}
}

// due forgets what nobody reads, and returns the queues whose memberships are to
// be renewed.
func (b *Broker) due(now time.Time) []*queue {
	b.mu.Lock()
	defer b.mu.Unlock()
	var renew []*queue
	for _, q := range b.queues {
		if len(q.readers) > 0 {
			q.read = now
		}
		idle := now.Sub(q.read)
		switch {
		case q.own && idle >= b.cfg.GroupExpiry:
			b.partAll(q)
		case !q.own && idle >= linger && q.listens:
			q.host.leave(q.topic)
			q.listens = false
		}
		switch {
		case idle >= max(b.cfg.Expiry, b.cfg.GroupExpiry), !q.own && !q.listens && !q.gap && idle >= linger:
			b.drop(q)
		case !q.own && q.read.After(q.renewed) && now.Sub(q.renewed) >= b.cfg.GroupExpiry/4:
			renew = append(renew, q)
		}
	}
	return renew
}

// partAll ends the memberships of a queue's channels. The mutex is held.
func (b *Broker) partAll(q *queue) {
	for _, s := range b.sets {
		for channel := range s.members {
			if broker.Queue(channel) == q.name {
				b.part(s, channel)
			}
		}
	}
}

// drop forgets a queue. The mutex is held.
func (b *Broker) drop(q *queue) {
	if q.listens {
		q.host.leave(q.topic)
		q.listens = false
	}
	delete(b.queues, q.name)
}

// renew has the channels of a queue that is read stay in their groups.
func (b *Broker) renew(q *queue) error {
	now := time.Now()
	var noted []string
	joined := b.cfg.key(joinedKey, q.name)
	// The time until the next renewal is added, so that nobody leaves too early.
	span := b.cfg.GroupExpiry + b.cfg.GroupExpiry/2
	err := q.host.do(b.ctx, func(ctx context.Context) error {
		c := q.host.client
		results := c.DoMulti(ctx, c.B().Smembers().Key(joined).Build(),
			c.B().Pexpire().Key(joined).Milliseconds(2*b.cfg.GroupExpiry.Milliseconds()+1).Build())
		var err error
		if noted, err = results[0].AsStrSlice(); err != nil {
			return err
		}
		return results[1].Error()
	})
	if err != nil {
		return err
	}
	for group, channels := range joins(noted) {
		args := append([]string{millis(span), "XX"}, channels...)
		if _, err := b.hostOf(group).script(b.ctx, joinScript, []string{b.cfg.key(groupKey, group)}, args); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	q.renewed = now
	return nil
}
