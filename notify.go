package pando

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/pando-sync/pando/internal/group"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
)

// Notify tells this stream's client of something that is no state. The value is
// sent as JSON, behind the answer to open, and not again after a reconnect. While
// it is in doubt whether the user may still see the stream it waits, and it is
// dropped with a stream that is closed. It returns an error when the value cannot
// be encoded, or when 64 notices are unwritten, since the client does not read.
func (c *Channel[S, R]) Notify(name string, value any) error {
	body, err := noticeBody(name, value)
	switch {
	case err != nil:
	case c.stream == nil:
		err = errors.New("the channel is no open stream: it is asked for permission only")
	case !c.stream.notify(name, body):
		err = errors.New("the stream is closed, or its client reads nothing")
	}
	if err != nil {
		return fmt.Errorf("notify %q: %w", name, err)
	}
	return nil
}

func noticeBody(name string, value any) (json.RawMessage, error) {
	if name == "" {
		return nil, errors.New("the notice has no name: give one that clients subscribe to")
	}
	return json.Marshal(value)
}

func (s *stream) notify(name string, body json.RawMessage) bool {
	return s.request.Notify(wire.Message(s.request.Stream, 0, wire.Notice{Type: "notice", Name: name, Value: body}))
}

// Target is the streams that show something: see At.
type Target struct {
	channel reflect.Type
	args    []any
}

// At is the streams of a channel with the route's parameters, in their order; a
// single one is the anchor's key, and none is all streams of the channel:
//
//	pando.At[*BoardChannel](7)
func At[C AnyChannel](args ...any) Target { return Target{reflect.TypeFor[C](), args} }

// NotifyOption narrows to whom a notice goes.
type NotifyOption func(*notice)

// ToUser sends a notice to the streams of one user only, by Identity.ID.
func ToUser(id string) NotifyOption { return func(n *notice) { n.User = &id } }

// Notify tells the clients of streams, on all nodes that share Config.Broker, of
// something that is no state, as [Channel.Notify] does. Nobody need be there, and
// a client with 64 unwritten notices loses this one. It returns when the notice
// is on its way.
func (a *App) Notify(ctx context.Context, at Target, name string, value any, options ...NotifyOption) error {
	n := notice{Name: name}
	var err error
	if n.Value, err = noticeBody(name, value); err == nil {
		err = a.sendNotice(ctx, at, &n, options)
	}
	if err != nil {
		return fmt.Errorf("notify %q: %w", name, err)
	}
	return nil
}

const (
	// noticeKind marks notices among the messages of groups, noticeGroup is where
	// all nodes hear of them.
	noticeKind  = "notice"
	noticeGroup = reserved + "notices"
)

// notice is what nodes tell each other of a notice.
type notice struct {
	Channel string `json:"channel"`
	// Args are the parameters' texts, or the anchor's alone.
	Args []string `json:"args,omitempty"`
	User *string  `json:"user,omitempty"`
	Name string   `json:"name,omitempty"`
	// Value is what is told; without it, it is the instance Key of the type Of.
	Value json.RawMessage `json:"value,omitempty"`
	Of    string          `json:"of,omitempty"`
	Key   string          `json:"key,omitempty"`
}

func (a *App) sendNotice(ctx context.Context, at Target, n *notice, options []NotifyOption) error {
	c, err := a.channelOf(at.channel)
	if err != nil {
		return err
	}
	n.Channel = c.schema.Name
	for _, arg := range at.args {
		n.Args = append(n.Args, fmt.Sprint(arg))
	}
	for _, set := range options {
		set(n)
	}
	if _, err := c.aim(n.Args); err != nil {
		return err
	}
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return a.groups.Send(ctx, noticeGroup, &group.Message{Kind: noticeKind, Body: body})
}

// channelOf is the declared channel of a type.
func (a *App) channelOf(t reflect.Type) (*channel, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, c := range a.channels {
		if c.typ == t {
			return c, nil
		}
	}
	return nil, fmt.Errorf("no channel %s is declared: give it to App.Handle", t)
}

// aim is which streams of a channel are meant: those with the values of the
// parameters, NULL where any will do.
type aim struct {
	channel *channel
	args    []schema.Value
}

// aim reads parameters as a route would have them.
func (c *channel) aim(texts []string) (aim, error) {
	params := c.schema.Params
	to := aim{channel: c, args: make([]schema.Value, len(params))}
	first := 0
	switch {
	case len(texts) == len(params) || len(texts) == 0:
	case len(texts) == 1 && c.schema.Anchor >= 0:
		first = c.schema.Anchor
	default:
		return to, fmt.Errorf("route %q has %d parameters, but At has %d: give all of them, the anchor's key alone, or none",
			c.schema.Route, len(params), len(texts))
	}
	for i, text := range texts {
		v, err := c.parseParam(first+i, text)
		if err != nil {
			return to, badParam(params[first+i].Name, params[first+i].Kind)
		}
		to.args[first+i] = v
	}
	return to, nil
}

// anchor is the key of the anchor that is meant, NULL for any.
func (t *aim) anchor() schema.Value {
	if t.channel.schema.Anchor < 0 {
		return schema.Value{}
	}
	return t.args[t.channel.schema.Anchor]
}

// meets tells whether a stream is meant.
func (t *aim) meets(s *stream, user *string) bool {
	if s.channel != t.channel || user != nil && s.request.User.ID != *user {
		return false
	}
	for i, v := range t.args {
		if !v.IsNull() && v != s.args.values[i] {
			return false
		}
	}
	return s.permitted()
}

// anchors are the streams of a channel by their anchors' keys.
type anchors map[schema.Value]map[*stream]struct{}

func (x anchors) add(s *stream) {
	key := s.channel.anchorOf(s.args)
	if x[key] == nil {
		x[key] = map[*stream]struct{}{}
	}
	x[key][s] = struct{}{}
}

func (x anchors) remove(s *stream) {
	key := s.channel.anchorOf(s.args)
	if delete(x[key], s); len(x[key]) == 0 {
		delete(x, key)
	}
}

// at are the streams that are meant. A channel's streams are put in order the
// first time that it has a notice: others cost nothing.
func (o *openStreams) at(to *aim, user *string) []*stream {
	var candidates []*stream
	if user != nil {
		candidates = o.of(*user)
	} else {
		candidates = o.showing(to)
	}
	return slices.DeleteFunc(candidates, func(s *stream) bool { return !to.meets(s, user) })
}

func (o *openStreams) showing(to *aim) (streams []*stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	index := o.byAnchor[to.channel]
	if index == nil {
		index = anchors{}
		for _, of := range o.byUser {
			for s := range of {
				if s.channel == to.channel {
					index.add(s)
				}
			}
		}
		if o.byAnchor == nil {
			o.byAnchor = map[*channel]anchors{}
		}
		o.byAnchor[to.channel] = index
	}
	key := to.anchor()
	if !key.IsNull() {
		return slices.Collect(maps.Keys(index[key]))
	}
	for _, some := range index {
		streams = slices.AppendSeq(streams, maps.Keys(some))
	}
	return streams
}

// handleNotices has the app take in notices.
func (a *App) handleNotices() {
	a.groups.Handle(noticeKind, func(_ string, m *group.Message) {
		var n notice
		if err := json.Unmarshal(m.Body, &n); err != nil {
			a.cfg.Logger.Error("a notice cannot be read", "error", err)
			return
		}
		a.takeNotice(&n)
	})
}

// takeNotice tells the streams here that a notice is for. One of a channel that
// only another release of the app has is for nobody.
func (a *App) takeNotice(n *notice) {
	a.mu.RLock()
	i := slices.IndexFunc(a.channels, func(c *channel) bool { return c.schema.Name == n.Channel })
	a.mu.RUnlock()
	if i < 0 {
		return
	}
	to, err := a.channels[i].aim(n.Args)
	if err != nil {
		a.cfg.Logger.Error("a notice has other parameters than its channel", "channel", n.Channel, "error", err)
		return
	}
	if n.Of != "" {
		a.takeInstance(to, n)
		return
	}
	for _, s := range a.open.at(&to, n.User) {
		s.notify(n.Name, n.Value)
	}
}
