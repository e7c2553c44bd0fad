package pando

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

// Error is an error that a client is told of, with a code of its own. Make one
// with Errorf.
type Error = rpc.Error

// Errorf returns an error that a client is told of: a short code in lower case
// ("conflict", "invalid", or one of the app's own) and a text for people.
// Errors made otherwise reach the client as "internal", and the log in full.
func Errorf(code, format string, args ...any) *Error { return rpc.Errorf(code, format, args...) }

// nobody is the Authenticator of an app that has none.
type nobody struct{}

func (nobody) Authenticate(context.Context, *http.Request, string) (Identity, error) {
	return Identity{}, token.ErrNone
}

// Authenticate implements the sessions' App by Config.Auth.
func (a *App) Authenticate(ctx context.Context, r *http.Request, tok string) (Identity, error) {
	return a.cfg.Auth.Authenticate(ctx, r, tok)
}

// Open implements the sessions' App: it finds the channel of a route, asks for
// permission and runs OnConnect.
func (a *App) Open(ctx context.Context, req session.OpenRequest) (session.Stream, error) {
	c, args, err := a.find(req.Route)
	if err != nil {
		return nil, err
	}
	st := &stream{app: a, channel: c, request: req, args: args}
	_, err = a.handler(ctx, &Request{
		Kind: "open", User: req.User, Session: req.Session, Stream: req.Stream,
		Channel: c.schema.Name, Route: req.Route,
		run: func(ctx context.Context, r *Request) (json.RawMessage, error) { return nil, st.open(ctx, r.User) },
	})
	if err != nil {
		st.Close(ctx) // a wrapper may refuse what was opened
		return nil, err
	}
	return st, nil
}

// find returns the channel of a route and its arguments.
func (a *App) find(path string) (*channel, Args, error) {
	for _, c := range a.channels {
		texts, ok := c.pattern.match(path)
		if !ok {
			continue
		}
		args := Args{params: c.schema.Params}
		for i, text := range texts {
			v, err := c.schema.Params[i].Kind.ParseText(text)
			if err != nil {
				return nil, Args{}, rpc.Errorf("bad_argument", "parameter %s: want a key of type %s", c.schema.Params[i].Name, c.schema.Params[i].Kind)
			}
			args.values = append(args.values, v)
		}
		return c, args, nil
	}
	return nil, Args{}, rpc.Errorf("unknown_channel", "no channel has this route")
}

// permit makes the channel's value for a user and asks it for permission.
func (c *channel) permit(ctx context.Context, user Identity, args Args) (v AnyChannel, err error) {
	if user.ID == "" && !c.public {
		return nil, rpc.Errorf("unauthenticated", "channel %s needs a user", c.schema.Name)
	}
	defer func() {
		if p := recover(); p != nil {
			err = rpc.Panicked("channel "+c.schema.Name+": HasPermission", p)
		}
	}()
	v = c.value()
	b := v.core()
	b.user, b.args = user, args
	ok, err := v.HasPermission(ctx)
	if err != nil {
		return nil, fmt.Errorf("channel %s: HasPermission: %w", c.schema.Name, err)
	}
	if !ok {
		return nil, rpc.Errorf("denied", "permission denied")
	}
	return v, nil
}

func (c *channel) anchorOf(args Args) schema.Value { return args.values[c.schema.Anchor] }

// stream is one open channel.
type stream struct {
	app     *App
	channel *channel
	request session.OpenRequest
	args    Args
	value   AnyChannel // nil until permission was granted
	once    sync.Once
}

// open asks for permission and runs OnConnect. From then on the stream has to
// be closed.
func (s *stream) open(ctx context.Context, user Identity) (err error) {
	v, err := s.channel.permit(ctx, user, s.args)
	if err != nil {
		return err
	}
	s.value = v
	if err := v.start(); err != nil {
		return fmt.Errorf("channel %s: %w", s.channel.schema.Name, err)
	}
	v.core().wake = s.request.Wake
	hook, ok := v.(Connector)
	if !ok {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = rpc.Panicked("channel "+s.channel.schema.Name+": OnConnect", p)
		}
	}()
	if err := hook.OnConnect(ctx); err != nil {
		return fmt.Errorf("channel %s: OnConnect: %w", s.channel.schema.Name, err)
	}
	return nil
}

func (s *stream) Channel() string { return s.channel.schema.Name }

func (s *stream) Scope() route.Key {
	return route.Key{Tree: s.channel.schema.Tree, Anchor: s.channel.anchorOf(s.args)}
}

func (s *stream) Runtime() map[string]json.RawMessage { return s.value.core().take() }

// Action calls an action; the version is read after it has returned, so that
// it is not below what the action committed.
func (s *stream) Action(ctx context.Context, name string, args []json.RawMessage) (json.RawMessage, uint64, error) {
	m := s.channel.actions[name]
	if m == nil {
		return nil, 0, rpc.Errorf("unknown_action", "channel %s has no action %q", s.Channel(), name)
	}
	value, err := s.app.handler(ctx, &Request{
		Kind: "action", User: s.request.User, Session: s.request.Session, Stream: s.request.Stream,
		Channel: s.Channel(), Route: s.request.Route, Action: name, Args: args,
		run: func(ctx context.Context, r *Request) (json.RawMessage, error) {
			return m.Call(ctx, s.value, r.Args)
		},
	})
	if err != nil {
		return nil, 0, err
	}
	if len(value) == 0 {
		value = json.RawMessage("null")
	}
	version, err := s.app.pipe.Head(ctx)
	if err != nil {
		// What the action did is done: its caller learns the result, not when
		// the state shows it.
		s.app.cfg.Logger.WarnContext(ctx, "cannot tell the version of an action", "channel", s.Channel(), "action", name, "error", err)
		return value, 0, nil
	}
	return value, version, nil
}

// Close runs OnDisconnect, once, if permission had been granted.
func (s *stream) Close(ctx context.Context) {
	s.once.Do(func() {
		hook, ok := s.value.(Disconnector)
		if !ok {
			return
		}
		defer func() {
			if p := recover(); p != nil {
				err := rpc.Panicked("channel "+s.Channel()+": OnDisconnect", p)
				s.app.cfg.Logger.ErrorContext(ctx, "hook failed", "error", err)
			}
		}()
		hook.OnDisconnect(ctx)
	})
}
