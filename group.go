package pando

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pando-sync/pando/internal/group"
	"github.com/pando-sync/pando/internal/presence"
	"github.com/pando-sync/pando/internal/rpc"
)

// reserved begins the names of groups that are Pando's own.
const reserved = "pando."

// GroupAdd makes the stream a member of a group: from its return on the events
// sent to it by GroupSend reach the channel's consumers, see [Consume]. A stream
// that is a member stays one. Membership ends by GroupDiscard, and with the
// stream, after OnDisconnect.
//
// A group's name has 1 to 99 characters of A-Z a-z 0-9 . _ - and does not begin
// with "pando.". Hooks, consumers and actions may join groups; HasPermission may
// not, since events must not reach who may be refused.
func (c *Channel[S, R]) GroupAdd(ctx context.Context, group string) error {
	if err := c.join(ctx, group); err != nil {
		return fmt.Errorf("join group %q: %w", group, err)
	}
	return nil
}

// GroupDiscard ends the stream's membership of a group, and its presence there.
// A group that it is no member of is no error. What waits in the stream's line is
// still consumed.
func (c *Channel[S, R]) GroupDiscard(ctx context.Context, group string) error {
	m, err := c.member()
	if err == nil {
		m.forget(group)
		c.app.rosters.Leave(group, m)
		err = c.app.groups.Discard(ctx, group, m)
	}
	if err != nil {
		return fmt.Errorf("leave group %q: %w", group, err)
	}
	return nil
}

// GroupSend sends an event to all members of a group, as [App.GroupSend] does:
// to this stream, too, if it is a member, once what it runs has returned; not
// with [ExceptSender].
func (c *Channel[S, R]) GroupSend(ctx context.Context, group, typ string, event any, options ...SendOption) error {
	var o sendOptions
	for _, set := range options {
		set(&o)
	}
	from := ""
	if o.exceptSender {
		m, err := c.member()
		if err != nil {
			return fmt.Errorf("send %s to group %q: %w", typ, group, err)
		}
		from = m.name
	}
	return c.app.groupSend(ctx, group, typ, from, event)
}

// SendOption is a property of an event that a stream sends.
type SendOption func(*sendOptions)

type sendOptions struct{ exceptSender bool }

// ExceptSender keeps an event from the stream that sends it.
func ExceptSender() SendOption { return func(o *sendOptions) { o.exceptSender = true } }

// GroupSend sends an event to all members of a group, on all nodes that share
// Config.Broker: to those whose channel consumes events of typ. The event is
// encoded as JSON, at most 1 MB; it is delivered at most once, and in order with
// others of the same caller. GroupSend returns when the event is on its way; with
// a broker it works in a program that does not run the app, too.
func (a *App) GroupSend(ctx context.Context, group, typ string, event any) error {
	return a.groupSend(ctx, group, typ, "", event)
}

func (a *App) groupSend(ctx context.Context, name, typ, from string, event any) error {
	err := checkGroup(name)
	if err == nil && typ == "" {
		err = errors.New("the event has no type: give one that a channel consumes")
	}
	var body []byte
	if err == nil {
		body, err = json.Marshal(event)
	}
	if err == nil {
		err = a.groups.Send(ctx, name, &group.Message{Type: typ, From: from, Body: body})
	}
	if err != nil {
		return fmt.Errorf("send %s to group %q: %w", typ, name, err)
	}
	return nil
}

func checkGroup(name string) error {
	if strings.HasPrefix(name, reserved) {
		return fmt.Errorf("names that begin with %q are Pando's own: choose another", reserved)
	}
	return nil
}

// The phases of a stream as a member of groups.
const (
	asked uint8 = iota // permission was not granted yet
	granted
	over
)

// social is what a stream is to groups: nothing, as long as it joins none.
type social struct {
	mu     sync.Mutex // guards what follows
	phase  uint8
	member *member
}

// grant lets the stream join groups.
func (s *stream) grant() {
	s.social.mu.Lock()
	defer s.social.mu.Unlock()
	s.social.phase = granted
}

// permitted tells that permission was granted and the stream is not closed.
func (s *stream) permitted() bool {
	s.social.mu.Lock()
	defer s.social.mu.Unlock()
	return s.social.phase == granted
}

// leaveGroups ends all memberships of a stream that is closed.
func (s *stream) leaveGroups(ctx context.Context) {
	s.social.mu.Lock()
	s.social.phase = over
	m := s.social.member
	s.social.mu.Unlock()
	if m == nil {
		return
	}
	m.closed.Store(true)
	s.app.rosters.LeaveAll(m)
	if err := s.app.groups.Leave(ctx, m); err != nil {
		s.app.cfg.Logger.WarnContext(ctx, "cannot leave groups of the broker", "channel", s.Channel(), "error", err)
	}
}

// member returns the stream as a member of groups.
func (b *base) member() (*member, error) {
	s := b.stream
	if s == nil {
		return nil, errors.New("the channel is no open stream: it is asked for permission only")
	}
	s.social.mu.Lock()
	defer s.social.mu.Unlock()
	switch {
	case s.social.phase == asked:
		return nil, errors.New("permission was not granted yet: do it in OnConnect")
	case s.social.phase == over:
		return nil, group.ErrClosed
	case s.social.member == nil:
		name := s.app.groups.Node() + "/" + strconv.FormatUint(s.app.members.Add(1), 10)
		s.social.member = &member{stream: s, name: name}
	}
	return s.social.member, nil
}

func (b *base) join(ctx context.Context, name string) error {
	if err := checkGroup(name); err != nil {
		return err
	}
	m, err := b.member()
	if err != nil {
		return err
	}
	if err := b.app.groups.Add(ctx, name, m); err != nil || m.stream.channel.presence == nil {
		return err
	}
	if err := b.app.rosters.Follow(name, m); err != nil {
		return err
	}
	m.follow(name)
	return nil
}

// member is a stream in groups.
type member struct {
	stream *stream
	name   string // among all of all nodes
	closed atomic.Bool
	// gap tells that events were lost of which the channel was not told yet.
	gap atomic.Bool

	mu    sync.Mutex       // guards rooms
	rooms map[string]*room // whose presence the channel is told of
}

var _ group.Member = (*member)(nil)

// Closed implements group.Member.
func (m *member) Closed() bool { return m.closed.Load() }

// Deliver implements group.Member: it puts the event in the stream's line.
func (m *member) Deliver(_ string, msg *group.Message) {
	c := m.stream.channel.consumers[msg.Type]
	if c == nil || msg.From == m.name {
		return
	}
	event, err := msg.Decode(c.event, c.decode)
	if err != nil {
		m.stream.app.wrongEvent(m.stream.Channel(), c, err)
		return
	}
	m.do(func(ctx context.Context) {
		m.call(ctx, "consumer of "+c.typ, func(ctx context.Context) error { return c.call(m.stream.value, ctx, event) })
	})
}

// do puts something in the stream's line. When the line is full the event is
// lost, and the channel is told of a gap by one of those that fill it.
func (m *member) do(fn func(ctx context.Context)) {
	taken := m.stream.request.Do(func(ctx context.Context) {
		fn(ctx)
		m.mend(ctx)
	})
	if !taken && !m.closed.Load() {
		m.gap.Store(true)
	}
}

// Gap implements group.Member.
func (m *member) Gap() {
	m.gap.Store(true)
	m.stream.request.Do(m.mend) // when the line is full, those in it do
}

// mend tells the channel of a gap, if there was one.
func (m *member) mend(ctx context.Context) {
	if !m.gap.Swap(false) {
		return
	}
	m.stream.app.cfg.Logger.WarnContext(ctx, "events of groups were lost", "channel", m.stream.Channel(), "session", m.stream.request.Session)
	if hook, ok := m.stream.value.(Gapped); ok {
		m.call(ctx, "OnGap", hook.OnGap)
	}
	m.tellAll(ctx)
}

// call calls a method of the channel, which may take as long as an action. Its
// error, or panic, is logged, and the stream goes on.
func (m *member) call(stream context.Context, what string, fn func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(stream, m.stream.channel.timeout)
	defer cancel()
	calls := &m.stream.app.calls
	defer calls.end(calls.begin(m.stream.Channel(), what, ""))
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = rpc.Panicked(what, p)
			}
		}()
		return fn(ctx)
	}()
	if err != nil && stream.Err() == nil {
		m.stream.app.cfg.Logger.ErrorContext(ctx, "a consumer failed", "channel", m.stream.Channel(), "what", what, "error", err)
	}
}

// newGroups makes the app's groups and who is present in them.
func (a *App) newGroups() {
	a.groups = group.New(group.Config{Broker: a.cfg.Broker, Logger: a.cfg.Logger})
	a.rosters = presence.New(presence.Config{Groups: a.groups, Logger: a.cfg.Logger, Changed: func(name string) {
		a.groups.Each(name, func(m group.Member) {
			if m, ok := m.(*member); ok {
				m.look(name)
			}
		})
	}})
	a.instances = make(chan func(context.Context), maxInstances)
	a.handleNotices()
	a.handleBroadcasts()
}

// runBeside has the app receive what other nodes and processes send, until stop
// is called, which tells whether all of it has ended.
func (a *App) runBeside(ctx context.Context) (stop func(context.Context) bool, err error) {
	if err := a.groups.Open(ctx); err != nil {
		return nil, fmt.Errorf("pando: open the broker: %w", err)
	}
	leave := func(ctx context.Context) {
		if err := a.groups.Close(ctx); err != nil {
			a.cfg.Logger.WarnContext(ctx, "cannot leave groups of the broker", "error", err)
		}
	}
	if err := a.groups.Join(ctx, noticeGroup); err != nil {
		leave(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("pando: join the broker's groups: %w", err)
	}
	listener, err := a.listen(ctx)
	if err != nil {
		leave(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("pando: %w", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	run := func(what string, fn func(context.Context)) {
		wg.Go(func() {
			defer a.calls.end(a.calls.part(what))
			fn(ctx)
		})
	}
	run("Config.Broker", a.groups.Run)
	run("presence", a.rosters.Run)
	run("BroadcastInstance", a.runNotices)
	run("messages of commands", listener.run)
	if a.multi.outbound != nil {
		run("GroupNames and Serialize of bindings", func(ctx context.Context) { a.multi.outbound.Run(ctx, a.pipe) })
	}
	return func(ctx context.Context) bool {
		cancel()
		ended := within(ctx, wg.Wait)
		a.rosters.Close(ctx)
		leave(ctx)
		return ended
	}, nil
}
