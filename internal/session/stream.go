package session

import (
	"cmp"
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

// stream is one open channel of a session. Its requests run one at a time, in
// order, but for those that run beside: see line.go.
type stream struct {
	session *Session
	name    string
	open    Stream // nil until opened
	watch   *pipe.Watch
	view    *view       // guarded by the session's mutex, as skip is
	skip    bool        // what the logs had when the stream was opened was not permitted
	changed atomic.Bool // the runtime state, or a notice, has to be sent
	routed  bool        // it is one of a demultiplexer's, as it was asked for

	// The session's mutex guards these: see told.go.
	shown   bool // it was opened, and has no scope
	mute    bool // it is told nothing any more
	behind  bool // it has lost something, and takes nothing until it has been told
	unheard bool // it has been told, and the app has not heard of that
	gaps    bool // a gap is in line

	mu      sync.Mutex // guards what follows
	waiting []request
	bytes   int // of the messages in waiting
	extra   *extra
	running bool
	asked   bool // a question is in line
	ready   bool // it was opened
	closing bool // the client closes it: nothing begins any more
	gone    bool // it is closed; changed by who works on the line only
}

// begin opens the stream: permission first, then its scope.
func (st *stream) begin(r request) error {
	c := st.session
	ctx, cancel := context.WithTimeout(st.context(), c.server.cfg.OpenTimeout)
	defer cancel()
	c.mu.Lock()
	user, previous := c.user, c.previous
	c.mu.Unlock()
	req := OpenRequest{
		Line: st, Session: c.id, Previous: previous, Stream: st.name, Route: cmp.Or(r.req.Route, c.path),
		User: user, Resumed: r.req.Resume != nil,
	}
	if st.routed {
		req.Consumer = cmp.Or(r.req.Consumer, st.name)
	}
	open, err := c.opener().Open(ctx, req)
	if err != nil {
		return err
	}
	st.open, st.watch = open, open.Watch()
	if open.Scope().Key.Tree == nil {
		err = st.expose(ctx, r.id, req.Consumer)
	} else {
		var sub *pipe.Attachment
		if sub, err = st.attach(ctx, r.req.Resume); err == nil {
			st.show(r.id, sub)
		}
	}
	if err != nil {
		st.dispose(c.ctx.Err() != nil && !c.done.Load())
		return coded(err)
	}
	return nil
}

// opener is who opens the session's streams.
func (c *Session) opener() interface {
	Open(ctx context.Context, req OpenRequest) (Stream, error)
} {
	if c.guest != nil {
		return c.guest
	}
	return c.server.cfg.App
}

// expose begins a stream that has no scope: from now on it is told what is in line
// for it. Where it is in doubt whether it may be, that is settled before.
func (st *stream) expose(ctx context.Context, id uint64, consumer string) error {
	c := st.session
	if !c.trusted(ctx) {
		return ctx.Err()
	}
	if st.watch.Held() > 0 {
		if err := st.permit(ctx); err != nil {
			return err
		}
	}
	c.mu.Lock()
	st.shown = true
	if c.place == nil && !c.closing {
		f := wire.Message(st.name, id, wire.Opened{Type: "opened", Consumer: consumer, Scopes: []wire.Scope{}})
		first := slices.IndexFunc(c.replies, func(r reply) bool { return r.to == st })
		if first < 0 {
			first = len(c.replies)
		}
		c.replies = slices.Insert(c.replies, first, reply{frame: f})
	}
	st.mu.Lock()
	st.ready = true
	st.mu.Unlock()
	c.mu.Unlock()
	c.Ready()
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
	ctx, cancel := context.WithTimeout(st.context(), c.server.cfg.OpenTimeout)
	defer cancel()
	err := st.permit(ctx)
	if list := st.open.Scope().List; err == nil && list != nil {
		err = list.Judge(ctx)
	}
	if err == nil || c.ctx.Err() != nil || st.stopped() {
		c.Ready()
		return
	}
	e, whole := rpc.Public(coded(err))
	if !whole {
		c.server.cfg.Logger.ErrorContext(c.ctx, "cannot tell whether a stream is still permitted: it is closed",
			"session", c.id, "stream", st.name, "error", err)
	}
	if c.place != nil { // what its streams may, the connection may
		c.turnOut(e)
		return
	}
	st.remove(wire.Message(st.name, 0, wire.Closed{Type: "closed", Code: e.Code, Message: e.Message}))
	st.dispose(false)
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
				c.replies = append(c.replies, reply{frame: f, of: v})
			}
		}
	}
	// Before the client can have read it: what it asks for then finds it so.
	st.mu.Lock()
	st.ready = true
	st.mu.Unlock()
	c.mu.Unlock()
	if shared {
		c.server.cfg.Pipe.Close(sub)
	}
	if st.changed.Load() {
		c.runtime.Store(true) // the writer has passed it over, as it was not shown yet
	}
	c.Ready()
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

// close ends the stream; what waits in line finds it gone. lost tells that it is
// the connection that has ended.
func (st *stream) close(lost bool) {
	if st.gone {
		return
	}
	st.remove(nil)
	if st.open != nil {
		st.dispose(lost)
	}
}

// remove takes the stream and, with its last stream, the scope out of the
// session: no frame of it follows, nor what is in line of it, but last, if that
// is given. It comes before all that was held with the stream.
func (st *stream) remove(last *wire.Frame) {
	c := st.session
	st.mu.Lock()
	st.gone, st.ready = true, false
	if x := st.extra; x != nil {
		x.notices = nil
		if x.cancel != nil {
			x.cancel()
		}
	}
	st.mu.Unlock()
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
	c.silence(st)
	if last != nil && !c.closing {
		c.queue(last)
	}
	c.mu.Unlock()
	if v != nil {
		c.server.cfg.Pipe.Close(v.sub)
	}
	c.Ready() // another stream's frames may have been held with it
}

// dispose closes what the app opened, after the last of its requests. The
// session may have ended: its context must not keep the app from cleaning up.
func (st *stream) dispose(lost bool) {
	st.alone()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(st.session.ctx), closeTimeout)
	defer cancel()
	st.open.Close(ctx, lost)
}

const closeTimeout = 10 * time.Second
