package redisbroker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/broker"
)

// set is the members that a group has in this process: channels of own queues.
// Other members are in the group's host.
type set struct {
	name    string
	topic   string
	host    *host
	members map[string]struct{} // guarded by the Broker's mutex
}

// GroupAdd implements broker.Broker. A channel that NewChannel has made joins and
// leaves groups by the Broker that made it.
func (b *Broker) GroupAdd(ctx context.Context, group, channel string) error {
	if err := checkMember(group, channel); err != nil {
		return fmt.Errorf("add to a group: %w", err)
	}
	var err error
	if b.owns(channel) {
		err = b.addOwn(ctx, group, channel)
	} else {
		err = b.addOther(ctx, group, channel)
	}
	return b.failed("add to group "+group, err)
}

func checkMember(group, channel string) error {
	if err := broker.CheckGroup(group); err != nil {
		return err
	}
	return broker.CheckChannel(channel)
}

func (b *Broker) owns(channel string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[broker.Queue(channel)]
	return q != nil && q.own
}

// addOwn has this process hear the group, with one subscription however many
// members it has here.
func (b *Broker) addOwn(ctx context.Context, group, channel string) error {
	topic, h := b.cfg.key(groupKey, group), b.hostOf(group)
	// A member that is added again waits, too, for a host that was lost.
	if err := h.want(ctx, topic); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[broker.Queue(channel)]
	if q == nil {
		h.leave(topic)
		return fmt.Errorf("channel %s is forgotten: nobody has read it for %s", channel, b.cfg.GroupExpiry)
	}
	q.touch()
	s := b.sets[group]
	if s == nil {
		s = &set{name: group, topic: topic, host: h, members: map[string]struct{}{}}
		b.sets[group] = s
	}
	if _, ok := s.members[channel]; ok {
		h.leave(topic) // the member has one already
	}
	s.members[channel] = struct{}{}
	return nil
}

// addOther puts a member into the group's host. What is noted with its queue, by
// which who reads it renews the membership, comes first.
func (b *Broker) addOther(ctx context.Context, group, channel string) error {
	name := broker.Queue(channel)
	q, joined := b.hostOf(name), b.cfg.key(joinedKey, name)
	err := q.do(ctx, func(ctx context.Context) error {
		for _, result := range q.client.DoMulti(ctx,
			q.client.B().Sadd().Key(joined).Member(membership(group, channel)).Build(),
			q.client.B().Pexpire().Key(joined).Milliseconds(2*b.cfg.GroupExpiry.Milliseconds()+1).Build()) {
			if err := result.Error(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = b.hostOf(group).script(ctx, joinScript, []string{b.cfg.key(groupKey, group)},
		[]string{millis(b.cfg.GroupExpiry), "", channel})
	return err
}

// membership is how a queue's host notes one.
func membership(group, channel string) string { return group + ":" + channel }

// GroupDiscard implements broker.Broker.
func (b *Broker) GroupDiscard(ctx context.Context, group, channel string) error {
	if err := checkMember(group, channel); err != nil {
		return fmt.Errorf("discard from a group: %w", err)
	}
	switch {
	case b.ctx.Err() != nil:
		return broker.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case b.owns(channel):
		b.mu.Lock()
		defer b.mu.Unlock()
		if s := b.sets[group]; s != nil {
			b.part(s, channel)
		}
		return nil
	}
	return b.failed("discard from group "+group, b.discardOther(ctx, group, channel))
}

// part ends the membership of a channel of this process. The mutex is held.
func (b *Broker) part(s *set, channel string) {
	if _, ok := s.members[channel]; !ok {
		return
	}
	s.host.leave(s.topic)
	if delete(s.members, channel); len(s.members) == 0 {
		delete(b.sets, s.name)
	}
}

func (b *Broker) discardOther(ctx context.Context, group, channel string) error {
	name := broker.Queue(channel)
	h, q := b.hostOf(group), b.hostOf(name)
	err := h.do(ctx, func(ctx context.Context) error {
		return h.client.Do(ctx, h.client.B().Zrem().Key(b.cfg.key(groupKey, group)).Member(channel).Build()).Error()
	})
	if err != nil {
		return err
	}
	return q.do(ctx, func(ctx context.Context) error {
		return q.client.Do(ctx, q.client.B().Srem().Key(b.cfg.key(joinedKey, name)).Member(membership(group, channel)).Build()).Error()
	})
}

// GroupSend implements broker.Broker. It publishes once, which serves all
// processes with members; members that are not a process's own are sent to one by
// one.
func (b *Broker) GroupSend(ctx context.Context, group string, body []byte) error {
	if err := check(broker.CheckGroup(group), body); err != nil {
		return fmt.Errorf("send to a group: %w", err)
	}
	result, err := b.hostOf(group).script(ctx, publishScript, []string{b.cfg.key(groupKey, group)}, []string{string(body)})
	if err != nil {
		return b.failed("send to group "+group, err)
	}
	members, err := result.AsStrSlice()
	if err != nil || len(members) == 0 {
		return b.failed("send to group "+group, err)
	}
	return b.failed("send to group "+group, b.deliverOthers(ctx, group, body, members))
}

// membersAtOnce bounds what one call of a script delivers to.
const membersAtOnce = 500

// deliverOthers puts a message to a group into the queues of members.
func (b *Broker) deliverOthers(ctx context.Context, group string, body []byte, members []string) error {
	hosts := map[*host][]string{}
	for _, channel := range members {
		h := b.hostOf(broker.Queue(channel))
		hosts[h] = append(hosts[h], channel)
	}
	var errs []error
	for h, channels := range hosts {
		for len(channels) > 0 {
			n := min(len(channels), membersAtOnce)
			errs = append(errs, b.deliverTo(ctx, h, group, body, channels[:n]))
			channels = channels[n:]
		}
	}
	return errors.Join(errs...)
}

func (b *Broker) deliverTo(ctx context.Context, h *host, group string, body []byte, channels []string) error {
	var keys []string
	args := []string{group, string(body), millis(b.cfg.Expiry), millis(b.cfg.GroupExpiry)}
	for _, channel := range channels {
		name := broker.Queue(channel)
		keys = append(keys, b.cfg.key(queueKey, name), b.cfg.key(markKey, name))
		args = append(args, channel, strconv.Itoa(b.cfg.CapacityOf(channel)))
	}
	result, err := h.script(ctx, deliverScript, keys, args)
	if err != nil {
		return err
	}
	full, err := result.AsInt64()
	b.dropped.Add(uint64(max(0, full)))
	return err
}

// Flush implements broker.Broker. It looks at all keys of the hosts' databases,
// and leaves streams as they are.
func (b *Broker) Flush(ctx context.Context) error {
	for _, h := range b.hosts {
		kinds := "[" + groupKey + queueKey + markKey + joinedKey + "]"
		if err := b.remove(ctx, h, b.cfg.key(kinds, "*")); err != nil {
			return b.failed("flush", err)
		}
	}
	flush := rand.Text()
	b.mu.Lock()
	b.forget(flush)
	b.mu.Unlock()
	for _, h := range b.hosts {
		err := h.do(ctx, func(ctx context.Context) error {
			return h.client.Do(ctx, h.client.B().Publish().Channel(b.cfg.key(flushKey, "")).Message(flush).Build()).Error()
		})
		if err != nil {
			return b.failed("flush", err)
		}
	}
	return nil
}

// remove deletes keys by a pattern.
func (b *Broker) remove(ctx context.Context, h *host, pattern string) error {
	const atOnce = 1000
	for cursor := uint64(0); ; {
		err := h.do(ctx, func(ctx context.Context) error {
			found, err := h.client.Do(ctx, h.client.B().Scan().Cursor(cursor).Match(pattern).Count(atOnce).Build()).AsScanEntry()
			if err != nil {
				return err
			}
			cursor = found.Cursor
			if len(found.Elements) == 0 {
				return nil
			}
			return h.client.Do(ctx, h.client.B().Unlink().Key(found.Elements...).Build()).Error()
		})
		if err != nil || cursor == 0 {
			return err
		}
	}
}

// joins returns a queue's memberships as they are noted with it: the members by
// their group.
func joins(noted []string) map[string][]string {
	all := map[string][]string{}
	for _, m := range noted {
		if group, channel, ok := strings.Cut(m, ":"); ok {
			all[group] = append(all[group], channel)
		}
	}
	return all
}
