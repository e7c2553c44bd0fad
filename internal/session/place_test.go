package session_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/token"
)

// handler is what a stream of a place does with a message; send sends an envelope
// of the stream.
type handler func(ctx context.Context, send func(payload json.RawMessage), payload json.RawMessage) (json.RawMessage, error)

// venue is a place whose streams are handlers.
type venue struct {
	app     *app
	streams map[string]handler
	// enter, when it is there, is asked who may be.
	enter func(e session.Entrance) error
	// hear, when it is there, is called with each gap that a stream was told of.
	hear func()

	mu      sync.Mutex
	guests  []*guest
	opening func(name string) error
	closed  []string
}

// guest is a connection to a venue, and of its streams.
type guest struct {
	*placed

	session.Entrance
}

// placed is a stream of a venue; guests are some, too.
type placed struct {
	venue  *venue
	name   string
	line   session.Line
	handle handler
	watch  *pipe.Watch
	gapped chan struct{}
}

func (*placed) Channel() string                     { return "" }
func (*placed) Scope() pipe.Request                 { return pipe.Request{} }
func (p *placed) Watch() *pipe.Watch                { return p.watch }
func (*placed) Concurrent(*wire.Request) bool       { return false }
func (*placed) Runtime() map[string]json.RawMessage { return nil }

func (p *placed) Gapped() {
	if p.venue.hear != nil {
		p.venue.hear()
	}
	p.gapped <- struct{}{}
}

func (p *placed) Permit(ctx context.Context) error {
	if p.venue.app.permit == nil {
		return nil
	}
	return p.venue.app.permit(ctx)
}

func (p *placed) Request(ctx context.Context, req *wire.Request) (json.RawMessage, uint64, error) {
	value, err := p.handle(ctx, func(payload json.RawMessage) { p.line.Tell(wire.Message(p.name, 0, payload)) }, req.Body)
	return value, 0, err
}

func (p *placed) Close(context.Context, bool) {
	p.watch.Close()
	p.venue.mu.Lock()
	defer p.venue.mu.Unlock()
	p.venue.closed = append(p.venue.closed, p.name)
}

func (v *venue) placed(name string, line session.Line) *placed {
	return &placed{
		venue: v, name: name, line: line, handle: v.streams[name], watch: v.app.pipe.Watch(nil, line.Ask), gapped: make(chan struct{}, 16),
	}
}

func (g *guest) Open(_ context.Context, req session.OpenRequest) (session.Stream, error) {
	if g.venue.opening != nil {
		if err := g.venue.opening(req.Consumer); err != nil {
			return nil, err
		}
	}
	return g.venue.placed(req.Consumer, req.Line), nil
}

func (v *venue) let(_ context.Context, e session.Entrance) (session.Guest, error) {
	if v.enter != nil {
		if err := v.enter(e); err != nil {
			return nil, err
		}
	}
	g := &guest{v.placed("@", e.Line), e}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.guests = append(v.guests, g)
	return g, nil
}

// last is the connection that came last.
func (v *venue) last() *guest {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.guests[len(v.guests)-1]
}

func (v *venue) hasClosed() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.closed...)
}

// open serves the venue at a URL.
func (v *venue) open(t *testing.T, cfg session.Config) (url string) {
	t.Helper()
	if v.app == nil {
		v.app = &app{}
	}
	if v.app.identify == nil {
		v.app.nobody = true
	}
	start(t, v.app, cfg)
	names := make([]string, 0, len(v.streams))
	for name := range v.streams {
		names = append(names, name)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.app.server.ServePlace(w, r, &session.Place{
			Path: "/venue/", Streams: names, Raw: v.streams["@"] != nil, Enter: v.let,
			Permit: func(context.Context, token.Identity) error { return nil },
		})
	}))
	t.Cleanup(web.Close)
	return web.URL
}

// echo sends each payload back and answers with it.
func echo(_ context.Context, send func(json.RawMessage), payload json.RawMessage) (json.RawMessage, error) {
	send(payload)
	return payload, nil
}

func refuse(context.Context, func(json.RawMessage), json.RawMessage) (json.RawMessage, error) {
	return nil, rpc.Errorf("denied", "not you")
}

func plain(t *testing.T, url string) *socket {
	t.Helper()
	return &socket{wiretest.Plain(t, url, nil)}
}
