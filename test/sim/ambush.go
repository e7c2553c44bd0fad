package main

import (
	"context"
	"time"

	"github.com/pando-sync/pando/cache"
)

// trap waits for a node to do something with the cache. The node is killed then:
// before the cache hears of it, or after, without an answer.
type trap struct {
	method string
	state  cache.State // of the entry that is swapped
	after  bool
	sprung chan int // has the node's number
}

// heating and cooling are the moments at which a node is killed that heats an
// entry, and one that leaves it.
var (
	heating = []trap{
		{method: "Swap", state: cache.Heating, after: true},
		{method: "Write"}, {method: "Write", after: true},
		{method: "Swap", state: cache.Hot}, {method: "Swap", state: cache.Hot, after: true},
	}
	cooling = []trap{
		{method: "Swap", state: cache.Cooling}, {method: "Swap", state: cache.Cooling, after: true},
	}
)

// ambush has a node killed as it does something, if one does before long.
func (c *cluster) ambush(ctx context.Context, l *larder, e event) {
	ctx = context.WithoutCancel(ctx)
	all := heating
	if e.Do == "kill cooler" {
		all = cooling
	}
	t := all[e.Way%len(all)]
	t.sprung = make(chan int, 1)
	l.set(nil, &t)
	c.behind.Go(func() error {
		soon := time.NewTimer(longestTrouble)
		defer soon.Stop()
		select {
		case i := <-t.sprung:
			n := c.nodes[i]
			n.kill()
			l.count(e.Do+": killed", 1)
			c.journal.logf("     node %d was killed by %s %d", i, e.Do, e.Way)
			time.Sleep(e.Delay)
			return n.start(ctx)
		case <-soon.C:
			l.set(&t, nil)
			return nil
		}
	})
}

// set puts a trap in the place of another one, of any if that is nil.
func (l *larder) set(old, t *trap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old == nil || l.trap == old {
		l.trap = t
	}
}

// spring has a node step into the trap, if there is one for what it does.
func (l *larder) spring(node int, q *Question, after bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.trap
	if t == nil || t.method != q.Method || t.after != after || q.Method == "Swap" && q.Entry.State != t.state {
		return false
	}
	l.trap = nil
	t.sprung <- node // nobody else has stepped into it
	return true
}

// deadAtOnce draws whether a process that is gone is known to be: else its leases
// have to run out.
func (l *larder) deadAtOnce() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rng.IntN(4) > 0
}
