package session

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/state"
)

// maxWaiting bounds the requests that wait on one stream.
const maxWaiting = 64

// stream is one open channel of a session. Its requests run one at a time, in
// order.
type stream struct {
	session *Session
	name    string
	open    Stream // nil until opened
	view    *view
	changed atomic.Bool // the runtime state has something new

	mu      sync.Mutex // guards what follows
	waiting []request
	running bool
	gone    bool
}

type request struct {
	id  uint64
	req *wire.Request // nil is the end of the session
}

// view is one scope that the session shows, by one stream or several.
type view struct {
	sub   *pipe.Attachment
	users int
	// frames go out before what the cursor has.
	frames []*wire.Frame
	// behind tells that the cursor has lost its log and is being caught up.
	behind bool
}

// dispatch puts a request in its stream's line.
func (c *Session) dispatch(name string, id uint64, req *wire.Request) {
	st, err := c.streamFor(name, req.Type)
	if err == nil && !st.put(request{id, req}) {
		err = rpc.Errorf("rate_limited", "more than %d requests wait on this stream", maxWaiting)
	}
	if err != nil {
		c.fail(name, id, err)
	}
}

func (c *Session) streamFor(name, kind string) (*stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.streams[name]
	switch {
	case kind != "open" && kind != "close" && kind != "action":
		return nil, rpc.Errorf("bad_request", "a stream has no request %q", clip(kind))
	case c.ended:
		return nil, rpc.Errorf("unknown_stream", "the session has ended")
	case kind != "open" && st == nil:
		return nil, rpc.Errorf("unknown_stream", "stream %s is not open", name)
	case kind == "open" && st != nil:
		return nil, rpc.Errorf("stream_open", "stream %s is open already", name)
	case kind == "open" && len(c.streams) >= c.server.cfg.MaxStreams:
		return nil, rpc.Errorf("too_large", "more than %d streams on one connection", c.server.cfg.MaxStreams)
	case st == nil:
		st = &stream{session: c, name: name}
		c.streams[name] = st
	}
	return st, nil
}

// put puts a request in line and sees to it that somebody works on it.
func (st *stream) put(r request) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.waiting) >= maxWaiting && r.req != nil {
		return false
	}
	st.waiting = append(st.waiting, r)
	if !st.running {
		st.running = true
		st.session.work.Go(st.run)
	}
	return true
}

// shut has the stream closed after its present request.
func (st *stream) shut() { st.put(request{}) }

func (st *stream) run() {
	for {
		st.mu.Lock()
		if len(st.waiting) == 0 {
			st.running, st.waiting = false, nil
			st.mu.Unlock()
			return
		}
		r := st.waiting[0]
		st.waiting = st.waiting[1:]
		st.mu.Unlock()
		st.serve(r)
	}
}

func (st *stream) serve(r request) {
	c := st.session
	switch {
	case r.req == nil:
		st.close()
	case st.gone:
		c.fail(st.name, r.id, rpc.Errorf("unknown_stream", "stream %s is not open", st.name))
	case c.ctx.Err() != nil:
		// The end of the session is behind it in line.
	case r.req.Type == "open":
		if err := st.begin(r); err != nil {
			st.remove()
			c.fail(st.name, r.id, err)
		}
	case r.req.Type == "close":
		st.close()
		c.reply(wire.Message(st.name, r.id, wire.Closed{Type: "closed"}))
	default:
		st.action(r)
	}
}

// begin opens the stream: permission first, then its scope.
func (st *stream) begin(r request) error {
	c := st.session
	ctx, cancel := context.WithTimeout(c.ctx, c.server.cfg.OpenTimeout)
	defer cancel()
	c.mu.Lock()
	user := c.user
	c.mu.Unlock()
	open, err := c.server.cfg.App.Open(ctx, OpenRequest{
		Session: c.id, Stream: st.name, Route: r.req.Route, User: user, Wake: st.wake,
	})
	if err != nil {
		return err
	}
	st.open = open
	sub, err := c.server.cfg.Pipe.Open(ctx, open.Scope(), c, held(r.req.Resume))
	if err != nil {
		if errors.Is(err, pipe.ErrUnavailable) {
			err = rpc.Unavailable()
		}
		st.dispose()
		return err
	}
	st.show(r.id, sub)
	return nil
}

func held(r *wire.Resume) *state.Version {
	if r == nil || len(r.Versions) != 1 {
		return nil
	}
	return &state.Version{Epoch: r.Epoch, N: r.Versions[0]}
}

// show puts the answer and the scope's first frames in line, and its cursor
// behind them.
func (st *stream) show(id uint64, sub *pipe.Attachment) {
	c := st.session
	runtime := st.open.Runtime()
	c.mu.Lock()
	shared := false
	for _, v := range c.views {
		if v.sub.Scope == sub.Scope {
			st.view, shared = v, true
			v.users++
		}
	}
	if !shared {
		st.view = &view{sub: sub, users: 1}
		c.views = append(c.views, st.view)
	}
	c.queue(wire.Message(st.name, id, wire.Opened{
		Type: "opened", Channel: st.open.Channel(), Epoch: sub.Epoch,
		Scopes: []wire.Scope{{ID: sub.Scope.ID(), Resumed: sub.Resumed || shared}},
	}))
	if len(runtime) > 0 {
		c.queue(wire.Message(st.name, 0, wire.Runtime{Type: "runtime", Set: runtime}))
	}
	if !shared {
		c.replies = append(c.replies, sub.Frames...)
	}
	c.mu.Unlock()
	if shared {
		c.server.cfg.Pipe.Close(sub)
	}
	c.Ready()
}

// wake has the writer ask for the runtime state.
func (st *stream) wake() {
	st.changed.Store(true)
	st.session.runtime.Store(true)
	st.session.Ready()
}

func (st *stream) action(r request) {
	c := st.session
	value, version, err := st.open.Action(c.ctx, r.req.Name, r.req.Args)
	if err != nil {
		c.fail(st.name, r.id, err)
		return
	}
	c.reply(wire.Message(st.name, r.id, wire.Result{Type: "result", Value: value, Version: version}))
	if version > 0 {
		c.server.cfg.Pipe.Wait(version, c.scopes(), func() { c.passed(version) })
	}
}

// scopes are those that the session shows.
func (c *Session) scopes() []*pipe.Scope {
	c.mu.Lock()
	defer c.mu.Unlock()
	scopes := make([]*pipe.Scope, len(c.views))
	for i, v := range c.views {
		scopes[i] = v.sub.Scope
	}
	return scopes
}

// passed has a mark written after all frames up to version.
func (c *Session) passed(version uint64) {
	for {
		due := c.mark.Load()
		if due >= version || c.mark.CompareAndSwap(due, version) {
			break
		}
	}
	c.Ready()
}

// close ends the stream; what waits in line finds it gone.
func (st *stream) close() {
	if st.gone {
		return
	}
	st.remove()
	if st.open != nil {
		st.dispose()
	}
}

// remove takes the stream and, with its last stream, the scope out of the
// session: no frame of it follows.
func (st *stream) remove() {
	c := st.session
	st.gone = true
	c.mu.Lock()
	delete(c.streams, st.name)
	v := st.view
	st.view = nil
	if v != nil {
		v.users--
		if v.users > 0 {
			v = nil
		}
	}
	for i, o := range c.views {
		if o == v {
			c.views = append(c.views[:i], c.views[i+1:]...)
			break
		}
	}
	c.mu.Unlock()
	if v != nil {
		c.server.cfg.Pipe.Close(v.sub)
	}
}

// dispose closes what the app opened. The session may have ended: its context
// must not keep the app from cleaning up.
func (st *stream) dispose() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(st.session.ctx), closeTimeout)
	defer cancel()
	st.open.Close(ctx)
}

const closeTimeout = 10 * time.Second
