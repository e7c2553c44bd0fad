package pando

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/route"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

// Error is an error that a client is told of, with a code of its own. Make one
// with Errorf.
type Error = rpc.Error

// Invalid returns the error "invalid" of one field, by its name on the wire:
// clients find the text in the error's Fields, and show it there.
func Invalid(field, format string, args ...any) *Error { return rpc.Invalid(field, format, args...) }

// Errorf returns an error that a client is told of: a short code in lower case
// ("conflict", "invalid", or one of the app's own) and a text for people.
// Errors made otherwise reach the client as "internal", and the log in full.
func Errorf(code, format string, args ...any) *Error { return rpc.Errorf(code, format, args...) }

// nobody is the Authenticator of an app that has none.
type nobody struct{}

func (nobody) Authenticate(context.Context, *http.Request, string) (Identity, error) {
	return Identity{}, token.ErrNone
}

// Authenticate implements the sessions' App by Config.Auth. Why a credential is
// refused is told to the log alone, at debug: whoever presents it must not
// learn which part is wrong, and whoever sets an Authenticator up has to.
func (a *App) Authenticate(ctx context.Context, r *http.Request, tok string) (Identity, error) {
	defer a.calls.end(a.calls.begin("", "Config.Auth", ""))
	user, err := a.cfg.Auth.Authenticate(ctx, r, tok)
	if errors.Is(err, token.ErrInvalid) {
		a.cfg.Logger.DebugContext(ctx, "a credential is refused", "error", err)
	}
	return user, err
}

// Open implements the sessions' App: it finds the channel of a route, asks for
// permission and runs OnConnect.
func (a *App) Open(ctx context.Context, req session.OpenRequest) (session.Stream, error) {
	if strings.HasPrefix(req.Route, "/") {
		return a.openRouted(ctx, req)
	}
	c, args, err := a.find(req.Route)
	if err != nil {
		return nil, err
	}
	st := &stream{
		app: a, channel: c, request: requested{req.Line, req.Session, req.Stream, req.Route, req.User},
		resumed: req.Resumed, args: args, limiter: c.newLimiter(),
	}
	if st.env, err = c.env(req.User, args); err != nil {
		return nil, err
	}
	// Before permission is asked: what may withdraw it must not be missed.
	st.watch = a.pipe.Watch(c.watched(args), req.Ask)
	a.open.add(st)
	if err := a.enter(ctx, st, req); err != nil {
		// A wrapper may refuse what was opened; the context may have ended.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		defer cancel()
		st.Close(ctx, false)
		return nil, err
	}
	return st, nil
}

// undoTime is how long it may take to close what was not opened in the end.
const undoTime = 10 * time.Second

// errNotAsked is of a wrapper that keeps a stream from being opened and tells of
// no error.
var errNotAsked = errors.New("a function given to Use has not called the next: return an error to refuse")

// enter opens a stream by the functions that Use has put around. They may refuse
// it, and cannot open what was refused.
func (a *App) enter(ctx context.Context, st *stream, req session.OpenRequest) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = rpc.Panicked("open "+st.Channel(), p)
		}
	}()
	opened := errNotAsked
	_, err = a.handler(ctx, &Request{
		Kind: "open", User: req.User, Session: req.Session, Stream: req.Stream,
		Channel: st.Channel(), Route: req.Route,
		run: func(ctx context.Context, r *Request) (json.RawMessage, error) {
			if errors.Is(opened, errNotAsked) { // else it has been opened, or refused
				opened = st.open(ctx, r.User, req.Previous)
			}
			return nil, opened
		},
	})
	if err == nil && opened != nil {
		err = fmt.Errorf("channel %s: %w", st.Channel(), opened)
	}
	return err
}

// find returns the channel of a route and its arguments.
func (a *App) find(path string) (*channel, Args, error) {
	for _, c := range a.channels {
		texts, ok := c.pattern.match(path)
		if !ok {
			continue
		}
		args := Args{&arguments{params: c.schema.Params}}
		for i, text := range texts {
			v, err := c.parseParam(i, text)
			if err != nil {
				return nil, Args{}, badParam(c.schema.Params[i].Name, c.schema.Params[i].Kind)
			}
			args.values = append(args.values, v)
		}
		return c, args, nil
	}
	return nil, Args{}, rpc.Errorf("unknown_channel", "no channel has this route")
}

func (c *channel) parseParam(i int, text string) (schema.Value, error) {
	if i == c.schema.Anchor {
		return c.schema.Tree.Root.Type.Table.ParseKey(text)
	}
	return c.schema.Params[i].Kind.ParseText(text)
}

func badParam(name string, k schema.Kind) error {
	return rpc.Errorf("bad_argument", "parameter %s: want a value of type %s", name, k)
}

// permit makes the channel's value for a user and asks it for permission. st is
// the stream that it is for, nil for one that is only read, previous the session
// that it goes on from.
func (a *App) permit(ctx context.Context, c *channel, st *stream, user Identity, args Args, previous string) (AnyChannel, error) {
	if user.ID == "" && !c.public {
		return nil, rpc.Errorf("unauthenticated", "channel %s needs a user", c.schema.Name)
	}
	v := c.value()
	b := v.core()
	b.app, b.stream, b.args = a, st, args
	if st == nil || st.request.User.ID != user.ID {
		other := user
		b.user = &other
	}
	if st != nil {
		if own := &st.request.User; own.ID == user.ID {
			own.Value, own.Expires, own.Ambient = user.Value, user.Expires, user.Ambient
			b.user = own // streams are many: one is enough for each
		}
		if err := st.begin(ctx, v, previous); err != nil {
			return nil, fmt.Errorf("channel %s: %w", c.schema.Name, err)
		}
	}
	return v, c.ask(ctx, v)
}

// anchorOf is the key of the tree's anchor, NULL for a list.
func (c *channel) anchorOf(args Args) schema.Value {
	if c.schema.Anchor < 0 {
		return schema.Value{}
	}
	return args.values[c.schema.Anchor]
}

// partOf is the value that names a user's part of a tree, NULL when there is
// none.
func (c *channel) partOf(user Identity) schema.Value {
	kind, ok := c.schema.Tree.UserKind()
	if !ok || user.ID == "" {
		return schema.Value{}
	}
	return valueOr(kind, user.ID)
}

// stream is one open channel.
type stream struct {
	app     *App
	channel *channel
	request requested
	args    Args
	env     []schema.Value
	watch   *pipe.Watch
	part    schema.Value // whose part is shown with the public one
	list    *pipe.List   // of this stream alone, nil when it is shared
	private uint64       // names such a list
	judge   func(context.Context, *schema.Type, schema.Row) (bool, error)
	value   AnyChannel    // nil until permission was granted
	limiter *rate.Limiter // nil for none
	once    sync.Once
	ended   bool // guarded by App.runtimes
	resumed bool // the client holds a tree of an earlier stream
	social  social
}

// requested is what is kept of a session.OpenRequest.
type requested struct {
	session.Line

	Session, Stream, Route string
	User                   Identity
}

// open asks for permission and runs OnConnect. From then on the stream has to
// be closed.
func (s *stream) open(ctx context.Context, user Identity, previous string) (err error) {
	v, err := s.app.permit(ctx, s.channel, s, user, s.args, previous)
	if err != nil {
		return err
	}
	s.value = v
	s.choose(user)
	s.grant()
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

// choose says which scope the stream shows.
func (s *stream) choose(user Identity) {
	s.part = s.channel.partOf(user)
	if !s.channel.ownList {
		return
	}
	s.private = s.app.private.Add(1)
	var visible func(context.Context, schema.Row) bool
	if s.judge = s.value.judge(s.value); s.judge != nil {
		visible = s.isVisible
	}
	s.list = s.app.pipe.NewList(s.watch, visible)
}

// envKey is the values of a tree's conditions as one, for the scope's key.
func envKey(env []schema.Value) schema.Value {
	if len(env) == 0 {
		return schema.Value{}
	}
	return schema.TupleValue(env...)
}

// Channel implements the sessions' Stream.
func (s *stream) Channel() string { return s.channel.schema.Name }

// Scope implements the sessions' Stream.
func (s *stream) Scope() pipe.Request {
	c := s.channel
	return pipe.Request{
		Key:  route.Key{Tree: c.schema.Tree, Anchor: c.anchorOf(s.args), Env: envKey(s.env), Private: s.private},
		User: s.part, List: s.list, Guarded: len(c.rechecks) > 0,
	}
}

// Watch implements the sessions' Stream.
func (s *stream) Watch() *pipe.Watch { return s.watch }

// Runtime implements the sessions' Stream.
func (s *stream) Runtime() map[string]json.RawMessage { return s.value.core().take() }

// Close runs OnDisconnect, once, if permission had been granted.
func (s *stream) Close(ctx context.Context, lost bool) {
	s.once.Do(func() {
		defer s.leaveGroups(ctx)
		s.app.runtimes.end(s, lost)
		s.app.open.remove(s)
		s.watch.Close()
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
		defer s.app.calls.end(s.app.calls.begin(s.Channel(), "OnDisconnect", ""))
		hook.OnDisconnect(ctx)
	})
}
