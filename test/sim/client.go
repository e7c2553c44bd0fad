package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/test/internal/world"
)

// client is one browser: a connection with several open routes, which follows
// a script of its own random numbers. It is used by one goroutine.
type client struct {
	id    int
	rng   *rand.Rand
	clock *clock
	event func(step string)
	// patience is how long anything may take that should take milliseconds.
	patience time.Duration

	conn *pandotest.Client
	// dials counts connections.
	dials int
	views []*view
}

// step is something that a client does.
type step struct {
	name   string
	weight int
	run    func(c *client, ctx context.Context) error
}

var steps = []step{
	{"open", 5, (*client).openOne},
	{"open several", 2, (*client).openSeveral},
	{"close", 2, (*client).closeOne},
	{"open anew", 2, (*client).openAnew},
	{"drop", 3, (*client).drop},
	{"drop while opening", 2, (*client).dropOpening},
	{"stay away", 2, (*client).stayAway},
	{"stall", 3, (*client).stall},
}

// play does some steps, a few transactions apart.
func (c *client) play(ctx context.Context, n int) error {
	for range n {
		c.clock.wait(ctx, c.rng.IntN(4))
		if err := c.drawn().run(c, ctx); err != nil {
			return fmt.Errorf("client %d: %w", c.id, err)
		}
	}
	return nil
}

func (c *client) drawn() step {
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	n := c.rng.IntN(total)
	for _, s := range steps {
		if n -= s.weight; n < 0 {
			c.event(s.name)
			return s
		}
	}
	panic("sim: weights do not add up")
}

// view returns the view of a route, made when there is none.
func (c *client) view(route string) (*view, error) {
	for _, v := range c.views {
		if v.route == route {
			return v, nil
		}
	}
	v, err := newView(c.conn, route)
	if err == nil {
		c.views = append(c.views, v)
	}
	return v, err
}

func (c *client) openOne(ctx context.Context) error {
	v, err := c.view(world.Routes[c.rng.IntN(len(world.Routes))])
	if err != nil {
		return err
	}
	v.open = true
	return c.connect(ctx)
}

func (c *client) openSeveral(ctx context.Context) error {
	for range 2 + c.rng.IntN(5) {
		v, err := c.view(world.Routes[c.rng.IntN(len(world.Routes))])
		if err != nil {
			return err
		}
		v.open = true
	}
	return c.connect(ctx)
}

// some draws a view that is open, nil when none is.
func (c *client) some() *view {
	var open []*view
	for _, v := range c.views {
		if v.open {
			open = append(open, v)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return open[c.rng.IntN(len(open))]
}

// closeOne closes a view; when it is opened again it resumes from what it held.
func (c *client) closeOne(ctx context.Context) error {
	v := c.some()
	if v == nil {
		return nil
	}
	v.open = false
	return c.shut(ctx, v)
}

// openAnew closes a view and opens it again with nothing to resume from.
func (c *client) openAnew(ctx context.Context) error {
	v := c.some()
	if v == nil {
		return nil
	}
	if err := c.shut(ctx, v); err != nil {
		return err
	}
	if err := v.renew(c.conn); err != nil {
		return err
	}
	return c.connect(ctx)
}

func (c *client) shut(ctx context.Context, v *view) error {
	live := v.conn == c.dials
	v.conn = 0
	if !live {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	err := v.stream.Close(ctx)
	if errors.Is(err, pandotest.ErrDropped) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("close %s: %w", v.route, err)
	}
	v.frames = v.stream.Frames()
	return nil
}

func (c *client) drop(ctx context.Context) error {
	c.conn.Drop()
	return c.connect(ctx)
}

// dropOpening breaks the connection at any moment of opening.
func (c *client) dropOpening(ctx context.Context) error {
	c.conn.Drop()
	done := make(chan struct{})
	conn := c.conn
	delay := time.Duration(c.rng.IntN(3000)) * time.Microsecond
	go func() {
		defer close(done)
		time.Sleep(delay)
		conn.Drop()
	}()
	err := c.connect(ctx)
	<-done
	if err != nil {
		return err
	}
	return c.connect(ctx)
}

// stayAway comes back after some transactions.
func (c *client) stayAway(ctx context.Context) error {
	c.conn.Drop()
	c.clock.wait(ctx, 1+c.rng.IntN(8))
	return c.connect(ctx)
}

// stall stops reading for some transactions.
func (c *client) stall(ctx context.Context) error {
	resume := c.conn.Stall()
	defer resume()
	c.clock.wait(ctx, 2+c.rng.IntN(12))
	return nil
}

// connect makes sure that the client is connected and shows what it wants to,
// however often the connection goes.
func (c *client) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	for {
		err := c.attempt(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("not connected within %v: %w", c.patience, err)
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
		if err := c.conn.Dial(ctx); err != nil {
			return err
		}
		c.dials++
	default:
	}
	for _, v := range c.views {
		if !v.open || v.conn == c.dials {
			continue
		}
		if v.frames >= 0 && v.frames != v.stream.Frames() {
			return &divergenceError{route: v.route, what: "got frames although it was closed"}
		}
		v.frames = -1
		if err := v.stream.Resume(ctx); err != nil {
			return fmt.Errorf("open %s: %w", v.route, err)
		}
		v.conn = c.dials
	}
	return nil
}

// settle waits until every open view shows what the oracle says, and returns
// how many there are.
func (c *client) settle(ctx context.Context, h *history) (compared int, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	for ctx.Err() == nil {
		if err := c.connect(ctx); err != nil {
			return 0, err
		}
		gone := c.conn.Closed()
		if !slices.ContainsFunc(c.views, func(v *view) bool { return v.open && !v.reach(ctx, h.now(v.route), gone) }) {
			break
		}
	}
	for _, v := range c.views {
		if !v.open {
			continue
		}
		compared++
		if shows, want := string(v.stream.JSON()), h.now(v.route); shows != want {
			return compared, &divergenceError{
				client: c.id, route: v.route, what: fmt.Sprintf("does not come to show what the database holds, at version %d", v.stream.Version()),
				shows: shows, want: want,
			}
		}
	}
	return compared, nil
}

// verify looks up in history everything that the client has shown.
func (c *client) verify(h *history) (compared int, err error) {
	for _, v := range c.views {
		for _, s := range v.take() {
			at, wrong, want := h.find(v.route, s.version, s.text, v.shown)
			if wrong != "" {
				if s.first {
					wrong += ", as it opened the route anew"
				}
				if v.version > 0 {
					wrong += fmt.Sprintf("; it had shown version %d", v.version)
				}
				return compared, &divergenceError{client: c.id, route: v.route, what: wrong, shows: s.text, want: want}
			}
			v.shown, v.version = at, s.version
			compared++
		}
	}
	return compared, nil
}
