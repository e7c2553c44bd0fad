package pando

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pando-sync/pando/internal/session"
)

// ErrUnfinished is returned by Run where an action, a consumer, a hook or another
// function of the app's has not returned, some seconds after its context has ended:
// the log names each, with the time of its beginning. Nothing can end it, as Go has no
// means to end a goroutine; Run leaves it, and the program has to end. What it does
// until then with what the program has closed fails, by an error.
var ErrUnfinished = errors.New("something that has begun does not end, as it does not heed its context")

// grace is how long Run takes to end at most.
type grace struct {
	// streams is for what has begun to be done and answered, and for OnDisconnect;
	// then all contexts have ended, and cut is for what goes on none the less.
	streams, cut time.Duration
	// rest is for each of what runs beside the streams, and the feed.
	rest time.Duration
}

// The sum is less than what manage's runserver leaves an app.
var defaultGrace = grace{streams: 10 * time.Second, cut: 2 * time.Second, rest: 2 * time.Second}

// end stops what runs, from the outside in; what does not end is left, and told.
// Streams are closed while the database is still followed: their hooks may need it.
//
//	serving ──► streams closed ──► groups left ──► feed stopped ──► ended
//	               └─grace.streams: cut─┴─grace.cut, grace.rest: left─┘
func (a *App) end(ctx context.Context, server *session.Server, leave, stop func(context.Context) bool) error {
	streams, cancel := context.WithTimeout(ctx, a.grace.streams)
	defer cancel()
	whole := server.Close(streams, a.grace.cut)
	for _, part := range []func(context.Context) bool{leave, stop} {
		rest, cancel := context.WithTimeout(ctx, a.grace.rest)
		whole = part(rest) && whole
		cancel()
	}
	if whole {
		return nil
	}
	return a.unfinished(ctx)
}

// within waits for something until ctx ends, and tells whether it has come.
func within(ctx context.Context, wait func()) bool {
	done := make(chan struct{})
	go func() {
		wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// maxNamed bounds the calls that are logged one by one.
const maxNamed = 20

// unfinished logs what has not returned.
func (a *App) unfinished(ctx context.Context) error {
	all := a.calls.all()
	for i, c := range all {
		if i == maxNamed {
			a.cfg.Logger.ErrorContext(ctx, "more does not end", "calls", len(all)-maxNamed)
			break
		}
		about := []any{"what", c.String()}
		if !c.since.IsZero() {
			about = append(about, "since", c.since, "for", time.Since(c.since).Round(time.Millisecond))
		}
		a.cfg.Logger.ErrorContext(ctx, "what has begun does not end: it does not heed its context", about...)
	}
	if len(all) == 0 {
		return fmt.Errorf("stop: connections: %w", ErrUnfinished)
	}
	return fmt.Errorf("stop: %s: %w", all[0], ErrUnfinished)
}

// call is what runs of the app's functions: such as an action of a channel.
type call struct {
	in, what, name string
	since          time.Time // zero for what runs as long as the app does
}

// String is the call's name for people.
func (c *call) String() string {
	text := strings.TrimSpace(c.what + " " + c.name)
	if c.in == "" {
		return text
	}
	return c.in + ": " + text
}

// calls are what runs of the app's functions where Run waits for it when it ends.
type calls struct {
	mu      sync.Mutex // guards what follows
	running map[*call]struct{}
}

// begin notes that a function is called; end follows with what it returns.
func (c *calls) begin(in, what, name string) *call {
	return c.note(&call{in, what, name, time.Now()})
}

// part is begin for what runs as long as the app does.
func (c *calls) part(what string) *call { return c.note(&call{what: what}) }

func (c *calls) note(one *call) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		c.running = map[*call]struct{}{}
	}
	c.running[one] = struct{}{}
	return one
}

func (c *calls) end(one *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, one)
}

// all are the calls that have not ended, the oldest first; what runs as long as the
// app does comes last.
func (c *calls) all() []*call {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Collect(maps.Keys(c.running))
	slices.SortFunc(all, func(a, b *call) int {
		switch {
		case a.since.IsZero() == b.since.IsZero():
			return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.String(), b.String()))
		case a.since.IsZero():
			return 1
		default:
			return -1
		}
	})
	return all
}

// noted notes requests while they are handled. One that comes by HTTP is not the
// app's to wait for.
func (c *calls) noted(next Handler) Handler {
	return func(ctx context.Context, r *Request) (json.RawMessage, error) {
		in, what, name := cmp.Or(r.Channel, r.Route), r.Kind, cmp.Or(r.Action, r.Consumer)
		switch {
		case r.Kind == "state":
			return next(ctx, r)
		case r.Write != nil:
			what, name = string(r.Write.Op), r.Write.Type
		}
		defer c.end(c.begin(in, what, name))
		return next(ctx, r)
	}
}
