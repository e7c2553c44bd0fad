package presence

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/pando-sync/pando/internal/group"
)

// announcement is what nodes tell each other of a group.
type announcement struct {
	Node string `json:"node"`
	// Here are people who are at the node, Gone users who are no more.
	Here []announced `json:"here,omitempty"`
	Gone []string    `json:"gone,omitempty"`
	// Ask asks the others to announce everybody, Bye tells that the node ends: its
	// people are about to come to others, or are leaving.
	Ask bool `json:"ask,omitempty"`
	Bye bool `json:"bye,omitempty"`
}

type announced struct {
	User    string          `json:"user"`
	Info    json.RawMessage `json:"info"`
	Streams int             `json:"streams"`
}

// atOnce is the number of people in one announcement: with MaxInfo of each it is
// below what a broker carries.
const atOnce = 200

// sendTime is how long an announcement may take.
const sendTime = 5 * time.Second

// Run lets people go whose grace or lease has ended, and tells other nodes who is
// here, until ctx ends.
func (r *Rosters) Run(ctx context.Context) {
	now := time.Now()
	r.mu.Lock()
	r.renew, r.sweep = now.Add(renewal), now.Add(renewal)
	r.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-timer.C:
		}
		for _, name := range r.expire(time.Now()) {
			r.cfg.Changed(name)
		}
		for _, m := range r.due(time.Now()) {
			r.send(ctx, m)
		}
		timer.Reset(r.rest())
	}
}

// rest is how long nothing is due.
func (r *Rosters) rest() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.renew
	if r.sweep.Before(next) {
		next = r.sweep
	}
	if len(r.leaving) > 0 && r.leaving[0].until.Before(next) {
		next = r.leaving[0].until
	}
	return max(time.Until(next), time.Millisecond)
}

// expire lets people go and returns the groups that have changed.
func (r *Rosters) expire(now time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := map[string]struct{}{}
	for len(r.leaving) > 0 && !now.Before(r.leaving[0].until) {
		d := r.leaving[0]
		r.leaving = r.leaving[1:]
		p := d.room.here[d.user]
		if p == nil || p.streams > 0 || now.Before(p.until) {
			continue // came back, and may have left again
		}
		delete(d.room.here, d.user)
		if r.changed(d.room, d.user) {
			changed[d.room.name] = struct{}{}
		}
		r.forget(d.room)
	}
	if !now.Before(r.sweep) {
		r.sweep = now.Add(renewal)
		for _, o := range r.rooms {
			if r.endLeases(o, now) {
				changed[o.name] = struct{}{}
			}
		}
	}
	return slices.Collect(maps.Keys(changed))
}

// endLeases lets the people go of nodes that are not heard of any more.
func (r *Rosters) endLeases(o *room, now time.Time) (changed bool) {
	for user, nodes := range o.there {
		n := len(nodes)
		maps.DeleteFunc(nodes, func(_ string, e *remote) bool { return !now.Before(e.until) })
		if len(nodes) == n {
			continue
		}
		if len(nodes) == 0 {
			delete(o.there, user)
		}
		changed = r.settle(o, user) || changed
	}
	return changed
}

// gap begins anew with the other nodes, of whom something may have been missed.
func (r *Rosters) gap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.rooms {
		o.all, o.ask = true, true
		r.tell(o)
	}
}

// outgoing is an announcement to be sent.
type outgoing struct {
	group string
	announcement
}

// due takes what other nodes have to be told.
func (r *Rosters) due(now time.Time) []outgoing {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !now.Before(r.renew) {
		r.renew = now.Add(renewal)
		for _, o := range r.rooms {
			o.all = true
			r.tell(o)
		}
	}
	var out []outgoing
	for o := range r.telling {
		out = append(out, r.dueOf(o)...)
		o.all, o.ask = false, false
		clear(o.dirty)
		r.forget(o)
	}
	clear(r.telling)
	return out
}

func (r *Rosters) dueOf(o *room) []outgoing {
	node := r.cfg.Groups.Node()
	var out []outgoing
	if o.ask {
		out = append(out, outgoing{o.name, announcement{Node: node, Ask: true}})
	}
	if o.all {
		for user := range o.here {
			o.dirty[user] = struct{}{}
		}
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(o.dirty)), atOnce) {
		a := announcement{Node: node}
		for _, user := range part {
			if p := o.here[user]; p != nil {
				a.Here = append(a.Here, announced{user, p.info, p.streams})
			} else {
				a.Gone = append(a.Gone, user)
			}
		}
		out = append(out, outgoing{o.name, a})
	}
	return out
}

// send sends an announcement. One that is lost is made good by the next renewal.
func (r *Rosters) send(ctx context.Context, o outgoing) {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	body, err := json.Marshal(o.announcement)
	if err == nil {
		err = r.cfg.Groups.Send(ctx, o.group, &group.Message{Kind: kind, Body: body})
	}
	if err != nil && ctx.Err() == nil {
		r.cfg.Logger.WarnContext(ctx, "cannot tell other nodes who is present", "group", o.group, "error", err)
	}
}

// Close tells other nodes that this one ends. Run must have returned.
func (r *Rosters) Close(ctx context.Context) {
	if r.alone() {
		return
	}
	r.mu.Lock()
	var out []outgoing
	for _, o := range r.rooms {
		if len(o.here) > 0 {
			out = append(out, outgoing{o.name, announcement{Node: r.cfg.Groups.Node(), Bye: true}})
		}
	}
	r.mu.Unlock()
	for _, m := range out {
		r.send(ctx, m)
	}
}

// hear takes in what another node has announced.
func (r *Rosters) hear(name string, m *group.Message) {
	var a announcement
	if err := json.Unmarshal(m.Body, &a); err != nil {
		r.cfg.Logger.Error("a message about presence cannot be read", "group", name, "error", err)
		return
	}
	if a.Node == r.cfg.Groups.Node() {
		return
	}
	r.mu.Lock()
	o := r.rooms[name]
	changed := o != nil && r.take(o, &a)
	r.mu.Unlock()
	if changed {
		r.cfg.Changed(name)
	}
}

func (r *Rosters) take(o *room, a *announcement) (changed bool) {
	if a.Ask {
		o.all = true
		r.tell(o)
	}
	until := time.Now().Add(lease)
	for _, p := range a.Here {
		if o.there[p.User] == nil {
			o.there[p.User] = map[string]*remote{}
		}
		o.there[p.User][a.Node] = &remote{p.Info, p.Streams, until}
		changed = r.settle(o, p.User) || changed
	}
	for _, user := range a.Gone {
		if delete(o.there[user], a.Node); len(o.there[user]) == 0 {
			delete(o.there, user)
		}
		changed = r.settle(o, user) || changed
	}
	if a.Bye {
		r.dismiss(o, a.Node)
	}
	return changed
}

// dismiss leaves the people of a node that ends their grace.
func (r *Rosters) dismiss(o *room, node string) {
	until := time.Now().Add(Grace)
	for _, nodes := range o.there {
		if e := nodes[node]; e != nil {
			e.until = until
		}
	}
	if until.Before(r.sweep) {
		r.sweep = until
		r.look()
	}
}
