// Package group is named sets of receivers, in this process and, by a broker, in
// the others that share it.
//
// Without a broker a message goes to the members at once. With one it goes to
// the broker, and from there to every node that has a member, the sender's own
// among them: a node has one channel, joins a group of the broker with its first
// member and leaves it with the last.
//
// # Concurrency
//
// A Groups is safe for concurrent use. Members are told with a lock of their
// group held, in the order of the messages.
//
// # Bounds
//
// What waits to be read of the broker is bounded by its capacity, what waits at
// a member by the member. Whoever loses something is told of a gap.
package group

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"

	"github.com/pando-sync/pando/broker"
)

// ErrClosed is returned for a member that is closed.
var ErrClosed = errors.New("the stream is closed")

// Member receives what is sent to its groups. Its methods must neither block nor
// call the Groups.
type Member interface {
	// Deliver takes a message.
	Deliver(group string, m *Message)
	// Gap tells that messages to the member's groups may have been lost.
	Gap()
	// Closed tells that the member has left for good: Leave was called, or is
	// about to be.
	Closed() bool
}

// Message is what is sent to a group.
type Message struct {
	// Kind is the part of Pando that the message is for, empty for members.
	Kind string `json:"kind,omitempty"`
	// Type tells the receiver what Body is.
	Type string `json:"type,omitempty"`
	// From names a member that the message is not for.
	From string          `json:"from,omitempty"`
	Body json.RawMessage `json:"body,omitempty"`

	memo Memo
}

// Decode returns what decode makes of the body, which is asked once for each
// type: all members share the value.
func (m *Message) Decode(t reflect.Type, decode func(json.RawMessage) (any, error)) (any, error) {
	return m.memo.Of(t, func() (any, error) { return decode(m.Body) })
}

// Memo keeps what is made of something that does not change, once for each type
// that it is made for. The zero Memo is empty. It is safe for concurrent use.
type Memo struct {
	mu   sync.Mutex
	made map[reflect.Type]outcome // guarded by mu
}

type outcome struct {
	value any
	err   error
}

// Of returns what is made for a type.
func (m *Memo) Of(t reflect.Type, create func() (any, error)) (any, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o, ok := m.made[t]; ok {
		return o.value, o.err
	}
	var o outcome
	o.value, o.err = create()
	if m.made == nil {
		m.made = map[reflect.Type]outcome{}
	}
	m.made[t] = o
	return o.value, o.err
}

// Config is what a Groups needs.
type Config struct {
	// Broker carries messages between nodes; nil keeps them in this process.
	Broker broker.Broker
	Logger *slog.Logger
}

// Groups are the groups of one node.
type Groups struct {
	cfg Config
	// channel is the node's own, once it is open; handlers and gaps are given
	// before that.
	channel  string
	handlers map[string]func(group string, m *Message)
	gaps     []func()

	mu   sync.Mutex // guards what follows
	sets map[string]*set
	of   map[Member]map[*set]struct{}
}

// set is one group.
type set struct {
	name string
	// turn is held by who joins or leaves the broker's group, and guards joined:
	// whether the node is in it.
	turn   chan struct{}
	joined bool
	// pins counts the calls that use the set; the Groups' mutex guards it.
	pins int

	mu      sync.RWMutex // guards what follows; taken within the Groups' mutex
	members map[Member]struct{}
	own     bool // the node itself is one, for good
}

// New returns groups without members.
func New(cfg Config) *Groups {
	return &Groups{
		cfg: cfg, handlers: map[string]func(string, *Message){},
		sets: map[string]*set{}, of: map[Member]map[*set]struct{}{},
	}
}

// Handle has fn called with the messages of a kind, one at a time where there is
// a broker, and before any of the group's members. It must be called before
// Open, as OnGap, which has fn called when messages may have been lost.
func (g *Groups) Handle(kind string, fn func(group string, m *Message)) { g.handlers[kind] = fn }

// OnGap is described with Handle.
func (g *Groups) OnGap(fn func()) { g.gaps = append(g.gaps, fn) }

// Node names this node among those of the broker; it is empty without one.
func (g *Groups) Node() string { return g.channel }

// Add makes m a member of a group. What is sent after it has returned reaches m.
// A member that is added again stays one.
func (g *Groups) Add(ctx context.Context, name string, m Member) error {
	return g.add(ctx, name, m)
}

// Join makes the node itself receive what is sent to a group, as if it had a
// member that never leaves.
func (g *Groups) Join(ctx context.Context, name string) error { return g.add(ctx, name, nil) }

func (g *Groups) add(ctx context.Context, name string, m Member) error {
	if err := broker.CheckGroup(name); err != nil {
		return err
	}
	s := g.pin(name)
	defer g.unpin(s)
	err := g.enter(ctx, s, m)
	if errors.Is(err, ErrClosed) {
		err = errors.Join(err, g.part(ctx, s)) // nobody else may need the group
	}
	return err
}

// enter has the node be in the broker's group, and then m in this one.
func (g *Groups) enter(ctx context.Context, s *set, m Member) error {
	if g.cfg.Broker == nil {
		return g.insert(s, m)
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if !s.joined {
		if err := g.cfg.Broker.GroupAdd(ctx, s.name, g.channel); err != nil {
			return err
		}
		s.joined = true
	}
	return g.insert(s, m)
}

func (g *Groups) insert(s *set, m Member) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if m == nil {
		s.own = true
		return nil
	}
	if m.Closed() {
		return ErrClosed
	}
	if g.of[m] == nil {
		g.of[m] = map[*set]struct{}{}
	}
	g.of[m][s] = struct{}{}
	s.members[m] = struct{}{}
	return nil
}

// Discard ends m's membership: from its return on m is told nothing. A group
// that m is no member of is no error.
func (g *Groups) Discard(ctx context.Context, name string, m Member) error {
	if err := broker.CheckGroup(name); err != nil {
		return err
	}
	s := g.pin(name)
	defer g.unpin(s)
	if !g.remove(s, m) {
		return nil
	}
	return g.part(ctx, s)
}

// Leave ends all memberships of a member that is closed.
func (g *Groups) Leave(ctx context.Context, m Member) error {
	g.mu.Lock()
	sets := make([]*set, 0, len(g.of[m]))
	for s := range g.of[m] {
		s.pins++
		sets = append(sets, s)
	}
	g.mu.Unlock()
	var errs []error
	for _, s := range sets {
		g.remove(s, m)
	}
	for _, s := range sets {
		errs = append(errs, g.part(ctx, s))
		g.unpin(s)
	}
	return errors.Join(errs...)
}

func (g *Groups) remove(s *set, m Member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.of[m][s]; !ok {
		return false
	}
	if delete(g.of[m], s); len(g.of[m]) == 0 {
		delete(g.of, m)
	}
	s.mu.Lock()
	delete(s.members, m)
	s.mu.Unlock()
	return true
}

// part leaves the broker's group when no member is left. The set is pinned by
// the caller.
func (g *Groups) part(ctx context.Context, s *set) error {
	if g.cfg.Broker == nil || !s.empty() {
		return nil
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if !s.empty() || !s.joined {
		return nil
	}
	s.joined = false
	return g.cfg.Broker.GroupDiscard(ctx, s.name, g.channel)
}

func (g *Groups) pin(name string) *set {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.sets[name]
	if s == nil {
		s = &set{name: name, turn: make(chan struct{}, 1), members: map[Member]struct{}{}}
		g.sets[name] = s
	}
	s.pins++
	return s
}

// unpin ends a use; nobody's group is forgotten.
func (g *Groups) unpin(s *set) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.pins--; s.pins == 0 && s.empty() {
		delete(g.sets, s.name)
	}
}

func (s *set) empty() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.members) == 0 && !s.own
}

func (s *set) lock(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *set) unlock() { <-s.turn }

// Send sends a message to all members of a group, on all nodes.
func (g *Groups) Send(ctx context.Context, name string, m *Message) error {
	if err := broker.CheckGroup(name); err != nil {
		return err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(body) > broker.MaxMessage {
		return fmt.Errorf("%w: %d bytes, %d are the most", broker.ErrMessageTooLarge, len(body), broker.MaxMessage)
	}
	if g.cfg.Broker == nil {
		g.deliver(name, m)
		return nil
	}
	return g.cfg.Broker.GroupSend(ctx, name, body)
}

// deliver hands a message to its handler, or to the members that are here.
func (g *Groups) deliver(name string, m *Message) {
	if m.Kind != "" {
		if fn := g.handlers[m.Kind]; fn != nil {
			fn(name, m)
		}
		return
	}
	g.mu.Lock()
	s := g.sets[name]
	g.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for member := range s.members {
		member.Deliver(name, m)
	}
}

// Each calls fn for every member of a group.
func (g *Groups) Each(name string, fn func(Member)) {
	g.mu.Lock()
	s := g.sets[name]
	g.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for member := range s.members {
		fn(member)
	}
}
