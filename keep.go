package pando

import (
	"container/list"
	"context"
	"encoding/json"
	"sync"
	"time"
)

// What is kept of streams whose connection was lost.
const (
	keepRuntime  = 30 * time.Second
	keepRuntimes = 10_000
)

// FreshRuntime has a stream that is opened again after its connection was lost
// begin with a new runtime state. Without it, it goes on from the one that it
// had, if it comes back within 30 s.
func FreshRuntime() Option { return option(func(d *Declaration) { d.freshRuntime = true }) }

// place names a stream among all that a client may come back for.
type place struct{ session, stream, route, user string }

func (s *stream) place(session string) place {
	return place{session, s.request.Stream, s.request.Route, s.request.User.ID}
}

// runtimes are the runtime states that clients may come back for: those of open
// streams, whose connection may be gone without anybody knowing yet, and those
// of streams whose connection was lost. Past its bound the oldest of these are
// forgotten.
type runtimes struct {
	mu    sync.Mutex // guards what follows
	open  map[place]*base
	lost  map[place]*list.Element
	order list.List // of lostRuntime, the oldest first
}

type lostRuntime struct {
	place   place
	members map[string]json.RawMessage
	until   time.Time
}

// add lets clients come back for an open stream's runtime state.
func (k *runtimes) add(s *stream, b *base) {
	if s.channel.freshRuntime {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.ended {
		return
	}
	if k.open == nil {
		k.open, k.lost = map[place]*base{}, map[place]*list.Element{}
	}
	k.open[s.place(s.request.Session)] = b
}

// end ends a stream; when its connection was lost, its runtime state is kept.
func (k *runtimes) end(s *stream, lost bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s.ended = true
	p := s.place(s.request.Session)
	b := k.open[p]
	if b == nil || b.stream != s {
		return
	}
	delete(k.open, p)
	if now := time.Now(); lost && s.value != nil {
		k.lost[p] = k.order.PushBack(lostRuntime{p, b.shown(), now.Add(keepRuntime)})
		k.trim(now)
	}
}

// of returns what the client was shown of a stream, nil when that is not known.
func (k *runtimes) of(p place) map[string]json.RawMessage {
	k.mu.Lock()
	k.trim(time.Now())
	b := k.open[p]
	if e, ok := k.lost[p]; ok && b == nil {
		defer k.mu.Unlock()
		return e.Value.(lostRuntime).members //nolint:errcheck,forcetypeassert // nothing else is in it
	}
	k.mu.Unlock()
	if b == nil {
		return nil
	}
	return b.shown()
}

// trim forgets what is too old, or too much. The mutex is held.
func (k *runtimes) trim(now time.Time) {
	for e := k.order.Front(); e != nil; e = k.order.Front() {
		r := e.Value.(lostRuntime) //nolint:errcheck,forcetypeassert // nothing else is in it
		if now.Before(r.until) && k.order.Len() <= keepRuntimes {
			return
		}
		if k.lost[r.place] == e {
			delete(k.lost, r.place)
		}
		k.order.Remove(e)
	}
}

// begin makes the runtime state of the stream's value: the one of the stream
// that it goes on from, when that is known, else a new one.
func (s *stream) begin(ctx context.Context, v AnyChannel, previous string) error {
	if previous != "" && !s.channel.freshRuntime {
		if kept := s.app.runtimes.of(s.place(previous)); kept != nil {
			err := v.start(kept)
			if err == nil {
				return nil
			}
			s.app.cfg.Logger.WarnContext(ctx, "a runtime state starts anew", "channel", s.Channel(), "error", err)
		}
	}
	return v.start(nil)
}
