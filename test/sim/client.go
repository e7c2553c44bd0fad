package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/world"
)

// client is one browser: a connection with several open routes, which follows
// its script. It is used by one goroutine.
type client struct {
	id     int
	user   string
	urls   []string // of the servers
	at     int      // the server of the next connection
	routes []oracle.Route
	trees  []*schema.Tree // of the channels
	// offers and structs are each channel's.
	offers  [][]*world.Offer
	structs []map[*model.Layer]*model.Layer
	book    *book
	narrow  bool
	clock   *clock
	// event notes something that happens, count counts it.
	event func(text string)
	count func(event string)
	// patience is how long anything may take that should take milliseconds.
	patience time.Duration

	conn *pandotest.Client
	line *line
	// breaking are connections that calls break.
	breaking sync.WaitGroup
	// dials counts connections.
	dials int
	views []*view
	// traffic is each connection's, the present one the last.
	traffic []*traffic
}

// steps are the things that a client does.
var steps = []struct {
	name   string
	weight int
	run    func(c *client, ctx context.Context, s step) error
}{
	{"open", 6, (*client).openOne},
	{"open several", 3, (*client).openSeveral},
	{"close", 2, (*client).closeOne},
	{"open anew", 2, (*client).openAnew},
	{"storm", 1, (*client).storm},
	{"drop", 3, (*client).drop},
	{"drop while opening", 2, (*client).dropOpening},
	{"stay away", 2, (*client).stayAway},
	{"stall", 3, (*client).stall},
	{"become another", 1, (*client).become},
	// Calls are drawn apart, see callSteps.
	{"save", 0, (*client).call},
	{"create", 0, (*client).call},
	{"delete", 0, (*client).call},
	{"once", 0, (*client).call},
	{"plain", 0, (*client).call},
	{"beside", 0, (*client).call},
}

func drawStep(rng *rand.Rand) string {
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	n := rng.IntN(total)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			return s.name
		}
	}
	panic("sim: weights do not add up")
}

// play does the steps of a segment.
func (c *client) play(ctx context.Context, script []step) error {
	for _, s := range script {
		c.clock.wait(ctx, s.Wait)
		for _, known := range steps {
			if known.name != s.Do {
				continue
			}
			c.count("client: " + s.Do)
			c.event(s.Do)
			if err := known.run(c, ctx, s); err != nil {
				return fmt.Errorf("client %d: %w", c.id, err)
			}
		}
	}
	return nil
}

// view returns the view of a route, made when there is none.
func (c *client) view(route int) *view {
	r := c.routes[route%len(c.routes)]
	for _, v := range c.views {
		if world.Path(v.route) == world.Path(r) {
			return v
		}
	}
	v := newView(c.conn, r, c.trees[r.Channel])
	c.views = append(c.views, v)
	return v
}

func (c *client) openOne(ctx context.Context, s step) error {
	c.view(s.Routes[0]).open = true
	return c.connect(ctx)
}

func (c *client) openSeveral(ctx context.Context, s step) error {
	for _, r := range s.Routes {
		c.view(r).open = true
	}
	return c.connect(ctx)
}

// pick is a view that is open, nil when none is.
func (c *client) pick(n int) *view {
	var open []*view
	for _, v := range c.views {
		if v.open {
			open = append(open, v)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return open[n%len(open)]
}

// closeOne closes a view; when it is opened again it resumes from what it held.
func (c *client) closeOne(ctx context.Context, s step) error {
	v := c.pick(s.Pick)
	if v == nil {
		return nil
	}
	v.open = false
	return c.shut(ctx, v)
}

// openAnew closes a view and opens it again with nothing to resume from.
func (c *client) openAnew(ctx context.Context, s step) error {
	v := c.pick(s.Pick)
	if v == nil {
		return nil
	}
	if err := c.shut(ctx, v); err != nil {
		return err
	}
	v.renew(c.conn)
	return c.connect(ctx)
}

// storm opens and closes in quick succession.
func (c *client) storm(ctx context.Context, s step) error {
	for i := range 8 {
		v := c.view(s.Routes[i%len(s.Routes)])
		if v.open = !v.open; v.open {
			if err := c.connect(ctx); err != nil {
				return err
			}
		} else if err := c.shut(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) shut(ctx context.Context, v *view) error {
	live := v.conn == c.dials
	v.conn = 0
	if !live {
		return nil
	}
	ctx, cancel := patient(ctx, c.patience)
	defer cancel()
	err := v.stream.Close(ctx)
	if errors.Is(err, pandotest.ErrDropped) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("close %s: %w", world.Path(v.route), errors.Join(err, context.Cause(ctx)))
	}
	return nil
}

func (c *client) drop(ctx context.Context, _ step) error {
	c.conn.Drop()
	return c.connect(ctx)
}

// dropOpening breaks the connection at any moment of opening.
func (c *client) dropOpening(ctx context.Context, s step) error {
	c.conn.Drop()
	done := make(chan struct{})
	conn := c.conn
	breaks := time.AfterFunc(s.Delay, func() {
		defer close(done)
		conn.Drop()
	})
	err := c.connect(ctx)
	if !breaks.Stop() {
		<-done
	}
	if err != nil {
		return err
	}
	return c.connect(ctx)
}

// stayAway comes back after some transactions.
func (c *client) stayAway(ctx context.Context, s step) error {
	c.conn.Drop()
	c.clock.wait(ctx, s.Ticks)
	return c.connect(ctx)
}

// stall stops reading for some transactions.
func (c *client) stall(ctx context.Context, s step) error {
	resume := c.conn.Stall()
	defer resume()
	c.clock.wait(ctx, s.Ticks)
	return nil
}

// become comes back as another user, with the same pages and nothing of what
// they held.
func (c *client) become(ctx context.Context, s step) error {
	if s.User == c.user {
		return nil
	}
	old := c.views
	c.conn.Drop()
	c.enter(s.User)
	for _, o := range old {
		v := newView(c.conn, o.route, o.tree)
		v.open = o.open
		c.views = append(c.views, v)
	}
	return c.connect(ctx)
}

// enter makes the client a user's, without any views. What it has shown before
// must have been verified or is not.
func (c *client) enter(user string) {
	c.user, c.views = user, nil
	c.conn = pandotest.NewClient(c.url(), user)
	c.line = newLine(c.conn)
	if c.narrow {
		c.conn.Narrow(narrowBytes)
	}
}

// connect makes sure that the client is connected and shows what it wants to,
// however often the connection goes.
func (c *client) connect(ctx context.Context) error {
	ctx, cancel := patient(ctx, c.patience)
	defer cancel()
	for {
		err := c.attempt(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("not connected: %w: %w", context.Cause(ctx), err)
		case !again(err):
			return err
		}
		retry := time.NewTimer(time.Millisecond)
		select {
		case <-retry.C:
		case <-ctx.Done():
		}
	}
}

// again tells whether an error is one that goes away.
func again(err error) bool {
	coded, ok := errors.AsType[*pando.Error](err)
	return !ok || coded.Retry
}

func (c *client) attempt(ctx context.Context) error {
	select {
	case <-c.conn.Closed():
		seen := &traffic{user: c.user}
		c.traffic = append(c.traffic, seen)
		answers := newLine(c.conn)
		c.line = answers
		c.conn.Tap(func(frame []byte) {
			seen.see(frame)
			answers.see(frame)
		})
		if err := c.conn.Dial(ctx); err != nil {
			return err
		}
		c.dials++
		c.event(fmt.Sprintf("is connected to server %d", c.at))
	default:
	}
	for _, v := range c.views {
		if !v.open || v.conn == c.dials {
			continue
		}
		c.traffic[len(c.traffic)-1].asks(v.route)
		held := v.stream.Version()
		v.asks(c.at)
		if err := v.stream.Resume(ctx); err != nil {
			return fmt.Errorf("open %s: %w", world.Path(v.route), err)
		}
		var epoch string
		v.name, epoch = c.line.stream()
		v.conn = c.dials
		c.event(fmt.Sprintf("shows %s from version %d of %s on, and had version %d", world.Path(v.route), v.stream.Version(), epoch, held))
	}
	return nil
}

// url is the server of the next connection.
func (c *client) url() string { return c.urls[c.at] }

// settle waits until every open view shows what the oracle says, and returns
// how many there are.
func (c *client) settle(ctx context.Context, h *history) (compared int, err error) {
	ctx, cancel := patient(ctx, c.patience)
	defer cancel()
	for ctx.Err() == nil {
		if err := c.connect(ctx); err != nil {
			return 0, err
		}
		gone := c.conn.Closed()
		if !slices.ContainsFunc(c.views, func(v *view) bool { return v.open && !v.reach(ctx, h.now(v.route, c.user), gone) }) {
			break
		}
	}
	for _, v := range c.views {
		if !v.open {
			continue
		}
		compared++
		if shows, want := string(v.stream.JSON()), h.now(v.route, c.user); shows != want {
			return compared, &divergenceError{
				client: c.id, user: c.user, route: world.Path(v.route), shows: shows, want: want, waited: context.Cause(ctx),
				what: fmt.Sprintf("does not come to show what the database holds, at version %d", v.stream.Version()),
			}
		}
	}
	return compared, nil
}

// verify looks up in history everything that the client has shown and received.
func (c *client) verify(h *history) (compared int, err error) {
	for _, v := range c.views {
		if err := v.verifyAwaited(c, h); err != nil {
			return compared, err
		}
		for _, s := range v.take() {
			if s.elsewhere {
				v.shown, v.version = 0, 0
			}
			at, wrong, want := h.find(v.route, c.user, s.version, s.text, v.shown)
			if wrong != "" {
				if s.first {
					wrong += ", as it opened the route anew"
				}
				if v.version > 0 {
					wrong += fmt.Sprintf("; it had shown version %d", v.version)
				}
				return compared, &divergenceError{client: c.id, user: c.user, route: world.Path(v.route), what: wrong, shows: s.text, want: want}
			}
			v.shown, v.version = at, s.version
			compared++
		}
	}
	for _, t := range c.traffic {
		if err := t.verify(c.id, h); err != nil {
			return compared, err
		}
	}
	c.traffic = c.traffic[max(0, len(c.traffic)-1):]
	return compared, nil
}
