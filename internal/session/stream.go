package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
)

// maxWaiting bounds the requests that wait on one stream.
const maxWaiting = 64

// stream is one open channel of a session. Its requests run one at a time, in
// order.
type stream struct {
	session *Session
	name    string
	open    Stream // nil until opened
	watch   *pipe.Watch
	view    *view       // guarded by the session's mutex, as skip is
	skip    bool        // what the logs had when the stream was opened was not permitted
	changed atomic.Bool // the runtime state has something new
	gone    bool

	mu      sync.Mutex // guards what follows
	waiting []request
	running bool
	asked   bool // a question is in line
}

type request struct {
	id  uint64
	req *wire.Request // nil is the server's own
	// question is a doubt to settle; without it, what has no req is the end of the
	// session.
	question bool
}

// dispatch puts a request in its stream's line.
func (c *Session) dispatch(name string, id uint64, req *wire.Request) {
	st, err := c.streamFor(name, req.Type)
	if err == nil && !st.put(request{id: id, req: req}) {
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
	case c.ended || c.closing:
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
	st.work()
	return true
}

// ask puts a question in front of all requests: what they bring may not be for
// this user any more.
func (st *stream) ask() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.asked {
		return
	}
	st.asked = true
	st.waiting = slices.Insert(st.waiting, 0, request{question: true})
	st.work()
}

func (st *stream) work() {
	if !st.running {
		st.running = true
		st.session.work.Go(st.run)
	}
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
		if r.question {
			st.asked = false
		}
		st.mu.Unlock()
		st.serve(r)
	}
}

func (st *stream) serve(r request) {
	c := st.session
	switch {
	case r.question:
		st.settle()
	case r.req == nil:
		st.close()
	case st.gone:
		c.fail(st.name, r.id, rpc.Errorf("unknown_stream", "stream %s is not open", st.name))
	case c.over():
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
		Session: c.id, Stream: st.name, Route: r.req.Route, User: user, Wake: st.wake, Ask: st.ask,
	})
	if err != nil {
		return err
	}
	st.open, st.watch = open, open.Watch()
	sub, err := st.attach(ctx, r.req.Resume)
	if err != nil {
		st.dispose()
		return coded(err)
	}
	st.show(r.id, sub)
	return nil
}

// attach subscribes to the stream's scope. When commits that have come since
// permission was asked may have withdrawn it, it is asked again, and the scope
// shown as it is then.
func (st *stream) attach(ctx context.Context, resume *wire.Resume) (*pipe.Attachment, error) {
	c := st.session
	req := st.open.Scope()
	req.Subscriber = c
	if resume != nil {
		req.Epoch, req.Held = resume.Epoch, resume.Versions
	}
	for {
		sub, err := c.server.cfg.Pipe.Open(ctx, req)
		if err != nil {
			return nil, err
		}
		auth := c.authWatch()
		if auth != nil {
			err = auth.Wait(ctx)
		}
		held := st.watch.Held()
		if err == nil && (held == 0 || held > sub.Version) {
			return sub, nil
		}
		c.server.cfg.Pipe.Close(sub)
		if err == nil {
			err = st.permit(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
}

// coded makes the pipe's error one that a client is told of.
func coded(err error) error {
	if errors.Is(err, pipe.ErrUnavailable) {
		return rpc.Unavailable()
	}
	return err
}

// permit ends the stream's doubt, if it has one.
func (st *stream) permit(ctx context.Context) error {
	return st.watch.Settle(ctx, st.open.Permit, st.skipPast)
}

// skipPast has the view caught up instead of read on.
func (st *stream) skipPast() {
	st.session.mu.Lock()
	defer st.session.mu.Unlock()
	st.skip = true
	if st.view != nil {
		st.view.skip = true
	}
}

// settle answers what is asked of an open stream: whether its user may still
// see it, and each new row of a list that is judged. One that has to be refused
// is closed, and nothing of it follows.
func (st *stream) settle() {
	c := st.session
	if st.gone || st.open == nil || c.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.server.cfg.OpenTimeout)
	defer cancel()
	err := st.permit(ctx)
	if list := st.open.Scope().List; err == nil && list != nil {
		err = list.Judge(ctx)
	}
	if err == nil || c.ctx.Err() != nil {
		c.Ready()
		return
	}
	e, whole := rpc.Public(coded(err))
	if !whole {
		c.server.cfg.Logger.ErrorContext(c.ctx, "cannot tell whether a stream is still permitted: it is closed",
			"session", c.id, "stream", st.name, "error", err)
	}
	st.remove()
	c.reply(wire.Message(st.name, 0, wire.Closed{Type: "closed", Code: e.Code, Message: e.Message}))
	st.dispose()
}

// show puts the answer and the scope's first frames in line, and its cursors
// behind them. A session that is being closed is told nothing more.
func (st *stream) show(id uint64, sub *pipe.Attachment) {
	c := st.session
	runtime := st.open.Runtime()
	opened := wire.Opened{Type: "opened", Channel: st.open.Channel(), Epoch: sub.Epoch}
	c.mu.Lock()
	at := slices.IndexFunc(c.views, func(v *view) bool { return v.shows(sub) })
	shared := at >= 0
	if !shared {
		at = len(c.views)
		c.views = append(c.views, &view{sub: sub})
	}
	v := c.views[at]
	v.streams = append(v.streams, st)
	v.skip = v.skip || st.skip
	st.view = v
	for _, p := range sub.Parts {
		opened.Scopes = append(opened.Scopes, wire.Scope{ID: p.ID, Resumed: p.Resumed || shared})
	}
	if !c.closing {
		c.queue(wire.Message(st.name, id, opened))
		if len(runtime) > 0 {
			c.queue(wire.Message(st.name, 0, wire.Runtime{Type: "runtime", Set: runtime}))
		}
		if !shared {
			for _, f := range sub.Frames {
				c.replies = append(c.replies, reply{f, v})
			}
		}
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
	if auth := c.authWatch(); auth != nil {
		if err := auth.Wait(c.ctx); err != nil {
			return // the session has ended
		}
	}
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
	c.raiseMark(version)
	c.Ready()
}

func (c *Session) raiseMark(version uint64) {
	for {
		due := c.mark.Load()
		if due >= version || c.mark.CompareAndSwap(due, version) {
			return
		}
	}
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
// session: no frame of it follows, nor what is in line of it.
func (st *stream) remove() {
	c := st.session
	st.gone = true
	c.mu.Lock()
	delete(c.streams, st.name)
	v := st.view
	st.view = nil
	if v != nil {
		v.streams = slices.DeleteFunc(v.streams, func(o *stream) bool { return o == st })
		if len(v.streams) > 0 {
			v = nil
		}
	}
	if v != nil {
		c.views = slices.DeleteFunc(c.views, func(o *view) bool { return o == v })
		c.replies = slices.DeleteFunc(c.replies, func(r reply) bool { return r.of == v })
	}
	c.mu.Unlock()
	if v != nil {
		c.server.cfg.Pipe.Close(v.sub)
	}
	c.Ready() // another stream's frames may have been held with it
}

// dispose closes what the app opened. The session may have ended: its context
// must not keep the app from cleaning up.
func (st *stream) dispose() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(st.session.ctx), closeTimeout)
	defer cancel()
	st.open.Close(ctx)
}

const closeTimeout = 10 * time.Second
