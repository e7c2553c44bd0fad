package session

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/token"
)

// Bounds of a stream's line, and of what runs beside the lines.
const (
	// maxWaiting bounds the requests that wait on one stream, maxDuties what the
	// app has put between them.
	maxWaiting = 64
	maxDuties  = 128
	// maxMessages bounds the messages that wait on one stream, maxMessageBytes their
	// bytes, where there is more than one, maxSessionBytes those of a session.
	maxMessages     = 4096
	maxMessageBytes = 1 << 20
	maxSessionBytes = 8 << 20
	// maxBeside bounds the requests of a stream that run beside its line,
	// maxBesides those of a session.
	maxBeside  = 16
	maxBesides = 64
	// maxNotices bounds the frames of Notify that are not written yet, and
	// maxNoticeBytes their bytes, where there is more than one.
	maxNotices     = 64
	maxNoticeBytes = 1 << 20
)

// Line is what a stream offers to the app that has opened it. Its methods never
// block, and may be called from any goroutine.
type Line interface {
	// User is who the session acts for, by the latest credential that its client has
	// given; nobody before the session is known to be somebody's.
	User() token.Identity
	// Wake tells that Stream.Runtime has something, Ask that the stream's watch, or
	// its list, wants an answer.
	Wake()
	Ask()
	// Do has fn called in the stream's line: once the stream is open, and never
	// while one of its requests runs, but for concurrent ones. Its context ends
	// when the stream is closed. It returns false when fn is not taken, since the
	// line is full or the stream closed. What was taken is dropped when the stream
	// is closed before its turn.
	Do(fn func(ctx context.Context)) bool
	// Notify sends a frame to the stream, behind the answer to open, and returns
	// false when it is not taken, since too many are unwritten or the stream is
	// closed. While permission is in doubt it is held back; it is dropped when the
	// stream is closed meanwhile.
	Notify(f *wire.Frame) bool
	// Tell sends a frame to a stream that has no scope, in the order of the session's
	// other frames, behind the answer to open. While permission is in doubt it is held
	// back; it is dropped when the stream is closed meanwhile. Past a bound of frames
	// and bytes it is dropped, and so is all that follows until the client has read
	// what was taken and was told of a gap: then Stream.Gapped is called. Tell returns
	// false for what is dropped.
	Tell(f *wire.Frame) bool
	// Send is Tell that waits until there is room. It returns an error only when ctx
	// or the stream has ended.
	Send(ctx context.Context, f *wire.Frame) error
	// Drop takes out what is in line of Tell and Send. Where there was something the
	// client is told of a gap in its place.
	Drop()
	// Gap tells such a stream of a gap, behind what is in line.
	Gap()
	// HangUp closes the connection, once what is in line has been sent.
	HangUp(code int, reason string)
}

var _ Line = (*stream)(nil)

// User implements Line.
func (st *stream) User() token.Identity {
	st.session.mu.Lock()
	defer st.session.mu.Unlock()
	return st.session.user
}

// request is what waits in a stream's line.
type request struct {
	id  uint64
	req *wire.Request // nil is the server's own
	// question is a doubt to settle, duty what the app has put in line; without
	// them, what has no req is the end of the session.
	question bool
	duty     func(ctx context.Context)
}

// extra is what a stream has only while something happens in it. The stream's
// mutex guards it.
type extra struct {
	// ctx is that of all that runs in the stream, nil while nothing does.
	ctx    context.Context //nolint:containedctx // it spans requests, the stream's end cancels it
	cancel context.CancelFunc
	// beside counts what runs beside the line; left is closed when it has ended,
	// nil unless somebody waits for that.
	beside  int
	left    chan struct{}
	notices []*wire.Frame
	// turn tells that what is first in line runs; flush, when there is something
	// to send, sends it before the end of a turn that lasts. due tells that it is
	// time for that.
	turn, due bool
	flush     *time.Timer
}

// more returns the stream's extra. The mutex is held.
func (st *stream) more() *extra {
	if st.extra == nil {
		st.extra = &extra{}
	}
	return st.extra
}

// lasting is the context of what begins in the stream. The mutex is held.
func (st *stream) lasting() context.Context {
	x := st.more()
	if x.ctx == nil {
		x.ctx, x.cancel = context.WithCancel(st.session.ctx)
		if st.closing || st.gone {
			x.cancel()
		}
	}
	return x.ctx
}

// context is the context of what begins in the stream.
func (st *stream) context() context.Context {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.lasting()
}

// rest forgets what an idle stream does not need. The mutex is held.
func (st *stream) rest() {
	x := st.extra
	if x == nil || st.running || x.beside > 0 {
		return
	}
	if x.cancel != nil {
		x.cancel()
		x.ctx, x.cancel = nil, nil
	}
	if len(x.notices) == 0 {
		st.extra = nil
	}
}

// dispatch puts a request in its stream's line, or has it run beside.
func (c *Session) dispatch(name string, id uint64, req *wire.Request) {
	st, err := c.streamFor(name, req)
	if err == nil {
		err = st.accept(request{id: id, req: req})
	}
	if err != nil {
		c.failRequest(name, id, req, err)
	}
}

// fail answers a request of the stream with an error.
func (st *stream) fail(id uint64, err error) { st.session.failAs(st.name, id, err, st.routed) }

func (c *Session) streamFor(name string, req *wire.Request) (*stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st, kind := c.streams[name], req.Type
	switch {
	case kind != "open" && kind != "close" && !carriesOut(kind):
		return nil, rpc.Errorf("bad_request", "a stream has no request %q", clip(kind))
	case req.Key != "" && !wire.ValidKey(req.Key):
		return nil, rpc.Errorf("bad_request", "the key must be 1 to 64 of A-Z a-z 0-9 _ -")
	case c.ended || c.closing:
		return nil, rpc.Errorf("unknown_stream", "the session has ended")
	case kind != "open" && st == nil:
		return nil, notOpen(name)
	case kind == "open" && st != nil:
		return st, rpc.Errorf("stream_open", "stream %s is open already", name)
	case kind == "open" && len(c.streams) >= c.server.cfg.MaxStreams:
		return nil, rpc.Errorf("too_large", "more than %d streams on one connection", c.server.cfg.MaxStreams)
	case st == nil:
		st = &stream{session: c, name: name, routed: c.routes(req)}
		c.streams[name] = st
	}
	return st, nil
}

// routes tells whether a request to open a stream is for one of a demultiplexer's.
func (c *Session) routes(req *wire.Request) bool {
	return strings.HasPrefix(cmp.Or(req.Route, c.path), "/")
}

// carriesOut tells whether a request is for Stream.Request.
func carriesOut(kind string) bool {
	return kind == "action" || kind == "save" || kind == "create" || kind == "delete" || kind == "message"
}

func notOpen(name string) error {
	return rpc.Errorf("unknown_stream", "stream %s is not open", name)
}

// accept finds the place of a request: in line, or beside it.
func (st *stream) accept(r request) error {
	closes := r.req.Type == "close" && st.stop()
	if carriesOut(r.req.Type) && st.isReady() && st.open.Concurrent(r.req) {
		return st.beside(r)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if r.isMessage() {
		return st.acceptMessage(r)
	}
	if !closes && st.count(func(r request) bool { return r.req != nil && !r.isMessage() }, maxWaiting) {
		return rpc.Errorf("rate_limited", "more than %d requests wait on this stream", maxWaiting)
	}
	st.put(r)
	return nil
}

func (r request) isMessage() bool { return r.req != nil && r.req.Type == "message" }

// acceptMessage puts a message in line, of which more may wait than of what clients
// wait for: a stream's are sent as they come. The mutex is held.
func (st *stream) acceptMessage(r request) error {
	all, size := &st.session.waiting, len(r.req.Body)
	full := st.bytes+size > maxMessageBytes || all.Load()+int64(size) > maxSessionBytes || st.count(request.isMessage, maxMessages)
	if full && len(st.waiting) > 0 {
		return rpc.Errorf("rate_limited", "too many messages wait on this stream")
	}
	st.bytes += size
	all.Add(int64(size))
	st.put(r)
	return nil
}

// count tells whether limit or more of a kind wait in line. The mutex is held.
func (st *stream) count(kind func(request) bool, limit int) bool {
	if len(st.waiting) < limit {
		return false
	}
	n := 0
	for _, r := range st.waiting {
		if kind(r) {
			n++
		}
	}
	return n >= limit
}

// put puts something in line and sees to it that somebody works on it. The mutex
// is held.
func (st *stream) put(r request) {
	st.waiting = append(st.waiting, r)
	st.work()
}

func (st *stream) work() {
	if !st.running {
		st.running = true
		st.workers().Go(st.run)
	}
}

// workers are those whom the session's end waits for.
func (st *stream) workers() *sync.WaitGroup {
	if st == st.session.own {
		return &st.session.ownWork
	}
	return &st.session.work
}

// stop ends what runs in the stream, since the client closes it, and keeps what
// waits from beginning. It tells whether that is news.
func (st *stream) stop() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	news := !st.closing
	st.closing = true
	if st.extra != nil && st.extra.cancel != nil {
		st.extra.cancel()
	}
	return news
}

func (st *stream) isReady() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.ready
}

// stopped tells that the client closes the stream: nothing more of it begins.
func (st *stream) stopped() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.closing
}

// shut has the stream closed after its present request.
func (st *stream) shut() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.put(request{})
}

// Ask implements Line. The question comes in front of all requests: what they
// bring may not be for this user any more.
func (st *stream) Ask() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.asked || st.gone { // what is gone has nobody to work on it, and nothing to show
		return
	}
	st.asked = true
	st.waiting = slices.Insert(st.waiting, 0, request{question: true})
	st.work()
}

// Do implements Line.
func (st *stream) Do(fn func(ctx context.Context)) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closing || st.gone || st.count(func(r request) bool { return r.duty != nil }, maxDuties) {
		return false
	}
	st.put(request{duty: fn})
	return true
}

// Notify implements Line.
func (st *stream) Notify(f *wire.Frame) bool {
	st.mu.Lock()
	x := st.more()
	bytes := len(f.Bytes)
	for _, waiting := range x.notices {
		bytes += len(waiting.Bytes)
	}
	room := len(x.notices) == 0 || len(x.notices) < maxNotices && bytes <= maxNoticeBytes
	taken := !st.closing && !st.gone && room
	if taken {
		x.notices = append(x.notices, f)
	}
	st.mu.Unlock()
	if taken {
		st.Wake()
	}
	return taken
}

// takeNotices returns what Notify has taken.
func (st *stream) takeNotices() []*wire.Frame {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.extra == nil {
		return nil
	}
	notices := st.extra.notices
	st.extra.notices = nil
	st.rest()
	return notices
}

func (st *stream) run() {
	for r, ok := st.next(); ok; r, ok = st.next() {
		st.serve(r)
	}
}

// next takes what is first in line. When there is nothing the line is at rest.
func (st *stream) next() (r request, ok bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.waiting) == 0 {
		st.running, st.waiting = false, nil
		st.rest()
		return request{}, false
	}
	r = st.waiting[0]
	st.waiting[0] = request{}
	st.waiting = st.waiting[1:]
	if r.question {
		st.asked = false
	}
	if r.isMessage() {
		st.bytes -= len(r.req.Body)
		st.session.waiting.Add(-int64(len(r.req.Body)))
	}
	return r, true
}

func (st *stream) serve(r request) {
	c := st.session
	switch {
	case r.question:
		st.settle()
	case r.duty != nil:
		st.fulfil(r.duty)
	case r.req == nil:
		st.close(!c.done.Load())
	case st.gone:
		st.fail(r.id, notOpen(st.name))
	case c.over():
		// The end of the session is behind it in line.
	case r.req.Type == "open":
		if err := st.begin(r); err != nil {
			st.remove(nil)
			st.fail(r.id, err)
		}
	case r.req.Type == "close":
		st.close(false)
		c.reply(wire.Message(st.name, r.id, wire.Closed{Type: "closed"}))
	case st.open.Concurrent(r.req):
		if err := st.beside(r); err != nil {
			st.fail(r.id, err)
		}
	default:
		st.carryOut(st.beginTurn(), r, st.endTurn)
	}
}

// fulfil does what the app has put in line.
func (st *stream) fulfil(duty func(context.Context)) {
	c := st.session
	if st.gone || st.open == nil {
		return
	}
	ctx := st.beginTurn()
	defer st.endTurn()
	if !c.trusted(ctx) || !c.undertake() {
		return
	}
	defer c.complete()
	defer func() {
		if p := recover(); p != nil {
			c.server.cfg.Logger.ErrorContext(ctx, "hook failed", "session", c.id, "stream", st.name,
				"error", rpc.Panicked("what was put in line", p))
		}
	}()
	duty(ctx)
}

// beside runs a request beside those in line.
func (st *stream) beside(r request) error {
	c := st.session
	st.mu.Lock()
	defer st.mu.Unlock()
	x := st.more()
	if x.beside >= maxBeside {
		return rpc.Errorf("rate_limited", "more than %d concurrent requests run on this stream", maxBeside)
	}
	if c.besides.Add(1) > maxBesides {
		c.besides.Add(-1)
		return rpc.Errorf("rate_limited", "more than %d concurrent requests run on this connection", maxBesides)
	}
	x.beside++
	ctx := st.lasting()
	c.work.Go(func() {
		defer st.leave()
		// Its line settles the doubt; what runs in line need not wait for that.
		if st.watch.Wait(ctx) != nil {
			st.fail(r.id, notOpen(st.name))
			return
		}
		st.carryOut(ctx, r, func() {})
	})
	return nil
}

// leave ends what ran beside the line.
func (st *stream) leave() {
	st.session.besides.Add(-1)
	st.mu.Lock()
	defer st.mu.Unlock()
	x := st.extra
	x.beside--
	if x.beside == 0 && x.left != nil {
		close(x.left)
		x.left = nil
	}
	st.rest()
}

// alone waits until nothing runs beside the line, where nothing begins any more.
func (st *stream) alone() {
	st.mu.Lock()
	var left chan struct{}
	if x := st.extra; x != nil && x.beside > 0 {
		left = make(chan struct{})
		x.left = left
	}
	st.mu.Unlock()
	if left != nil {
		<-left
	}
}

// carryOut carries a request out and answers it; done is called between. One
// that has not begun when its stream is closed does not begin.
func (st *stream) carryOut(ctx context.Context, r request, done func()) {
	c := st.session
	if !c.trusted(ctx) {
		done()
		st.fail(r.id, notOpen(st.name))
		return
	}
	if !c.undertake() {
		done()
		return
	}
	defer c.complete()
	value, version, err := st.open.Request(ctx, r.req)
	done()
	if err != nil {
		st.fail(r.id, err)
		return
	}
	if r.id > 0 {
		c.reply(wire.Message(st.name, r.id, wire.Result{Type: "result", Value: value, Version: version}))
	}
	if version > 0 {
		c.server.cfg.Pipe.Wait(version, c.scopes(), func(passed bool) {
			if passed { // else the session ends without having told
				c.passed(version)
			}
		})
	}
}
