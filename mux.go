package pando

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/group"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/mux"
)

// ownPaths are those that the app has something else at than a routing; all below
// those that end with a slash.
var ownPaths = []string{"/ws", "/healthz", "/readyz", "/livez", "/state/", "/api/"}

// multiplexer is what the app serves by paths, beside its channels.
type multiplexer struct {
	routers []*mux.Router // in the order of App.Mux; the first that matches counts
	// served are the bindings, which outbound tells of rows; nil without any.
	served   bind.Served
	outbound *bind.Outbound

	mu          sync.Mutex // guards what follows
	connections map[connectionKey]*connection
	// watches are of each user's connections and their streams.
	watches map[string]map[*pipe.Watch]struct{}
}

// Mux declares what serves connections by their path: demultiplexers with consumers
// and bindings, and plain messages. See package mux. Entries of several calls are
// tried in their order. The app's own paths (see [App]) come first: what matches
// them, too, is not asked there, and what matches nothing else is a fault. Faults are
// reported by Setup, Run and Manifest, all of them together. Mux panics once the app
// is set up.
//
// Paths are those that the app is asked for: what http.StripPrefix takes is not in
// them. A connection that nothing is routed for is answered 404.
func (a *App) Mux(entries ...mux.Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sealed {
		panic("pando: Mux: the app is set up already")
	}
	router, err := mux.Compile(ownPaths, entries...)
	if err != nil {
		a.faults = append(a.faults, fmt.Errorf("pando: %w", err)) // it names the package, and the entry
		return
	}
	a.multi.routers = append(a.multi.routers, router)
}

// Broadcast sends a payload, which is encoded as JSON, at most 1 MB, to all
// connections of a group, on all nodes that share Config.Broker, in the envelope of
// a stream: {"stream":…,"payload":…}. Connections of the protocol pando.v1 get it on
// their streams of the consumer of that name, others whether they have a consumer of
// that name or not. It is delivered at most once, and in order with others of the
// same caller; a connection that reads too slowly, or whose node has lost the broker,
// is told of a gap. Broadcast returns when the payload is on its way.
func (a *App) Broadcast(ctx context.Context, group, stream string, payload any) error {
	err := checkGroup(group)
	if err == nil && !wire.ValidStream(stream) {
		err = fmt.Errorf("stream %q: want a name of 1 to 64 of A-Z a-z 0-9 . _ -", stream)
	}
	if err == nil {
		err = a.broadcast(ctx, group, stream, payload)
	}
	if err != nil {
		return fmt.Errorf("broadcast on stream %s to group %q: %w", stream, group, err)
	}
	return nil
}

// broadcastKind marks broadcasts among the messages of groups.
const broadcastKind = "broadcast"

// broadcasting is what nodes tell each other of a broadcast.
type broadcasting struct {
	Stream  string          `json:"stream"`
	Payload json.RawMessage `json:"payload"`
}

func (a *App) broadcast(ctx context.Context, name, stream string, payload any) error {
	b := broadcasting{Stream: stream}
	var err error
	if b.Payload, err = json.Marshal(payload); err != nil {
		return err
	}
	body, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return a.groups.Send(ctx, name, &group.Message{Kind: broadcastKind, Body: body})
}

// handleBroadcasts has the connections that are here told what is broadcast.
func (a *App) handleBroadcasts() {
	a.groups.Handle(broadcastKind, func(name string, m *group.Message) {
		var b broadcasting
		if err := json.Unmarshal(m.Body, &b); err != nil || len(b.Payload) == 0 || !wire.ValidStream(b.Stream) {
			a.cfg.Logger.Error("a broadcast is none of ours", "group", name, "error", err)
			return
		}
		message := bind.NewMessage(b.Payload)
		a.groups.Each(name, func(m group.Member) {
			if c, ok := m.(*connection); ok {
				c.tell(b.Stream, message)
			}
		})
	})
}

// sealMux compiles the bindings of what is routed.
func (a *App) sealMux() error {
	m := &a.multi
	m.served.Transact = func(ctx context.Context, fn func(context.Context, feed.Tx) (json.RawMessage, error)) (json.RawMessage, error) {
		return a.transactOnce(ctx, nil, asItIs, fn)
	}
	named := map[string]*bind.Spec{}
	for _, d := range a.classes() {
		for _, name := range slices.Sorted(maps.Keys(d.Consumers)) {
			spec := specOf(d.Consumers[name])
			if spec == nil {
				continue
			}
			if other := named[name]; other != nil && other != spec {
				return fmt.Errorf("pando: Mux: two bindings have the stream %q: rename one, so that clients tell them apart", name)
			}
			named[name] = spec
			model, err := m.served.Add(a.registry, spec)
			if err != nil {
				return fmt.Errorf("pando: Mux: %w", err)
			}
			if _, writes := a.cfg.Source.(feed.Writer); model.Writable() && !writes {
				return fmt.Errorf("pando: Mux: binding %s: clients may write it, but Config.Source is a %T, which does not write: "+
					"give one that is a feed.Writer, or leave HasPermission out", name, a.cfg.Source)
			}
		}
	}
	if models := m.served.Models(); len(models) > 0 {
		m.outbound = bind.NewOutbound(bind.OutboundConfig{Models: models, Groups: a.groups, Logger: a.cfg.Logger})
	}
	return nil
}

// specOf is the binding that a consumer is, nil for another one.
func specOf(consumer mux.Consumer) *bind.Spec {
	if b, ok := consumer.(interface{ Spec() *bind.Spec }); ok {
		return b.Spec()
	}
	return nil
}

// classes are the demultiplexers that are routed, each once.
func (a *App) classes() []*mux.Demultiplexer {
	var all []*mux.Demultiplexer
	for _, r := range a.multi.routers {
		for _, d := range r.Classes() {
			if !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	}
	return all
}

// multiplexes tells whether something is routed whose messages groups carry.
func (a *App) multiplexes() bool { return len(a.multi.routers) > 0 }

// routed finds what serves an escaped path.
func (a *App) routed(escaped string) (path string, m mux.Match, ok bool) {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return "", m, false
	}
	for _, r := range a.multi.routers {
		if m, ok = r.Match(path); ok {
			return path, m, true
		}
	}
	return "", m, false
}

// asksForSocket tells whether a request wants to be a WebSocket at a path that is
// not the app's own, or asks at a demultiplexer's whether it might be one.
func (a *App) asksForSocket(r *http.Request) bool {
	upgrade := strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
	if !upgrade && (r.Method != http.MethodHead || !a.multiplexes()) {
		return false
	}
	if _, pattern := a.mux.Handler(r); pattern != "" && pattern != "/" {
		return false
	}
	return upgrade || a.demultiplexes(r)
}

// demultiplexes tells whether a demultiplexer is at the path of a request.
func (a *App) demultiplexes(r *http.Request) bool {
	_, match, ok := a.routed(r.URL.EscapedPath())
	return ok && match.Class != nil
}

// wantsSocket tells whether a demultiplexer alone is at the path of a request that
// is none for a WebSocket, as of a browser that is given its address.
func (a *App) wantsSocket(r *http.Request) bool {
	if !a.multiplexes() || r.Method != http.MethodGet {
		return false
	}
	if _, pattern := a.mux.Handler(r); pattern != "" {
		return false
	}
	return a.demultiplexes(r)
}

// servePlace serves a WebSocket by what is routed for its path.
func (a *App) servePlace(w http.ResponseWriter, r *http.Request) {
	server := a.running(w)
	if server == nil {
		return
	}
	route := r.URL.EscapedPath()
	path, match, ok := a.routed(route)
	if !ok {
		session.WriteError(w, http.StatusNotFound, rpc.Errorf("not_found", "nothing is routed for connections to this path"))
		return
	}
	if err := a.pipe.Stalled(); err != nil {
		session.WriteError(w, http.StatusServiceUnavailable, rpc.Unavailable()) // another node may be well
		return
	}
	p := &session.Place{Path: route, Raw: match.Class == nil}
	if !p.Raw {
		p.Streams = slices.Sorted(maps.Keys(match.Class.Consumers))
	}
	p.Permit = func(ctx context.Context, user Identity) error {
		return a.newConnection(path, match, user).ask(ctx)
	}
	p.Enter = func(ctx context.Context, e session.Entrance) (session.Guest, error) {
		c := a.newConnection(path, match, e.User)
		c.route, c.id = route, e.Session
		return c, c.begin(ctx, e)
	}
	server.ServePlace(w, r, p)
}

// connectionKey names a connection of a session that speaks the protocol.
type connectionKey struct{ session, route string }

// openRouted opens a stream of a consumer: the first one of a path on a session asks
// for permission and joins groups.
func (a *App) openRouted(ctx context.Context, req session.OpenRequest) (session.Stream, error) {
	path, match, ok := a.routed(req.Route)
	if !ok || match.Class == nil {
		return nil, rpc.Errorf("unknown_channel", "no demultiplexer has this path")
	}
	consumer := match.Class.Consumers[req.Consumer]
	if consumer == nil {
		return nil, rpc.Errorf("unknown_stream", "the demultiplexer has no consumer %q", req.Consumer)
	}
	s := &muxStream{app: a, name: req.Consumer, consumer: consumer, line: req.Line, as: req.Stream, session: req.Session, face: bind.V1}
	// Before permission is asked: what may withdraw it must not be missed.
	s.attend(req.User, req.Ask)
	err := a.enterStream(ctx, s, req, func(ctx context.Context) error {
		c, err := a.connect(ctx, connectionKey{req.Session, req.Route}, func() *connection {
			c := a.newConnection(path, match, req.User)
			c.route, c.id, c.of = req.Route, req.Session+":"+path, req.Line
			return c
		})
		if err != nil {
			return err
		}
		s.join(c)
		return s.connect(ctx)
	})
	if err != nil {
		// A wrapper may refuse what was opened; the context may have ended.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		defer cancel()
		s.Close(ctx, false)
		return nil, err
	}
	return s, nil
}

// enterStream opens a consumer's stream by the functions that Use has put around.
func (a *App) enterStream(ctx context.Context, s *muxStream, req session.OpenRequest, open func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = rpc.Panicked("open stream "+s.name, p)
		}
	}()
	opened := errNotAsked
	_, err = a.handler(ctx, &Request{
		Kind: "open", User: req.User, Session: req.Session, Stream: req.Stream, Route: req.Route, Consumer: s.name,
		run: func(ctx context.Context, _ *Request) (json.RawMessage, error) {
			if errors.Is(opened, errNotAsked) { // else it has been opened, or refused
				opened = open(ctx)
			}
			return nil, opened
		},
	})
	if err == nil {
		err = opened
	}
	return err
}

// connect returns the session's connection to a path, which has begun: the one
// that there is, or a new one, also in the place of one whose streams are about to
// end. It is left by release.
func (a *App) connect(ctx context.Context, key connectionKey, create func() *connection) (*connection, error) {
	for {
		a.multi.mu.Lock()
		c := a.multi.connections[key]
		first := c == nil || c.refused.Load()
		if first {
			c = create()
			c.key, c.begun = key, make(chan struct{})
			if a.multi.connections == nil {
				a.multi.connections = map[connectionKey]*connection{}
			}
			a.multi.connections[key] = c
		}
		c.uses++
		a.multi.mu.Unlock()
		if first {
			c.failed = c.begin(ctx, session.Entrance{})
			close(c.begun)
		}
		select {
		case <-c.begun:
		case <-ctx.Done():
			a.release(context.WithoutCancel(ctx), c)
			return nil, ctx.Err()
		}
		if c.failed == nil && !c.refused.Load() {
			return c, nil
		}
		a.release(ctx, c)
		switch {
		case c.failed == nil:
			return nil, rpc.Errorf("denied", "permission denied")
		case first || !errors.Is(c.failed, context.Canceled):
			return nil, c.failed
		} // else who began it has gone, and another one has to
	}
}

// release leaves a connection, which ends with its last stream.
func (a *App) release(ctx context.Context, c *connection) {
	a.multi.mu.Lock()
	c.uses--
	last := c.uses == 0
	if (last || c.isFailed()) && a.multi.connections[c.key] == c {
		delete(a.multi.connections, c.key)
	}
	a.multi.mu.Unlock()
	if last {
		c.leave(ctx)
	}
}

// attend has a watch rechecked with its user's others.
func (m *multiplexer) attend(user string, w *pipe.Watch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watches == nil {
		m.watches = map[string]map[*pipe.Watch]struct{}{}
	}
	if m.watches[user] == nil {
		m.watches[user] = map[*pipe.Watch]struct{}{}
	}
	m.watches[user][w] = struct{}{}
}

// dismiss ends attend, and the watch.
func (m *multiplexer) dismiss(user string, w *pipe.Watch) {
	m.mu.Lock()
	if delete(m.watches[user], w); len(m.watches[user]) == 0 {
		delete(m.watches, user)
	}
	m.mu.Unlock()
	w.Close()
}

func (m *multiplexer) watchesOf(user string) []*pipe.Watch {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.watches[user]))
}
