package pando

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/pando-sync/pando/internal/presence"
)

// Person is somebody who is in a group: a user, whatever the number of windows.
// All who are nobody are one person, whose User is "".
type Person[I any] struct {
	User string `json:"user"`
	Info I      `json:"info"`
	// Connections is the number of their streams in the group; 0 in the moment
	// that a page has to come back.
	Connections int `json:"connections"`
}

// Presence is who is in a group. I is what [Channel.Present] tells of a person.
type Presence[I any] struct {
	Group string
	// People are all who are there, by user. The slice is shared with other
	// streams: it must not be changed.
	People []Person[I]
	// Joined and Left are who has come and gone since the stream was told last;
	// both are empty the first time.
	Joined, Left []Person[I]
}

// Infos are what is told of all who are there, by user.
func (p Presence[I]) Infos() []I {
	infos := make([]I, len(p.People))
	for i := range p.People {
		infos[i] = p.People[i].Info
	}
	return infos
}

// Present shows the stream's user in a group, which the stream becomes a member
// of, on all nodes that share Config.Broker. info is what the others are told,
// as JSON, at most 4 KB; when a user has several windows, the latest counts. Call
// it again to tell something else. Presence ends by GroupDiscard, and with the
// stream; somebody whose last window has closed stays for 5 s more, so that a
// page that is loaded again does not leave.
//
// A node that dies has its people in the groups for half a minute more.
func (c *Channel[S, R]) Present(ctx context.Context, group string, info any) error {
	if err := c.present(ctx, group, info); err != nil {
		return fmt.Errorf("be present in group %q: %w", group, err)
	}
	return nil
}

func (b *base) present(ctx context.Context, name string, info any) error {
	m, err := b.member()
	if err != nil {
		return err
	}
	if hook := m.stream.channel.presence; hook != nil && reflect.TypeOf(info) != hook.info {
		return fmt.Errorf("the info is %T, but OnPresence takes a Presence[%s]: give one", info, hook.info)
	}
	text, err := json.Marshal(info)
	if err != nil {
		return err
	}
	if err := errors.Join(checkGroup(name), presence.CheckInfo(text)); err != nil {
		return err
	}
	if err := b.app.groups.Add(ctx, name, m); err != nil {
		return err
	}
	if err := b.app.rosters.Enter(name, m, b.user.ID, text); err != nil {
		return err
	}
	if m.stream.channel.presence != nil {
		m.follow(name)
	}
	return nil
}

// OnPresence has a method of the channel called when somebody comes to one of the
// stream's groups, or goes, or tells something else, and once when the stream
// joins a group:
//
//	pando.OnPresence((*BoardChannel).OnViewers)
//
//	func (c *BoardChannel) OnConnect(ctx context.Context) error {
//		return c.Present(ctx, "board."+c.Args().String("board_id"), Viewer{…})
//	}
//
//	func (c *BoardChannel) OnViewers(ctx context.Context, p pando.Presence[Viewer]) error {
//		return c.SetRuntime(func(r *BoardRuntime) { r.Viewers = p.Infos() })
//	}
//
// Streams that only join a group, by GroupAdd, look on without being seen. The
// method runs in the stream's line as consumers do, and is told of several
// changes at once when it could not be called before.
func OnPresence[C AnyChannel, I any](method func(c C, ctx context.Context, p Presence[I]) error) Option {
	return option(func(d *Declaration) {
		d.presences = append(d.presences, &presenceHook{
			receiver: reflect.TypeFor[C](), info: reflect.TypeFor[I](), missing: method == nil,
			call: func(v AnyChannel, ctx context.Context, group string, now, was *presence.Roster) error {
				p, err := presenceOf[I](group, now, was)
				if err != nil {
					return err
				}
				return method(v.(C), ctx, p) //nolint:errcheck,forcetypeassert // it was checked when it was declared
			},
		})
	})
}

// presenceHook is one OnPresence.
type presenceHook struct {
	receiver, info reflect.Type
	missing        bool // the method is nil
	call           func(v AnyChannel, ctx context.Context, group string, now, was *presence.Roster) error
}

// compilePresence checks who is told of presence.
func (c *channel) compilePresence() error {
	for _, hook := range c.presences {
		switch {
		case hook.missing:
			return fmt.Errorf("OnPresence: the method is nil: give a method expression, such as (%s).OnViewers", c.typ)
		case hook.receiver != c.typ:
			return fmt.Errorf("OnPresence: the method is one of %s: give one of %s", hook.receiver, c.typ)
		case c.presence != nil:
			return errors.New("OnPresence is given twice: let one method tell the groups apart, by Presence.Group")
		}
		c.presence = hook
	}
	return nil
}

// presenceOf makes of two rosters what a channel is told. What is made of a
// roster, and of a person, is made once for all streams.
func presenceOf[I any](group string, now, was *presence.Roster) (Presence[I], error) {
	p := Presence[I]{Group: group}
	all, err := now.Memo.Of(reflect.TypeFor[I](), func() (any, error) { return persons[I](now.People) })
	if err != nil {
		return p, fmt.Errorf("presence in group %q: %w", group, err)
	}
	p.People = all.([]Person[I]) //nolint:errcheck,forcetypeassert // it was made above
	if was == nil {
		return p, nil
	}
	joined, left := now.Since(was)
	if p.Joined, err = persons[I](joined); err == nil {
		p.Left, err = persons[I](left)
	}
	return p, err
}

func persons[I any](people []*presence.Person) ([]Person[I], error) {
	all := make([]Person[I], 0, len(people))
	for _, p := range people {
		info, err := p.Memo.Of(reflect.TypeFor[I](), func() (any, error) {
			var info I
			err := json.Unmarshal(p.Info, &info)
			return info, err
		})
		if err != nil {
			return nil, fmt.Errorf("what is told of user %q is no %s: %w", p.User, reflect.TypeFor[I](), err)
		}
		all = append(all, Person[I]{p.User, info.(I), p.Connections}) //nolint:errcheck,forcetypeassert // it was made above
	}
	return all, nil
}

// room is a group whose presence a stream is told of.
type room struct {
	told *presence.Roster // nil until it was told
	due  bool             // telling it is in line
}

// follow has the channel told who is in a group, from now on.
func (m *member) follow(name string) {
	m.mu.Lock()
	if m.rooms == nil {
		m.rooms = map[string]*room{}
	}
	if m.rooms[name] == nil {
		m.rooms[name] = &room{}
	}
	m.mu.Unlock()
	m.look(name)
}

// forget ends follow.
func (m *member) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rooms, name)
}

// look has the channel told, in its line, who is in a group now.
func (m *member) look(name string) {
	m.mu.Lock()
	o := m.rooms[name]
	if o == nil || o.due {
		m.mu.Unlock()
		return
	}
	o.due = true
	m.mu.Unlock()
	m.do(func(ctx context.Context) { m.tell(ctx, name) })
}

// tell tells the channel who is in a group, if that is news.
func (m *member) tell(ctx context.Context, name string) {
	m.mu.Lock()
	o := m.rooms[name]
	if o == nil {
		m.mu.Unlock()
		return
	}
	now := m.stream.app.rosters.Of(name)
	was := o.told
	o.due, o.told = false, now
	m.mu.Unlock()
	if now == was {
		return
	}
	hook := m.stream.channel.presence
	m.call(ctx, "OnPresence", func(ctx context.Context) error { return hook.call(m.stream.value, ctx, name, now, was) })
}

// tellAll tells the channel of all groups of which it was not told.
func (m *member) tellAll(ctx context.Context) {
	m.mu.Lock()
	names := slices.Sorted(maps.Keys(m.rooms))
	m.mu.Unlock()
	for _, name := range names {
		m.tell(ctx, name)
	}
}
